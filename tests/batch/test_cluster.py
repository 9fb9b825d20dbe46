from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.batch.conftest import contents, small_table
from tests.batch.test_faults import until
from tests.paths import ROOT
from tiva.batch import costs, run_plan
from tiva.batch.cluster import ANY_PORT, slurm_cluster
from tiva.batch.execute import Outcome, load_libraries
from tiva.errors import MissingExtraError, UsageError

pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")


MIDDLE = '"wwz_third"\nlevel = "{}"\n[[methods]]\nmethod = "kww"'
"""A method in the middle of the jobs of a table."""

LONG = 100
"""Countries of a table with 20 sectors for which it takes half a GB and, at the finest level, some ten seconds."""

LIMIT_SECONDS = 4.0
"""Ten times what everything else takes on an idle machine; that takes much longer."""

ONE_WORKER = 600 << 20
"""Enough for Dask and everything else, not for that."""


def test_unknown_scheduler_is_refused_before_anything_is_written(project: Path) -> None:
    with pytest.raises(UsageError, match="unknown scheduler 'cloud'"):
        run_plan(project / "plan.toml", scheduler="cloud")
    assert not (project / "out").exists()


def test_missing_library_names_the_extra(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"tiva-icio\[cluster\]"):
        run_plan(project / "plan.toml", scheduler="local", progress=False)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.slow
def test_a_worker_killed_under_dask(project: Path) -> None:
    """An existing scheduler, of which one of two workers is lost: the same bytes as in one quiet process."""
    from distributed import Client, LocalCluster

    run_plan(project / "plan.toml", scheduler="inline", progress=False, out=project / "quiet")
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=ANY_PORT) as cluster,  # type: ignore[no-untyped-call]
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        pids = client.run(os.getpid)

        def kill(done: int, total: int, outcome: Outcome) -> None:
            if done == 1:
                os.kill(next(iter(pids.values())), signal.SIGKILL)

        report = run_plan(project / "plan.toml", scheduler=cluster.scheduler_address, progress=kill)
    assert [o.message for o in report.failed] == []
    assert len(report.outcomes) == 6
    assert contents(project / "out") == contents(project / "quiet")


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.slow
def test_a_job_that_takes_too_long_under_dask(project: Path) -> None:
    """It is given up, its worker ends and is replaced, and the others go on."""
    from distributed import Client, LocalCluster

    text = (project / "plan.toml").read_text(encoding="utf-8")
    (project / "plan.toml").write_text(text.replace('"kww"', MIDDLE.format("sector-bilateral")), encoding="utf-8")
    small_table(2001, countries=LONG, sectors=20).save(project / "data" / "t2001.nc")
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=ANY_PORT) as cluster,  # type: ignore[no-untyped-call]
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        client.run(load_libraries)
        before = set(client.run(os.getpid).values())
        options = {"scheduler": cluster.scheduler_address, "progress": False, "timeout": LIMIT_SECONDS}
        report = run_plan(project / "plan.toml", **options)  # type: ignore[arg-type]
        assert {o.id: o.status for o in report.outcomes if o.status != "ok"} == {
            "small-t2001_wwz_third_sector-bilateral": "timed out"
        }, report.summary()
        assert len(report.outcomes) == 9
        assert f"longer than its limit of {LIMIT_SECONDS:g} s" in report.failed[0].message
        until(lambda: bool(pids := set(client.run(os.getpid).values())) and pids.isdisjoint(before))
    assert report.exit_code == 1
    assert "small-t2001_wwz_third" not in "".join(contents(project / "out"))


@pytest.mark.slow
def test_a_job_that_outgrows_its_worker_under_dask(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dask ends the worker; only that job fails."""
    import dask

    monkeypatch.setattr(costs, "MATRICES", 0.01)
    monkeypatch.setattr(costs, "RESULT_COPIES", 0.0)
    text = (project / "plan.toml").read_text(encoding="utf-8")
    (project / "plan.toml").write_text(text.replace('"kww"', MIDDLE.format("country")), encoding="utf-8")
    small_table(2001, countries=LONG, sectors=20).save(project / "data" / "t2001.nc")
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
        report = run_plan(project / "plan.toml", scheduler="local", workers=1, progress=False, memory=ONE_WORKER)
    assert {o.id: o.status for o in report.outcomes if o.status != "ok"} == {
        "small-t2001_wwz_third_country": "worker died"
    }, report.summary()
    assert len(report.outcomes) == 9
    assert "out of memory? a worker has its part of --memory only" in report.failed[0].message


def test_slurm_jobs_have_one_process_of_one_thread() -> None:
    pytest.importorskip("dask_jobqueue", reason="the extra 'cluster' is not installed")
    import dask

    with (
        dask.config.set({"jobqueue.slurm.job-script-prologue": ["module load python"]}),
        slurm_cluster(3 << 30, walltime="01:00:00", interface=None) as cluster,
    ):
        script = cluster.job_script()
    assert "module load python" in script
    assert "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE=False" in script
    assert "#SBATCH --cpus-per-task=1" in script
    assert "--nthreads 1" in script
    assert "#SBATCH --mem=3G" in script or "#SBATCH --mem=4G" in script


SBATCH = """#!{python}
import os, shutil, subprocess, sys
script = f"{{sys.argv[-1]}}.copy"  # the command takes a copy: the script is removed at once
shutil.copy(sys.argv[-1], script)
with open("{folder}/log", "ab") as log:
    job = subprocess.Popen(["bash", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
with open("{folder}/submitted", "a") as jobs:
    jobs.write(f"{{job.pid}}\\n")
print(f"Submitted batch job {{job.pid}}")
"""

SCANCEL = """#!{python}
import contextlib, os, signal, sys
with open("{folder}/cancelled", "a") as jobs:
    jobs.write(" ".join(sys.argv[1:]) + "\\n")
for job in sys.argv[1:]:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(int(job), signal.SIGTERM)
"""


class Slurm:
    """Stands for Slurm: ``sbatch`` starts the script as a process of this machine, ``scancel`` ends it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
            command = folder / name
            command.write_text(text.format(python=sys.executable, folder=folder), encoding="utf-8")
            command.chmod(0o755)

    def jobs(self, what: str) -> list[int]:
        """Return the numbers of the jobs that were ``submitted`` or ``cancelled``."""
        path = self.folder / what
        return [int(job) for job in path.read_text(encoding="utf-8").split()] if path.exists() else []

    def running(self) -> list[int]:
        """Return the jobs with a process that lives."""
        return [job for job in self.jobs("submitted") if _lives(job)]


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    pytest.importorskip("dask_jobqueue", reason="the extra 'cluster' is not installed")
    import dask

    fake = Slurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}):
        yield fake
    for job in fake.running():
        os.killpg(job, signal.SIGKILL)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.slow
def test_slurm_from_the_job_script_to_the_results(project: Path, slurm: Slurm) -> None:
    """All of the way but Slurm itself: scheduler, jobs that are submitted, one that is lost and replaced, results."""
    run_plan(project / "plan.toml", scheduler="inline", progress=False, out=project / "quiet")

    def lose(done: int, total: int, outcome: Outcome) -> None:
        if done == 1:
            os.killpg(slurm.jobs("submitted")[0], signal.SIGKILL)

    report = run_plan(project / "plan.toml", scheduler="slurm", workers=1, progress=lose)
    assert [o.message for o in report.failed] == []
    assert len(report.outcomes) == 6
    assert contents(project / "out") == contents(project / "quiet")
    assert len(slurm.jobs("submitted")) == 2, "the lost job was not replaced"
    assert set(slurm.jobs("cancelled")) >= {slurm.jobs("submitted")[-1]}
    until(lambda: not slurm.running())


def test_slurm_without_its_commands_is_refused_at_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(UsageError, match="no command sbatch"):
        run_plan(project / "plan.toml", scheduler="slurm", progress=False)
