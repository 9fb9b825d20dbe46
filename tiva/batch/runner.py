"""Running a plan: what is done is kept, what is left is run, what happened is written down."""

from __future__ import annotations

import contextlib
import os
import shutil
import textwrap
import time
import uuid
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tiva.batch import costs, manifest, outputs, writers
from tiva.batch.execute import STATUS_FAILED, STATUS_OK, STATUS_REFUSED, Outcome, explain_failure, run_group
from tiva.batch.forking import prepare
from tiva.batch.jobs import NO_YEAR, Group, Job, code_version, expand
from tiva.batch.journal import Journal, is_whole, last_outcomes, read_events
from tiva.batch.lock import PROBE, locked
from tiva.batch.plan import read_plan, refusal
from tiva.batch.progress import Callback, Progress
from tiva.batch.settings import Settings, layout_of, needed, rest_of, scheduler_of, settle
from tiva.batch.specs import Plan
from tiva.batch.stopping import stoppable
from tiva.batch.workers import Event, run_local
from tiva.errors import BackendFallbackWarning, listing

MAX_SHOWN = 8
"""Different warnings that a summary shows; the manifest has all."""

EXIT_FAILED_JOBS = 1
"""Exit code of a run in which a job failed."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What a run did, or would do.

    Attributes
    ----------
    output
        The output folder.
    outcomes
        One a job, in the order of the plan; empty after a dry run.
    skipped
        Ids of jobs that were done already, with unchanged inputs, options and code.
    layout
        Processes and threads, and why.
    memory
        Budget in bytes.
    seconds
        Duration of the run; of a dry run the estimate.
    dry_run
        Whether nothing was run.
    groups
        The jobs with their estimates.
    manifest
        Path of the manifest, ``None`` after a dry run.
    removed
        Results of earlier runs that the plan no longer asks for, removed (or, by a dry run, to be removed).
    notes
        ``line:column: message`` of labels that some tables of the plan do not have.
    """

    output: Path
    outcomes: tuple[Outcome, ...]
    skipped: tuple[str, ...]
    layout: costs.Layout
    memory: int
    seconds: float
    dry_run: bool
    groups: tuple[Group, ...] = field(repr=False)
    manifest: Path | None = None
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Outcomes of the jobs that failed."""
        return tuple(o for o in self.outcomes if o.status != STATUS_OK)

    @property
    def exit_code(self) -> int:
        """0 when every job has its result, else 1."""
        return EXIT_FAILED_JOBS if self.failed else 0

    def summary(self) -> str:
        """Return what a person wants to read at the end of a run, or of a dry run."""
        return _dry_summary(self) if self.dry_run else _summary(self)

    def __str__(self) -> str:
        return self.summary()


def _summary(report: BatchReport) -> str:
    done = len(report.outcomes) - len(report.failed) - len(report.skipped)
    parts = [f"{done} done", f"{len(report.skipped)} unchanged"]
    if report.failed:
        parts.append(f"{len(report.failed)} failed")
    lines = [f"{len(report.outcomes)} jobs: {', '.join(parts)} in {report.seconds:.1f} s"]
    warned = _alike((text, o.id) for o in report.outcomes for text in o.warnings)
    lines.extend(f"  warning ({_who(jobs)}): {textwrap.shorten(said, 300)}" for said, jobs in warned[:MAX_SHOWN])
    if len(warned) > MAX_SHOWN:
        lines.append(f"  {len(warned) - MAX_SHOWN} more warnings; see {manifest.MANIFEST_FILE}")
    residuals = [o.identity_residual for o in report.outcomes if o.identity_residual is not None]
    if residuals:
        lines.append(f"largest identity residual: {max(residuals):.1e} of gross flows")
    stated = max((o.discrepancy_share or 0.0 for o in report.outcomes), default=0.0)
    if stated:
        lines.append(f"largest discrepancy: {stated:.1e} of gross flows (country-sectors without output)")
    if report.removed:
        lines.append(f"removed, no longer in the plan: {listing(report.removed, limit=5)}")
    lines.append(f"results: {report.output}")
    failed = _alike((f"{o.status}: {textwrap.shorten(o.message, 300)}", o.id) for o in report.failed)
    lines.extend(f"  {said} ({_who(jobs)})" for said, jobs in failed)
    return "\n".join(lines)


def _alike(said: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Return each text once with the jobs that it is about; what another library computed comes first."""
    jobs: dict[str, list[str]] = {}
    for text, job in said:
        jobs.setdefault(text, []).append(job)
    return sorted(jobs.items(), key=lambda item: not item[0].startswith(BackendFallbackWarning.__name__))


def _who(jobs: Sequence[str]) -> str:
    return jobs[0] if len(jobs) == 1 else f"{len(jobs)} jobs, {listing(jobs, limit=2)}"


def _dry_summary(report: BatchReport) -> str:
    jobs = [(job, group) for group in report.groups for job in group.jobs]
    lines = [f"{len(jobs)} jobs on {len(report.groups)} tables, {len(report.skipped)} of them unchanged"]
    for group in report.groups:
        cost = f"{group.rows} rows, about {group.cost.seconds:.1f} s, {costs.format_bytes(group.cost.memory)}"
        lines.append(f"{group.jobs[0].id if len(group.jobs) == 1 else _title(group)}: {cost}")
        for job in group.jobs:
            mark = "unchanged" if job.id in report.skipped else "to do"
            lines.append(f"  {mark:<9} {job.id} -> {_expected_place(job)}")
    lines.append(f"estimate: {report.seconds:.0f} s; {report.layout.reason}")
    lines.append(f"memory: {costs.format_bytes(report.memory)} allowed")
    lines.extend(f"some jobs will fail: {note}" for note in report.notes)
    if report.removed:
        lines.append(f"would remove, no longer in the plan: {listing(report.removed, limit=5)}")
    lines.append(f"results: {report.output}")
    return "\n".join(lines)


def _expected_place(job: Job) -> str:
    """Return where a result will lie; the year of a table that has not been read yet may not be known."""
    year = job.source.expected_year
    return job.place(year) if year is not None else job.place(None).replace(f"year={NO_YEAR}", "year=(as read)")


def _title(group: Group) -> str:
    source = group.source
    parts = [source.name, source.year, source.scenario_name, source.margins_name if source.margins else None]
    return " ".join(str(p) for p in parts if p is not None)


def run_plan(
    plan: str | Path | Plan | None = None,
    *,
    dry_run: bool = False,
    resume: bool = True,
    workers: int | None = None,
    memory: str | int | None = None,
    timeout: float | None = None,
    scheduler: str | None = None,
    out: str | Path | None = None,
    progress: bool | Callback = True,
    wait: float = 0.0,
) -> BatchReport:
    """Run a batch plan, or say what it would do.

    Parameters
    ----------
    plan
        A TOML file, a plan, or nothing for the example plan of the package.
    dry_run
        Expand and estimate only; writes nothing.
    resume
        Keep results of an earlier run whose inputs, options and code have not changed. ``False`` makes all anew.
    workers
        Processes; left out or 0: as the plan or the cost model says.
    memory
        Budget for all worker processes together, such as ``"8GB"``; left out: 80 % of what is free, on other machines
        what the estimates need.
    timeout
        Seconds a job may take; not with ``scheduler="inline"``, where none can be ended.
    scheduler
        ``"processes"`` (default), ``"inline"`` (in this process, for debugging), ``"local"``, ``"slurm"`` or the
        address ``tcp://...`` of a Dask scheduler.
    out
        Output folder in place of that of the plan.
    progress
        ``True`` for a bar or lines on standard error, ``False`` for none, or a function.
    wait
        Seconds to wait for another run on the same folder; 0 refuses at once.

    Returns
    -------
    BatchReport
        ``.exit_code`` is 0 when every job has its result; ``print(report)`` says what failed and why.

    Raises
    ------
    PlanError
        The plan is refused, with line and column of each mistake.
    OutputLockedError
        Another run works on the folder.
    OutputError
        The folder cannot be written, or holds something else.

    Examples
    --------
    >>> import tiva.batch
    >>> print(tiva.batch.run_plan(dry_run=True).summary().splitlines()[0])
    15 jobs on 3 tables, 0 of them unchanged
    """
    plan = plan if isinstance(plan, Plan) else read_plan(plan, out=out)
    if out is not None:
        plan = replace(plan, output=Path(out).resolve())
    if scheduler_of(plan, scheduler) == "processes" and not dry_run:
        prepare()
    groups = expand(plan, fetch=not dry_run)
    notes = _unknown_labels(plan, groups)
    settings = settle(plan, groups, workers=workers, memory=memory, timeout=timeout, scheduler=scheduler)
    if dry_run:
        return _dry(plan, groups, settings, notes, resume=resume)
    outputs.refuse_foreign(plan.output)
    with locked(plan.output, wait):
        return _Run(plan, groups, settings, notes, resume=resume).run(progress)


def _unknown_labels(plan: Plan, groups: Sequence[Group]) -> list[str]:
    """Refuse names that no table has, and return what is to be said about those that some tables have."""
    if not plan.scenarios and not any(m.exporter or m.importer or m.sector for m in plan.methods):
        return []
    from tiva.batch.labels import check_labels

    wrong, notes = check_labels(plan, groups)
    if wrong:
        raise refusal(plan.path, wrong)
    return notes


def describe(plan: str | Path | Plan | None = None, *, out: str | Path | None = None) -> str:
    """Return the jobs of a plan with estimates of time and memory, as ``--dry-run`` prints them."""
    return run_plan(plan, dry_run=True, out=out).summary()


def _dry(
    plan: Plan, groups: tuple[Group, ...], settings: Settings, notes: Sequence[str], *, resume: bool
) -> BatchReport:
    kept = _kept(plan, groups) if resume else {}
    layout = layout_of(groups, settings)
    seconds = layout_of(_without(groups, kept), settings).seconds
    removed = _leaving(plan, groups, read_events(plan.output))
    return BatchReport(
        plan.output,
        (),
        tuple(kept),
        layout,
        settings.memory,
        seconds,
        True,
        groups,
        removed=removed,
        notes=tuple(notes),
    )


def _leaving(plan: Plan, groups: Sequence[Group], events: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the paths of recorded results of jobs that the plan does not have."""
    jobs = {job.id for group in groups for job in group.jobs}
    results = outputs.recorded(plan.output, events)
    outputs.refuse_another_plan(plan.output, results, jobs)
    return tuple(sorted(path for path, job in results.items() if job not in jobs))


def _without(groups: Sequence[Group], kept: Mapping[str, Outcome]) -> list[Group]:
    """Return the groups without the jobs that are kept."""
    left = ((group, tuple(job for job in group.jobs if job.id not in kept)) for group in groups)
    return [rest_of(group, jobs) for group, jobs in left if jobs]


def _kept(plan: Plan, groups: Sequence[Group]) -> dict[str, Outcome]:
    """Return the outcomes of an earlier run that still hold."""
    before = last_outcomes(read_events(plan.output))
    kept: dict[str, Outcome] = {}
    for job in (job for group in groups for job in group.jobs):
        outcome = before.get(job.id)
        if outcome is not None and outcome.key == job.key and is_whole(outcome, plan.output):
            kept[job.id] = outcome
    return kept


class _Run:
    """One run under the lock of its output folder."""

    def __init__(
        self, plan: Plan, groups: tuple[Group, ...], settings: Settings, notes: Sequence[str], *, resume: bool
    ) -> None:
        self.plan, self.groups, self.settings, self.notes = plan, groups, settings, tuple(notes)
        self.begin = time.monotonic()
        events = read_events(plan.output)
        self.kept = _kept(plan, groups) if resume else {}
        self.layout = _same_threads(layout_of(groups, settings), events if self.kept else [])
        self.outcomes: dict[str, Outcome] = dict(self.kept)
        self.jobs: dict[str, Job] = {job.id: job for group in groups for job in group.jobs}
        self.work = plan.output / outputs.WORK_FOLDER / uuid.uuid4().hex
        self.removed = _leaving(plan, groups, events)
        self._anew = sorted(last_outcomes(events).keys() & self.jobs.keys() - self.kept.keys())
        wanted = {outcome.path for outcome in self.kept.values()}
        self._stale = sorted(outputs.recorded(plan.output, events).keys() - wanted)
        self._forget_work()
        self.work.mkdir(parents=True)
        self.journal = Journal(plan.output)

    def _forget_work(self) -> None:
        """Remove what is unfinished, also that of runs that were killed."""
        shutil.rmtree(self.plan.output / outputs.WORK_FOLDER, ignore_errors=True)
        for pattern in (f".{Path(manifest.MANIFEST_FILE).stem}.*", f"{PROBE}*"):
            for left in self.plan.output.glob(pattern):
                left.unlink(missing_ok=True)

    def run(self, progress: bool | Callback) -> BatchReport:
        facts = {"plan": self.plan.sha256, "threads": self.layout.threads, "code": code_version()["files"]}
        try:
            self.journal.add("run", facts)
            self._withdraw()
            self._write_manifest(manifest.RUNNING)
            outputs.remove(self.plan.output, self._stale)
            self._name_columns()
            with stoppable():
                self._work_off(progress)
            for part in ("data", "cubes"):
                if (self.plan.output / part).exists():
                    writers.sync_folders(self.plan.output / part)
            path = self._write_manifest(None)
        except BaseException:
            done = last_outcomes(read_events(self.plan.output))
            self.outcomes.update({i: o for i, o in done.items() if i in self.jobs and o.key == self.jobs[i].key})
            with contextlib.suppress(OSError):
                self._write_manifest(manifest.INCOMPLETE)
            raise
        finally:
            self.journal.close()
            self._forget_work()
        ordered = tuple(self.outcomes[i] for i in self.jobs if i in self.outcomes)
        return BatchReport(
            self.plan.output, ordered, tuple(self.kept), self.layout, self.settings.memory,
            time.monotonic() - self.begin, False, self.groups, path, self.removed, self.notes,
        )  # fmt: skip

    def _withdraw(self) -> None:
        """Say that jobs begin anew, before their old results go: what was said of them holds no longer."""
        for job in self._anew:
            self.journal.add("begin", {"id": job}, sync=False)

    def _name_columns(self) -> None:
        """Say beside the results which columns they may have, where they are parquet files."""
        folder = self.plan.output / "data"
        if any(job.format == "parquet" and job.method is not None for job in self.jobs.values()):
            writers.write_columns(folder, self.work)
        else:
            outputs.remove(folder, [writers.COLUMNS_FILE])

    def _work_off(self, progress: bool | Callback) -> None:
        """Run what is left, and record the end of each job."""
        todo = _without(self.groups, self.kept)
        with Progress(self.plan.output, sum(len(g.jobs) for g in todo), progress) as shown:
            shown.began(f"run: {len(self.jobs)} jobs, {len(self.kept)} unchanged; {self.layout.reason}")
            for note in self.notes:
                shown.began(f"{self.plan.path.name}:{note}")
            with contextlib.closing(self._events(todo)) as events:
                for kind, value in events:
                    if kind == "begin":
                        self.journal.add("begin", {"id": value}, sync=False)
                    else:
                        shown.ended(self._take(value))
            shown.log(f"run ended: {len(self.outcomes)} jobs have ended")

    def _events(self, todo: list[Group]) -> Generator[Event, None, None]:
        fitting: list[Group] = []
        for group in todo:
            bytes_needed = needed(group, self.settings.scheduler)
            if bytes_needed <= self.settings.memory:
                fitting.append(group)
                continue
            need, given = costs.format_bytes(bytes_needed), costs.format_bytes(self.settings.memory)
            for job in group.jobs:
                yield "end", Outcome(job.id, job.key, STATUS_REFUSED, message=f"needs about {need}, allowed is {given}")
        if fitting:
            yield from self._scheduled(fitting)

    def _scheduled(self, groups: list[Group]) -> Iterator[Event]:
        scheduler, layout = self.settings.scheduler, self.layout
        if scheduler == "inline":
            for group in groups:
                for outcome in run_group(group, self.work, layout.threads):
                    yield "end", outcome
        else:
            from tiva.batch.cluster import run_cluster

            use: dict[str, Any] = {
                "workers": layout.workers, "threads": layout.threads,
                "memory": self.settings.memory, "timeout": self.settings.timeout,
            }  # fmt: skip
            if scheduler == "processes":
                yield from run_local(groups, self.work, **use)
            else:
                yield from run_cluster(groups, self.work, scheduler=scheduler, **use)

    def _take(self, outcome: Outcome) -> Outcome:
        """Move a finished file to its place, then record it: only both together make a result."""
        if outcome.status == STATUS_OK:
            place = self.jobs[outcome.id].place(outcome.year)
            try:
                writers.commit(Path(outcome.path), self.plan.output / place)
                outcome = replace(outcome, path=place)
            except OSError as error:
                outcome = replace(outcome, status=STATUS_FAILED, path="", message=explain_failure(error))
        self.journal.add("end", outcome.to_dict())
        self.outcomes[outcome.id] = outcome
        return outcome

    def _write_manifest(self, status: str | None) -> Path:
        whole = all(i in self.outcomes and self.outcomes[i].status == STATUS_OK for i in self.jobs)
        run = {
            "scheduler": self.settings.scheduler,
            "workers": self.layout.workers,
            "threads": self.layout.threads,
            "reason": self.layout.reason,
            "memory_bytes": self.settings.memory,
            "timeout_seconds": self.settings.timeout,
            "process": os.getpid(),
            "seconds": round(time.monotonic() - self.begin, 3),
        }
        final = status or (manifest.COMPLETE if whole else manifest.INCOMPLETE)
        return manifest.write(self.plan.output, manifest.build(self.plan, self.groups, self.outcomes, final, run))


def _same_threads(layout: costs.Layout, events: Sequence[Mapping[str, Any]]) -> costs.Layout:
    """Keep the threads of the run that is resumed: sums in another order differ in their last digits."""
    threads = next((int(e["threads"]) for e in reversed(events) if e["event"] == "run"), layout.threads)
    if threads == layout.threads:
        return layout
    return replace(layout, threads=threads, reason=f"{layout.reason}; {threads} threads as in the run that is resumed")
