"""``tiva fetch`` and ``tiva compare``: the commands of the only code that talks to the network."""

from __future__ import annotations

from cyclopts import App


def register(app: App) -> None:
    """Mount the commands."""
    from data_fetch.cli import app as fetch
    from data_fetch.cli import compare

    app.command(fetch, name="fetch")
    app.command(compare, name="compare")
