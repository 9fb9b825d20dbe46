"""Band shares as they are handed to the banded model."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bands.toy import FULL, random_table, toy_table
from tiva.bands.shares import MARGINS, BandShares, LogRecord, Status
from tiva.errors import BandShareError, UnknownLabelError

BANDS = {"N": ("sme", "lar"), "S": ("sme", "lar")}
NAMES = {"output": "output", "va": "value_added", "imports_intermediate": "imports", "exports": "exports"}


def example_two() -> BandShares:
    margins: dict[str, dict[str, dict[str, tuple[float, ...]]]] = {"N": {}, "S": {}}
    for (country, sector), by in FULL.items():
        margins[country][sector] = {NAMES[v]: shares for v, shares in by.items()}
    return BandShares.from_dicts(toy_table(), margins, bands=BANDS)


def test_rows_follow_the_table_and_the_scheme() -> None:
    shares = example_two()
    assert shares.rows == 8
    assert shares.row_table_row.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert shares.row_country.tolist() == [0] * 4 + [1] * 4
    assert shares.row_label == ("sme", "lar") * 4
    assert shares.label(3) == "S.2"
    assert shares.split.all()
    assert shares.margin("exports")[4] == 0.1
    with pytest.raises(UnknownLabelError, match="unknown margin 'export'"):
        shares.margin("export")
    frame = shares.to_frame()
    assert frame["country"].tolist() == ["N"] * 4 + ["S"] * 4
    assert frame["output_status"].unique().tolist() == ["observed"]


def test_arrays_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        example_two().output[0] = 1.0


def test_unsplit_has_one_row_a_country_sector() -> None:
    shares = BandShares.unsplit(random_table(0))
    assert shares.rows == shares.n == 9
    assert not shares.split.any()
    assert (shares.output == 1.0).all()
    assert (shares.status["exports"] == Status.UNSPLIT).all()
    assert not shares.is_proportional


def test_proportional_follows_output_everywhere() -> None:
    shares = BandShares.proportional(toy_table(), {"S": {"1": [0.4, 0.6]}}, bands={"S": ("sme", "lar")})
    assert shares.is_proportional
    assert shares.exports.tolist() == [1.0, 1.0, 0.4, 0.6, 1.0]
    assert (shares.status["exports"][2:4] == Status.ASSUMED).all()
    assert not example_two().is_proportional


def test_ragged_bands_and_bands_without_output() -> None:
    margins = {"S": {"1": {"output": [0.0, 0.3, 0.7], "exports": [0.0, 0.1, 0.9]}}}
    shares = BandShares.from_dicts(toy_table(), margins, bands={"S": ("a", "b", "c")})
    assert shares.band_ptr.tolist() == [0, 1, 2, 4, 5]
    assert shares.row_label == ("all", "all", "b", "c", "all")


@pytest.mark.parametrize(
    ("margins", "error", "message"),
    [
        ({"S": {"1": {"output": [0.4, 0.5]}}}, BandShareError, "do not sum to one in 1 country-sectors"),
        ({"S": {"1": {"output": [1.4, -0.4]}}}, BandShareError, "negative share of output"),
        ({"S": {"1": {"output": [0.2, 0.3, 0.5]}}}, BandShareError, "do not fit the bands"),
        ({"S": {"1": {"exports": [0.4, 0.6]}}}, BandShareError, "no output shares for S.1"),
        (
            {"S": {"1": {"output": [0.0, 1.0], "exports": [0.1, 0.9]}}},
            BandShareError,
            "band without output has a share",
        ),
        ({"S": {"1": {"output": [0.4, 0.6], "jobs": [0.4, 0.6]}}}, UnknownLabelError, "unknown margin 'jobs'"),
        ({"S": {"9": {"output": [0.4, 0.6]}}}, UnknownLabelError, "unknown sector '9'"),
        ({"Z": {"1": {"output": [0.4, 0.6]}}}, UnknownLabelError, "unknown country 'Z'"),
        ({"N": {"1": {"output": [0.4, 0.6]}}}, BandShareError, "margins of N have no bands"),
    ],
)
def test_bad_shares_are_refused(margins: dict, error: type[Exception], message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(error, match=message):
        BandShares.from_dicts(toy_table(), margins, bands={"S": ("sme", "lar")})


def test_arrays_must_fit() -> None:
    shares = example_two()
    with pytest.raises(BandShareError, match="exports does not fit band_ptr"):
        shares.replace(exports=np.ones(3))
    with pytest.raises(BandShareError, match="status of exports does not fit band_ptr"):
        shares.replace(status={**shares.status, "exports": np.zeros(2)})
    with pytest.raises(BandShareError, match="band_ptr does not fit the table"):
        shares.replace(band_ptr=np.array([0, 8]))
    with pytest.raises(BandShareError, match="status is missing"):
        shares.replace(status={})


def test_log_as_a_frame() -> None:
    record = LogRecord("edge", "S", "1", "why", variable="exports", moved=0.5)
    frame = example_two().replace(log=(record,)).log_frame()
    assert frame.loc[0, "message"] == "why"
    assert frame.loc[0, "moved"] == 0.5
    assert set(MARGINS) == set(example_two().status)
