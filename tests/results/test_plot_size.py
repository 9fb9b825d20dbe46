from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import tiva
from tiva.errors import UnknownLabelError, UsageError
from tiva.results import plot_size
from tiva.results.size_report import SizeReport
from tiva.table.icio_table import IcioTable

PIXEL = 1.0
"""Texts may touch by rounding of their boxes."""


@pytest.fixture(scope="module")
def report(example: IcioTable) -> SizeReport:
    return tiva.size_report(tiva.split_by_size(example, tiva.example_margins()), ["BRA", "MEX"], draws=4)


def overlaps(figure: Figure) -> list[str]:
    """Pairs of texts, those of the figure, its axes and its legend, whose boxes meet."""
    figure.canvas.draw()
    texts = list(figure.texts)
    for axes in figure.axes:
        texts += [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label, axes.yaxis.label]
    for legend in figure.legends:
        texts += legend.get_texts()
    boxes = [(t.get_text(), t.get_window_extent()) for t in texts if t.get_text()]
    return [
        f"{a} | {b}"
        for i, (a, one) in enumerate(boxes)
        for b, other in boxes[i + 1 :]
        if min(one.x1, other.x1) - max(one.x0, other.x0) > PIXEL
        and min(one.y1, other.y1) - max(one.y0, other.y0) > PIXEL
    ]


def inside(figure: Figure) -> bool:
    """Whether all texts of the figure are within it."""
    frame = figure.bbox
    boxes = [t.get_window_extent() for t in figure.texts]
    return all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= frame.x1 and b.y1 <= frame.y1 for b in boxes)


def test_bars_hold_the_numbers(report: SizeReport) -> None:
    figure = plot_size.direct_indirect(report)
    axes = figure.axes[0]
    direct, indirect = ([bar.get_width() for bar in part] for part in axes.containers)
    labels = [t.get_text() for t in axes.get_yticklabels()]
    assert labels == ["small (assumed)", "medium (imputed)", "large (imputed)", "all (unsplit)"] * 2
    for k, country in enumerate(("BRA", "MEX")):
        of = report.exports.sel(exporter=country, size=["small", "medium", "large", "all"])
        total = float(of["dva"].sum())
        np.testing.assert_allclose(direct[4 * k : 4 * k + 4], 100 * of["dva_direct"] / total)
        np.testing.assert_allclose(indirect[4 * k : 4 * k + 4], 100 * of["dva_indirect"] / total)
    whiskers = [line.get_xdata().tolist() for line in axes.lines][::2]
    expected = [report.interval(c, b) for c in ("BRA", "MEX") for b in ("small", "medium", "large")]
    assert whiskers == [[100 * i.lower, 100 * i.upper] for i in expected if i is not None]
    assert overlaps(figure) == []
    assert inside(figure)


def test_caption_says_status_and_coverage(report: SizeReport) -> None:
    for figure in (plot_size.direct_indirect(report), plot_size.band_matrix(report, "MEX")):
        caption = figure.texts[-1].get_text()
        assert "coverage MEX: 82 % of exports in split sectors" in caption
        assert "% observed" in " ".join(caption.split())
    caption = " ".join(plot_size.direct_indirect(report).texts[-1].get_text().split())
    assert "model interval" in caption
    assert "sales to producers by band are" in caption


def test_matrix_adds_up_to_hundred(report: SizeReport) -> None:
    figure = plot_size.band_matrix(report)
    axes = figure.axes[0]
    values = [float(t.get_text()) for t in axes.texts]
    assert len(values) == 16
    assert sum(values) == pytest.approx(100, abs=0.8)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["small", "medium", "large", "all"]
    assert "BRA" in figure.texts[0].get_text()
    assert overlaps(figure) == []
    assert inside(figure)


def test_without_intervals_and_with_many_countries(report: SizeReport) -> None:
    everything = tiva.size_report(report.banded, intervals=False)
    figure = plot_size.direct_indirect(everything)
    assert overlaps(figure) == []
    assert not figure.axes[0].lines
    assert "no intervals were computed" in figure.texts[-1].get_text()


def test_given_axes_keep_their_figure(report: SizeReport) -> None:
    figure = Figure(figsize=(14, 5))
    left, right = figure.subplots(1, 2)
    assert plot_size.direct_indirect(report, ax=left) is figure
    plot_size.band_matrix(report, "MEX", ax=right)
    assert figure.get_figheight() == 5
    assert "coverage MEX" in left.texts[-1].get_text()


def test_mistakes(report: SizeReport, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownLabelError, match="MEX"):
        plot_size.band_matrix(report, "MXE")
    monkeypatch.setattr(plot_size, "SHOWN", 3)
    with pytest.raises(UsageError, match="too many bands"):
        plot_size.direct_indirect(report)
