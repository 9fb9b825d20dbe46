"""The command line: parse, one library call, write. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments
        Words after ``tiva``; those of the process when left out.

    Returns
    -------
    int
        Exit code: 0 done, 1 some jobs failed, 2 usage, 3 data refused.
    """
    from tiva.cli.app import run

    return run(list(sys.argv[1:] if arguments is None else arguments))
