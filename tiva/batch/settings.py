"""How a run uses machines: what the call and the plan ask for, and what follows for its groups."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tiva.batch import costs
from tiva.batch.jobs import Group, Job
from tiva.batch.keys import SCHEDULER, SCHEDULERS
from tiva.batch.specs import Plan
from tiva.errors import UsageError, explain

HERE = ("processes", "inline", "local")
"""Schedulers whose workers share the memory of this machine."""

DASK_BYTES = 150 << 20
"""What a worker of Dask holds beside what one of ours does (measured 100 to 130 MiB)."""

DASK_SHARE = 0.95
"""Part of its memory at which Dask ends a worker."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Scheduler, processes (0: as the cost model says), bytes, seconds a job, and what has to be said about them."""

    scheduler: str
    workers: int
    memory: int
    timeout: float | None
    note: str = ""


def settle(
    plan: Plan,
    groups: Sequence[Group],
    *,
    workers: int | None,
    memory: str | int | None,
    timeout: float | None,
    scheduler: str | None,
) -> Settings:
    """Return the settings of a run; arguments go before the plan.

    Raises
    ------
    UsageError
        No such scheduler, a number out of bounds, or a time limit where no job can be ended.
    """
    chosen = scheduler_of(plan, scheduler)
    count = plan.workers if workers is None else workers
    limit = plan.timeout if timeout is None else timeout
    if count < 0 or (limit is not None and not 0 < limit < math.inf):
        raise UsageError(
            explain(
                "workers must be 0 or more, and a time limit more than 0 and finite",
                got=f"{count}, {limit}",
                do="leave the limit out where there is none",
            )
        )
    note = ""
    if chosen == "inline" and limit is not None:
        if timeout is not None:
            raise UsageError(
                explain(
                    "no job can be ended inline, so that a time limit means nothing",
                    got=f"scheduler 'inline' with a time limit of {limit:g} s",
                    do="leave the limit out, or use the scheduler 'processes'",
                )
            )
        limit, note = None, f"the plan's limit of {limit:g} s does not hold inline"
    given = costs.parse_bytes(memory) if memory is not None else plan.memory
    return Settings(chosen, count, given or _budget(groups, chosen, count), limit, note)


def scheduler_of(plan: Plan, scheduler: str | None) -> str:
    """Return the scheduler that a call and a plan ask for.

    Raises
    ------
    UsageError
        There is none of this name.
    """
    chosen = scheduler or plan.scheduler or "processes"
    if not re.fullmatch(SCHEDULER, chosen):
        raise UsageError(explain(f"unknown scheduler {chosen!r}", expected=f"one of {', '.join(SCHEDULERS)}"))
    return chosen


def _budget(groups: Sequence[Group], scheduler: str, workers: int) -> int:
    """Return the bytes that a run may use when it is not told: here what is free, elsewhere what the estimates need."""
    if scheduler in HERE:
        return int(costs.MEMORY_SHARE * costs.free_memory())
    return _largest(groups, scheduler) * (workers or costs.cores())


def _largest(groups: Sequence[Group], scheduler: str) -> int:
    return max((needed(group, scheduler) for group in groups), default=1)


def needed(group: Group, scheduler: str) -> int:
    """Return the bytes that a worker has to have for a group."""
    if scheduler in {"processes", "inline"}:
        return group.cost.memory
    return int((group.cost.memory + DASK_BYTES) / DASK_SHARE)


def _most(groups: Sequence[Group]) -> int:
    """Return how many workers have something to do at one time."""
    return sum(max(1, len(g.jobs) // costs.LEAST_SHARED) for g in groups)


def fitting(groups: Sequence[Group], memory: int) -> int:
    """Return how many processes may work at one time in some bytes, at least one: tables are not cut for more."""
    return max(1, memory // max((g.cost.memory for g in groups), default=1))


def evened(groups: Sequence[Group], workers: int) -> list[Group]:
    """Return the groups, longest first, some of them cut so that all workers end at about the same time."""
    parts = costs.cuts([(g.cost, len(g.jobs)) for g in groups], workers)
    cut = [part for group, count in zip(groups, parts, strict=True) for part in _parts(group, count)]
    return sorted(cut, key=lambda g: -g.cost.seconds)


def _parts(group: Group, count: int) -> list[Group]:
    """Cut a group where parts take about the same time; the longest jobs come first, so that the ends can be shared."""
    if count == 1:
        return [group]
    whole, done, parts = sum(job.seconds for job in group.jobs), 0.0, [list[Job]() for _ in range(count)]
    for job in group.jobs:
        middle = done + job.seconds / 2
        parts[min(count - 1, int(count * middle / whole)) if whole else 0].append(job)
        done += job.seconds
    return [rest_of(group, sorted(jobs, key=lambda job: -job.seconds)) for jobs in parts if jobs]


def rest_of(group: Group, jobs: Sequence[Job]) -> Group:
    """Return a group of some of its jobs, with the estimate of these."""
    whole = sum(job.seconds for job in group.jobs)
    share = sum(job.seconds for job in jobs) / whole if whole else 1.0
    return replace(group, jobs=tuple(jobs), cost=group.cost.part(share))


def layout_of(groups: Sequence[Group], settings: Settings) -> costs.Layout:
    """Return processes and threads for some groups."""
    layout = costs.choose_layout([(g.rows, g.cost, len(g.jobs)) for g in groups], settings.workers, settings.memory)
    if settings.scheduler not in {"processes", "inline"}:
        # Each worker has its part of the memory, which has to hold the largest group.
        fitting = settings.memory // _largest(groups, settings.scheduler)
        count = max(1, min(settings.workers or costs.cores(), _most(groups), fitting))
        layout = replace(layout, workers=count, threads=1, reason=f"Dask ({settings.scheduler}), one thread a worker")
    return replace(layout, reason=f"{layout.reason}; {settings.note}") if settings.note else layout
