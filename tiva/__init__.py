"""Trade in value added by country, sector and firm-size band, from multi-country input-output tables.

Nothing heavy is imported until a name of the package is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tiva._version import __version__

if TYPE_CHECKING:
    from tiva.batch.results import open_results
    from tiva.examples import example
    from tiva.model.leontief import LeontiefModel
    from tiva.readers.registry import read
    from tiva.router import decompose
    from tiva.table.icio_table import IcioTable, OtherInput

_EXPORTS: dict[str, str] = {
    "IcioTable": "tiva.table.icio_table",
    "LeontiefModel": "tiva.model.leontief",
    "OtherInput": "tiva.table.icio_table",
    "decompose": "tiva.router",
    "example": "tiva.examples",
    "open_results": "tiva.batch.results",
    "read": "tiva.readers.registry",
}

__all__ = [
    "IcioTable",
    "LeontiefModel",
    "OtherInput",
    "__version__",
    "decompose",
    "example",
    "open_results",
    "read",
]


def __getattr__(name: str) -> object:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    msg = f"module 'tiva' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
