"""Figures by firm size: direct against indirect exports, and who exports for whom. Needs matplotlib."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from tiva.errors import UnknownLabelError, UsageError, explain
from tiva.results.plot import COLOURS, SHOWN, new_axes
from tiva.results.size_text import coverage_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tiva.kernels.arrays import FloatArray
    from tiva.results.size_report import SizeReport

DIRECT, INDIRECT = COLOURS[0], COLOURS[1]
MARK = COLOURS[2]

GAP = 0.9
"""Free rows between two countries, for the name of the next."""

CAPTION_WIDTH = 138
"""Characters of a line of the caption."""

_INK = "#333333"
_FAINT = "#666666"


def direct_indirect(report: SizeReport, *, ax: Axes | None = None) -> Figure:
    """Draw direct against indirect domestic value added in exports: a stacked bar a band, countries below each other.

    Parameters
    ----------
    report
        From :func:`tiva.size_report`. The whiskers are its model intervals; without them there are none.
    ax
        Axes to draw on; a new figure when left out.

    Returns
    -------
    matplotlib.figure.Figure
        In % of the country's domestic value added in exports. A diamond marks the band's share in direct gross
        exports: the distance to the bar's end is what direct exports do not show. Coverage and status are below.

    Raises
    ------
    UsageError
        More bands of countries than a figure can show.
    """
    rows, places, heads = _layout(report)
    if len(rows) > SHOWN:
        raise UsageError(
            explain("too many bands for one figure", got=len(rows), expected=f"at most {SHOWN}", do="name countries")
        )
    direct, indirect, marks = (_shares(report, rows, term) for term in ("dva_direct", "dva_indirect", "export_share"))
    figure, axes = new_axes(ax, (8.0, 0.9 + 0.32 * (places[-1] + 1)))
    axes.barh(places, direct, color=DIRECT, height=0.72, label="value added in own exports (direct)")
    axes.barh(places, indirect, left=direct, color=INDIRECT, height=0.72, label="as supplier of exporters (indirect)")
    drawn = _whiskers(axes, report, rows, places)
    axes.scatter(marks, places, marker="D", s=26, color=MARK, edgecolor="white", linewidth=0.6, zorder=4,
                 label="share in direct gross exports")  # fmt: skip
    axes.set_yticks(places, [f"{band} ({report.statuses[country, band]})" for country, band in rows])
    for place, country in heads:
        axes.annotate(country, (0, place), xytext=(-6, 0), textcoords="offset points", ha="right", va="center",
                      fontweight="bold", fontsize=10, annotation_clip=False)  # fmt: skip
    axes.set_ylim(places[-1] + 0.6, -1.5)
    axes.set_xlim(0, None)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("% of the country's domestic value added in exports (diamonds: % of its gross exports)")
    axes.grid(axis="x", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    title = f"Who exports, directly and indirectly: {report.banded.source.title}"
    _finish(figure, axes, title, _caption(report, drawn), own=ax is None)
    return figure


def band_matrix(report: SizeReport, country: str | None = None, *, ax: Axes | None = None) -> Figure:
    """Draw who exports for whom: a heat map of indirect value added by supplying and exporting band.

    Parameters
    ----------
    report
        From :func:`tiva.size_report`.
    country
        Country; the first of the report when left out.
    ax
        Axes to draw on; a new figure when left out.

    Returns
    -------
    matplotlib.figure.Figure
        In % of the country's indirect domestic value added in exports: all cells add up to 100.

    Raises
    ------
    UnknownLabelError
        A country that the report does not hold.
    """
    name = report.countries[0] if country is None else country
    if name not in report.countries:
        raise UnknownLabelError("country", name, report.countries)
    values = report.matrix["indirect"].sel(exporter=name)
    down = [str(b) for b in values["origin_size"].values if bool(values.sel(origin_size=b).notnull().any())]
    across = [str(b) for b in values["size"].values if bool(values.sel(size=b).notnull().any())]
    cells = np.asarray(values.sel(origin_size=down, size=across).values, dtype=np.float64)
    percent = 100 * cells / np.nansum(cells)
    figure, axes = new_axes(ax, (3.2 + 0.95 * len(across), 1.1 + 0.55 * len(down)))
    image = axes.imshow(percent, cmap="Blues", vmin=0, aspect="auto")
    middle = float(np.nanmax(percent)) * 0.55
    for row, column in np.ndindex(percent.shape):
        value = percent[row, column]
        if np.isfinite(value):
            colour = "white" if value > middle else _INK
            axes.text(column, row, f"{value:.1f}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(across)), across)
    axes.set_yticks(range(len(down)), down)
    axes.set_xlabel("firms that export")
    axes.set_ylabel("firms that supply them")
    axes.tick_params(length=0)
    bar = figure.colorbar(image, ax=axes, fraction=0.06, pad=0.03)
    bar.set_label("% of indirect value added")
    bar.outline.set_visible(False)
    lines = coverage_lines(report.exports, [name])
    title = f"Who exports for whom: {name}, {report.banded.source.title}"
    _finish(figure, axes, title, lines, own=ax is None)
    return figure


def _layout(report: SizeReport) -> tuple[list[tuple[str, str]], FloatArray, list[tuple[float, str]]]:
    """Rows (country, band) from the top, their heights, and where the names of the countries stand."""
    rows: list[tuple[str, str]] = []
    places: list[float] = []
    heads: list[tuple[float, str]] = []
    height = 0.0
    for country in report.countries:
        heads.append((height - GAP, country))
        for band in (str(b) for b in report.exports["size"].values):
            if (country, band) in report.statuses:
                rows.append((country, band))
                places.append(height)
                height += 1.0
        height += GAP + 0.3
    return rows, np.array(places), heads


def _shares(report: SizeReport, rows: Sequence[tuple[str, str]], term: str) -> FloatArray:
    values = np.array([float(report.exports[term].sel(exporter=c, size=b)) for c, b in rows])
    if term == "export_share":
        return 100 * values
    total = report.exports["dva"].sum("size")
    whole = np.array([float(total.sel(exporter=c)) for c, _ in rows])
    return np.asarray(100 * values / whole, dtype=np.float64)


def _whiskers(axes: Axes, report: SizeReport, rows: Sequence[tuple[str, str]], places: FloatArray) -> bool:
    drawn = False
    for (country, band), place in zip(rows, places, strict=True):
        interval = report.interval(country, band)
        if interval is None:
            continue
        low, high = 100 * interval.lower, 100 * interval.upper
        axes.plot([low, high], [place, place], color=_INK, linewidth=1.3, zorder=3,
                  label=None if drawn else "model interval of the whole bar")  # fmt: skip
        axes.plot([low, high], [place, place], linestyle="none", marker="|", color=_INK, markersize=7, zorder=3)
        drawn = True
    return drawn


def _caption(report: SizeReport, drawn: bool) -> tuple[str, ...]:
    said = dict.fromkeys(i.meaning for i in report.intervals if i.kind == "model interval")
    intervals = (
        [f"whiskers, model interval: {meaning}" for meaning in said] if drawn else ["no intervals were computed"]
    )
    return (*intervals, "in brackets: status of the export shares", *coverage_lines(report.exports))


def _finish(figure: Figure, axes: Axes, title: str, caption: Sequence[str], *, own: bool) -> None:
    """Set title, legend and caption; a figure of our own grows by what they need, given axes keep their place."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    width = int(CAPTION_WIDTH * figure.get_figwidth() / 8.0)
    text = "\n".join(line for item in caption for line in textwrap.wrap(item, width, subsequent_indent="   "))
    handles, labels = axes.get_legend_handles_labels()
    if not own:
        axes.set_title(title, loc="left", fontsize=11, fontweight="bold")
        if handles:
            axes.legend(handles, labels, frameon=False, fontsize=9)
        axes.annotate(text, (0, 0), xycoords="axes fraction", xytext=(0, -44), textcoords="offset points", va="top",
                      fontsize=7.5, color=_FAINT, linespacing=1.25, annotation_clip=False)  # fmt: skip
        return
    height = figure.get_figheight()
    lines = 0.15 * (text.count("\n") + 1) + 0.15
    legend = 0.5 if handles else 0.0
    total = height + lines + legend + 0.3
    figure.set_figheight(total)
    figure.tight_layout(rect=(0, (lines + legend) / total, 1, 1 - 0.3 / total))
    figure.text(0.02, 1 - 0.1 / total, title, fontsize=11, fontweight="bold", va="top", ha="left")
    figure.text(0.02, 0.08 / total, text, fontsize=7.5, color=_FAINT, va="bottom", ha="left", linespacing=1.25)
    if handles:
        figure.legend(handles, labels, loc="lower left", ncols=2, frameon=False, fontsize=9, borderaxespad=0,
                      bbox_to_anchor=(0.02, lines / total))  # fmt: skip
