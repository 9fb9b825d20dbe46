"""Measurements in a process of their own: ``python -m benchmarks.isolated module:function arguments...``."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from typing import Any

LOST = 3
"""Exit code when a library that is only measured against is not installed."""


def measured(function: str, *arguments: object) -> dict[str, Any] | None:
    """Call ``module:function`` in a fresh process and return what it returns.

    Parameters
    ----------
    function
        Returns a dict that JSON can hold.
    *arguments
        Passed as text.

    Returns
    -------
    dict or None
        ``None`` where a library is not installed.

    Raises
    ------
    RuntimeError
        The function failed; carries its traceback.
    """
    command = [sys.executable, "-m", "benchmarks.isolated", function, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == LOST:
        return None
    if done.returncode:
        raise RuntimeError(f"{function} ended with code {done.returncode}\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def main() -> int:
    """Call what the command line names and print its result."""
    module, _, name = sys.argv[1].partition(":")
    try:
        result = getattr(importlib.import_module(module), name)(*sys.argv[2:])
    except ModuleNotFoundError as error:
        print(error, file=sys.stderr)
        return LOST
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
