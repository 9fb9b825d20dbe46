"""From a table source of a plan to the operators that its jobs share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import tiva
from tiva.batch.jobs import Input, SatelliteSource, TableSource, digest
from tiva.batch.specs import ScenarioSpec
from tiva.errors import ChecksumError, UnknownLabelError, UsageError, explain
from tiva.model.device import DeviceModel
from tiva.model.leontief import LeontiefModel
from tiva.router import warn_split_on_numpy
from tiva.table.icio_table import IcioTable, OtherInput

if TYPE_CHECKING:
    from tiva.kernels.arrays import FloatArray
    from tiva.model.operators import Operators


class StableModel(LeontiefModel):
    """A model whose operators do not depend, to the last bit, on which of them was asked for first.

    A resumed run skips jobs, and still has to write the bytes that the undisturbed run would have written: the
    diagonal blocks come from the LU factors even where the inverse is at hand.
    """

    @cached_property
    def inverse_diagonal_blocks(self) -> list[FloatArray]:
        """G blocks B_ss, always from the LU factors."""
        return self.factor.diagonal_blocks(self.offsets)

    def expect_inverse(self) -> None:
        """Do nothing: the blocks do not come from the inverse here."""


class StableDeviceModel(DeviceModel):
    """The same on a backend."""

    @cached_property
    def inverse_diagonal_blocks(self) -> list[FloatArray]:
        """G blocks B_ss, always from the inverse on the device."""
        return self.factor.diagonal_blocks(self.offsets)

    def expect_inverse(self) -> None:
        """Do nothing: the blocks do not come from the inverse here."""


def check_inputs(inputs: Iterable[Input]) -> None:
    """Raise :class:`ChecksumError` unless the inputs are byte for byte those of the plan."""
    for given in inputs:
        path = Path(given.path)
        found = digest(path) if path.exists() else None
        if found != given.sha256:
            raise ChecksumError(
                explain(
                    f"the input {path} changed while the batch ran",
                    got="no such file" if found is None else f"SHA-256 {found[:16]}...",
                    expected=f"SHA-256 {given.sha256[:16]}..., as when the plan was read",
                    do="run the plan again; what is unchanged is skipped",
                )
            )


def load_table(source: TableSource) -> IcioTable:
    """Read the table of a source, as it is."""
    if source.kind == "example":
        return tiva.example()
    if source.kind == "catalogue":
        return tiva.open(source.catalogue, source.year, **source.reader_options())
    if source.input is None:
        raise UsageError(explain(f"the table {source.name} has no file"))
    return tiva.read(source.input.path, layout=source.layout, year=source.year, **source.reader_options())


def operators(source: TableSource) -> Operators:
    """Return the operators that a source stands for: table, scenario, margins, backend.

    Raises
    ------
    ChecksumError
        An input changed since the plan was read.
    TivaError
        Whatever reading, changing or splitting the table raises.
    """
    check_inputs(source.inputs())
    table = load_table(source)
    groups: dict[str, tuple[str, ...]] = {}
    for scenario in source.scenarios:
        table = apply_scenario(table, scenario)
        groups.update(scenario.groups)
    check_inputs(source.inputs())
    resolved = _resolved(groups, table)
    if source.margins is not None:
        return _split(table, source, resolved)
    if source.backend:
        return StableDeviceModel(table, backend=source.backend, groups=resolved)
    return StableModel(table, groups=resolved)


def carrying(model: Operators, source: TableSource, satellite: SatelliteSource) -> Operators:
    """Return operators of the same table that carry a satellite account in place of value added.

    Notes
    -----
    The account is aligned with the table before any shock of final demand; where output follows a shock, the account
    follows output, with constant coefficients, as value added does.

    Raises
    ------
    ChecksumError
        The file changed since the plan was read.
    TivaError
        Whatever :func:`tiva.read_satellite` raises.
    """
    check_inputs([satellite.input])
    table = model.table
    if any(s.final_demand for s in source.scenarios):
        table = load_table(source)
        for scenario in source.scenarios:
            table = apply_scenario(table, replace(scenario, final_demand=()))
    account = tiva.read_satellite(satellite.input.path, table, **dict(satellite.options))
    check_inputs([satellite.input])
    growth = np.divide(model.table.output, table.output, out=np.ones(table.n), where=table.output != 0)
    return model.carrying(account.values * growth, account.unit or None)


def _resolved(groups: Mapping[str, tuple[str, ...]], table: IcioTable) -> dict[str, tuple[str, ...]] | None:
    if not groups:
        return None
    from tiva.groups import resolve_groups

    found = resolve_groups({n: list(m) for n, m in groups.items()}, table.countries, year=table.year)
    return {name: selection.members for name, selection in found.items()}


def _split(table: IcioTable, source: TableSource, groups: dict[str, tuple[str, ...]] | None) -> Operators:
    if source.backend:
        warn_split_on_numpy(source.backend)
    margins = source.margins
    if margins is None:
        raise UsageError(explain(f"{source.name} has no margins to split with"))
    files = {name: given.path for name, given in source.margins_inputs.items()}
    facts = tiva.read_margins(files.pop("source"), **files)
    shares = tiva.prepare_margins(table, facts, **dict(margins.prepare))
    model: Any = tiva.split_by_size(table, shares, **dict(margins.options)).model(groups=groups)
    return model  # type: ignore[no-any-return]


def apply_scenario(table: IcioTable, scenario: ScenarioSpec) -> IcioTable:
    """Return the table of a scenario; its groups are left to the model.

    Notes
    -----
    A shock of final demand keeps input coefficients: with factors f, Y' = f # Y and x' = B Y' 1; intermediate use,
    value added and other inputs follow output by column.
    """
    if scenario.merge_split_countries:
        table = table.merge_split_countries()
    if scenario.aggregate_countries or scenario.aggregate_sectors:
        table = table.aggregate(
            countries={n: list(m) for n, m in scenario.aggregate_countries.items()} or None,
            sectors={n: list(m) for n, m in scenario.aggregate_sectors.items()} or None,
        )
    if scenario.final_demand:
        table = _shock_demand(table, scenario)
    return table


def _shock_demand(table: IcioTable, scenario: ScenarioSpec) -> IcioTable:
    factors = np.ones((table.n, len(table.countries)))
    for shock in scenario.final_demand:
        rows = np.ones(table.n, dtype=bool)
        n_sectors = len(table.sectors)
        if "seller" in shock:
            wanted = _positions("country", shock["seller"], table.countries)
            rows &= np.isin(np.repeat(table.area_country_index, n_sectors), wanted)
        if "sector" in shock:
            wanted = _positions("sector", shock["sector"], table.sectors)
            rows &= np.isin(np.tile(np.arange(n_sectors), len(table.areas)), wanted)
        columns = np.arange(len(table.countries))
        if "absorber" in shock:
            columns = np.array(_positions("country", shock["absorber"], table.countries))
        factors[np.ix_(rows, columns)] *= shock["factor"]
    final = table.final_demand * factors[:, :, None]
    output = LeontiefModel(table).apply_inverse(final.sum(axis=(1, 2)))
    ratio = np.divide(output, table.output, out=np.zeros_like(output), where=table.output != 0)
    others: dict[str, Any] = {
        name: OtherInput(other.intermediate * ratio, other.final) for name, other in table.other_inputs.items()
    }
    note = f"scenario {scenario.name}: final demand changed, output follows"
    if any(other.final is not None for other in table.other_inputs.values()):
        note += "; taxes and margins paid on final demand are left as they were"
    return table.replace(
        intermediate=table.intermediate * ratio[None, :],
        final_demand=final,
        value_added=table.value_added * ratio,
        output=output,
        other_inputs=others,
        provenance=table.provenance.noting(note),
    )


def _positions(kind: str, names: list[str], known: tuple[str, ...]) -> list[int]:
    for name in names:
        if name not in known:
            raise UnknownLabelError(kind, name, known)
    return [known.index(name) for name in names]
