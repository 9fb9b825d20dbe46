"""The same groups of jobs on Dask distributed: an existing scheduler, this machine, or Slurm."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tiva.batch.execute import STATUS_KILLED, STATUS_TIMEOUT, Outcome, load_libraries, run_group
from tiva.batch.jobs import Group
from tiva.batch.settings import evened
from tiva.errors import MissingExtraError, OutputError, UsageError, explain

TOPIC = "tiva-batch"
"""Topic under which workers tell what they begin and end."""

POLL_SECONDS = 0.2

GRACE_SECONDS = 2.0
"""Time between giving a job up and the end of its worker, for the word to go round."""

MAX_LOSSES = 3
"""Times that a group is tried again after Dask has given it up without any of its jobs having begun."""

ANY_PORT = ":0"
"""Where the pages of a scheduler are served: the usual port may be that of another run on this machine."""

CONNECT_SECONDS = 30.0
"""Time to find a scheduler."""

MEMORY = {"target": False, "spill": False, "pause": False}
"""What workers do not do when they are short of memory: a worker that pauses takes no further group, for ever."""


@contextlib.contextmanager
def client_of(scheduler: str, *, workers: int, memory: int) -> Iterator[Any]:
    """Give a Dask client for a scheduler; what is started here is stopped at the end of the block.

    Parameters
    ----------
    scheduler
        ``"local"`` starts processes here, ``"slurm"`` asks for one job a worker with the settings of dask-jobqueue
        (``jobqueue.slurm`` in the configuration of Dask), an address joins what is there.
    workers
        Processes to start.
    memory
        Bytes for all of them together.

    Raises
    ------
    MissingExtraError
        Dask, or dask-jobqueue for Slurm, is not installed.
    UsageError
        No scheduler answers at the address.
    """
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise MissingExtraError("distributed", "cluster", f"the scheduler {scheduler!r}") from error
    with contextlib.ExitStack() as stack:
        if scheduler == "local":
            stack.enter_context(dask.config.set({f"distributed.worker.memory.{k}": v for k, v in MEMORY.items()}))
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers, threads_per_worker=1, memory_limit=memory // workers, dashboard_address=ANY_PORT
                )
            )
            yield stack.enter_context(Client(cluster))
        elif scheduler == "slurm":
            _refuse_without_slurm()
            cluster = stack.enter_context(slurm_cluster(memory // max(1, workers)))
            cluster.adapt(minimum_jobs=workers, maximum_jobs=workers)
            yield stack.enter_context(Client(cluster))
        else:
            try:
                client = Client(scheduler, timeout=CONNECT_SECONDS)
            except OSError as error:
                raise UsageError(
                    explain(f"no Dask scheduler answers at {scheduler}", got=str(error), do="start one: dask scheduler")
                ) from error
            yield stack.enter_context(client)


def _refuse_without_slurm() -> None:
    if shutil.which("sbatch") is None:
        raise UsageError(
            explain(
                "Slurm cannot be asked for jobs from here",
                got="no command sbatch",
                do="run this on a login node of the cluster, or use --scheduler local",
            )
        )


def slurm_cluster(memory: int, **options: Any) -> Any:
    """Return a cluster of Slurm jobs with one process of one thread each, not yet scaled.

    Parameters
    ----------
    memory
        Bytes a worker.
    **options
        For :class:`dask_jobqueue.SLURMCluster`: queue, account, walltime and others.
    """
    try:
        import dask
        from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise MissingExtraError("dask-jobqueue", "cluster", "the scheduler 'slurm'") from error
    before = [*(dask.config.get("jobqueue.slurm.job-script-prologue", None) or ())]
    before += [f"export DASK_DISTRIBUTED__WORKER__MEMORY__{name.upper()}={value}" for name, value in MEMORY.items()]
    listening = {"dashboard_address": ANY_PORT, **(dask.config.get("jobqueue.slurm.scheduler-options", None) or {})}
    settings = {"job_script_prologue": before, "scheduler_options": listening, **options}
    return SLURMCluster(cores=1, processes=1, memory=f"{max(memory, 1 << 20)}B", **settings)


def run_cluster(
    groups: Sequence[Group],
    work: Path,
    *,
    scheduler: str,
    workers: int,
    threads: int,
    memory: int,
    timeout: float | None,
) -> Iterator[tuple[str, Any]]:
    """Run groups on Dask; a group whose worker is lost runs again elsewhere.

    Parameters
    ----------
    groups
        What is left to do.
    work
        Folder for files, seen under the same path by every worker.
    scheduler, workers, memory
        As for :func:`client_of`. Workers of an existing scheduler should have one thread each.
    threads
        Of BLAS and Numba in a worker.
    timeout
        Seconds a job may take; its worker ends itself then, so that it needs a nanny that starts another.

    Yields
    ------
    tuple
        ``("begin", job id)`` and ``("end", Outcome)``.
    """
    with client_of(scheduler, workers=workers, memory=memory) as client:
        count = len(client.nthreads()) if scheduler.startswith("tcp") else workers
        yield from _Cluster(client, evened(groups, max(1, count)), work, threads, timeout).events()


class _Cluster:
    """Futures of groups, and what their workers have said."""

    def __init__(self, client: Any, groups: Sequence[Group], work: Path, threads: int, timeout: float | None) -> None:
        self.client, self.work, self.threads, self.timeout = client, work, threads, timeout
        self.heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.left: dict[str, Any] = {job.id: job for group in groups for job in group.jobs}
        self.running: dict[str, float] = {}
        self.futures: dict[Any, Group] = {}
        self.losses: dict[str, int] = {}
        client.subscribe_topic(TOPIC, self._listen)
        for group in groups:
            self._submit(group)

    def _listen(self, event: Any) -> None:
        _, message = event
        self.heard.put(message)

    def _submit(self, group: Group) -> None:
        arguments = (group, str(self.work), self.threads, self.timeout)
        future = self.client.submit(_on_worker, *arguments, pure=False, retries=1)
        self.futures[future] = group

    def events(self) -> Iterator[tuple[str, Any]]:
        from distributed import wait

        while self.futures:
            with contextlib.suppress(TimeoutError):
                wait(list(self.futures), timeout=POLL_SECONDS, return_when="FIRST_COMPLETED")
            yield from self._said()
            for future in [f for f in self.futures if f.done()]:
                yield from self._finished(future)
            yield from self._overdue()
        self.client.unsubscribe_topic(TOPIC)

    def _said(self) -> Iterator[tuple[str, Any]]:
        while not self.heard.empty():
            message = self.heard.get()
            if message.get("run") != str(self.work):
                continue
            if "begin" in message and message["begin"] in self.left:
                self.running[message["begin"]] = time.monotonic()
                yield "begin", message["begin"]
            elif "end" in message:
                yield from self._ended(Outcome.from_dict(message["end"]))

    def _ended(self, outcome: Outcome) -> Iterator[tuple[str, Any]]:
        self.running.pop(outcome.id, None)
        if self.left.pop(outcome.id, None) is not None:
            yield "end", outcome

    def _finished(self, future: Any) -> Iterator[tuple[str, Any]]:
        group = self.futures.pop(future)
        yield from self._said()
        # Where all outcomes have been heard, the result is not asked for: it may lie on a worker that is lost.
        if any(job.id in self.left for job in group.jobs):
            error = None if future.cancelled() else future.exception()
            if error is None and not future.cancelled():
                for outcome in future.result():
                    yield from self._ended(outcome)
            else:
                yield from self._lost(group, error)
        future.release()  # or Dask would compute it again when its worker is lost

    def _lost(self, group: Group, error: BaseException | None) -> Iterator[tuple[str, Any]]:
        """End the job of a lost group that was running, and give the rest back.

        Dask gives up every group that was on a worker, or waited there, when it was lost too often: the one that ran
        brought it down, the others are tried again, some times at most.
        """
        from distributed import KilledWorker

        left = [job for job in group.jobs if job.id in self.left]
        if isinstance(error, KilledWorker):
            running = [job for job in left if job.id in self.running]
            self.losses[left[0].id] = self.losses.get(left[0].id, 0) + 1
            guilty = running if running or self.losses[left[0].id] <= MAX_LOSSES else left
            message = "its worker was lost each time it ran (out of memory? a worker has its part of --memory only)"
        else:
            guilty, message = (
                left,
                f"lost on the cluster: {type(error).__name__ if error else 'cancelled'}: {error or ''}",
            )
        for job in guilty:
            yield from self._ended(Outcome(job.id, job.key, STATUS_KILLED, message=message))
        self._submit_rest(group)

    def _submit_rest(self, group: Group) -> None:
        rest = tuple(job for job in group.jobs if job.id in self.left)
        if rest:
            self._submit(replace(group, jobs=rest))

    def _overdue(self) -> Iterator[tuple[str, Any]]:
        if self.timeout is None:
            return
        now = time.monotonic()
        late = {name: since for name, since in self.running.items() if now - since > self.timeout}
        at_work = {key for keys in self.client.processing().values() for key in keys} if late else set()
        for name, since in late.items():
            future, group = next((f, g) for f, g in self.futures.items() if name in {j.id for j in g.jobs})
            if future.key not in at_work:  # its worker was lost, and it has not begun elsewhere
                del self.running[name]
                continue
            del self.futures[future]
            future.cancel(force=True)
            message = f"longer than its limit of {self.timeout:g} s"
            key = self.left[name].key
            yield from self._ended(Outcome(name, key, STATUS_TIMEOUT, seconds=now - since, message=message))
            self._submit_rest(group)


def _on_worker(group: Group, work: str, threads: int, timeout: float | None) -> list[Outcome]:
    """Run a group on a worker of Dask, telling the client what begins and ends.

    A worker that is still at a job some time after its limit ends itself, so that its nanny starts a new one: the
    client has given the job up by then, and Dask cannot stop a running function.
    """
    import faulthandler

    from distributed import get_worker

    folder = Path(work)
    if not folder.is_dir():
        raise OutputError(
            explain(
                f"the worker cannot see {work}",
                do="put the output folder on a file system that every worker mounts at the same path",
            )
        )
    worker = get_worker()
    load_libraries()

    def say(**message: Any) -> None:
        worker.log_event(TOPIC, {"run": work, **message})

    done: list[Outcome] = []
    with Path(os.devnull).open("w", encoding="ascii") as nowhere:

        def begin(job: str) -> None:
            say(begin=job)
            if timeout is not None:
                faulthandler.dump_traceback_later(timeout + GRACE_SECONDS, exit=True, file=nowhere)

        try:
            for outcome in run_group(group, folder, threads, begin):
                faulthandler.cancel_dump_traceback_later()
                say(end=outcome.to_dict())
                done.append(outcome)
        finally:
            faulthandler.cancel_dump_traceback_later()
    return done
