"""Damages that files suffer on their way: done to the rows of cells of any layout."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.readers.layouts import Layout, Rows

TEXT = "n.a.?"
Done = tuple[Rows, str]
"""The damaged rows, and the pattern that a message must have: a place, or the label that is concerned."""


def victim(layout: Layout) -> int:
    """Position of the row that is damaged: the second of a live country."""
    return layout.top + (5 if "EXT" in layout.name else 1)


def _numbers(layout: Layout, rows: Rows) -> tuple[int, list[object], list[object], list[object]]:
    """Return position, labels, numbers and total of the row."""
    at = victim(layout)
    end = len(rows[at]) if layout.total is None else len(rows[at]) + layout.total
    return at, rows[at][: layout.left], rows[at][layout.left : end], rows[at][end:]


def _labels(layout: Layout, row: list[object]) -> str:
    """Pattern for the label of a row, or of its place."""
    return "|".join(re.escape(str(x)) for x in row[: layout.left] if str(x).strip())


def right(layout: Layout, rows: Rows) -> Done:
    """One cell to the right; the last cell falls off the line."""
    at, labels, numbers, total = _numbers(layout, rows)
    rows[at] = [*labels, 0.0, *[*numbers, *total][:-1]]
    return rows, layout.place(at, layout.left)


def right_within(layout: Layout, rows: Rows) -> Done:
    """One cell to the right, while the total stays."""
    at, labels, numbers, total = _numbers(layout, rows)
    rows[at] = [*labels, 0.0, *numbers[:-1], *total]
    return rows, layout.place(at, layout.left)


def left(layout: Layout, rows: Rows) -> Done:
    """One cell to the left; the last becomes zero."""
    at, labels, numbers, total = _numbers(layout, rows)
    rows[at] = [*labels, *[*numbers, *total][1:], 0.0]
    return rows, layout.place(at, layout.left)


def left_within(layout: Layout, rows: Rows) -> Done:
    """One cell to the left, while the total stays."""
    at, labels, numbers, total = _numbers(layout, rows)
    rows[at] = [*labels, *numbers[1:], 0.0, *total]
    return rows, layout.place(at, layout.left)


def part_right(layout: Layout, rows: Rows) -> Done:
    """One cell to the right from the third on."""
    at, labels, numbers, total = _numbers(layout, rows)
    cells = [*numbers, *total]
    rows[at] = [*labels, *cells[:2], 0.0, *cells[2:-1]]
    return rows, layout.place(at, layout.left)


def all_right(layout: Layout, rows: Rows) -> Done:
    """Every line one cell to the right."""
    for at in range(layout.top, len(rows)):
        if any(str(cell).strip() for cell in rows[at][layout.left :]):
            rows[at] = [*rows[at][: layout.left], 0.0, *rows[at][layout.left : -1]]
    return rows, f"add up|shifted|{layout.place(layout.top, layout.left)}"


def longer(layout: Layout, rows: Rows) -> Done:
    """A cell too many."""
    at, labels, numbers, total = _numbers(layout, rows)
    rows[at] = [*labels, 0.0, *numbers, *total]
    return rows, layout.place(at, layout.left)


def shorter(layout: Layout, rows: Rows) -> Done:
    """A cell too few."""
    at, labels, numbers, total = _numbers(layout, rows)
    rows[at] = [*labels, *numbers[1:], *total]
    return rows, layout.place(at, layout.left)


def half(layout: Layout, rows: Rows) -> Done:
    """Only the lines of the first half of the country-sectors."""
    at = layout.top + layout.n // 2
    lost = "|".join(_labels(layout, row) for row in rows[at : at + 1]) if layout.left > 0 else ""
    return rows[:at], "|".join(x for x in (lost, layout.place(at - 1, 0), f"{layout.n // 2} rows") if x)


def without_bottom(layout: Layout, rows: Rows) -> Done:
    """Nothing below the country-sectors."""
    n = 14 if "EXT" in layout.name else layout.n
    return rows[: layout.top + n], "value.added|W2_D1"


def without_last(layout: Layout, rows: Rows) -> Done:
    """The last country-sector is lost, what is below stays."""
    at = layout.top + (14 if "EXT" in layout.name else layout.n) - 1
    lost = _labels(layout, rows[at]) if layout.left > 0 else "rows"
    return rows[:at] + rows[at + 1 :], lost


def row_twice(layout: Layout, rows: Rows) -> Done:
    """A line stands twice."""
    at = victim(layout)
    pattern = _labels(layout, rows[at]) if layout.left > 0 else "rows"
    return [*rows[: at + 1], list(rows[at]), *rows[at + 1 :]], f"{pattern}|{layout.place(at, 0)}"


def block_twice(layout: Layout, rows: Rows) -> Done:
    """All lines of a country stand twice."""
    at = layout.top + (4 if "EXT" in layout.name else 0)
    pattern = _labels(layout, rows[at]) if layout.left > 0 else "rows"
    return rows[: at + 2] + [list(r) for r in rows[at : at + 2]] + rows[at + 2 :], pattern


def column_twice(layout: Layout, rows: Rows) -> Done:
    """A column stands twice."""
    at = layout.left + 1
    label = "|".join(re.escape(str(rows[k][at])) for k in range(layout.top) if str(rows[k][at]).strip())
    rows = [[*row[: at + 1], *row[at : at + 1], *row[at + 1 :]] for row in rows]
    return rows, label or "columns|cells|line 1"


def no_row_label(layout: Layout, rows: Rows) -> Done:
    at = victim(layout)
    label = re.escape(str(rows[at][layout.row_label]))
    rows[at][layout.row_label] = ""
    return rows, f"{layout.place(at, layout.row_label)}|{label}"


def no_column_label(layout: Layout, rows: Rows) -> Done:
    at = layout.left + 1
    label = re.escape(str(rows[layout.column_label][at]))
    rows[layout.column_label][at] = ""
    return rows, f"{label}|column {at + 1}|AUS 2"


def text(layout: Layout, rows: Rows) -> Done:
    at = victim(layout)
    rows[at][layout.left + 1] = TEXT
    return rows, f"(?s)(?=.*({layout.place(at, layout.left + 1)}))(?=.*{re.escape(TEXT)})"


def empty(layout: Layout, rows: Rows) -> Done:
    """A cell is empty; where empty cells are zeros, it is missed by the totals."""
    at = victim(layout)
    rows[at][layout.left + 1] = ""
    return rows, layout.place(at, layout.left + 1)


def changed(layout: Layout, rows: Rows) -> Done:
    """A cell lost its decimal point; not one on the diagonal, which rows and columns without totals cannot tell."""
    at = victim(layout)
    others = [layout.left + k for k in range(layout.n) if k != at - layout.top]
    column = max(others, key=lambda k: float(rows[at][k] or 0))
    rows[at][column] = 1000 * float(rows[at][column])
    return rows, f"{layout.place(at, column)}|columns do not add up"


def scaled(layout: Layout, rows: Rows) -> Done:
    """A line is in another unit, its total too."""
    at = victim(layout)
    rows[at] = [*rows[at][: layout.left], *(1000 * float(x or 0) for x in rows[at][layout.left :])]
    return rows, "columns? do(es)? not add up|output below|median gap|add up"


def labels_swapped(layout: Layout, rows: Rows) -> Done:
    """Two lines stand under each other's labels."""
    at, k = victim(layout), layout.left
    rows[at][:k], rows[at - 1][:k] = rows[at - 1][:k], rows[at][:k]
    return rows, f"{layout.place(at, 0)}|{_labels(layout, rows[at])}"


def other_country(layout: Layout, rows: Rows) -> Done:
    """The code of a country is misspelt in one label."""
    at = victim(layout)
    rows[at][layout.row_label] = f"X{str(rows[at][layout.row_label])[1:]}"
    return rows, f"{re.escape(str(rows[at][layout.row_label]))}|{layout.place(at, 0)}"


DAMAGES: dict[str, Callable[[Layout, Rows], Done]] = {
    function.__name__: function
    for function in (
        right, right_within, left, left_within, part_right, all_right, longer, shorter, half, without_bottom,
        without_last, row_twice, block_twice, column_twice, no_row_label, no_column_label, text, empty, changed, scaled,
        labels_swapped, other_country,
    )
}  # fmt: skip
LABELS = {"no_row_label", "no_column_label", "labels_swapped", "other_country"}
"""Damages that need labels in the file."""
