"""``tiva batch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from tiva.cli.common import SWITCH, Common, emit, emit_json


def register(app: App) -> None:
    """Add the command."""
    app.command(batch)


def batch(
    plan: Path | None = None,
    *,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    dry_run: Annotated[bool, SWITCH] = False,
    resume: bool = True,
    jobs: Annotated[int | None, Parameter(alias="-j")] = None,
    memory: str | None = None,
    timeout: float | None = None,
    scheduler: str | None = None,
    wait: float = 0.0,
    json: Annotated[bool, SWITCH] = False,
    schema: Annotated[bool, SWITCH] = False,
    common: Common | None = None,
) -> int:
    """Run a plan of many tables and methods; what is done already is kept.

    Exit code 1 where some jobs failed; their messages are in the summary and the manifest.

    Parameters
    ----------
    plan
        TOML file of the plan; the example plan when left out.
    out
        Output folder in place of that of the plan.
    dry_run
        Show the jobs with estimates of time and memory; nothing is written.
    resume
        Keep results whose inputs, options and code have not changed.
    jobs
        Processes; as the plan or the cost model says when left out.
    memory
        Budget for all worker processes together, such as 8GB; 80 % of what is free when left out.
    timeout
        Seconds that a job may take.
    scheduler
        processes, inline, local, slurm, or the address of a Dask scheduler.
    wait
        Seconds to wait for another run on the same folder.
    json
        Outcomes as JSON instead of a summary.
    schema
        Print the JSON schema of plans, for editors, and do nothing else.
    common
        Options of every command.
    """
    from tiva.batch import plan_schema, run_plan

    if schema:
        emit_json(plan_schema())
        return 0
    common = common or Common()
    report = run_plan(
        plan,
        dry_run=dry_run,
        resume=resume,
        workers=jobs,
        memory=memory,
        timeout=timeout,
        scheduler=scheduler,
        out=out,
        progress=not common.quiet,
        wait=wait,
    )
    if json:
        emit_json(
            {
                "output": str(report.output),
                "manifest": None if report.manifest is None else str(report.manifest),
                "seconds": report.seconds,
                "dry_run": report.dry_run,
                "unchanged": list(report.skipped),
                "jobs": [{"id": o.id, "status": o.status, "message": o.message} for o in report.outcomes],
            }
        )
    else:
        emit(report.summary())
    return report.exit_code
