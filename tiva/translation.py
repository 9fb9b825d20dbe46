"""``tiva.translate``: results under the names of another tool, and tables of another tool under ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from tiva.errors import UnsupportedCombinationError, UsageError, explain, listing
from tiva.terms import FRACTIONS, LEVELS, Method, decomposition_terms, find_method, methods, term
from tiva.vocabulary import OURS, Entry, Formula, known_tool, vocabulary

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Options = Mapping[str, str]
"""Method, perspective, approach, perimeter and level of a result; empty where it does not know one."""

_REST = "discrepancy"
"""Our term that no other tool shows: a name that holds it is read as the other term in it."""

_ROUNDING = 1e-12
"""Part of the largest value of the others up to which that term is rounding."""

_LACKING = "needs terms that are not here"

_MANY = 60
"""Names listed in a note."""


def translate(
    result: xr.Dataset | pd.DataFrame | Mapping[str, Any],
    to: str,
    *,
    source: str | None = None,
    method: str | None = None,
    perspective: str | None = None,
    approach: str | None = None,
    perimeter: str | None = None,
    level: str | None = None,
) -> Any:
    """Return a result under the names of another tool, or a table of another tool under ours or a third one's.

    Parameters
    ----------
    result
        What :func:`tiva.decompose` returned; or, with ``source``, a table of another tool: a frame whose columns, a
        dataset whose variables or a mapping whose keys have its names. Columns with other names are kept.
    to
        Vocabulary: ``"kww" "wwz" "decompr" "exvatools" "stata" "icio" "gvcjl" "gvcanalyzer" "gvc" "ksreyes" "oecd"``,
        or ``"tiva"`` for our names. ``"kww"`` makes the nine terms from the sixteen of Wang, Wei and Zhu.
    source
        Vocabulary that the result is in, where it does not say so itself.
    method, perspective, approach, perimeter, level
        What another tool's table is in our words, as for :func:`tiva.decompose`; ``level`` is needed for names that
        are equal at some levels only. Results of this package know.

    Returns
    -------
    xarray.Dataset or pandas.DataFrame
        As what was given; a mapping becomes a frame. A variable for each name that can be formed, with ``formula`` and
        ``remark`` in its attributes. The attribute ``notes`` says which names of the same output of the tool could not
        be formed and why, and which terms have no name there.

    Raises
    ------
    UnknownLabelError
        A vocabulary that is not in the dictionary, or an option that does not exist.
    UnsupportedCombinationError
        A method or options that the tool has no names for.
    UsageError
        No name can be formed from what there is, or it is not said what another tool's table is.

    Examples
    --------
    >>> import tiva
    >>> wwz = tiva.decompose(tiva.example(), method="wwz")
    >>> list(tiva.translate(wwz, "kww").data_vars)[:4]
    ['E', 'DVA_FIN', 'DVA_INT', 'DVA_INTrex']

    A table of another tool:

    >>> import pandas as pd
    >>> theirs = pd.DataFrame({"country": ["ARG"], "GEXP": [64.3], "DVA": [52.8], "DDC": [0.9]})
    >>> list(tiva.translate(theirs, "tiva", source="stata", method="bm").columns)
    ['country', 'gexp', 'dva', 'ddc']
    """
    given = {
        "method": method, "perspective": perspective, "approach": approach, "perimeter": perimeter, "level": level,
    }  # fmt: skip
    table = _table(result)
    origin = known_tool(source or str(table.attributes.get("vocabulary", OURS)), ours=True)
    known_tool(to, ours=True)
    options = _options(table, origin, given)
    if origin != OURS:
        table = _read(table, origin, options)
    elif not hasattr(result, "data_vars"):
        table.columns = {name: column for name, column in table.columns.items() if name in decomposition_terms()}
    if origin == OURS or to != OURS:
        table = _written(table, to, options)
    return table.back()


@dataclass
class _Table:
    """Columns of numbers by name, whatever holds them.

    Attributes
    ----------
    like
        The frame or dataset that was given.
    columns, about
        Name -> numbers, and their attributes.
    attributes, notes
        Of the whole.
    taken
        Columns of the given one that are not kept.
    """

    like: Any
    columns: dict[str, Any]
    about: dict[str, dict[str, Any]]
    attributes: dict[str, Any]
    notes: list[str]
    taken: set[str] = field(default_factory=set)

    def back(self) -> Any:
        """Return it as what was given."""
        if hasattr(self.like, "data_vars"):
            attributes = {**self.attributes, "notes": json.dumps(self.notes, ensure_ascii=False)}
            named = {name: column.assign_attrs(self.about[name]) for name, column in self.columns.items()}
            return self.like.drop_vars(list(self.like.data_vars)).assign(named).assign_attrs(attributes)
        kept = self.like[[name for name in self.like.columns if str(name) not in self.taken]]
        made = kept.assign(**self.columns)
        made.attrs = {**self.attributes, "notes": list(self.notes)}
        return made


def _table(result: Any) -> _Table:
    if isinstance(result, Mapping) and not hasattr(result, "data_vars"):
        import pandas as pd

        scalars = all(not isinstance(value, Iterable) for value in result.values())
        result = pd.DataFrame(dict(result), index=[0] if scalars else None)
    if not hasattr(result, "data_vars") and not hasattr(result, "columns"):
        raise UsageError(
            explain(
                "a result is translated as a dataset, a frame or a mapping",
                got=type(result).__name__,
                do="give what tiva.decompose returned, or a pandas.DataFrame with the tool's names",
            )
        )
    names = list(result.data_vars) if hasattr(result, "data_vars") else list(result.columns)
    if len(set(names)) < len(names):
        raise UsageError(explain("two columns have one name", got=listing(n for n in names if names.count(n) > 1)))
    columns = {str(name): result[name] for name in names}
    attributes = {str(key): value for key, value in result.attrs.items()}
    notes = attributes.get("notes", "[]")
    about = {name: dict(column.attrs) for name, column in columns.items()}
    return _Table(result, columns, about, attributes, list(json.loads(notes) if isinstance(notes, str) else notes))


def _options(table: _Table, source: str, given: Mapping[str, str | None]) -> dict[str, str]:
    """Return what a result is: as its attributes say, or as the caller says of another tool's table."""
    own = {name: str(table.attributes.get(name, "")) for name in given}
    if own["method"]:
        said = [f"{name}={value}" for name, value in given.items() if value is not None and value != own.get(name)]
        if said:
            expected = " ".join(f"{name}={value}" for name, value in own.items() if value)
            raise UsageError(
                explain("the result says itself what it is", got=" ".join(said), expected=expected, do="leave it out")
            )
        return own
    if given["method"] is None:
        known = dict.fromkeys(m for e in vocabulary() if e.tool == source for m in e.method)
        raise UsageError(
            explain(
                "a table from elsewhere does not say what it is",
                expected=f"method= one of {', '.join(known)}" if source != OURS else "source= and method=",
                do="say the tool that it comes from, and method, perspective, approach and level in our words",
            )
        )
    row = _row(given)
    found = {name: str(getattr(row, name)) for name in ("method", "perspective", "approach", "perimeter")}
    return {**found, "level": given["level"] or ""}


def _row(given: Mapping[str, str | None]) -> Method:
    """Return the catalogue row of options, at the first level that goes with them where none is given."""

    def found(level: str) -> Method:
        return find_method(
            str(given["method"]),
            perspective=given["perspective"],
            approach=given["approach"],
            perimeter=given["perimeter"],
            level=level,
        )

    if given["level"]:
        return found(given["level"])
    for level in LEVELS[:-1]:
        try:
            return found(level)
        except UnsupportedCombinationError:
            continue
    return found(LEVELS[-1])


def _read(table: _Table, tool: str, options: Options) -> _Table:
    """Return the columns of another tool under our names, with the names that were not read in the notes."""
    readings = _readings(table.columns, tool, options)
    read = {part for entry in readings.values() for part in entry.parts}
    words = {part for entry in vocabulary() if entry.tool == tool for part in entry.parts}
    left = [name for name in table.columns if name in words and name not in read]
    reasons = _reasons(left, tool, options, lambda entry: f"more than one of our terms: {entry.expression}")
    if not readings:
        raise UsageError(
            explain(
                f"nothing here can be read as terms of {tool!r} with these options",
                got="; ".join(reasons) or f"columns {listing(table.columns)}",
                expected=f"names such as {listing(_readable(tool, options))}",
                do="say method, perspective, approach, perimeter and level of the table in our words",
            )
        )
    ours = {code: _value(entry, table.columns) for code, entry in readings.items()}
    rest = [f"{e.name} of {tool}: {e.remark}" for e in readings.values() if len(e.formula.above) > 1]
    about = {code: _about(Formula(((1.0, code),)), "", "", table.about, options) for code in ours}
    attributes = {key: value for key, value in table.attributes.items() if key != "vocabulary"}
    known = {name: value for name, value in options.items() if value}
    notes = [*table.notes, *rest, *(f"not read: {text}" for text in reasons)]
    return _Table(table.like, ours, about, {**attributes, **known}, notes, read | set(left))


def _readings(columns: Mapping[str, Any], tool: str, options: Options) -> dict[str, Entry]:
    """Return our terms that single names of a tool, or sums of them, are, with the rows that say so."""
    found: dict[str, Entry] = {}
    for entry in vocabulary():
        if entry.tool != tool or not entry.expression or not entry.fits(options) or not entry.at(options["level"]):
            continue
        codes = [code for _, code in entry.formula.above if code != _REST]
        if not entry.formula.below and len(codes) == 1 and set(entry.parts) <= set(columns):
            found.setdefault(codes[0], entry)
    return found


def _value(entry: Entry, columns: Mapping[str, Any]) -> Any:
    """Return our term from the names of a tool that are it."""
    for part in entry.parts:
        if columns[part].dtype.kind not in "fiub":
            raise UsageError(explain(f"column {part!r} holds no numbers", got=str(columns[part].dtype)))
    theirs = sum((columns[part] for part in entry.parts[1:]), start=columns[entry.parts[0]])
    weight = next(weight for weight, code in entry.formula.above if code != _REST)
    return theirs if weight == 1.0 else theirs / weight


def _readable(tool: str, options: Options) -> list[str]:
    fitting = [e for e in vocabulary() if e.tool == tool and e.expression and e.fits(options)]
    return list(dict.fromkeys(part for entry in fitting for part in entry.parts))


def _written(table: _Table, tool: str, options: Options) -> _Table:
    """Return our columns under the names of a tool, with what could not be formed in the notes."""
    sums = _sums(table.columns, options)
    have = {**table.columns, **{code: entry.formula.value(table.columns) for code, entry in sums.items()}}
    used: dict[str, Entry] = {}
    for entry in sums.values() if tool == OURS else vocabulary():
        holds = entry.tool == tool and entry.expression and entry.fits(options) and entry.at(options["level"])
        if holds and entry.name not in used and set(entry.formula.codes) <= set(have):
            used[entry.name] = entry
    columns = {name: entry.formula.value(have) for name, entry in used.items()}
    finer = {code: _about(e.formula, e.expression, "", table.about, options) for code, e in sums.items()}
    known = {**table.about, **finer}
    about = {name: _about(e.formula, e.expression, e.remark, known, options) for name, e in used.items()}
    taken = table.taken | set(table.columns)
    if tool == OURS:
        columns, about = {**table.columns, **columns}, {**table.about, **about}
        return _Table(table.like, columns, about, table.attributes, list(table.notes), taken)
    if not used:
        raise _nothing(tool, options, have)
    percent = any(own.get("units") == "percent" for own in about.values())
    kept = [note for note in table.notes if not (percent and note == FRACTIONS)]
    notes = [*kept, *_unnamed(table.columns, used, sums, tool, options, have)]
    gross = "" if "content" in table.columns else _gross_flow(used, options)
    said = {name: value for name, value in options.items() if value}
    attributes = {**table.attributes, **said, "vocabulary": tool, "gross_flow": gross}
    return _Table(table.like, columns, about, attributes, notes, taken)


def _sums(columns: Mapping[str, Any], options: Options) -> dict[str, Entry]:
    """Return the coarse terms that a detailed result is finer than."""
    return {
        entry.name: entry
        for entry in vocabulary()
        if entry.tool == OURS and entry.name not in columns and entry.fits(options)
        and set(entry.formula.codes) <= set(columns)
    }  # fmt: skip


def _unnamed(
    columns: Mapping[str, Any],
    used: Mapping[str, Entry],
    sums: Mapping[str, Entry],
    tool: str,
    options: Options,
    have: Mapping[str, Any],
) -> list[str]:
    """Say which names of the outputs that were used could not be formed, and which terms have no name."""
    outputs = {entry.output for entry in used.values()}
    of_them = dict.fromkeys(
        e.name
        for e in vocabulary()
        if e.tool == tool and e.output in outputs and (len(e.parts) == 1 or e.fits(options))
    )

    lacked: list[str] = []

    def lacking(entry: Entry) -> str:
        codes = [code for code in entry.formula.codes if code not in have]
        if all(code in _finer() for code in codes):
            return "needs the finer terms, detail=True"
        lacked.extend(codes)
        return _LACKING

    reasons = _reasons([name for name in of_them if name not in used], tool, options, lacking)
    told = f"{_LACKING}: {listing(dict.fromkeys(lacked), limit=_MANY)}"
    said = {code for entry in used.values() for code in entry.formula.codes}
    said |= {fine for code in said if code in sums for fine in sums[code].formula.codes}
    silent = [name for name in columns if name not in said and (name != _REST or _is_stated(columns))]
    found = [f"not under the names of {tool}: {text.replace(_LACKING, told)}" for text in reasons]
    return [*found, *([f"terms without a name in {tool}: {listing(silent, limit=_MANY)}"] if silent else [])]


def _is_stated(columns: Mapping[str, Any]) -> bool:
    """Whether something is in no term, beyond rounding."""
    largest = max(float(abs(values).max()) for values in columns.values() if values.dtype.kind in "fiub")
    return float(abs(columns[_REST]).max()) > _ROUNDING * largest


@cache
def _finer() -> frozenset[str]:
    """Return the terms of detailed results that others do not have."""
    return frozenset(t for row in methods() for t in row.detail_terms) - {t for row in methods() for t in row.terms}


def _reasons(names: Iterable[str], tool: str, options: Options, otherwise: Callable[[Entry], str]) -> list[str]:
    """Return ``"names (reason)"``, one text a reason."""
    by_reason: dict[str, list[str]] = {}
    for name in names:
        by_reason.setdefault(_reason(name, tool, options, otherwise), []).append(name)
    return [f"{listing(group, limit=_MANY)} ({reason})" for reason, group in by_reason.items()]


def _reason(name: str, tool: str, options: Options, otherwise: Callable[[Entry], str]) -> str:
    """Say why a name does not go with a result: no equal, another level, terms that are not there, other options."""
    entries = [e for e in vocabulary() if e.tool == tool and name in {e.name, *e.parts}]
    fitting = [e for e in entries if e.fits(options)]
    for entry in fitting:
        if not entry.expression:
            return entry.remark
    for entry in fitting:
        if entry.at(options["level"]):
            return otherwise(entry)
    if fitting:
        return f"equal at level {' or '.join(fitting[0].level)} only"
    known = next((e for e in entries if e.expression), None)
    return entries[0].remark if known is None else f"of {known.describe()}"


def _gross_flow(used: Mapping[str, Entry], options: Options) -> str:
    """Return the name of the gross flow among those that were formed; empty where there is none."""
    for name, entry in used.items():
        (weight, code), *more = entry.formula.above
        alone = weight == 1.0 and not more and not entry.formula.below
        if alone and term(code, options["method"]).unit == "gross flow":
            return name
    return ""


def _about(
    formula: Formula, expression: str, remark: str, about: Mapping[str, Mapping[str, Any]], options: Options
) -> dict[str, Any]:
    """Return the attributes of a variable that is a formula of our terms."""
    (weight, code), *more = formula.above
    alone = not more and not formula.below
    parts = [about[c] for c in formula.codes if c in about]
    units = next((str(a["units"]) for a in (*parts, *about.values()) if a.get("units")), "")
    if formula.below or weight not in {1.0, -1.0}:
        units = "percent" if abs(weight) == 100.0 else "1"
    row = term(code, options["method"])
    additive = not formula.below and bool(parts) and all(a.get("additive") == "true" for a in parts)
    found = {
        "long_name": row.name if alone else expression,
        "units": units,
        "formula": expression or row.formula,
        "reference": row.reference if alone else "",
        "additive": "true" if additive else "false",
        "remark": remark,
    }
    return {key: value for key, value in found.items() if value}


def _nothing(tool: str, options: Options, have: Mapping[str, Any]) -> Exception:
    """Return the error for a tool of which no name can be formed: the level, the terms, or the options."""
    fitting = [e for e in vocabulary() if e.tool == tool and e.expression and e.fits(options)]
    levels = dict.fromkeys(level for entry in fitting for level in entry.level)
    if fitting and all(not entry.at(options["level"]) for entry in fitting):
        only = "country totals" if list(levels) == ["country"] else f"level {' and '.join(levels)}"
        return UsageError(
            explain(
                f"the names of {tool!r} hold for {only} only",
                got=f"level {options['level']!r}" if options["level"] else "no level",
                do=f"decompose at level {next(iter(levels))!r}; or add up a table from elsewhere, and say its level",
            )
        )
    if fitting:
        lacking = dict.fromkeys(code for entry in fitting for code in entry.formula.codes if code not in have)
        return UsageError(
            explain(
                f"no name of {tool!r} can be formed from these terms",
                got=listing(have),
                expected=listing(lacking),
                do="decompose with all terms, or with detail=True for the finer ones",
            )
        )
    got = " ".join(f"{name}={value}" for name, value in options.items() if value)
    named = [entry for entry in vocabulary() if entry.tool != OURS and entry.expression]
    supported = [f"{tool}: {entry.describe()}" for entry in named if entry.tool == tool]
    supported += [f"these terms: {entry.tool}" for entry in named if entry.fits(options) and entry.at(options["level"])]
    return UnsupportedCombinationError(
        f"{tool!r} has no names for these terms", got=got, supported=tuple(dict.fromkeys(supported))
    )
