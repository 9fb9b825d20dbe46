"""A progress bar for a download."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from data_fetch.download import Progress


@contextmanager
def bar(name: str) -> Iterator[Progress]:
    """Show a bar with bytes, speed and remaining time on stderr while the block runs."""
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as display:
        task = display.add_task(name, total=None)

        def update(done: int, total: int | None) -> None:
            display.update(task, completed=done, total=total)

        yield update
