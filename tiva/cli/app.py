"""The commands, and how errors become exit codes."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import traceback
import warnings
from typing import TYPE_CHECKING, Any

from cyclopts import App, CycloptsError
from cyclopts.help import DefaultFormatter

from tiva._version import __version__
from tiva.errors import EXIT_USAGE, TivaError, TivaWarning

if TYPE_CHECKING:
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

EXIT_INTERRUPTED = 130
"""As shells say it: stopped by the user."""

HELP = """Trade in value added by country, sector and firm-size band, from multi-country input-output tables.

Start: `tiva decompose` decomposes the exports of an embedded real table; `tiva decompose TABLE` those of yours.
"""

OUTPUTS = """Data go to stdout or to the file of --out, messages and progress to stderr.
Exit codes: 0 done, 1 some jobs failed, 2 usage, 3 data refused.
"""

EPILOGUE = f"""Which options answer which question:

  value added of the country in its exports       --level country
  the same by sector, by partner, by both         --level sector, bilateral,
                                                          sector-bilateral
  without double counting in world exports        --perspective world
  where it first, or last, crosses the border     --approach source, or sink
  what would be lost without one flow             --perspective self --perimeter
  by size of the exporting firm                   --size margins.csv
  who exports indirectly, and how sure that is    tiva sizes report

All questions: `tiva decompose --help`. Names of other tools: `tiva terms --tool all`. Groups: `tiva groups`.

{OUTPUTS}"""

MODULES: tuple[str, ...] = (
    "tiva.cli.decompose",
    "tiva.cli.origins",
    "tiva.cli.table",
    "tiva.cli.plot",
    "tiva.cli.sizes",
    "tiva.cli.batch",
    "tiva.cli.fetch",
    "tiva.cli.catalogue",
    "tiva.cli.groups",
)
"""Modules of commands, in the order of the help; each has ``register(app)``."""


class Unwrapped(DefaultFormatter):
    """Help whose lines end at the width of the terminal, not where those of the docstrings do."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a panel."""
        from rich.text import Text

        for entry in panel.entries:
            text = getattr(entry.description, "primary_renderable", None)
            if isinstance(text, Text):
                text.plain = " ".join(text.plain.split("\n"))
        super().__call__(console, options, panel)


def build() -> App:
    """Return the application with all commands."""
    app = App(
        name="tiva",
        help=HELP,
        help_epilogue=EPILOGUE,
        help_format="plaintext",
        help_formatter=Unwrapped(),
        version=f"tiva {__version__}",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for module in MODULES:
        importlib.import_module(module).register(app)
    _finish(app, OUTPUTS)
    return app


def _finish(app: App, epilogue: str) -> None:
    """Unwrap what every command says of itself, and say below it where data go, or what its group of commands says."""
    for name in app:
        command = app[name]
        if name.startswith("-"):
            continue
        if command.help_epilogue is None:
            command.help_epilogue = epilogue
        if command.default_command is None:
            _finish(command, str(command.help_epilogue))
        else:
            about = inspect.cleandoc(command.help).split("\n\nParameters\n")[0]
            command.help = "\n\n".join(" ".join(part.split("\n")) for part in about.split("\n\n"))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; never raises for a mistake of the caller."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(arguments: list[str]) -> int:
    from rich.console import Console

    console = Console(stderr=True)
    try:
        with warnings.catch_warnings():
            _show_warnings(console, quiet="--quiet" in arguments)
            result = build()(
                arguments, exit_on_error=False, print_error=False, help_on_error=False, error_console=console
            )
    except CycloptsError as error:
        _print_error(console, f"{error}\n  do: see `{_help_of(error)} --help`")
        return EXIT_USAGE
    except TivaError as error:
        if "--traceback" in arguments:
            traceback.print_exc()
        else:
            _print_error(console, str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _print_error(console, "interrupted; nothing half-written is left")
        return EXIT_INTERRUPTED
    return result if isinstance(result, int) else 0


def _help_of(error: CycloptsError) -> str:
    return " ".join(["tiva", *(error.command_chain or ())])


def _print_error(console: Console, text: str) -> None:
    console.print("[bold red]error:[/bold red] ", end="")
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _show_warnings(console: Console, *, quiet: bool) -> None:
    """Show the package's own warnings in one line each; others keep their form."""
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: Any, **options: Any) -> None:
        if not issubclass(category, TivaWarning):
            before(message, category, *rest, **options)
        elif not quiet:
            console.print("[yellow]warning:[/yellow] ", end="")
            console.print(str(message), markup=False, highlight=False, soft_wrap=True)

    warnings.showwarning = show
    warnings.simplefilter("always", TivaWarning)
