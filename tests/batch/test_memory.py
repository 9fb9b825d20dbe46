"""The budget of memory holds for what workers really use, not only for what was estimated."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.batch.conftest import contents, small_table
from tiva.batch import costs, memory, run_plan
from tiva.batch.journal import read_events
from tiva.batch.memory import Excess, Watch
from tiva.batch.runner import BatchReport

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="memory of processes is watched on Linux")

PLAN = """\
[output]
folder = "out"
[[tables]]
name = "t"
paths = ["data/*.nc"]
[[methods]]
method = "wwz_third"
[[methods]]
method = "headline"
"""

LARGE = 80
"""Countries of the large tables: with 20 sectors a matrix has 20 MB, and ``wwz_third`` holds more than ten."""

TRIES = 3
"""Runs in which two workers may miss each other's peaks: when a process gets time is for the system to say."""

PLENTY = 1 << 50


def run(project: Path, allowed: int, out: str) -> BatchReport:
    return run_plan(project / "plan.toml", workers=2, memory=allowed, progress=False, out=project / out)


@pytest.fixture(scope="module")
def underestimated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A plan of two large tables and a small one, which are taken to need next to nothing; it has run undisturbed."""
    project = tmp_path_factory.mktemp("large")
    (project / "data").mkdir()
    for year, countries in ((2000, LARGE), (2001, LARGE), (2002, 3)):
        small_table(year, countries=countries, sectors=20).save(project / "data" / f"t{year}.nc")
    (project / "plan.toml").write_text(PLAN, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "BASE_BYTES", 1 << 20)
        patch.setattr(costs, "MATRICES", 0.01)
        patch.setattr(costs, "RESULT_COPIES", 0.0)
        assert run(project, PLENTY, "quiet").exit_code == 0
        yield project


def peaks(project: Path) -> tuple[int, int]:
    """Return what the jobs that need little and those that need much took at most, in bytes, shared pages included."""
    jobs = json.loads((project / "quiet" / "manifest.json").read_text(encoding="utf-8"))["jobs"]
    much = [j["peak_bytes"] for j in jobs if is_large(j["id"])]
    return max(j["peak_bytes"] for j in jobs if not is_large(j["id"])), max(much)


def is_large(job: str) -> bool:
    return "wwz_third" in job and "t2002" not in job


@linux_only
@pytest.mark.slow
def test_a_job_that_outgrows_the_budget_is_ended_and_the_others_go_on(underestimated: Path) -> None:
    allowed, _ = peaks(underestimated)
    report = run(underestimated, allowed, "out")
    assert {o.id for o in report.failed} == {o.id for o in report.outcomes if is_large(o.id)}
    assert len(report.failed) == 2
    for outcome in report.failed:
        assert outcome.status == "out of memory"
        assert outcome.peak_bytes > allowed
        assert f"allowed is {costs.format_bytes(allowed)}: allow more with --memory" in outcome.message
    assert report.exit_code == 1
    values = json.loads((underestimated / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert values["counts"] == {"ok": 4, "out of memory": 2}
    assert not (underestimated / "out" / ".work").exists()
    again = run(underestimated, PLENTY, "out")
    assert len(again.skipped) == 4
    assert contents(underestimated / "out") == contents(underestimated / "quiet")


@linux_only
@pytest.mark.slow
def test_what_fits_alone_is_tried_again_alone(underestimated: Path) -> None:
    _, much = peaks(underestimated)
    for number in range(TRIES):
        report = run(underestimated, much, f"alone{number}")
        assert report.exit_code == 0, report.summary()
        assert contents(report.output) == contents(underestimated / "quiet")
        begun = Counter(e["id"] for e in read_events(report.output) if e["event"] == "begin")
        twice = {name for name, times in begun.items() if times > 1}
        told = {o.id for o in report.outcomes if any(text.startswith("tried again alone: ") for text in o.warnings)}
        assert told == twice
        if twice:
            break
    assert twice, "no job was ended for its memory"


@dataclass
class Process:
    """A worker that holds what it is said to hold."""

    pid: int
    estimate: int
    busy: bool = True
    excess: Excess | None = None
    ended: bool = False

    def kill(self) -> None:
        self.ended = True


def ended(monkeypatch: pytest.MonkeyPatch, allowed: int, *workers: tuple[Process, int]) -> list[int]:
    """Return which workers a look ends, one after the other, until nothing is too much."""
    held = {w.pid: size for w, size in workers}
    monkeypatch.setattr(memory, "resident", lambda pid: held[pid] + 100)
    monkeypatch.setattr(memory, "proportional", lambda pid: held[pid])
    watch = Watch(lambda: [w for w, _ in workers if not w.ended], allowed)
    order: list[int] = []
    for _ in workers:
        watch.look()
        order += [w.pid for w, _ in workers if w.ended and w.pid not in order]
    return order


def test_who_is_ended_first(monkeypatch: pytest.MonkeyPatch) -> None:
    honest, greedy, idle = Process(1, 500), Process(2, 100), Process(3, 0, busy=False)
    assert ended(monkeypatch, 900, (honest, 500), (greedy, 300), (idle, 50)) == []
    assert ended(monkeypatch, 840, (honest, 500), (greedy, 300), (idle, 50)) == [3]
    assert greedy.excess is None
    assert ended(monkeypatch, 600, (honest, 500), (greedy, 300), (Process(3, 0, busy=False), 50)) == [3, 2]
    assert greedy.excess == Excess(held=300, together=800, allowed=600, estimate=100, alone=False)
    assert greedy.excess.fits_alone
    assert ended(monkeypatch, 400, (honest, 500)) == [1]
    assert honest.excess is not None
    assert not honest.excess.fits_alone


def test_memory_of_processes() -> None:
    import os

    if sys.platform != "linux":
        assert memory.resident(os.getpid()) == 0
        return
    before = memory.proportional(os.getpid())
    filled = bytearray(64 << 20)
    filled[::4096] = b"x" * len(filled[::4096])
    assert memory.proportional(os.getpid()) - before > 60 << 20
    assert memory.resident(os.getpid()) >= memory.proportional(os.getpid()) > 0
    assert memory.peak_memory() >= memory.resident_memory() > 64 << 20
    assert memory.resident(2**22 + 1) == memory.proportional(2**22 + 1) == 0
