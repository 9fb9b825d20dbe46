from __future__ import annotations

import pytest

import tiva
from tiva.table.icio_table import IcioTable


@pytest.fixture(scope="session")
def example() -> IcioTable:
    """The embedded real table."""
    return tiva.example()
