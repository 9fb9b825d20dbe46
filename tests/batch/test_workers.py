"""Workers that share what is left, spoken to over a pipe as the run does it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.batch.conftest import contents
from tests.paths import ROOT
from tiva.batch import run_plan, workers
from tiva.batch.costs import Estimate
from tiva.batch.execute import Outcome
from tiva.batch.jobs import Group, expand
from tiva.batch.plan import read_plan
from tiva.batch.runner import _without
from tiva.batch.settings import rest_of


def groups(project: Path) -> tuple[Group, ...]:
    return expand(read_plan(project / "plan.toml"))


def test_a_worker_gives_the_later_half_of_what_it_has_not_begun(project: Path) -> None:
    many = groups(project)
    group = Group(many[0].source, tuple(job for g in many for job in g.jobs), many[0].rows)
    ours, theirs = multiprocessing.Pipe()
    ours.send(None)
    jobs = workers._unshared(group, theirs)
    first = next(jobs)
    assert ours.recv() == ("given", [j.id for j in reversed(group.jobs[3:])])
    ours.send(None)
    kept = [first.id, *(j.id for j in jobs)]
    assert kept == [j.id for j in group.jobs[:2]]
    assert ours.recv() == ("given", [group.jobs[2].id])


def test_a_script_without_a_main_guard_runs_once(project: Path) -> None:
    script = project / "script.py"
    script.write_text(
        "import os\nfrom tiva.batch import run_plan\n"
        "print('began', os.getpid(), flush=True)\n"
        "report = run_plan('plan.toml', workers=2, progress=False)\n"
        "print('ended', report.exit_code, len(report.outcomes))\n",
        encoding="utf-8",
    )
    words = [sys.executable, str(script)]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("began") == 1
    assert done.stdout.splitlines()[-1] == "ended 0 6"


@pytest.mark.slow
def test_kernels_that_were_never_compiled_are_compiled_by_workers(project: Path) -> None:
    """As in the first run after an installation: the process that workers are forked from compiles a part of them."""
    text = (project / "plan.toml").read_text(encoding="utf-8").replace('"kww"', '"wwz_third"')
    (project / "plan.toml").write_text(text, encoding="utf-8")
    variables = {**os.environ, "NUMBA_CACHE_DIR": str(project / "kernels"), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "tiva", "batch", str(project / "plan.toml"), "--jobs", "2", "--quiet"]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert list((project / "kernels").rglob("*.nbc"))


def test_every_job_runs_once_when_groups_are_shared(project: Path, monkeypatch: Any) -> None:
    text = (project / "plan.toml").read_text(encoding="utf-8")
    more = "".join(f'[[methods]]\nmethod = "{m}"\n' for m in ("vs", "vax", "my", "extraction", "bm", "wwz", "oecd"))
    (project / "plan.toml").write_text(text + more, encoding="utf-8")
    quiet = run_plan(project / "plan.toml", scheduler="inline", progress=False, out=project / "quiet")
    monkeypatch.setattr(workers._Worker, "gain", property(lambda self: 1.0))
    taken: list[set[str]] = []
    take_back = workers._Pool._take_back

    def watched(pool: Any, worker: Any, given: set[str]) -> None:
        taken.append(given)
        take_back(pool, worker, given)

    monkeypatch.setattr(workers._Pool, "_take_back", watched)
    report = run_plan(project / "plan.toml", workers=2, progress=False)
    assert report.exit_code == 0
    assert sorted(o.id for o in report.outcomes) == sorted(o.id for o in quiet.outcomes)
    assert contents(project / "out") == contents(project / "quiet")
    # Whether a worker is idle early enough to be given a share is a matter of timing: only what it is given is certain.
    assert set().union(*taken) <= {o.id for o in report.outcomes}


def test_sharing_is_worth_it_only_when_it_saves_more_than_another_start() -> None:
    process: Any = None
    worker = workers._Worker(process, process, pending=["a", "b", "c", "d"])
    assert worker.gain == 0.0
    worker.seconds = [1.0, 0.25]
    assert worker.gain == -0.5
    worker.seconds = [1.0, 2.0, 4.0]
    assert worker.gain == 5.0
    worker.current = "a"
    assert worker.untouched == 3
    assert worker.gain == 2.0
    group: Any = SimpleNamespace(cost=Estimate(20.0, 1, 0.5))
    worker.group = group
    assert worker.gain == 2.5


def test_one_table_keeps_two_processes_busy_and_its_results_are_the_same(project: Path) -> None:
    text = (project / "plan.toml").read_text(encoding="utf-8")
    single = text.replace("*.nc", "t2001.nc")
    more = "".join(f'[[methods]]\nmethod = "{m}"\n' for m in ("vs", "vax", "my", "extraction", "bm", "wwz", "oecd"))
    (project / "plan.toml").write_text(single + more, encoding="utf-8")
    assert len(groups(project)) == 1
    one = run_plan(project / "plan.toml", workers=1, progress=False, out=project / "one")
    two = run_plan(project / "plan.toml", workers=2, progress=False)
    assert (one.layout.workers, two.layout.workers, two.exit_code) == (1, 2, 0)
    assert contents(project / "out") == contents(project / "one")


def test_workers_are_forked_without_dask_which_stays_at_hand() -> None:
    pytest.importorskip("dask")
    code = (
        "import sys, tiva.batch.preloaded; print('dask' in sys.modules, 'xarray' in sys.modules);"
        "import dask.array; print(dask.array.ones(3).sum().compute())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["False", "True", "3.0"]


def test_a_run_imports_nothing_heavy_before_its_workers_begin_to() -> None:
    code = "import sys, tiva.batch.runner; print([m for m in ('numpy', 'pandas', 'xarray') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_what_is_left_of_a_table_is_estimated_by_the_jobs_that_are_left(project: Path) -> None:
    group = expand(read_plan(project / "plan.toml"))[0]
    first, second = (rest_of(group, [job]).cost for job in group.jobs)
    assert first.seconds + second.seconds == pytest.approx(group.cost.seconds + group.cost.shared)
    assert first.seconds < group.cost.seconds
    assert rest_of(group, group.jobs) == group
    kept = {group.jobs[0].id: Outcome(group.jobs[0].id, "", "ok")}
    assert _without([group], kept)[0].cost == second
