"""``dataset.tiva``: shares, tidy frames, printed tables, selection by name, sums over groups, identities, figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from tiva.choosing import named_groups, select_together
from tiva.errors import GroupError, UnknownLabelError, UnsupportedCombinationError, UsageError, explain, listing
from tiva.groups import resolve_groups, select_countries, select_sectors
from tiva.results import export
from tiva.results import tables as _tables
from tiva.results.closure import RESIDUAL, STATED

if TYPE_CHECKING:
    import pandas as pd

    from tiva.kernels.arrays import FloatArray
    from tiva.results.plot import PlotAccessor

Selector = str | Sequence[str] | None

Groups = Mapping[str, str | Sequence[str]] | Sequence[str] | str
"""Groups whose members are added up: label -> members or group expression, or names of known groups."""

IDENTITY_TOLERANCE = 1e-9
"""Of gross exports: the project's promise; sums of some thousand products stay below 1e-12."""

_COUNTRY_DIMS = ("exporter", "importer", "origin", "absorber")
_SECTOR_DIMS = ("sector", "origin_sector")


def pick(dataset: xr.Dataset, **selectors: Selector) -> xr.Dataset:
    """Return the part of a result with these labels, dimensions kept.

    Parameters
    ----------
    dataset
        Any result.
    **selectors
        Dimension -> a label, several labels, or a group expression (``"EU27"``, ``"WLD-USA"``, ``"services"``).

    Returns
    -------
    xarray.Dataset
        Labels in the order asked for; ``notes`` say which members of a group the table does not show.

    Raises
    ------
    UnknownLabelError
        A dimension, label or group that does not exist.
    GroupError
        A label is named twice: repeated, alone and in a group, or in two groups.
    UsageError
        Nothing is selected, not by texts, or one country as exporter and importer.
    """
    notes: list[str] = []
    chosen: dict[str, tuple[str, ...]] = {}
    for dim, selector in selectors.items():
        if selector is None:
            continue
        if dim not in dataset.dims:
            raise UnknownLabelError("dimension", dim, [str(d) for d in dataset.dims])
        chosen[dim], said = _resolved(dataset, dim, selector)
        notes.extend(said)
    if len(chosen.get("exporter", ())) == 1 and chosen["exporter"] == chosen.get("importer"):
        raise UsageError(
            explain(
                "exporter and importer are the same country",
                got=chosen["exporter"][0],
                expected="two countries: what a country delivers to itself is no export",
            )
        )
    for dim, labels in chosen.items():
        dataset = dataset.sel({dim: list(labels)})
    return _noting(dataset, notes)


def shares(dataset: xr.Dataset, of: str | None = None, *, percent: bool = False) -> xr.Dataset:
    """Return every flow as a share of one of them, cell by cell.

    Parameters
    ----------
    dataset
        Any result.
    of
        Term in the denominator; the gross flow of the result when left out.
    percent
        Percent instead of fractions.

    Returns
    -------
    xarray.Dataset
        Units ``"1"`` or ``"percent"``, never additive; missing where the denominator is zero.

    Raises
    ------
    UnknownLabelError
        A denominator that is not a term of the result.
    UsageError
        No denominator, and a result without a gross flow: its terms are shares already, or parts of a term.
    """
    names = [str(name) for name in dataset.data_vars]
    base = of if of is not None else _tables.partition(dataset)[0]
    if base is None:
        raise UsageError(
            explain(
                "this result has no gross flow to take shares of",
                got=listing(names),
                do="name the denominator, shares(of=...), or decompose with a method that has gross exports",
            )
        )
    if base not in names:
        raise UnknownLabelError("term", base, names)
    unit = dataset[base].attrs.get("units")
    factor, units = (100.0, "percent") if percent else (1.0, "1")
    denominator = dataset[base].where(dataset[base] != 0)
    made: dict[str, xr.DataArray] = {}
    for name in names:
        if name == base or dataset[name].attrs.get("units") != unit:
            continue
        made[name] = (
            (factor * dataset[name] / denominator)
            .drop_attrs()
            .assign_attrs(
                {
                    **dataset[name].attrs,
                    "long_name": f"{dataset[name].attrs.get('long_name', name)}, share of {base}",
                    "units": units,
                    "formula": f"{name} / {base}",
                    "additive": "false",
                }
            )
        )
    attributes = {**dataset.attrs, "unit": units, "additive": "false", "denominator": base}
    for name in (RESIDUAL, STATED):
        attributes.pop(name, None)
    return xr.Dataset(made, attrs=attributes)


def sum_groups(dataset: xr.Dataset, groups: Groups, dim: str = "exporter") -> xr.Dataset:
    """Return the result with labels of one dimension summed into groups; other labels stay as they are.

    This is *decompose, then sum*: trade inside a group stays in its exports. For a group that acts as one exporter,
    decompose with ``groups=`` instead.

    Parameters
    ----------
    dataset
        Any result of additive terms.
    groups
        New label -> labels, or a group expression such as ``"EU27"``; names of known groups keep their name.
    dim
        Dimension to sum along.

    Returns
    -------
    xarray.Dataset
        A group takes the place of its first member.

    Raises
    ------
    UnsupportedCombinationError
        Terms that may not be summed are among the variables; ``supported`` lists the ways out.
    UnknownLabelError
        A dimension or member that does not exist.
    GroupError
        Groups that are empty or overlap.
    """
    if dim not in dataset.dims:
        raise UnknownLabelError("dimension", dim, [str(d) for d in dataset.dims])
    fixed = [str(n) for n, v in dataset.data_vars.items() if dim in v.dims and v.attrs.get("additive") != "true"]
    if fixed:
        raise UnsupportedCombinationError(
            f"these terms may not be summed over {dim}s",
            got=listing(fixed),
            supported=(
                f"dataset[[...]].tiva.sum_groups(...) with additive terms only (not {listing(fixed)})",
                "tiva.decompose(table, groups=...): the group acts as one",
            ),
        )
    labels = [str(label) for label in dataset[dim].values]
    members, notes = _group_members(dataset, dim, named_groups(groups), labels)
    owner = {label: name for name, own in members.items() for label in own}
    targets = [owner.get(label, label) for label in labels]
    order = list(dict.fromkeys(targets))
    rows = [[i for i, target in enumerate(targets) if target == name] for name in order]
    variables = {
        name: (v.dims, _summed(v, dim, rows), v.attrs) if dim in v.dims else v for name, v in dataset.data_vars.items()
    }
    coords = {name: coord for name, coord in dataset.coords.items() if dim not in coord.dims}
    result = xr.Dataset(variables, {**coords, dim: order}, dataset.attrs)
    made = "; ".join(f"{name} = {', '.join(own)}" for name, own in members.items())
    return _noting(result, [*notes, f"{dim}s summed after the decomposition: {made}"])


@dataclass(frozen=True, slots=True)
class Identity:
    """One accounting identity of a result.

    Attributes
    ----------
    left, right
        As written in the catalogue, e.g. ``"dva"`` and ``"vax + ref"``.
    residual
        Largest absolute gap of any cell, over the sum of gross exports.
    """

    left: str
    right: str
    residual: float

    @property
    def holds(self) -> bool:
        """Whether the gap is rounding only."""
        return self.residual <= IDENTITY_TOLERANCE


@dataclass(frozen=True, slots=True)
class IdentityReport:
    """Result of :func:`check_identities`; prints as a table.

    Attributes
    ----------
    identities
        Those whose terms are all in the result.
    discrepancy
        Largest absolute ``discrepancy`` of any cell over the sum of gross exports; 0 where there is none.
    gross
        The gross flow.
    """

    identities: tuple[Identity, ...]
    discrepancy: float
    gross: str

    @property
    def ok(self) -> bool:
        """Whether every identity holds."""
        return all(identity.holds for identity in self.identities)

    def __str__(self) -> str:
        lines = [f"identities, largest gap over the sum of {self.gross}:"]
        width = max((len(f"{i.left} = {i.right}") for i in self.identities), default=0)
        for identity in self.identities:
            text = f"{identity.left} = {identity.right}"
            lines.append(f"{' ' if identity.holds else '!'} {text:<{width}}  {identity.residual:.1e}")
        lines.append(f"  discrepancy (stated in the result): {self.discrepancy:.1e}")
        return "\n".join(lines)


def check_identities(dataset: xr.Dataset) -> IdentityReport:
    """Check every identity that the catalogue states and whose terms are in the result.

    The catalogue's formulas end in identities such as ``= dva + ddc``; a sum to gross exports allows for the stated
    ``discrepancy`` and ``taxes_margins``.

    Raises
    ------
    UsageError
        The result has no gross flow to measure against, as shares have none.
    """
    names = {str(name) for name in dataset.data_vars}
    gross, parts = _tables.partition(dataset)
    if gross is None:
        got = "no terms" if not names else "shares" if dataset.attrs.get("denominator") else listing(sorted(names))
        raise UsageError(explain("identities need flows, and a gross flow to measure against", got=got))
    scale = float(np.abs(dataset[gross]).sum()) or 1.0
    found: list[Identity] = []
    for left, right in _identities(dataset, names):
        gap = dataset[left] - _evaluate(dataset, right, gross)
        found.append(Identity(left, right, float(np.abs(gap).max()) / scale))
    if parts:
        text = " + ".join(parts)
        rest = [] if "discrepancy" not in names else ["discrepancy"]
        gap = dataset[gross] - sum((dataset[p] for p in (*parts, *rest)), start=xr.zeros_like(dataset[gross]))
        found.append(Identity(gross, " + ".join([text, *rest]), float(np.abs(gap).max()) / scale))
    discrepancy = float(np.abs(dataset["discrepancy"]).max()) / scale if "discrepancy" in names else 0.0
    return IdentityReport(tuple(found), discrepancy, gross)


def _identities(dataset: xr.Dataset, names: set[str]) -> list[tuple[str, str]]:
    """Pairs (term, sum of other terms) written in the formulas of the variables."""
    pairs = []
    for name in names:
        for segment in str(dataset[name].attrs.get("formula", "")).split("="):
            tokens = re.split(r"\s*[+-]\s*", segment.strip())
            if len(tokens) > 1 and set(tokens) <= names - {name} and _one_unit(dataset, name, *tokens):
                pairs.append((name, segment.strip()))
    order = [str(n) for n in dataset.data_vars]
    return sorted(pairs, key=lambda pair: order.index(pair[0]))


def _one_unit(dataset: xr.Dataset, *names: str) -> bool:
    return len({dataset[name].attrs.get("units") for name in names}) == 1


def _evaluate(dataset: xr.Dataset, text: str, gross: str) -> xr.DataArray:
    total: xr.DataArray | None = None
    for sign, name in re.findall(r"([+-]?)\s*(\w+)", text):
        value = dataset[name]
        if name == gross:
            for stated in ("discrepancy", "taxes_margins"):
                value = value - dataset[stated] if stated in dataset else value
        value = -value if sign == "-" else value
        total = value if total is None else total + value
    assert total is not None  # noqa: S101 - the text has at least two tokens
    return total


def _resolved(dataset: xr.Dataset, dim: str, wanted: object) -> tuple[tuple[str, ...], tuple[str, ...]]:
    items = (wanted,) if isinstance(wanted, str) or not isinstance(wanted, Iterable) else tuple(wanted)
    if isinstance(wanted, Mapping) or not all(isinstance(item, str) for item in items):
        raise UsageError(explain(f"{dim} is chosen by labels", got=repr(wanted), expected="texts, such as 'MEX'"))
    if not items:
        raise UsageError(explain(f"empty selection of {dim}", do=f"leave {dim} out to have all"))
    known = tuple(str(label) for label in dataset[dim].values)

    def resolve(item: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return ((item,), ()) if item in known else _group(dataset, dim, item, known)

    return select_together(dim, items, resolve)


def _group(dataset: xr.Dataset, dim: str, item: str, known: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if dim in _COUNTRY_DIMS:
        try:
            selection = select_countries(item, known, year=_year(dataset))
        except UnknownLabelError as error:
            raise UnknownLabelError(dim, error.label, error.known) from None
        return selection.members, selection.notes
    if dim in _SECTOR_DIMS:
        try:
            selection = select_sectors(item, known)
        except UnknownLabelError as error:
            raise UnknownLabelError(dim, error.label, error.known) from None
        return selection.members, selection.notes
    raise UnknownLabelError(dim, item, known)


def _group_members(
    dataset: xr.Dataset, dim: str, groups: Mapping[str, str | Sequence[str]], labels: list[str]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    if dim in _COUNTRY_DIMS:
        found = resolve_groups(groups, labels, year=_year(dataset))
        return {n: s.members for n, s in found.items()}, [note for s in found.values() for note in s.notes]
    members: dict[str, tuple[str, ...]] = {}
    for name, value in groups.items():
        members[name], _ = _resolved(dataset, dim, value)
    _refuse_overlap(dim, members, labels)
    return members, []


def _summed(variable: xr.DataArray, dim: str, rows: list[list[int]]) -> FloatArray:
    """Sum along one dimension; a cell is missing only where all its parts are (bands that do not exist)."""
    axis = variable.get_axis_num(dim)
    pieces = [np.take(variable.values, own, axis=axis) for own in rows]
    return np.stack([np.where(np.isnan(p).all(axis=axis), np.nan, np.nansum(p, axis=axis)) for p in pieces], axis=axis)


def _refuse_overlap(dim: str, members: Mapping[str, tuple[str, ...]], labels: list[str]) -> None:
    owner: dict[str, str] = {}
    for name, own in members.items():
        if name in labels and name not in own:
            raise GroupError(explain(f"group {name!r} has the name of a {dim} that is not its member"))
        for label in own:
            if label in owner:
                raise GroupError(
                    explain(f"{dim} groups overlap", got=f"{label!r} is in {owner[label]!r} and in {name!r}")
                )
            owner[label] = name


def _year(dataset: xr.Dataset) -> int | None:
    year = int(dataset.attrs.get("year", -1))
    return None if year < 0 else year


def _noting(dataset: xr.Dataset, notes: Sequence[str]) -> xr.Dataset:
    new = [note for note in notes if note]
    if not new:
        return dataset
    before = json.loads(dataset.attrs.get("notes", "[]"))
    return dataset.assign_attrs(notes=json.dumps([*before, *new], ensure_ascii=False))


@xr.register_dataset_accessor("tiva")  # type: ignore[no-untyped-call]
class TivaAccessor:
    """What a result of this package can do, as ``dataset.tiva``."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def pick(self, **selectors: Selector) -> xr.Dataset:
        """Select by label or group expression; see :func:`pick`."""
        return pick(self._dataset, **selectors)

    def shares(self, of: str | None = None, *, percent: bool = False) -> xr.Dataset:
        """Return flows as shares; see :func:`shares`."""
        return shares(self._dataset, of, percent=percent)

    def tidy(self) -> pd.DataFrame:
        """Return a long frame; see :func:`tiva.results.export.tidy`."""
        return export.tidy(self._dataset)

    def metadata(self) -> dict[str, Any]:
        """Return what the result says about itself; see :func:`tiva.results.export.metadata`."""
        return export.metadata(self._dataset)

    def breakdown(
        self,
        exporter: Selector = None,
        *,
        importer: Selector = None,
        sector: Selector = None,
        terms: Sequence[str] | None = None,
        rows: int = _tables.ROWS_SHOWN,
    ) -> _tables.Breakdown:
        """Return a table that prints; see :func:`tiva.results.tables.breakdown`."""
        return _tables.breakdown(
            self._dataset, exporter=exporter, importer=importer, sector=sector, terms=terms, rows=rows
        )

    def sum_groups(
        self,
        groups: Groups,
        dim: Literal["exporter", "importer", "sector", "origin", "absorber"] = "exporter",
    ) -> xr.Dataset:
        """Sum labels into groups after the decomposition; see :func:`sum_groups`."""
        return sum_groups(self._dataset, groups, dim)

    def check_identities(self) -> IdentityReport:
        """Check the accounting identities; see :func:`check_identities`."""
        return check_identities(self._dataset)

    def write(self, path: str | Path, *, format: str | None = None) -> Path:  # noqa: A002
        """Write the result with its provenance; see :func:`tiva.results.export.write_dataset`."""
        return export.write_dataset(self._dataset, path, format=format)

    @cached_property
    def plot(self) -> PlotAccessor:
        """Figures: ``bars``, ``participation``, ``heat``, ``lines``; needs matplotlib."""
        from tiva.results.plot import PlotAccessor

        return PlotAccessor(self._dataset)
