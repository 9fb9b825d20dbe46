from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.batch.conftest import contents
from tiva.batch import run_plan
from tiva.batch.cluster import slurm_cluster
from tiva.batch.execute import Outcome
from tiva.errors import MissingExtraError, UsageError

pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")


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
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,  # type: ignore[no-untyped-call]
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


@pytest.mark.slow
def test_a_job_that_takes_too_long_under_dask(project: Path) -> None:
    text = (project / "plan.toml").read_text(encoding="utf-8").replace("data/*.nc", "data/t2000.nc")
    (project / "plan.toml").write_text(text, encoding="utf-8")
    report = run_plan(project / "plan.toml", scheduler="local", workers=1, timeout=1e-3, progress=False)
    assert {o.status for o in report.outcomes} <= {"timed out", "ok"}
    assert report.outcomes[0].status == "timed out"
    assert report.exit_code == 1


def test_slurm_jobs_have_one_process_of_one_thread() -> None:
    pytest.importorskip("dask_jobqueue", reason="the extra 'cluster' is not installed")
    with slurm_cluster(3 << 30, walltime="01:00:00", interface=None) as cluster:
        script = cluster.job_script()
    assert "#SBATCH --cpus-per-task=1" in script
    assert "--nthreads 1" in script
    assert "#SBATCH --mem=3G" in script or "#SBATCH --mem=4G" in script


def test_slurm_without_its_commands_is_refused_at_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(UsageError, match="no command sbatch"):
        run_plan(project / "plan.toml", scheduler="slurm", progress=False)
