"""Figures of results: composition of exports, participation, origins, time. Needs matplotlib, imported when used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tiva.errors import MissingExtraError, UnknownLabelError, UsageError, explain, listing
from tiva.results.tables import partition

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tiva.kernels.arrays import FloatArray

COLOURS = ("#0072b2", "#56b4e9", "#d55e00", "#e69f00", "#009e73", "#cc79a7", "#7a7a7a", "#332288")
"""Okabe and Ito's palette with its yellow replaced by indigo, ordered so that domestic terms are blue
and foreign terms orange; safe for the colour-blind."""

SHOWN = 40
"""Labels on an axis before the figure is refused as unreadable."""

_LABEL_STEPS = 60
"""Directions and distances tried for a label of the scatter before it is drawn with a line to its point."""


def bars(
    dataset: xr.Dataset,
    *,
    unit: Literal["percent", "amount"] = "percent",
    terms: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw what exports are made of: stacked bars by exporter.

    Parameters
    ----------
    dataset
        Result by exporter; other dimensions are summed.
    unit
        ``"percent"`` of gross exports, sorted by the first term; ``"amount"`` in the unit of the result, sorted by
        gross exports.
    terms
        Terms to stack; those that sum to gross exports when left out.
    ax
        Axes to draw on; a new figure when left out.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    UsageError
        Terms that may not be summed to exporters, more exporters than an axis can show, or an unknown unit.
    """
    if unit not in {"percent", "amount"}:
        raise UsageError(explain(f"unknown unit {unit!r}", expected="'percent' or 'amount'"))
    gross, parts = partition(dataset)
    shown = list(parts if terms is None else terms)
    _known(dataset, shown)
    if not shown:
        raise UsageError(explain("no terms of this result sum to gross exports", do="name the terms to stack"))
    table = _by(dataset, "exporter", [*shown] if gross is None else [gross, *shown])
    if gross is None:
        raise UsageError(explain("this result has no gross flow", got=listing(map(str, dataset.data_vars))))
    labels = [str(label) for label in table["exporter"].values]
    _readable(labels, "exporters")
    total = table[gross].values
    values = np.stack([table[name].values for name in shown])
    if unit == "percent":
        with np.errstate(divide="ignore", invalid="ignore"):
            values = 100 * values / total
    order = np.argsort(np.nan_to_num(total if unit == "amount" else values[0]), kind="stable")
    scale, text = (1.0, "% of gross exports") if unit == "percent" else _scaled(values, _unit_of(dataset, gross))
    figure, axes = new_axes(ax, (8.0, 2.2 + 0.28 * len(labels)))
    _stack(axes, values[:, order] / scale, [labels[i] for i in order], [_name(dataset, n) for n in shown])
    axes.set_xlabel(text)
    axes.xaxis.set_major_formatter("{x:,g}")
    if unit == "percent" and (np.nan_to_num(values) >= 0).all():
        axes.set_xlim(0, 100)
    _finish(figure, axes, dataset, "What gross exports are made of")
    return figure


def participation(dataset: xr.Dataset, *, ax: Axes | None = None) -> Figure:
    """Draw backward against forward participation, one bubble an exporter, its area gross exports.

    Parameters
    ----------
    dataset
        Result with ``gexp``, ``gvcb`` and ``gvcf``; dimensions other than the exporter are summed.
    ax
        Axes to draw on; a new figure when left out.

    Returns
    -------
    matplotlib.figure.Figure
        Both axes in % of gross exports.
    """
    _known(dataset, ["gexp", "gvcb", "gvcf"])
    table = _by(dataset, "exporter", ["gexp", "gvcb", "gvcf"])
    gross = table["gexp"].values
    alive = gross > 0
    labels = [str(label) for label, there in zip(table["exporter"].values, alive, strict=True) if there]
    _readable(labels, "exporters", 2 * SHOWN)
    backward, forward = (100 * table[name].values[alive] / gross[alive] for name in ("gvcb", "gvcf"))
    area = 900 * gross[alive] / gross[alive].max() + 12
    figure, axes = new_axes(ax, (8.0, 6.4))
    axes.scatter(backward, forward, s=area, color=COLOURS[0], alpha=0.45, edgecolor="white", linewidth=0.8)
    axes.set_xlabel("backward participation, % of gross exports (imported inputs in exports)")
    axes.set_ylabel("forward participation, % of gross exports (re-exported by importers)")
    axes.margins(0.12)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    _finish(figure, axes, dataset, "Participation in global value chains (bubble area: gross exports)")
    _place_labels(axes, backward, forward, area, labels)
    return figure


def heat(
    data: xr.DataArray,
    *,
    rows: str = "origin",
    columns: str = "exporter",
    diagonal: bool = False,
    ax: Axes | None = None,
) -> Figure:
    """Draw a heat map with a logarithmic colour scale, such as foreign value added by origin in exports.

    Parameters
    ----------
    data
        Amounts with the dimensions ``rows`` and ``columns``; others are summed.
    rows, columns
        Dimensions of the axes.
    diagonal
        Whether cells of a country with itself are shown; they hide the rest otherwise.
    ax
        Axes to draw on; a new figure when left out.

    Returns
    -------
    matplotlib.figure.Figure
        Cells that are not positive are left white.
    """
    plt = _matplotlib()
    from matplotlib.colors import LogNorm

    for dim in (rows, columns):
        if dim not in data.dims:
            raise UnknownLabelError("dimension", dim, [str(d) for d in data.dims])
    table = data.sum([d for d in data.dims if d not in {rows, columns}]).transpose(rows, columns)
    down, across = ([str(x) for x in table[d].values] for d in (rows, columns))
    _readable(down, f"{rows}s", 2 * SHOWN)
    _readable(across, f"{columns}s", 2 * SHOWN)
    values = np.array(table.values, dtype=np.float64)
    if not diagonal:
        values[np.array(down)[:, None] == np.array(across)[None, :]] = np.nan
    shown = np.ma.masked_where(~(values > 0), values)
    if shown.count() == 0:
        raise UsageError(explain("nothing to draw: no positive amounts", got=f"{rows} x {columns}"))
    high = float(shown.max())
    low = max(float(shown.min()), high * 1e-5)
    figure, axes = new_axes(ax, (2.4 + 0.34 * len(across), 1.8 + 0.30 * len(down)))
    image = axes.imshow(shown, norm=LogNorm(low, high), cmap=plt.get_cmap("viridis_r"), aspect="auto")
    axes.set_xticks(range(len(across)), across, rotation=90)
    axes.set_yticks(range(len(down)), down)
    axes.set_xlabel(columns)
    axes.set_ylabel(rows)
    bar = figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02, extend="min" if low > float(shown.min()) else None)
    bar.set_label(str(data.attrs.get("units", "")))
    axes.set_title(
        str(data.attrs.get("long_name", data.name or "")), loc="left", fontsize=11, fontweight="bold", pad=18
    )
    _source(axes, str(data.attrs.get("table", "")))
    figure.tight_layout()
    return figure


def lines(
    dataset: xr.Dataset,
    term: str = "gvc",
    *,
    exporters: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw a term in % of gross exports over the years, one line an exporter.

    Parameters
    ----------
    dataset
        Results joined along a dimension ``year`` (``xarray.concat``); others than year and exporter are summed.
    term
        Which term.
    exporters
        Which exporters; the eight largest when left out.
    ax
        Axes to draw on; a new figure when left out.

    Returns
    -------
    matplotlib.figure.Figure
        Each line is named at its end.
    """
    if "year" not in dataset.dims:
        raise UsageError(
            explain(
                "lines need a dimension 'year'",
                got=f"dimensions {listing(dataset.dims)}",
                do="join results of several years with xarray.concat(results, dim='year')",
            )
        )
    gross, _ = partition(dataset)
    _known(dataset, [term])
    if gross is None:
        raise UsageError(explain("this result has no gross flow", got=listing(map(str, dataset.data_vars))))
    table = _by(dataset, ("year", "exporter"), [gross, term]).sortby("year")
    known = [str(label) for label in table["exporter"].values]
    if exporters is None:
        size = np.nansum(table[gross].values, axis=0)
        exporters = [known[i] for i in np.argsort(-size, kind="stable")[: len(COLOURS)]]
    for name in exporters:
        if name not in known:
            raise UnknownLabelError("exporter", name, known)
    _readable(list(exporters), "lines")
    figure, axes = new_axes(ax, (8.0, 5.2))
    years = table["year"].values
    ends = []
    for number, name in enumerate(exporters):
        one = table.sel(exporter=name)
        share = 100 * one[term].values / one[gross].where(one[gross] != 0).values
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(years, share, color=colour, marker="o", markersize=3.5, linewidth=1.6)
        known_shares = share[np.isfinite(share)]
        if len(known_shares):
            ends.append((float(known_shares[-1]), name, colour))
    axes.set_ylabel(f"% of {_name(dataset, gross).lower()}")
    axes.set_xticks(years, [str(int(y)) for y in years])
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.6)
    _finish(figure, axes, dataset, _name(dataset, term))
    _name_ends(axes, float(years[-1]), ends)
    figure.tight_layout()
    return figure


class PlotAccessor:
    """Figures of a result, as ``dataset.tiva.plot``."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._dataset = dataset

    def bars(
        self,
        *,
        unit: Literal["percent", "amount"] = "percent",
        terms: Sequence[str] | None = None,
        ax: Axes | None = None,
    ) -> Figure:
        """Draw what exports are made of; see :func:`bars`."""
        return bars(self._dataset, unit=unit, terms=terms, ax=ax)

    def participation(self, *, ax: Axes | None = None) -> Figure:
        """Draw backward against forward participation; see :func:`participation`."""
        return participation(self._dataset, ax=ax)

    def heat(
        self, term: str, *, rows: str = "origin", columns: str = "exporter", diagonal: bool = False,
        ax: Axes | None = None,
    ) -> Figure:  # fmt: skip
        """Draw a heat map of a term; see :func:`heat`."""
        _known(self._dataset, [term])
        return heat(self._dataset[term], rows=rows, columns=columns, diagonal=diagonal, ax=ax)

    def lines(self, term: str = "gvc", *, exporters: Sequence[str] | None = None, ax: Axes | None = None) -> Figure:
        """Draw a term over the years; see :func:`lines`."""
        return lines(self._dataset, term, exporters=exporters, ax=ax)


def _matplotlib() -> Any:
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "drawing figures") from error
    return plt


def new_axes(ax: Axes | None, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """Axes to draw on. A new figure is kept out of pyplot's list, so that nothing has to be closed."""
    if ax is not None:
        return ax.get_figure(root=True), ax  # type: ignore[return-value]
    _matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=120)
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _known(dataset: xr.Dataset, names: Sequence[str]) -> None:
    known = [str(name) for name in dataset.data_vars]
    for name in names:
        if name not in known:
            raise UnknownLabelError("term", name, known)


def _by(dataset: xr.Dataset, dims: str | tuple[str, ...], names: list[str]) -> xr.Dataset:
    """Sum to these dimensions; refused for terms that may not be summed."""
    kept = (dims,) if isinstance(dims, str) else dims
    for dim in kept:
        if dim not in dataset.dims:
            raise UnknownLabelError("dimension", dim, [str(d) for d in dataset.dims])
    part = dataset[list(dict.fromkeys(names))]
    over = [d for d in part.dims if d not in kept]
    summed = [n for n in names if set(dataset[n].dims) & set(over)]
    fixed = [n for n in summed if dataset[n].attrs.get("additive", "true") != "true"]
    if fixed:
        raise UsageError(
            explain(
                f"{listing(fixed)} may not be summed over {', '.join(map(str, over))}",
                do="select one label of each other dimension first, or decompose at a coarser level",
            )
        )
    return part.sum(over, keep_attrs=True).transpose(*kept, ...) if over else part.transpose(*kept, ...)


def _readable(labels: Sequence[str], what: str, limit: int = SHOWN) -> None:
    if len(labels) > limit:
        raise UsageError(
            explain(
                f"too many {what} for one figure",
                got=str(len(labels)),
                expected=f"at most {limit}",
                do="select some with pick(...)",
            )
        )


def _name(dataset: xr.Dataset, term: str) -> str:
    return str(dataset[term].attrs.get("long_name", term))


def _unit_of(dataset: xr.Dataset, term: str) -> str:
    return str(dataset[term].attrs.get("units", ""))


def _scaled(values: FloatArray, unit: str) -> tuple[float, str]:
    """Billions where amounts are many millions: a divisor and the unit after it."""
    if unit.startswith("million ") and np.nanmax(np.abs(values)) >= 10_000:
        return 1000.0, f"billion {unit.removeprefix('million ')}"
    return 1.0, unit


def _stack(axes: Axes, values: FloatArray, labels: list[str], names: list[str]) -> None:
    """Bars on a common baseline: positive parts to the right, negative ones to the left of zero."""
    right, left = np.zeros(len(labels)), np.zeros(len(labels))
    for number, (part, name) in enumerate(zip(np.nan_to_num(values), names, strict=True)):
        start = np.where(part >= 0, right, left)
        axes.barh(labels, part, left=start, color=COLOURS[number % len(COLOURS)], label=name, height=0.78)
        right, left = right + np.maximum(part, 0), left + np.minimum(part, 0)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.6 / (0.28 * len(labels) + 0.6)), ncols=2, frameon=False)


def _finish(figure: Figure, axes: Axes, dataset: xr.Dataset, title: str) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", pad=18)
    _source(axes, str(dataset.attrs.get("title", "")))
    figure.tight_layout()


def _source(axes: Axes, text: str) -> None:
    """Write below the title what the numbers are from."""
    axes.text(0, 1.008, text, transform=axes.transAxes, fontsize=8, color="#555555", va="bottom")


def _place_labels(axes: Axes, x: FloatArray, y: FloatArray, area: FloatArray, labels: list[str]) -> None:
    """Put each label beside its bubble where it meets no other label or bubble centre, largest bubble first."""
    figure = axes.figure
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    points = axes.transData.transform(np.column_stack([x, y]))
    frame = axes.get_window_extent(renderer)
    radius = np.sqrt(area / np.pi) * figure.dpi / 72
    taken: list[Any] = []
    for i in np.argsort(-area, kind="stable"):
        text = axes.text(0, 0, labels[i], fontsize=8, ha="center", va="center", transform=None)
        box = text.get_window_extent(renderer)
        best: tuple[float, FloatArray] | None = None
        for step in range(_LABEL_STEPS):
            angle = 2 * np.pi * (step % 12) / 12
            distance = 1.0 + 0.5 * (step // 12)
            reach = np.array([radius[i] + box.width / 2 + 2, radius[i] + box.height / 2 + 2]) * distance
            centre = points[i] + reach * np.array([np.cos(angle), np.sin(angle)])
            cost = _cost(centre, box, taken, points, radius, frame) + 0.1 * step
            if best is None or cost < best[0]:
                best = (cost, centre)
        assert best is not None  # noqa: S101 - there is at least one step
        text.set_position((float(best[1][0]), float(best[1][1])))
        taken.append((best[1], box.width, box.height))
        place = axes.transData.inverted().transform(best[1])
        text.set_transform(axes.transData)
        text.set_position((float(place[0]), float(place[1])))
        far = np.hypot(*(best[1] - points[i])) > radius[i] + box.width / 2 + 8
        if far:
            axes.plot([x[i], place[0]], [y[i], place[1]], color="#999999", linewidth=0.5, zorder=0)


def _cost(centre: FloatArray, box: Any, taken: list[Any], points: FloatArray, radius: FloatArray, frame: Any) -> float:
    """How bad a place is: overlaps with labels count most, then the frame, then bubbles."""
    half = np.array([box.width, box.height]) / 2
    cost = 0.0
    for other, width, height in taken:
        gap = np.abs(centre - other) - half - np.array([width, height]) / 2
        cost += 1000.0 if (gap < 1).all() else 0.0
    low, high = centre - half, centre + half
    if low[0] < frame.x0 or high[0] > frame.x1 or low[1] < frame.y0 or high[1] > frame.y1:
        cost += 500.0
    gap = np.maximum(np.abs(points - centre) - half, 0)
    cost += 20.0 * float((np.hypot(gap[:, 0], gap[:, 1]) < np.minimum(radius, 8)).sum())
    cost += 5.0 * float((np.hypot(gap[:, 0], gap[:, 1]) < radius).sum())
    return cost


def _name_ends(axes: Axes, x: float, ends: list[tuple[float, str, str]]) -> None:
    """Write the names at the ends of lines, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.035
    heights: list[float] = []
    for value, name, colour in sorted(ends):
        height = value if not heights else max(value, heights[-1] + gap)
        heights.append(height)
        axes.annotate(name, (x, height), xytext=(8, 0), textcoords="offset points", color=colour, va="center",
                      fontsize=9, annotation_clip=False)  # fmt: skip
    axes.set_ylim(low, max(high, (heights[-1] if heights else high) + gap))
