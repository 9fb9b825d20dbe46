"""Which contents and which deliveries make up a term by origin and absorber.

A cell of the cube is a sum of products of what a unit of a row's exports contains of an origin and the exports of that
row to an importer that an absorber finally takes. Which terms a perspective has is said by the column ``traced`` of
the catalogue of methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tiva.errors import UnsupportedCombinationError
from tiva.terms import Method, methods

Approach = Literal["source", "sink"]

Perimeter = Literal["country", "world", "sectexp", "bilateral", "sectbil", "group", "importer", "sectimp"]
"""Flows at whose border value added counts: all exports of the country; the borders of all countries; the exports of
the sector, to the partner, of the sector to the partner, of the chosen sectors to the chosen partners; all imports of
the importer, its imports of the product."""

OF_EXPORTERS: tuple[str, ...] = ("sectexp", "bilateral", "sectbil", "group")
"""Perimeters that are the flow itself."""

OF_IMPORTERS: tuple[str, ...] = ("importer", "sectimp")


@dataclass(frozen=True, slots=True)
class Part:
    """A product of a content and a flow.

    Attributes
    ----------
    content
        What a unit of exports contains: ``whole`` V_t B_ts; ``own``, ``foreign`` that of the exporter and of others;
        ``local`` V_s L_ss; ``once`` V_t B_ts B_ss^-1 L_ss and ``once_foreign``; ``own_again``, ``foreign_again`` the
        rest; ``imported`` all but ``local``; ``second`` V_t L_tt A_ts L_ss; ``whole_within`` and others in the flow's
        own perimeter; ``first_import`` in that of the importer; ``importers_own`` V_r B_rs, r the importer.
    flow
        What is delivered: ``all``; ``home``, ``abroad`` that ends with the exporter and with others; ``direct``,
        ``onward`` that the importer absorbs and that it exports again; ``last``, ``last_home``, ``last_abroad``,
        ``again`` that leaves for the last time, and not; ``last_importer`` of the former what the importer absorbs in
        the end; ``returned`` that the importer exports once more to where it is absorbed; ``kept``,
        ``kept_home``, ``kept_abroad``, ``rest`` by the factor of the flow's own perimeter.
    sign
        1 or -1.
    """

    content: str
    flow: str
    sign: float = 1.0


Terms = dict[str, tuple[Part, ...]]

_ALWAYS: Terms = {
    "content": (Part("whole", "all"),),
    "dc": (Part("own", "all"),),
    "fc": (Part("foreign", "all"),),
}

_SOURCE: Terms = _ALWAYS | {
    "va": (Part("once", "all"),),
    "dva": (Part("local", "all"),),
    "fva": (Part("once_foreign", "all"),),
    "ddc": (Part("own_again", "all"),),
    "fdc": (Part("foreign_again", "all"),),
    "vax": (Part("local", "abroad"),),
    "ref": (Part("local", "home"),),
    "davax": (Part("local", "direct"),),
    "gvcb": (Part("imported", "all"),),
    "gvcf": (Part("local", "onward"),),
    "gvc": (Part("imported", "all"), Part("local", "onward")),
}

_SINK: Terms = _ALWAYS | {
    "va": (Part("whole", "last"),),
    "dva": (Part("own", "last"),),
    "fva": (Part("foreign", "last"),),
    "ddc": (Part("own", "again"),),
    "fdc": (Part("foreign", "again"),),
    "vax": (Part("own", "last_abroad"),),
    "ref": (Part("own", "last_home"),),
    "vaxim": (Part("own", "last_importer"),),
}

_LAST_FOREIGN = (Part("foreign", "direct"), Part("importers_own", "returned"))

_WORLD_SOURCE: Terms = {name: _SOURCE[name] for name in (*_ALWAYS, "dva", "ddc", "vax", "ref")} | {
    "va": (Part("local", "all"), Part("second", "all")),
    "fva": (Part("second", "all"),),
    "fdc": (Part("foreign", "all"), Part("second", "all", -1.0)),
}

_WORLD_SINK: Terms = {name: _SINK[name] for name in (*_ALWAYS, "dva", "ddc", "vax", "ref")} | {
    "va": (Part("own", "last"), *_LAST_FOREIGN),
    "fva": _LAST_FOREIGN,
    "fdc": (Part("foreign", "onward"), Part("importers_own", "returned", -1.0)),
}

_WITHIN: Terms = _ALWAYS | {
    "va": (Part("whole_within", "all"),),
    "dva": (Part("own_within", "all"),),
    "fva": (Part("foreign_within", "all"),),
    "ddc": (Part("own", "all"), Part("own_within", "all", -1.0)),
    "fdc": (Part("foreign", "all"), Part("foreign_within", "all", -1.0)),
    "vax": (Part("own_within", "abroad"),),
    "ref": (Part("own_within", "home"),),
}

_KEPT: Terms = _ALWAYS | {
    "va": (Part("whole", "kept"),),
    "dva": (Part("own", "kept"),),
    "fva": (Part("foreign", "kept"),),
    "ddc": (Part("own", "rest"),),
    "fdc": (Part("foreign", "rest"),),
    "vax": (Part("own", "kept_abroad"),),
    "ref": (Part("own", "kept_home"),),
}

_IMPORTS: Terms = {
    "content": _ALWAYS["content"],
    "va": (Part("first_import", "all"),),
    "dcimp": (Part("whole", "all"), Part("first_import", "all", -1.0)),
}

_BY_PERIMETER: dict[tuple[str, str], Terms] = {
    ("country", "source"): _SOURCE,
    ("country", "sink"): _SINK,
    ("world", "source"): _WORLD_SOURCE,
    ("world", "sink"): _WORLD_SINK,
    ("sectexp", ""): _KEPT,
    ("sectbil", ""): _KEPT,
    ("bilateral", ""): _WITHIN,
    ("group", ""): _WITHIN,
    ("importer", ""): _IMPORTS,
    ("sectimp", ""): _IMPORTS,
}


def traced_methods() -> tuple[Method, ...]:
    """Return the rows of the catalogue whose terms are known by origin and absorber."""
    return tuple(row for row in methods() if row.traced)


def traced_row(term: str, *, approach: str, perimeter: str, flow: str = "exports") -> Method:
    """Return the catalogue row that knows a term by origin and absorber.

    Parameters
    ----------
    term
        Code of the term.
    approach
        ``"source"`` or ``"sink"``; perimeters without approach take ``"source"``.
    perimeter
        See :data:`Perimeter`.
    flow
        ``"exports"``; ``"final_demand"`` has ``content`` only.

    Raises
    ------
    UnsupportedCombinationError
        The term is not defined there; lists where terms are.
    """
    for row in traced_methods():
        fits = (row.approach or "source") == approach and row.perimeter == perimeter and term in row.traced
        if fits and (flow == "exports" or (flow == "final_demand" and (term, perimeter) == ("content", "country"))):
            return row
    got = f"flow={flow} term={term} approach={approach} perimeter={perimeter}"
    raise UnsupportedCombinationError("these options of origins do not go together", got=got, supported=supported())


def supported() -> tuple[str, ...]:
    """Return the combinations of options that have terms by origin and absorber, a line each."""
    lines = [
        f"flow=exports perimeter={row.perimeter} approach={row.approach or 'source'} term={'|'.join(row.traced)}"
        for row in traced_methods()
    ]
    return (*dict.fromkeys(lines), "flow=final_demand term=content")


def parts_of(term: str, row: Method) -> tuple[Part, ...]:
    """Return the products whose sum is a term.

    Parameters
    ----------
    term
        A code in ``row.traced``.
    row
        A row of the catalogue.
    """
    return _BY_PERIMETER[row.perimeter, row.approach][term]
