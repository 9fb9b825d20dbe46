"""What can go wrong on the way, and that a resumed run ends where an undisturbed one does, byte for byte."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import tiva
from tests.batch.conftest import contents, small_table
from tests.batch.privileges import bound_by_permissions
from tests.paths import listed
from tiva.batch import costs, run_plan, scenarios, writers
from tiva.batch.execute import Outcome
from tiva.batch.jobs import TableSource
from tiva.batch.journal import JOURNAL_FILE, Journal, read_events
from tiva.batch.runner import BatchReport
from tiva.errors import OutputError, OutputLockedError, UsageError

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0
"""How long a loaded machine may take for what takes a second."""

ROUNDS = 4
"""How often something is ended at random."""

KEPT = {"data", "manifest.json", "journal.jsonl", "run.log", ".lock"}
"""What an output folder holds after a run."""

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and resource limits")


def inline(project: Path, **options: object) -> BatchReport:
    return run_plan(project / "plan.toml", scheduler="inline", progress=False, **options)  # type: ignore[arg-type]


@pytest.fixture
def undisturbed(project: Path) -> dict[str, str]:
    """Digests of what a run gives that nothing happens to."""
    inline(project, out=project / "quiet")
    return contents(project / "quiet")


def started(
    project: Path, before: str = "", scheduler: str = "inline", pause: float = 0.05, resume: bool = True
) -> subprocess.Popen[bytes]:
    """A run in a process of its own that waits after each job."""
    code = (
        f"import time; {before}\n"
        "if __name__ == '__main__':\n"
        "    import tiva.batch\n"
        f"    tiva.batch.run_plan({str(project / 'plan.toml')!r}, scheduler={scheduler!r}, workers=1,\n"
        f"        resume={resume}, progress=lambda done, total, outcome: time.sleep({pause}))\n"
    )
    script = project / "script.py"
    script.write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, str(script)], env=environment, stderr=subprocess.PIPE)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)


def journal_lines(folder: Path) -> int:
    path = folder / JOURNAL_FILE
    return path.read_bytes().count(b'"event": "end"') if path.exists() else 0


def moved_on(folder: Path, before: int, process: subprocess.Popen[bytes]) -> bool:
    return journal_lines(folder) > before or process.poll() is not None


def finished(project: Path, undisturbed: dict[str, str]) -> BatchReport:
    """Finish a run, and check data and manifest against the undisturbed one."""
    report = inline(project)
    assert report.exit_code == 0
    assert contents(project / "out") == undisturbed
    manifest = json.loads((project / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "complete"
    assert {job["path"]: job["sha256"] for job in manifest["jobs"]} == undisturbed
    assert set(listed(project / "out")) <= KEPT, "something was left behind"
    return report


@posix_only
def test_kill_9_at_random_moments(project: Path, undisturbed: dict[str, str]) -> None:
    chance = random.Random(5)
    for _ in range(2):
        before = journal_lines(project / "out")
        process = started(project)
        until(partial(moved_on, project / "out", before, process))
        time.sleep(chance.uniform(0.0, 0.12))
        process.kill()
        process.communicate()
        whole = contents(project / "out")
        assert whole.items() <= undisturbed.items()
    assert finished(project, undisturbed).skipped


@posix_only
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.slow
def test_kill_9_of_anything_at_random_moments(project: Path, undisturbed: dict[str, str]) -> None:
    """The run or one of its workers is ended at a moment that nobody has chosen, again and again."""
    chance = random.Random(7)
    survived = 0
    for _ in range(ROUNDS):
        process = started(project, scheduler="processes", pause=0.02, resume=False)
        until(partial(moved_on, project / "out", 0, process))
        time.sleep(chance.uniform(0.0, 0.15))
        victim = chance.choice([process.pid, *descendants(process.pid)]) if process.poll() is None else None
        if victim is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        process.communicate(timeout=PATIENCE_SECONDS)
        survived += process.returncode == 0
        assert contents(project / "out").items() <= undisturbed.items()
        manifest = json.loads((project / "out" / "manifest.json").read_text(encoding="utf-8"))
        recorded = {job["path"]: job["sha256"] for job in manifest["jobs"] if job["status"] == "ok"}
        assert recorded.items() <= undisturbed.items()
        assert manifest["status"] != "complete" or recorded == undisturbed
        finished(project, undisturbed)
    assert survived < ROUNDS, "nothing was ended"


@posix_only
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.slow
def test_kill_9_takes_the_workers_along(project: Path) -> None:
    """At once: a job that goes on without its run would still fill memory and disk."""
    with_a_long_job(project)
    inline(project, out=project / "quiet")
    # A busy disk would give the job the time to end before.
    process = started(project, before="import os; os.fsync = lambda _: None", scheduler="processes", pause=0.0)
    until(lambda: journal_lines(project / "out") > 0)
    children = descendants(process.pid)
    process.kill()
    process.communicate()
    assert len(children) > 1
    until(lambda: not any(_alive(pid) for pid in children))
    assert [p for p in (project / "out" / ".work").rglob("*") if p.is_file()] == [], "a worker ended its job first"
    finished(project, contents(project / "quiet"))


def with_a_long_job(project: Path) -> None:
    """Make the second job of the plan's only group one that lasts a while."""
    text = (project / "plan.toml").read_text(encoding="utf-8")
    middle = '[[methods]]\nmethod = "wwz_third"\nlevel = "sector-bilateral"\n[[methods]]\nmethod = "kww"\n'
    text = text.replace('[[methods]]\nmethod = "kww"\n', middle).replace("data/*.nc", "data/t2000.nc")
    (project / "plan.toml").write_text(text, encoding="utf-8")
    small_table(2000, countries=30, sectors=20).save(project / "data" / "t2000.nc")


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        found += [int(child), *descendants(int(child))]
    return found


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


@posix_only
@pytest.mark.slow
def test_a_killed_worker_ends_its_job_only(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job that it was at is in the middle of its group: what is left of the group goes to another worker."""
    import multiprocessing

    with_a_long_job(project)
    inline(project, out=project / "quiet")
    killed: list[int] = []
    add = Journal.add

    def kill(journal: Journal, event: str, values: dict[str, object], *, sync: bool = True) -> None:
        add(journal, event, values, sync=sync)
        if event == "begin" and "wwz_third" in str(values["id"]) and not killed:
            for child in multiprocessing.active_children():
                killed.append(child.pid or 0)
                child.kill()

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", kill)
        patch.setattr(os, "fsync", lambda _: None)  # a busy disk would give the job the time to end before
        report = run_plan(project / "plan.toml", workers=1, progress=False)
    assert killed
    assert {o.id.split("_", 1)[1]: o.status for o in report.outcomes} == {
        "headline-exporter_country": "ok", "wwz_third_sector-bilateral": "worker died", "kww_country": "ok",
    }  # fmt: skip
    assert "its process was ended by SIGKILL (out of memory?)" in report.failed[0].message
    finished(project, contents(project / "quiet"))


def test_a_job_that_takes_too_long_is_ended(project: Path) -> None:
    text = (project / "plan.toml").read_text(encoding="utf-8").replace("data/*.nc", "data/t2000.nc")
    (project / "plan.toml").write_text(text.replace('[[methods]]\nmethod = "kww"\n', ""), encoding="utf-8")
    small_table(2000, countries=100, sectors=10).save(project / "data" / "t2000.nc")  # outlasts a look at the clock
    report = run_plan(project / "plan.toml", workers=1, timeout=1e-3, progress=False)
    assert [o.status for o in report.outcomes] == ["timed out"]
    assert "limit of 0.001 s" in report.summary()
    assert inline(project).exit_code == 0


def test_a_full_disk_fails_the_job_and_leaves_nothing(
    project: Path, undisturbed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = writers.write
    calls: list[Path] = []

    def full(dataset: object, path: Path, form: str, labels: dict[str, str]) -> None:
        calls.append(path)
        original(dataset, path, form, labels)  # type: ignore[arg-type]
        if len(calls) in {2, 5}:
            path.write_bytes(path.read_bytes()[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    def nothing_lies_about(done: int, total: int, outcome: Outcome) -> None:
        assert [p for p in (project / "out" / ".work").rglob("*") if p.is_file()] == []

    monkeypatch.setattr(writers, "write", full)
    report = run_plan(project / "plan.toml", scheduler="inline", progress=nothing_lies_about)
    assert [o.message for o in report.failed] == ["the disk is full: free space, then run again with resume"] * 2
    assert len(contents(project / "out")) == 4
    monkeypatch.undo()
    assert len(finished(project, undisturbed).skipped) == 4


@posix_only
@pytest.mark.parametrize("limit", [1500, 7000])
def test_files_that_may_not_grow(limit: int, project: Path, undisturbed: dict[str, str]) -> None:
    """A limit of the system on file sizes strikes results, journal and manifest alike."""
    process = started(
        project, before=f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))", pause=0.0
    )
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode != 0, said
    assert contents(project / "out").items() <= undisturbed.items()
    finished(project, undisturbed)


def test_an_input_that_changes_in_the_middle(project: Path, undisturbed: dict[str, str]) -> None:
    good = (project / "data" / "t2002.nc").read_bytes()

    def corrupt(done: int, total: int, outcome: Outcome) -> None:
        if done == 1:
            (project / "data" / "t2002.nc").write_bytes(good[: len(good) // 2])

    report = run_plan(project / "plan.toml", scheduler="inline", progress=corrupt)
    assert {o.id.split("_")[0] for o in report.failed} == {"small-t2002"}
    assert all("changed while the batch ran" in o.message for o in report.failed)
    (project / "data" / "t2002.nc").write_bytes(good)
    assert len(finished(project, undisturbed).skipped) == 4


def test_an_input_that_is_replaced_while_it_is_read(
    project: Path, undisturbed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a table that is whole and right, and not that of the plan."""
    path = project / "data" / "t2001.nc"
    good, original = path.read_bytes(), scenarios.load_table

    def replaced(source: TableSource) -> tiva.IcioTable:
        if source.name == "small-t2001":
            small_table(2001, seed=9).save(path)
        return original(source)

    with monkeypatch.context() as patch:
        patch.setattr(scenarios, "load_table", replaced)
        report = inline(project)
    assert {o.id.split("_")[0] for o in report.failed} == {"small-t2001"}
    assert all("changed while the batch ran" in o.message for o in report.failed)
    assert contents(project / "out").items() <= undisturbed.items()
    path.write_bytes(good)
    assert len(finished(project, undisturbed).skipped) == 4


@pytest.mark.skipif(sys.platform != "linux", reason="/proc refuses new folders even to root")
def test_an_output_that_cannot_be_written(project: Path) -> None:
    with pytest.raises(OutputError, match="cannot write to the output folder"):
        inline(project, out="/proc/tiva-results")


def skip_unless_bound(locked: Path) -> None:
    if os.access(locked, os.W_OK, effective_ids=True):
        pytest.skip("this user may write everywhere")


@posix_only
def test_a_read_only_output(project: Path) -> None:
    (project / "locked").mkdir(mode=0o500)
    with bound_by_permissions():
        skip_unless_bound(project / "locked")
        with pytest.raises(OutputError, match="cannot write"):
            inline(project, out=project / "locked")
    assert not list((project / "locked").iterdir())


@posix_only
def test_an_output_that_becomes_read_only(project: Path, undisturbed: dict[str, str]) -> None:
    folder = project / "out" / "data" / "year=2001"

    def lock(done: int, total: int, outcome: object) -> None:
        if done == 3:
            for place in (folder, *folder.rglob("*")):
                place.chmod(0o500)

    with bound_by_permissions():
        (project / "probe").mkdir(mode=0o500)
        skip_unless_bound(project / "probe")
        report = run_plan(project / "plan.toml", scheduler="inline", progress=lock)
    for place in (folder, *folder.rglob("*")):
        place.chmod(0o700)
    assert report.exit_code == 1
    assert [o.id for o in report.failed] == ["small-t2001_kww_country"]
    assert "Permission denied" in report.failed[0].message
    assert finished(project, undisturbed).exit_code == 0


def test_a_clock_that_jumps(project: Path, undisturbed: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10**9, 0, -100_000))
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    report = inline(project)
    assert all(o.seconds >= 0 for o in report.outcomes)
    for file in (project / "data").iterdir():
        os.utime(file, (0, 0))
    for file in (project / "out").rglob("*.parquet"):
        os.utime(file, (4e9, 4e9))
    assert len(finished(project, undisturbed).skipped) == 6


@posix_only
def test_two_runs_on_one_folder(project: Path, undisturbed: dict[str, str]) -> None:
    process = started(project, pause=0.3)
    until(lambda: journal_lines(project / "out") > 0)
    with pytest.raises(OutputLockedError, match="another run works on"):
        inline(project)
    report = inline(project, wait=PATIENCE_SECONDS)
    process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert len(report.skipped) == 6
    finished(project, undisturbed)


def test_the_time_to_wait_for_another_run_is_a_number(project: Path) -> None:
    with pytest.raises(UsageError, match="must be a number of seconds"):
        inline(project, wait=float("nan"))


def test_a_journal_torn_at_any_byte(project: Path, undisturbed: dict[str, str]) -> None:
    inline(project)
    journal = (project / "out" / JOURNAL_FILE).read_bytes()
    chance = random.Random(3)
    for cut in chance.sample(range(len(journal)), 6):
        (project / "out" / JOURNAL_FILE).write_bytes(journal[:cut])
        finished(project, undisturbed)
        lines = (project / "out" / JOURNAL_FILE).read_bytes().splitlines()
        assert len(read_events(project / "out")) == len(lines), "a damaged line was left between whole ones"


def test_a_line_of_the_journal_that_is_written_in_part_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    with monkeypatch.context() as patch:
        original = os.write
        patch.setattr(os, "write", lambda handle, line: original(handle, line[:7]))
        with pytest.raises(OutputError, match="no space left"):
            journal.add("begin", {"id": "x"})
    journal.close()
    assert read_events(tmp_path) == []


def test_a_power_cut_between_file_and_journal(project: Path, undisturbed: dict[str, str]) -> None:
    """The data of a job are there, half of them or all, and its line is not; leftovers lie about."""
    inline(project)
    folder = project / "out"
    lines = (folder / JOURNAL_FILE).read_bytes().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if b'"event": "end"' in line)
    lost = json.loads(lines[last])["path"]
    (folder / JOURNAL_FILE).write_bytes(b"".join(lines[:last]))
    (folder / lost).write_bytes((folder / lost).read_bytes()[:50])
    (folder / ".work" / "dead").mkdir(parents=True)
    (folder / ".work" / "dead" / "x.parquet").write_bytes(b"PAR1")
    assert len(finished(project, undisturbed).skipped) == 5


def test_a_run_that_was_interrupted_is_not_taken_for_a_whole_one(project: Path) -> None:
    def interrupt(done: int, total: int, outcome: Outcome) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        run_plan(project / "plan.toml", scheduler="inline", progress=interrupt)
    manifest = json.loads((project / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "incomplete"
    assert manifest["counts"] == {"ok": 2, "pending": 4}
    with pytest.warns(tiva.errors.PartialResultsWarning, match="4 of 6 results are missing"):
        tiva.open_results(project / "out")


@pytest.mark.parametrize("scheduler", ["inline", "processes"])
def test_a_run_that_makes_all_anew_and_is_interrupted_does_not_speak_of_what_it_removed(
    scheduler: str, project: Path, undisturbed: dict[str, str]
) -> None:
    def interrupt(done: int, total: int, outcome: Outcome) -> None:
        if done == 2:
            raise KeyboardInterrupt

    folder = project / "out"
    inline(project)
    with contextlib.suppress(KeyboardInterrupt):
        run_plan(project / "plan.toml", scheduler=scheduler, progress=interrupt, resume=False)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["counts"] == {"ok": 2, "pending": 4}
    assert all((folder / job["path"]).exists() for job in manifest["jobs"] if job["status"] == "ok")
    with pytest.warns(tiva.errors.PartialResultsWarning, match="4 of 6 results are missing"):
        tiva.open_results(folder)
    assert len(finished(project, undisturbed).skipped) == 2


@posix_only
def test_kill_9_of_a_run_that_makes_all_anew(project: Path, undisturbed: dict[str, str]) -> None:
    folder = project / "out"
    inline(project)
    before = journal_lines(folder)
    process = started(project, pause=0.5, resume=False)
    until(lambda: moved_on(folder, before, process))
    process.kill()
    process.communicate(timeout=PATIENCE_SECONDS)
    with pytest.warns(tiva.errors.PartialResultsWarning, match="of 6 results are missing"):
        tiva.open_results(folder)
    finished(project, undisturbed)


def test_a_run_that_is_resumed_keeps_its_threads(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums in another order would differ in their last digits from those of the results that are kept."""
    monkeypatch.setattr(costs, "cores", lambda: 2)
    monkeypatch.setattr(costs, "THREADS_FROM", 1)

    def interrupt(done: int, total: int, outcome: Outcome) -> None:
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        run_plan(project / "plan.toml", scheduler="inline", workers=1, progress=interrupt)
    assert [e["threads"] for e in read_events(project / "out") if e["event"] == "run"] == [2]
    report = run_plan(project / "plan.toml", workers=2, progress=False)
    assert len(report.skipped) == 1
    assert (report.layout.workers, report.layout.threads) == (2, 2)
    assert run_plan(project / "plan.toml", workers=2, progress=False, resume=False).layout.threads == 1


def test_a_moved_folder_resumes(project: Path, undisturbed: dict[str, str]) -> None:
    inline(project)
    moved = project.parent / f"{project.name}-moved"
    shutil.copytree(project, moved)
    assert len(finished(moved, undisturbed).skipped) == 6


def test_only_what_runs_have_made_is_removed(project: Path) -> None:
    inline(project)
    note = project / "out" / "data" / "year=2000" / "note.txt"
    note.write_text("mine", encoding="utf-8")
    (project / "out" / "cubes" / "mine").mkdir(parents=True)
    text = (project / "plan.toml").read_text(encoding="utf-8")
    (project / "plan.toml").write_text(text.replace('[[methods]]\nmethod = "kww"\n', ""), encoding="utf-8")
    dry = run_plan(project / "plan.toml", dry_run=True)
    assert len(dry.removed) == 3
    assert "would remove, no longer in the plan" in dry.summary()
    report = inline(project)
    assert "removed, no longer in the plan" in report.summary()
    assert not list((project / "out").rglob("*kww*"))
    assert note.read_text(encoding="utf-8") == "mine"
    assert (project / "out" / "cubes" / "mine").is_dir()


def test_the_folder_of_another_plan_or_program_is_refused(project: Path) -> None:
    inline(project)
    before = contents(project / "out")
    text = (project / "plan.toml").read_text(encoding="utf-8").replace('"small"', '"other"')
    (project / "plan.toml").write_text(text, encoding="utf-8")
    with pytest.raises(OutputError, match="results of another plan"):
        inline(project)
    assert contents(project / "out") == before
    (project / "theirs").mkdir()
    (project / "theirs" / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(OutputError, match="holds other files"):
        inline(project, out=project / "theirs")


@posix_only
def test_a_run_that_is_asked_to_end_closes_its_books(project: Path, undisturbed: dict[str, str]) -> None:
    process = started(project, pause=0.3)
    until(lambda: journal_lines(project / "out") > 0)
    process.terminate()
    process.communicate(timeout=PATIENCE_SECONDS)
    manifest = json.loads((project / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "incomplete"
    assert manifest["counts"]["ok"] == journal_lines(project / "out")
    assert not (project / "out" / ".work").exists()
    assert finished(project, undisturbed).skipped


def test_a_log_that_cannot_be_written_stops_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tiva.batch import progress

    monkeypatch.setattr(progress, "LOG_FILE", "/dev/full")
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    assert inline(project).exit_code == 0


def test_files_beside_a_table_count_as_inputs(project: Path) -> None:
    inline(project)
    (project / "data" / "t2001_countrylist.csv").write_text("A\nB\nC\n", encoding="utf-8")
    assert {o.split("_")[0] for o in inline(project).skipped} == {"small-t2000", "small-t2002"}
