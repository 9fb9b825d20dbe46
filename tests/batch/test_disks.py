"""Disks that are full in earnest, and disks that lose what was not brought to them before the power went."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import tiva
from tests.batch.conftest import contents
from tests.batch.test_faults import PATIENCE_SECONDS, ROOT, finished, inline, undisturbed
from tiva.batch.execute import STATUS_OK
from tiva.batch.journal import JOURNAL_FILE, last_outcomes, read_events
from tiva.batch.writers import size_of
from tiva.errors import TivaError

__all__ = ["undisturbed"]

UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")
"""A name space of its own, where a disk can be mounted that goes with the last process in it."""

FULL = """\
import json, subprocess, sys
from pathlib import Path
import tiva.batch
from tests.batch.conftest import contents

def fill(plan, disk, scheduler, kilobytes):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", disk], check=True)
    try:
        report = tiva.batch.run_plan(plan, out=f"{disk}/out", scheduler=scheduler, workers=1, progress=False)
        said = [o.message for o in report.failed]
    except tiva.errors.TivaError as error:
        said = [str(error)]
    held = contents(Path(disk) / "out")
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    report = tiva.batch.run_plan(plan, out=f"{disk}/out", scheduler=scheduler, workers=1, progress=False)
    manifest = json.loads((Path(disk) / "out" / "manifest.json").read_text())
    recorded = {j["path"]: j["sha256"] for j in manifest["jobs"]}
    print(json.dumps([kilobytes, said, held, contents(Path(disk) / "out"), recorded, manifest["status"]]), flush=True)
    subprocess.run(["umount", disk], check=True)

if __name__ == "__main__":
    for kilobytes in sys.argv[4:]:
        fill(*sys.argv[1:4], int(kilobytes))
"""


def can_mount() -> bool:
    try:
        command = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/tmp"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_mount(), reason="no disk can be mounted here")
@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["inline", "processes"])
def test_a_disk_that_is_full(scheduler: str, project: Path, undisturbed: dict[str, str]) -> None:
    """Disks that are full at the first line, in the middle of a result, and at the end of the manifest."""
    script, disk = project / "full.py", project / "disk"
    script.write_text(FULL, encoding="utf-8")
    disk.mkdir()
    whole = size_of(project / "quiet") >> 10
    sizes = sorted({4, 8, 16, *(whole * part // 8 for part in range(2, 10))})
    command = [*UNSHARE, sys.executable, str(script), str(project / "plan.toml"), str(disk), scheduler]
    done = subprocess.run(
        [*command, *map(str, sizes)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        timeout=4 * PATIENCE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    tried = [json.loads(line) for line in done.stdout.splitlines()]
    assert [kilobytes for kilobytes, *_ in tried] == sizes
    for kilobytes, said, held, after, recorded, status in tried:
        assert held.items() <= undisturbed.items(), kilobytes
        assert after == recorded == undisturbed, kilobytes
        assert status == "complete"
        assert all("full" in text or "No space left" in text or "Errno 28" in text for text in said), said
    assert sum(bool(said) for _, said, *_ in tried) > len(sizes) // 2, "hardly any disk was full"
    assert len({len(held) for _, _, held, *_ in tried}) > 2, "all disks were full at the same moment"


@dataclass(frozen=True, slots=True)
class Moment:
    """Content of every file, how many bytes of it are on disk for sure, and the files whose names are."""

    content: dict[str, bytes]
    sure: dict[str, int]
    named: set[str]

    def with_torn_files(self) -> dict[str, bytes]:
        """What was not brought to disk has its length, and zeros in place of its second half."""
        return {path: torn(content, self.sure[path]) for path, content in self.content.items()}

    def without_new_names(self) -> dict[str, bytes]:
        """Moves and new files that were not brought to disk have not happened."""
        first = {JOURNAL_FILE, "manifest.json"}
        return {p: c[: self.sure[p]] for p, c in self.content.items() if self.sure[p] and p in self.named | first}


def torn(content: bytes, sure: int) -> bytes:
    kept = sure + (len(content) - sure) // 2
    return content[:kept] + bytes(len(content) - kept)


class LosingDisk:
    """Notes at every moment at which something is brought to disk what is there for sure."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.moments: list[Moment] = []
        self._brought: dict[int, bytes] = {}
        self._named: set[tuple[str, int]] = set()
        self._fsync = os.fsync

    def fsync(self, handle: int) -> None:
        """Stand for :func:`os.fsync`."""
        self._fsync(handle)
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path.is_relative_to(self.root):
            self._note()
            if path.is_dir():
                self._named |= {(str(p), p.stat().st_ino) for p in path.iterdir()}
            elif path.exists():
                self._brought[path.stat().st_ino] = path.read_bytes()
            self._note()

    def _note(self) -> None:
        content: dict[str, bytes] = {}
        sure: dict[str, int] = {}
        named: set[str] = set()
        for path in self.root.rglob("*"):
            if not path.is_file() or path.name == ".lock":
                continue
            name, number = str(path.relative_to(self.root)), path.stat().st_ino
            content[name] = path.read_bytes()
            brought = self._brought.get(number, b"")
            sure[name] = len(brought) if content[name].startswith(brought) else 0
            if (str(path), number) in self._named:
                named.add(name)
        self.moments.append(Moment(content, sure, named))


@pytest.mark.skipif(sys.platform != "linux", reason="looks for paths in /proc")
@pytest.mark.slow
@pytest.mark.parametrize("lost", [Moment.with_torn_files, Moment.without_new_names])
def test_power_that_goes_at_any_moment(
    lost: Callable[[Moment], dict[str, bytes]],
    project: Path,
    undisturbed: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    disk = LosingDisk(project / "out")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk.fsync)
        inline(project)
    shapes = {tuple(sorted(lost(moment).items())) for moment in disk.moments}
    assert len(shapes) >= 2 * len(undisturbed)
    results = 0
    for shape in sorted(shapes):
        shutil.rmtree(project / "out")
        for path, content in shape:
            (project / "out" / path).parent.mkdir(parents=True, exist_ok=True)
            (project / "out" / path).write_bytes(content)
        results += trusted(project / "out", undisturbed)
        finished(project, undisturbed)
    assert results


def trusted(folder: Path, undisturbed: dict[str, str]) -> int:
    """Return how many results a folder gives before it is repaired; what it gives has to be right."""
    held = contents(folder)
    told = [o for o in last_outcomes(read_events(folder)).values() if o.status == STATUS_OK]
    assert {o.path: o.sha256 for o in told}.items() <= undisturbed.items()
    whole = [o for o in told if held.get(o.path) == o.sha256]
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError):
        manifest = {"status": "none"}
    if manifest["status"] == "complete":
        assert held == undisturbed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        try:
            values = tiva.open_results(folder)["gexp"].load()
        except TivaError:
            return 0
    assert int(values.notnull().any([d for d in values.dims if d not in {"year", "decomposition"}]).sum()) == len(whole)
    return len(whole)
