"""``tiva.origins``: value added by origin and final absorption, for any selection, never forming the whole cube."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tiva._version import __version__
from tiva.choosing import select_together
from tiva.decompositions.origin import Members, OriginCube, rows_by
from tiva.decompositions.origin_terms import traced_row
from tiva.decompositions.self_perimeter import NOT_ADDITIVE
from tiva.errors import GroupError, MissingExtraError, UnknownLabelError, UsageError, explain
from tiva.router import Groups, acting_as_one, as_model, select_labels

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from tiva.bands.split import BandedTable
    from tiva.model.operators import Operators
    from tiva.table.icio_table import IcioTable

Choice = str | Sequence[str] | Mapping[str, str | Sequence[str]] | None
"""Labels or group expressions kept one by one; label -> members added up under that label; ``None`` for all."""

TAXES = "taxes_margins"
"""Label of an origin that is none: taxes, margins and adjustments, where value added is as published."""

_ORIGINS = ("origin", "origin_sector", "origin_size")

FLOWS = ("exports", "final_demand")
"""Gross flows whose value added can be told apart by origin and absorber."""

DIMS: tuple[str, ...] = (
    "origin", "origin_sector", "origin_size", "exporter", "sector", "size", "importer", "absorber", "absorber_sector",
)  # fmt: skip
"""Dimensions that can be kept, in the order of results."""

MAX_BYTES = 2**31
"""Results larger than this are refused as a whole and have to be taken in blocks."""

_REFERENCE = (
    "Borin and Mancini (2019), World Bank WPS 8804; Belotti, Borin and Mancini (2021), Stata Journal 21(3): 708-755"
)


class Origins:
    """A selection of value added by origin and absorption, not yet computed.

    Attributes
    ----------
    cube
        The blocks behind it.
    dims, shape, nbytes
        Of the result.
    additive
        Whether values may be added up: not where perimeters, or the groups that were asked for, overlap.

    Examples
    --------
    >>> import tiva
    >>> chosen = tiva.origins(tiva.example(), by=("origin", "exporter"), exporter="MEX")
    >>> chosen.dims
    ('origin', 'exporter')
    >>> bool(abs(chosen.to_xarray().sum() / tiva.decompose(tiva.example(), exporter="MEX")["gexp"].sum() - 1) < 1e-9)
    True
    """

    def __init__(self, cube: OriginCube, notes: Sequence[str] = (), *, overlapping: bool = False) -> None:
        self.cube = cube
        self.notes = tuple(notes)
        self.additive = cube.additive and not overlapping
        self.dims = cube.dims
        self.shape = cube.shape
        self.nbytes = cube.nbytes

    @property
    def coords(self) -> dict[str, list[str]]:
        """Labels of every dimension."""
        return {
            name: list(labels) for axis in self.cube.axes for name, labels in zip(axis.dims, axis.labels, strict=True)
        }

    def to_xarray(self, max_bytes: int = MAX_BYTES) -> xr.DataArray:
        """Return the result as one labelled array.

        Raises
        ------
        UsageError
            If it takes more than ``max_bytes``.
        """
        import xarray as xr

        if self.nbytes > max_bytes:
            raise UsageError(
                explain(
                    "this selection is too large for one array",
                    got=f"{self.nbytes / 2**30:.1f} GiB for {' x '.join(map(str, self.shape))} values",
                    expected=f"at most {max_bytes / 2**30:.1f} GiB",
                    do="keep fewer dimensions, select, add up groups, or take frames() or to_parquet() block by block",
                )
            )
        return xr.DataArray(self.cube.compute(), self.coords, self.dims, name=self._name, attrs=self._attributes())

    def to_dataset(self, max_bytes: int = MAX_BYTES) -> xr.Dataset:
        """Return the result as a dataset of one variable, as exports and printed tables take it."""
        values = self.to_xarray(max_bytes)
        own = ("long_name", "units", "reference")
        dataset = values.to_dataset()
        dataset.attrs = {name: value for name, value in values.attrs.items() if name not in own}
        dataset[self._name].attrs = {name: values.attrs[name] for name in (*own, "additive")}
        table = getattr(self.cube.model, "banded", self.cube.model.table)
        return dataset.assign_attrs(
            unit=self.cube.model.unit,
            currency=table.currency,
            citation=_REFERENCE,
        )

    def frames(self) -> Iterator[pd.DataFrame]:
        """Yield the result block by block in long form: a column for each dimension, and the value."""
        import pandas as pd

        for places, block in self.cube.blocks():
            columns: dict[str, Any] = {}
            cells = np.indices(block.shape).reshape(block.ndim, -1)
            for axis, place, along in zip(self.cube.axes, places, cells, strict=True):
                if not axis.dims:
                    continue
                index = np.unravel_index(along + (place.start or 0), axis.shape)
                for name, labels, codes in zip(axis.dims, axis.labels, index, strict=True):
                    columns[name] = pd.Categorical.from_codes(codes, pd.Index(labels))
            frame = pd.DataFrame({**columns, self._name: block.ravel()})
            yield frame[[*self.dims, self._name]]

    def to_parquet(self, path: str | Path) -> Path:
        """Write the result in long form, block by block, so that it never has to fit in memory.

        Raises
        ------
        MissingExtraError
            If pyarrow is not installed.
        """
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise MissingExtraError("pyarrow", "parquet", "writing Parquet") from error
        from tiva.files import replacing

        target = Path(path)
        labels = pa.dictionary(pa.int32(), pa.string())
        schema = pa.schema([*((name, labels) for name in self.dims), (self._name, pa.float64())])
        schema = schema.with_metadata({key: str(value) for key, value in self._attributes().items()})
        with replacing(target) as unfinished, pq.ParquetWriter(unfinished, schema) as writer:
            for frame in self.frames():
                text = frame.astype(dict.fromkeys(self.dims, "str"))
                columns = [pa.array(text[name].to_list(), pa.string()).dictionary_encode() for name in self.dims]
                arrays = [column.cast(labels) for column in columns] + [pa.array(frame[self._name].to_numpy())]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        return target

    @property
    def _name(self) -> str:
        return self.cube.term

    def _attributes(self) -> dict[str, Any]:
        model, cube = self.cube.model, self.cube
        table = getattr(model, "banded", model.table)
        known_alike = cube.term in {"content", "dc", "fc"}
        return {
            "title": f"value added by origin, {table.title}",
            "long_name": f"value added by origin: {cube.term} in {cube.flow.replace('_', ' ')}",
            "units": model.unit,
            "method": "origins",
            "term": cube.term,
            "flow": cube.flow,
            "approach": "" if known_alike else cube.method.approach,
            "perspective": cube.method.perspective,
            "perimeter": cube.perimeter,
            "additive": "true" if self.additive else "false",
            "reference": _REFERENCE,
            "table": table.title,
            "table_sha256": table.checksum,
            "year": -1 if table.year is None else table.year,
            "tiva_version": __version__,
            "table_citation": table.provenance.citation,
            "provenance": json.dumps(table.provenance.to_dict(), ensure_ascii=False),
            "notes": json.dumps([*table.provenance.notes, *self.notes], ensure_ascii=False),
        }


def origins(
    table: IcioTable | BandedTable | Operators,
    term: str = "content",
    *,
    by: Sequence[str] | str = ("origin", "exporter"),
    flow: str = "exports",
    approach: str = "source",
    perimeter: str = "country",
    origin: Choice = None,
    origin_sector: Choice = None,
    origin_size: Choice = None,
    exporter: Choice = None,
    sector: Choice = None,
    size: Choice = None,
    importer: Choice = None,
    absorber: Choice = None,
    absorber_sector: Choice = None,
    satellite: ArrayLike | None = None,
    groups: Groups = None,
    backend: str | None = None,
) -> Origins:
    """Select value added by where it comes from, who exports it to whom, and who finally absorbs it.

    Parameters
    ----------
    table
        A table, a table split by firm size, or a model of either.
    term
        ``"content"`` everything in the flow; ``"dc"``, ``"fc"`` of the exporter and of others; ``"va"`` counted once,
        of that ``"dva"`` and ``"fva"``; ``"ddc"``, ``"fdc"`` what is counted again; ``"vax"``, ``"ref"`` the ``"dva"``
        absorbed abroad and at home. From the exporter's perspective also ``"davax" "gvc" "gvcb" "gvcf"`` (source) and
        ``"vaxim"`` (sink). From the importer's ``"content"``, ``"va"`` and ``"dcimp"`` only: its border tells what
        comes in for the first time, not whose value added is domestic.
    by
        Dimensions to keep, of :data:`DIMS`, in any order; the others are added up over their selection. Breakdown by
        exporting sector is ``sector``, by sector of origin ``origin_sector``.
    flow
        ``"exports"``; or ``"final_demand"``: value added in final goods, where ``exporter`` and ``sector`` are the
        country and sector that complete the good (its use at home included) and there is no importer.
    approach
        ``"source"`` or ``"sink"``, for the perimeters ``"country"`` and ``"world"``.
    perimeter
        Whose border counts: ``"country"`` that of the exporter; ``"world"`` all borders; ``"sectexp"``,
        ``"bilateral"``, ``"sectbil"`` that of the flow itself, so that ``va`` of an origin is what its GDP loses
        without the flow; ``"group"`` the exports of each exporter from the chosen ``sector`` to the chosen
        ``importer`` together; ``"importer"`` that of the importer, ``"sectimp"`` for its imports of each product. Own
        perimeters of exports and that of a product overlap: they are not additive over flows.
    origin, origin_sector, origin_size
        Where value added is made. Where it is as published, ``"content"`` has the further origin ``"taxes_margins"``
        (label of every kept dimension of origin), so that origins add up to the flow.
    exporter, sector, size, importer
        The flows that carry it. Value added in the imports of a country is ``importer=...`` with ``by`` origin.
    absorber, absorber_sector
        The country that finally absorbs it, and the sector of the final good.
    satellite
        Shape (n,): takes the place of value added.
    groups, backend
        Countries that act as one, and the array library, as in :func:`tiva.decompose`.

    Returns
    -------
    Origins
        Computed by ``.to_xarray()``, or in blocks by ``.frames()`` and ``.to_parquet(path)``.

    Raises
    ------
    UnknownLabelError
        A dimension, country, sector or band that does not exist.
    UnsupportedCombinationError
        A term that the approach or the flow does not define.
    GroupError
        A label is named twice in a selection; or groups that are added up under labels of their own overlap, and their
        dimension is not kept. Where it is kept they may overlap, and the result says so and is not additive.
    UsageError
        A selection that is empty, or too large for one array.
    """
    model = as_model(table, satellite=satellite, groups=groups, backend=backend)
    kept = _items(by)
    _known("flow", [flow], FLOWS)
    known = tuple(d for d in DIMS if (model.bands or not d.endswith("size")) and (flow == "exports" or d != "importer"))
    _known("dimension", kept, known)
    choices = dict(
        zip(
            DIMS,
            (origin, origin_sector, origin_size, exporter, sector, size, importer, absorber, absorber_sector),
            strict=True,
        )
    )
    _known("dimension", [name for name, choice in choices.items() if choice is not None], known)
    traced_row(term, approach=approach, perimeter=perimeter, flow=flow)
    notes = acting_as_one(model, groups)
    taxes = _taxes(model, term, [choices[name] for name in _ORIGINS], notes)
    overlapping: set[str] = set()
    cells = {
        name: _members(model, name, choice, name in kept, notes, overlapping, taxes=taxes and name in _ORIGINS)
        for name, choice in choices.items()
    }
    _refuse_own_partner(cells["exporter"], cells["importer"])
    cube = OriginCube(
        model,
        origins=rows_by(model, cells["origin"], cells["origin_sector"], cells["origin_size"]),
        exporters=rows_by(model, cells["exporter"], cells["sector"], cells["size"]),
        importers=cells["importer"],
        absorbers=cells["absorber"],
        products=cells["absorber_sector"],
        term=term,
        approach=approach,
        flow=flow,
        perimeter=perimeter,
        sold=np.concatenate(cells["sector"].positions),
    )
    notes.extend(_remarks(cube, kept, choices))
    return Origins(cube, tuple(dict.fromkeys(notes)), overlapping=bool(overlapping))


def _remarks(cube: OriginCube, kept: Sequence[str], choices: Mapping[str, Choice]) -> list[str]:
    """Return what a reader of the result has to know about its term and perimeter."""
    notes: list[str] = []
    stray = cube.model.exports[cube.model.output == 0]
    if cube.term == "content" and stray.any():
        notes.append(f"exports of {stray.sum():g} of country-sectors without output have no origin")
    if not cube.additive:
        notes.append(NOT_ADDITIVE)
    if cube.perimeter == "group":
        notes.append(_perimeter_note(choices["sector"], choices["importer"]))
    chosen = {name for name, choice in choices.items() if choice is not None}
    if cube.perimeter == "world" and {"sector", "size", "importer"} & {*kept, *chosen}:
        notes.append(_WORLD_FLOWS)
    return notes


_WORLD_FLOWS = (
    "the world perspective is published for a country's exports as a whole; by sector and importer these are the flows "
    "that carry value added across the border where it counts"
)


def _perimeter_note(sector: Choice, importer: Choice) -> str:
    def named(choice: Choice, every: str) -> str:
        if choice is None:
            return f"all {every}"
        return choice if isinstance(choice, str) else ", ".join(choice)

    return f"perimeter: exports of {named(sector, 'sectors')} to {named(importer, 'partners')} together"


def _taxes(model: Operators, term: str, choices: Sequence[Choice], notes: list[str]) -> bool:
    """Return whether taxes, margins and adjustments are among the origins; say where they are if not."""
    if not model.other_inputs.any():
        return False
    if term != "content":
        notes.append(f"value added is as published: taxes and margins in the flow are the origin {TAXES} of content")
        return False
    if all(choice is None or TAXES in _items(choice) for choice in choices):
        notes.append(
            f"value added is as published: {TAXES} holds taxes, margins and adjustments, which no country adds"
        )
        return True
    notes.append(f"value added is as published: {TAXES} is not among the chosen origins")
    return False


def _items(choice: Choice) -> tuple[str, ...]:
    """Return the words of a selection, whatever its form."""
    if choice is None or isinstance(choice, str):
        return () if choice is None else (choice,)
    if isinstance(choice, Mapping):
        return tuple(word for members in choice.values() for word in _items(members))
    return tuple(choice) if isinstance(choice, Iterable) else (choice,)


def _known(kind: str, names: Sequence[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise UnknownLabelError(kind, str(name), known)


def _members(
    model: Operators,
    dim: str,
    choice: Choice,
    kept: bool,
    notes: list[str],
    overlapping: set[str],
    *,
    taxes: bool = False,
) -> Members:
    every = _kind(model, dim)[1]
    chosen, held = _chosen(model, dim, choice, notes, taxes=taxes)
    positions = {name: np.array([every.index(label) for label in labels], int) for name, labels in chosen.items()}
    others = tuple(name in held for name in positions)
    both = _in_common(chosen)
    if both and not kept:
        raise GroupError(
            explain(
                f"groups of {dim} overlap, and {dim} is added up",
                got=both,
                do=f"keep {dim} in by, or choose groups without common members",
            )
        )
    if both:
        overlapping.add(dim)
        notes.append(f"groups of {dim} overlap ({both}): they must not be added up")
    if kept:
        return Members((dim,), (tuple(positions),), tuple(positions.values()), others)
    return Members((), (), (np.concatenate(list(positions.values())),), (any(others),))


def _chosen(
    model: Operators, dim: str, choice: Choice, notes: list[str], *, taxes: bool
) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """Return label of the result -> labels of the model, and which of them hold taxes and margins."""
    kind, every = _kind(model, dim)
    chosen: dict[str, tuple[str, ...]] = {}
    if choice is None:
        chosen.update({label: (label,) for label in every})
        return (chosen | {TAXES: ()}, {TAXES}) if taxes else (chosen, set())
    together = isinstance(choice, Mapping)
    groups = choice if isinstance(choice, Mapping) else {"": choice}
    held: set[str] = set()
    for name, given in groups.items():
        words = _items(given)
        own = tuple(word for word in words if not (taxes and word == TAXES))
        labels: tuple[str, ...] = ()
        if own or not words:
            labels, said = _labels(kind, own, model, every)
            notes.extend(said)
        chosen.update({name: labels} if together else {label: (label,) for label in labels})
        if len(own) < len(words):
            held.add(name if together else TAXES)
            chosen.setdefault(name if together else TAXES, ())
    if not chosen:
        raise UsageError(explain(f"empty selection of {dim}", do=f"leave {dim} out to have all"))
    return chosen, held


def _in_common(chosen: Mapping[str, tuple[str, ...]]) -> str:
    """Name the first label that two groups have in common; empty where there is none."""
    owner: dict[str, str] = {}
    for name, labels in chosen.items():
        for label in labels:
            if label in owner:
                return f"{label!r} is in {owner[label]!r} and in {name!r}"
            owner[label] = name
    return ""


def _kind(model: Operators, dim: str) -> tuple[str, tuple[str, ...]]:
    if dim.endswith("sector"):
        return "sector", model.sectors
    if dim.endswith("size"):
        return "size", model.bands or ("all",)
    return dim, model.countries


def _labels(
    kind: str, choice: str | Sequence[str], model: Operators, every: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if kind == "size" and choice:
        _known("size", _items(choice), every)
        return select_together("size", _items(choice), lambda item: ((item,), ()))
    return select_labels(kind, choice, model)


def _refuse_own_partner(exporters: Members, importers: Members) -> None:
    sets = [np.unique(np.concatenate(axis.positions)) for axis in (exporters, importers)]
    if len(sets[0]) == 1 and np.array_equal(sets[0], sets[1]):
        raise UsageError(
            explain("exporter and importer are the same country", expected="two countries: no export goes home")
        )
