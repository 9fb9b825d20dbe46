"""Trade in value added by country, sector and firm-size band, from multi-country input-output tables.

Nothing heavy is imported until a name of the package is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from tiva._version import __version__

if TYPE_CHECKING:
    from tiva.bands.example import example_margins
    from tiva.bands.margins import read_margins
    from tiva.bands.model import BandedModel
    from tiva.bands.prepare import prepare_margins
    from tiva.bands.shares import BandShares
    from tiva.bands.split import BandedTable, split_by_size
    from tiva.bands.uncertainty import coupling_sensitivity, identified_set, margin_interval, model_interval
    from tiva.batch.results import open_results
    from tiva.examples import example
    from tiva.model.leontief import LeontiefModel
    from tiva.opening import open  # noqa: A004
    from tiva.readers.pymrio_bridge import from_pymrio, to_pymrio
    from tiva.readers.registry import read
    from tiva.readers.satellites import Satellite, read_satellite
    from tiva.readers.writers import write
    from tiva.results.size_report import SizeReport, size_report
    from tiva.router import decompose
    from tiva.selection import origins
    from tiva.table.icio_table import IcioTable, OtherInput
    from tiva.translation import translate

_EXPORTS: dict[str, str] = {
    "BandShares": "tiva.bands.shares",
    "BandedModel": "tiva.bands.model",
    "BandedTable": "tiva.bands.split",
    "IcioTable": "tiva.table.icio_table",
    "LeontiefModel": "tiva.model.leontief",
    "OtherInput": "tiva.table.icio_table",
    "coupling_sensitivity": "tiva.bands.uncertainty",
    "Satellite": "tiva.readers.satellites",
    "SizeReport": "tiva.results.size_report",
    "decompose": "tiva.router",
    "example": "tiva.examples",
    "example_margins": "tiva.bands.example",
    "identified_set": "tiva.bands.uncertainty",
    "margin_interval": "tiva.bands.uncertainty",
    "model_interval": "tiva.bands.uncertainty",
    "open_results": "tiva.batch.results",
    "open": "tiva.opening",
    "from_pymrio": "tiva.readers.pymrio_bridge",
    "origins": "tiva.selection",
    "prepare_margins": "tiva.bands.prepare",
    "read": "tiva.readers.registry",
    "read_margins": "tiva.bands.margins",
    "read_satellite": "tiva.readers.satellites",
    "size_report": "tiva.results.size_report",
    "split_by_size": "tiva.bands.split",
    "to_pymrio": "tiva.readers.pymrio_bridge",
    "translate": "tiva.translation",
    "write": "tiva.readers.writers",
}

__all__ = [
    "BandShares",
    "BandedModel",
    "BandedTable",
    "IcioTable",
    "LeontiefModel",
    "OtherInput",
    "Satellite",
    "SizeReport",
    "__version__",
    "coupling_sensitivity",
    "decompose",
    "example",
    "example_margins",
    "from_pymrio",
    "identified_set",
    "margin_interval",
    "model_interval",
    "open",
    "open_results",
    "origins",
    "prepare_margins",
    "read",
    "read_margins",
    "read_satellite",
    "size_report",
    "split_by_size",
    "to_pymrio",
    "translate",
    "write",
]


def __getattr__(name: str) -> object:
    if name in _EXPORTS:
        return getattr(importlib.import_module(_EXPORTS[name]), name)
    msg = f"module 'tiva' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
