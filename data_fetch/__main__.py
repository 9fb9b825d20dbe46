"""``python -m data_fetch``."""

from __future__ import annotations

from data_fetch.cli import main

if __name__ == "__main__":
    main()
