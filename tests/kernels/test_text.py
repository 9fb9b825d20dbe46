from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiva.kernels.text import cells, cells_python, rounded, rounded_python


def parse(kernel: Callable[..., Any], lines: list[str], width: int) -> tuple[Any, Any, Any]:
    text = "\n".join(lines).encode()
    ends = np.cumsum([len(line.encode()) + 1 for line in lines]) - 1
    starts = np.concatenate(([0], ends[:-1] + 1))
    out, found, odd = np.full((len(lines), width), -1.0), np.zeros(len(lines), np.int64), np.zeros(len(lines), np.int64)
    left, right = out[:, : width // 2].copy(), out[:, width // 2 :].copy()
    places = starts.astype(np.int64), ends.astype(np.int64)
    kernel(np.frombuffer(text, np.uint8), *places, 44, left, right, found, odd)
    return np.hstack([left, right]), found, odd


@pytest.mark.parametrize("kernel", [cells, cells_python])
def test_cells_are_numbers_counted_or_left_to_the_caller(kernel: Callable[..., Any]) -> None:
    out, found, odd = parse(kernel, ["1,-2.5,+3e2", "4,,6", "x,1,2", "1,2", "1,2,3,4", '"7",1e400,0.1'], 3)
    np.testing.assert_array_equal(out[0], [1, -2.5, 300])
    assert found.tolist() == [3, 3, 3, 2, 4, 3]
    assert odd.tolist() == [0, 1, 1, 0, 0, 2]
    assert np.isnan(out[5]).tolist() == [True, True, False]
    assert out[5, 2] == 0.1


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4), min_size=1))
def test_every_number_is_exact_or_left_to_the_caller(rows: list[list[float]]) -> None:
    for form in (repr, lambda x: f"{x:.6g}", lambda x: f"{x:.3f}", lambda x: f"{x:.18e}"):
        lines = [",".join(form(x) for x in row) for row in rows]
        out, found, odd = parse(cells, lines, 4)
        for i, line in enumerate(lines):
            want = [float(cell) for cell in line.split(",")]
            assert (found[i], odd[i]) == (4, np.isnan(out[i]).sum())
            assert all(x == y for x, y in zip(out[i], want, strict=True) if not np.isnan(x))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(alphabet='0123456789.,+-eE x"_', max_size=30), min_size=1, max_size=5))
def test_compiled_and_plain_agree(lines: list[str]) -> None:
    for a, b in zip(parse(cells, lines, 3), parse(cells_python, lines, 3), strict=True):
        np.testing.assert_array_equal(a, b)


def test_plain_decimals_are_never_left_to_the_caller() -> None:
    _, _, odd = parse(cells, ["0.234,123456789012345,-0.00001,1e-6,12."], 5)
    assert odd.tolist() == [0]


NORMAL = st.floats(1e-280, 1e280).flatmap(lambda x: st.sampled_from([x, -x]))


@settings(deadline=None, max_examples=300)
@given(NORMAL)
def test_the_shortest_text_of_a_double_is_never_left_to_the_caller(number: float) -> None:
    for form in (repr(number), f"{number:.17g}", f"{number:.16e}"):
        out, _, odd = parse(cells, [form], 1)
        assert (out[0, 0], odd[0]) == (number, 0)


@settings(deadline=None, max_examples=300)
@given(st.integers(1 << 53, (1 << 64) - 1), st.integers(-330, 320))
def test_every_mantissa_of_a_word_is_rounded_or_left(mantissa: int, scale: int) -> None:
    for kernel in (rounded, rounded_python):
        found = float(kernel(np.uint64(mantissa), scale))
        assert np.isnan(found) or found == float(f"{mantissa}e{scale}")


@pytest.mark.parametrize("kernel", [rounded, rounded_python])
def test_the_middle_between_two_doubles_is_left_and_its_neighbours_are_rounded(kernel: Callable[..., float]) -> None:
    middle = (1 << 53) + 1
    assert np.isnan(kernel(np.uint64(middle), 0))
    assert np.isnan(kernel(np.uint64(middle * 10), -1))
    assert kernel(np.uint64(middle * 100 - 1), -2) == 2.0**53
    assert kernel(np.uint64(middle * 100 + 1), -2) == 2.0**53 + 2
    assert np.isnan(kernel(np.uint64(1 << 60), 400))
    assert kernel(np.uint64(0), -400) == 0
