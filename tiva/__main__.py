"""``python -m tiva``."""

from __future__ import annotations

import sys

from tiva.cli import main

if __name__ == "__main__":
    sys.exit(main())
