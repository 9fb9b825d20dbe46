"""Every key of a plan, declared once: parser, JSON schema and documentation read it here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiva.batch import locations
from tiva.batch.fields import Key, Section
from tiva.batch.shapes import Boolean, Choice, Either, Number, Several, Table, Text, Years, label
from tiva.batch.specs import BASELINE, NO_MARGINS, NO_SATELLITE, RESERVED
from tiva.terms import LEVELS, methods

FORMATS = ("parquet", "netcdf", "zarr")
CUBE_FORMATS = ("zarr", "parquet")
CUBE_ORIGINS = ("country", "country-sector")
BACKENDS = ("numpy", "torch", "cupy")

SCHEDULER = r"^(?:processes|inline|local|slurm|(?:tcp|tls|ucx)://\S+)$"
SCHEDULERS = ("processes", "inline", "local", "slurm", "tcp://HOST:PORT")
"""What ``scheduler`` may be."""

SIZE = r"^\s*(\d+(?:\.\d+)?)\s*([KkMmGgTt]?)(?:[Ii]?[Bb])?\s*$"
"""A size of memory."""

_PATH = Text("path", check=locations.refusal, unsafe=locations.UNSAFE)
_PATTERN = Text("path or pattern", check=locations.refusal, unsafe=locations.UNSAFE)
_TEXTS = Several(Text())
_GROUPS = Table(Several(Text()))


def _column(name: str) -> Callable[[], list[str]]:
    """Return the values of a column of the catalogue of methods, when asked for."""
    return lambda: list(dict.fromkeys(value for row in methods() if (value := getattr(row, name))))


_OUTPUT = Section(
    {
        "folder": Key(_PATH, "Where results go; apart from the inputs.", "results"),
        "format": Key(Choice(FORMATS), "Form of the results.", "parquet"),
    }
)

_RUN = Section(
    {
        "workers": Key(
            Number(whole=True, least=0, said="must be 0 (automatic) or more"),
            "Processes; 0: as the cost model says.",
            0,
        ),
        "memory": Key(
            Text(pattern=SIZE, said='{} is not a size of memory; write for example "8GB"'),
            'Budget for all worker processes together, such as "8GB".',
            shown="80 % of what is free",
        ),
        "timeout": Key(
            Number(above=0, said="must be more than 0 seconds and finite"),
            "Seconds a job may take; not inline.",
            shown="no limit",
        ),
        "scheduler": Key(
            Text(pattern=SCHEDULER, said=f"unknown scheduler {{}}; one of {', '.join(SCHEDULERS)}"),
            f"Where jobs run: {', '.join(f'`{name}`' for name in SCHEDULERS)}.",
            shown="`processes`",
        ),
        "backend": Key(Choice(BACKENDS), "Array library of the dense algebra.", shown="NumPy"),
    },
    rules={
        "not": {"required": ["scheduler", "timeout"], "properties": {"scheduler": {"enum": ["inline"]}}},
    },
)

_TABLE = Section(
    {
        "paths": Key(Several(_PATTERN), "Tables: files, folders, archives, patterns."),
        "catalogue": Key(Text("name", r"^.*\S.*$", "is empty"), "Tables: an entry of the catalogue, with `years`."),
        "example": Key(Boolean(), "Tables: the embedded one.", False),
        "name": Key(label(), "Used in file names and results.", shown="`example`, the entry, or `table1`, ..."),
        "years": Key(Years(), "Years to read; needed with `catalogue`.", (), shown="the year in the file"),
        "layout": Key(Text(), "As for `tiva.read`.", shown="recognised from content"),
        "options": Key(
            Table(),
            "Options of the reader, as for `tiva.read`; files in them are inputs, relative to the plan.",
            {},
            shown="none",
        ),
        "margins": Key(_TEXTS, f'Margins that apply to these tables ("{NO_MARGINS}": unchanged).', shown="all"),
        "scenarios": Key(_TEXTS, f'Scenarios that apply to these tables ("{BASELINE}": unchanged).', shown="all"),
    },
    rules={
        "oneOf": [
            {"required": ["paths"]},
            {"required": ["catalogue", "years"]},
            {
                "required": ["example"],
                "properties": {"example": {"enum": [True]}},
                "not": {"anyOf": [{"required": [name]} for name in ("years", "layout", "options")]},
            },
        ]
    },
)

_METHOD = Section(
    {
        "method": Key(
            Text(known=_column("method")),
            "See [methods.md](methods.md).",
            needed='a method needs its name: method = "bm"',
        ),
        "perspective": Key(
            Several(Text(known=_column("perspective"))), "Whose border counts.", shown="the first that fits"
        ),
        "approach": Key(Several(Text(known=_column("approach"))), "Source or sink.", shown="the first that fits"),
        "perimeter": Key(
            Several(Text(known=_column("perimeter"))), "Flows whose border counts.", shown="the first that fits"
        ),
        "level": Key(Several(Text(known=lambda: LEVELS)), "How fine results are.", ("country",), shown="`country`"),
        "detail": Key(Several(Boolean()), "The finer terms instead of their sums.", (False,), shown="false"),
        "exporter": Key(_TEXTS, "Labels or groups of exporters.", shown="all"),
        "importer": Key(_TEXTS, "Labels or groups of importers.", shown="all"),
        "sector": Key(_TEXTS, "Labels of sectors.", shown="all"),
        "satellite": Key(_TEXTS, f'Names of satellites ("{NO_SATELLITE}": value added).', (NO_SATELLITE,)),
        "name": Key(label(), "Label of the results.", shown="made from the options"),
    }
)

_MARGINS = Section(
    {
        "path": Key(_PATH, "Facts, as for `tiva.read_margins`.", needed="path = ... is missing"),
        "schemes": Key(_PATH, "Schemes of bands, as for `tiva.read_margins`.", shown="those of the package"),
        "sector_map": Key(_PATH, "Map of sectors, as for `tiva.read_margins`.", shown="none"),
        "name": Key(label(*RESERVED), "Label of the results.", shown="name of the file"),
        "theta": Key(
            Number(least=-1, most=1, said="must lie between -1 and 1"),
            "As for `tiva.split_by_size`.",
            shown="its default",
        ),
        "method": Key(Choice(("two-market", "proportional")), "As for `tiva.split_by_size`.", shown="its default"),
        "infeasible": Key(Choice(("refuse", "keep")), "As for `tiva.split_by_size`.", shown="its default"),
    },
    sections={
        "prepare": Section(
            {
                "year": Key(Number(whole=True), "As for `tiva.prepare_margins`.", shown="that of the table"),
                "traders": Key(_TEXTS, "As for `tiva.prepare_margins`.", shown="none"),
                "trader_allocation": Key(
                    Choice(("producer", "trader_band", "drop")), "As for `tiva.prepare_margins`.", shown="its default"
                ),
                "on_conflict": Key(
                    Choice(("reconcile", "raise")), "As for `tiva.prepare_margins`.", shown="its default"
                ),
                "donors": Key(Either(Choice(("all",)), _GROUPS), "As for `tiva.prepare_margins`.", shown="none"),
            }
        )
    },
)

_SATELLITE = Section(
    {
        "path": Key(_PATH, "File, as for `tiva.read_satellite`.", needed="path = ... is missing"),
        "name": Key(label(*RESERVED), "Used by `satellite` of methods.", shown="name of the file"),
        "variable": Key(Text(), "As for `tiva.read_satellite`.", shown="the only one"),
        "unit": Key(Text(), "As for `tiva.read_satellite`.", shown="as in the file"),
        "member": Key(Text(), "As for `tiva.read_satellite`.", shown="the only one"),
        "year": Key(Number(whole=True), "As for `tiva.read_satellite`.", shown="that of the table"),
        "missing": Key(Choice(("error", "zero")), "As for `tiva.read_satellite`.", shown="`error`"),
        "sectors": Key(Table(Text()), "As for `tiva.read_satellite`.", shown="none"),
        "countries": Key(Table(Text()), "As for `tiva.read_satellite`.", shown="none"),
        "select": Key(Table(Text()), "As for `tiva.read_satellite`.", shown="none"),
    }
)

_SHOCK = Section(
    {
        "factor": Key(
            Number(least=0, said="must be a finite number, not negative"),
            "What final demand is multiplied by; output follows with constant input coefficients.",
            needed="a shock of final demand needs factor = ...",
        ),
        "seller": Key(_TEXTS, "Labels of countries that sell.", shown="all"),
        "sector": Key(_TEXTS, "Labels of sectors that sell.", shown="all"),
        "absorber": Key(_TEXTS, "Labels of countries that buy.", shown="all"),
    }
)

_SCENARIO = Section(
    {
        "name": Key(label(*RESERVED), "Label of the results.", needed='a scenario needs a name: name = "..."'),
        "based_on": Key(Text("name"), "Scenario that is applied first.", "", shown=f"`{BASELINE}`"),
        "merge_split_countries": Key(Boolean(), "Sum the parts of split countries.", False),
        "aggregate_countries": Key(_GROUPS, "New label = old ones, summed.", {}, shown="none"),
        "aggregate_sectors": Key(_GROUPS, "New label = old ones, summed.", {}, shown="none"),
        "groups": Key(_GROUPS, "Label = countries that act as one exporter.", {}, shown="none"),
    },
    lists={"final_demand": _SHOCK},
)

_CUBE = Section(
    {
        "name": Key(label(), "Name of the cube.", shown="`cube1`, `cube2`, ..."),
        "origin": Key(Choice(CUBE_ORIGINS), "What value added is told apart by.", "country"),
        "format": Key(Choice(CUBE_FORMATS), "Form of the cube.", "zarr"),
    }
)

PLAN = Section(
    {
        "version": Key(
            Number(whole=True, only=(1,), said="plans of this version are not known here; write version = 1"),
            "Of the plan.",
            1,
        )
    },
    sections={"output": _OUTPUT, "run": _RUN},
    lists={
        "tables": _TABLE,
        "methods": _METHOD,
        "margins": _MARGINS,
        "satellites": _SATELLITE,
        "scenarios": _SCENARIO,
        "cubes": _CUBE,
    },
    rules={
        "required": ["tables"],
        "anyOf": [{"required": [name], "properties": {name: {"minItems": 1}}} for name in ("methods", "cubes")],
    },
)
"""The whole plan."""


def plan_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of a plan, for editors and other programs.

    Returns
    -------
    dict
        What a plan accepts key by key: names, types, bounds, choices. What depends on files, or on several keys
        together (options of one method, names that refer to each other), only :func:`tiva.batch.read_plan` checks.

    Examples
    --------
    >>> from tiva.batch import plan_schema
    >>> plan_schema()["properties"]["output"]["properties"]["format"]["enum"]
    ['parquet', 'netcdf', 'zarr']
    """
    found = PLAN.schema()
    found["properties"]["tables"]["minItems"] = 1
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Plan of tiva batch",
        "description": "Tables x margins x scenarios x methods, one result set.",
        **found,
    }
