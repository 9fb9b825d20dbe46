"""``tiva fetch`` and ``tiva compare``: the commands of ``data_fetch``."""

from __future__ import annotations

from cyclopts import App


def register(app: App) -> None:
    """Add the commands."""
    from data_fetch.cli import app as fetch
    from data_fetch.cli import compare

    app.command(fetch, name="fetch")
    app.command(compare, name="compare")
