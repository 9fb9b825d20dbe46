"""Draws of one country's margins: the batched closed form is the full model, draw by draw."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.banded import random_shares
from tests.bands.worlds import toy_shares, two_countries, wiod_small
from tiva.bands.draws import draw_margins
from tiva.bands.split import split_by_size
from tiva.errors import BandShareError, UsageError
from tiva.indicators.size import exports_by_size, who_exports_for_whom
from tiva.indicators.size_draws import exports_by_size_draws


@pytest.mark.parametrize("producers", [False, True])
def test_batched_draws_are_the_full_model(producers: bool) -> None:
    table = wiod_small(sectors=8, countries=5)
    shares = random_shares(table, (3, 1, 4, 3, 2), seed=2, sales_to_producers=producers)
    banded = split_by_size(table, shares)
    country = table.countries[2]
    draws = draw_margins(shares, banded.totals, 4, seed=1, countries=[country])
    found = exports_by_size_draws(banded, country, draws)
    model = banded.model()
    for number, drawn in enumerate(draws):
        changed = model.with_country_shares(country, drawn)
        expected = exports_by_size(changed).sel(exporter=country)
        for code in found:
            if code != "indirect":
                got = found[code].sel(draw=number).values
                assert np.allclose(got, expected[code].values, rtol=1e-9, atol=0, equal_nan=True), code
        matrix = who_exports_for_whom(changed)["indirect"].sel(exporter=country)
        assert np.allclose(found["indirect"].sel(draw=number), matrix, rtol=1e-9, atol=0, equal_nan=True)
    assert np.isnan(found["dva"].sel(size="all")).all()
    assert found["dva_share"].std("draw").sel(size="micro") > 0


def test_what_cannot_be_drawn_is_refused() -> None:
    table = two_countries()
    shares = toy_shares(table, "N", "S")
    banded = split_by_size(table, shares, theta={"S": 0.5})
    draws = draw_margins(shares, banded.totals, 2)
    with pytest.raises(UsageError, match="preference"):
        exports_by_size_draws(banded, "S", draws)
    assert exports_by_size_draws(banded, "N", draws).sizes["draw"] == 2
    with pytest.raises(LookupError, match="'T'"):
        exports_by_size_draws(banded, "T", draws)
    other = split_by_size(table, toy_shares(table, "S"))
    with pytest.raises(BandShareError, match="other band rows"):
        exports_by_size_draws(other, "S", draws)
