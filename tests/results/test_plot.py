from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import tiva
from tiva.errors import LabelError, MissingExtraError, UnknownLabelError, UsageError
from tiva.results import plot
from tiva.results.series import join_years
from tiva.table.icio_table import IcioTable

PIXEL = 1.0
"""Labels may touch by rounding of their boxes."""


@pytest.fixture(scope="module")
def result(example: IcioTable) -> xr.Dataset:
    return tiva.decompose(example)


@pytest.fixture(scope="module")
def years(result: xr.Dataset) -> xr.Dataset:
    later = result.assign_attrs(year=2012, identity_residual=1e-12)
    with xr.set_options(keep_attrs=True):
        later["gvc"] = later["gvc"] * 1.1
    return join_years([later, result])


def _overlaps(figure: object) -> list[str]:
    """Pairs of texts of the axes whose boxes meet."""
    figure.canvas.draw()  # type: ignore[attr-defined]
    axes = figure.axes[0]  # type: ignore[attr-defined]
    boxes = [(t.get_text(), t.get_window_extent()) for t in axes.texts if t.get_text()]
    boxes += [(t.get_text(), t.get_window_extent()) for t in axes.get_yticklabels() if t.get_text()]
    return [
        f"{a} {b}"
        for i, (a, one) in enumerate(boxes)
        for b, other in boxes[i + 1 :]
        if min(one.x1, other.x1) - max(one.x0, other.x0) > PIXEL
        and min(one.y1, other.y1) - max(one.y0, other.y0) > PIXEL
    ]


@pytest.mark.parametrize("unit", ["percent", "amount"])
def test_bars_hold_the_numbers_sorted(result: xr.Dataset, unit: str) -> None:
    figure = result.tiva.plot.bars(unit=unit)
    axes = figure.axes[0]
    assert _overlaps(figure) == []
    labels = [t.get_text() for t in axes.get_yticklabels()]
    widths = [[bar.get_width() for bar in part] for part in axes.containers]
    for part, term in zip(widths, ["dva", "ddc", "fva", "fdc"], strict=True):
        amounts = result[term].sel(exporter=labels).values
        gross = result["gexp"].sel(exporter=labels).values
        np.testing.assert_allclose(part, 100 * amounts / gross if unit == "percent" else amounts / 1000)
    ends = np.sum(widths, axis=0) if unit == "amount" else np.array(widths[0])
    assert (np.diff(ends) >= 0).all()
    assert axes.get_xlabel() == ("% of gross exports" if unit == "percent" else "billion USD")
    assert axes.get_legend().get_texts()[0].get_text() == "Domestic value added"


def test_negative_parts_stand_left_of_zero() -> None:
    attrs = {"additive": "true", "units": "million USD"}
    odd = xr.Dataset(
        {n: (("exporter",), v, attrs) for n, v in {"gexp": [10.0], "a": [12.0], "b": [-2.0]}.items()},
        {"exporter": ["A"]},
    )
    figure = plot.bars(odd, terms=["a", "b"], unit="amount")
    assert [(bar.get_x(), bar.get_width()) for part in figure.axes[0].containers for bar in part] == [(0, 12), (0, -2)]


def test_finer_levels_are_summed(example: IcioTable, result: xr.Dataset) -> None:
    fine = tiva.decompose(example, level="sector")
    one, other = fine.tiva.plot.bars(), result.tiva.plot.bars()
    widths = [[b.get_width() for part in f.axes[0].containers for b in part] for f in (one, other)]
    np.testing.assert_allclose(widths[0], widths[1])


def test_participation_labels_every_bubble_apart(result: xr.Dataset) -> None:
    figure = result.tiva.plot.participation()
    axes = figure.axes[0]
    assert {t.get_text() for t in axes.texts} >= set(map(str, result["exporter"].values))
    assert _overlaps(figure) == []
    offsets = axes.collections[0].get_offsets()
    gross = result["gexp"].values
    expected = np.column_stack([100 * result["gvcb"].values / gross, 100 * result["gvcf"].values / gross])
    np.testing.assert_allclose(np.asarray(offsets), expected)


def test_heat_is_logarithmic_without_the_diagonal(example: IcioTable) -> None:
    cells = tiva.decompose(example, level="bilateral").rename(importer="origin")
    figure = cells.tiva.plot.heat("fva")
    image = figure.axes[0].images[0]
    assert type(image.norm).__name__ == "LogNorm"
    shown = image.get_array()
    assert shown.shape == (17, 17)
    assert np.diag(shown.mask).all()
    expected = cells["fva"].transpose("origin", "exporter").values
    np.testing.assert_array_equal(shown[~shown.mask], expected[~shown.mask])


def test_lines_are_named_at_their_ends(years: xr.Dataset) -> None:
    figure = years.tiva.plot.lines("gvc")
    axes = figure.axes[0]
    assert _overlaps(figure) == []
    assert len(axes.lines) == 8
    largest = str(years["exporter"].values[np.argmax(years["gexp"].isel(year=0).values)])
    share = 100 * (years["gvc"] / years["gexp"]).sel(exporter=largest).values
    np.testing.assert_allclose(axes.lines[0].get_ydata(), share)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["2011", "2012"]
    chosen = years.tiva.plot.lines("gvc", exporters=["MEX"])
    assert len(chosen.axes[0].lines) == 1


def test_figures_are_written(result: xr.Dataset, tmp_path: Path) -> None:
    figure = result.tiva.plot.bars()
    for suffix in ("png", "svg", "pdf"):
        figure.savefig(tmp_path / f"f.{suffix}")
        assert (tmp_path / f"f.{suffix}").stat().st_size > 1000


def test_given_axes_are_used(result: xr.Dataset) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    assert result.tiva.plot.bars(ax=figure.add_subplot()) is figure


def test_what_cannot_be_drawn_is_said(result: xr.Dataset, example: IcioTable) -> None:
    with pytest.raises(UsageError, match="unknown unit 'euro'"):
        plot.bars(result, unit="euro")  # type: ignore[arg-type]
    with pytest.raises(UnknownLabelError, match="did you mean 'vax'"):
        plot.bars(result, terms=["vaxx"])
    with pytest.raises(UsageError, match="need a dimension 'year'"):
        plot.lines(result)
    with pytest.raises(UnknownLabelError, match="unknown dimension 'origin'"):
        result.tiva.plot.heat("fva")
    fine = tiva.decompose(example, level="sector").tiva.shares()
    with pytest.raises(UsageError, match="may not be summed over sector"):
        plot.bars(fine, terms=["dva", "fva"])
    many = xr.Dataset({"gexp": (("exporter",), np.ones(41))}, {"exporter": [str(i) for i in range(41)]})
    with pytest.raises(UsageError, match=r"(?s)too many exporters.*got: 41.*at most 40"):
        plot.bars(many, terms=["gexp"])
    with pytest.raises(UsageError, match="no positive amounts"):
        plot.heat(
            xr.DataArray(np.zeros((1, 1)), dims=("origin", "exporter"), coords={"origin": ["A"], "exporter": ["B"]})
        )


def test_missing_matplotlib_is_named(result: xr.Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r'pip install "tiva-icio\[plot\]"'):
        result.tiva.plot.bars()


def test_years_are_joined_in_order(years: xr.Dataset, result: xr.Dataset) -> None:
    assert years["year"].values.tolist() == [2011, 2012]
    assert years.attrs["identity_residual"] == 1e-12
    assert years.attrs["years"] == [2011, 2012]
    assert years.attrs["table_sha256"] == [result.attrs["table_sha256"]] * 2
    assert json.loads(years.attrs["notes"]) == json.loads(result.attrs["notes"])
    assert years.attrs["provenance"] == [result.attrs["provenance"]] * 2
    assert years["dva"].attrs == result["dva"].attrs
    np.testing.assert_array_equal(years["dva"].sel(year=2011).values, result["dva"].values)


def test_what_cannot_be_joined_is_said(result: xr.Dataset) -> None:
    with pytest.raises(UsageError, match="no results"):
        join_years([])
    with pytest.raises(UsageError, match=r"(?s)different ones.*2011, 2011"):
        join_years([result, result])
    with pytest.raises(UsageError, match="differ in approach"):
        join_years([result, result.assign_attrs(year=2012, approach="sink")])
    with pytest.raises(LabelError, match="labels of the results differ"):
        join_years([result, result.isel(exporter=slice(3)).assign_attrs(year=2012)])


def test_end_names_stay_apart() -> None:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    axes.set_ylim(0, 1)
    plot._name_ends(axes, 0.0, [(0.5, "A", "k"), (0.5, "B", "k"), (0.501, "C", "k")])
    heights = sorted(t.xy[1] for t in axes.texts)
    assert all(b - a > 0.03 for a, b in pairwise(heights))


def test_a_series_is_written_with_the_provenance_of_each_year(years: xr.Dataset, tmp_path: Path) -> None:
    noted = years.tiva.metadata()["attributes"]
    assert [p["licence"] for p in noted["provenance"]] == ["CC BY 4.0"] * 2
    xr.testing.assert_allclose(xr.load_dataset(years.tiva.write(tmp_path / "y.nc"), engine="h5netcdf"), years)
    assert sorted(set(years.tiva.tidy()["year"])) == [2011, 2012]


def test_notes_of_one_year_say_which(result: xr.Dataset) -> None:
    later = result.assign_attrs(year=2012, notes=json.dumps(["only then"]))
    notes = json.loads(join_years([result, later]).attrs["notes"])
    assert "2012: only then" in notes
    assert notes[0].startswith("2011: ")
