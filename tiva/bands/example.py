"""Margins by firm-size band for the embedded example table, typed in from published facts."""

from __future__ import annotations

from importlib import resources

from tiva.bands.margins import Margins, read_margins


def example_margins() -> Margins:
    """Return published margins by firm size for :func:`tiva.example`.

    Shares in value added, output, exports and imports by size of firm for Brazil, Mexico, the United States, Canada,
    Japan, Germany, France, Italy and the rest of the European Union; each row has its source, year and status. Most
    are published for a whole economy or all industry and are spread over sectors; other margins follow output or come
    from the European Union: the ``log`` of :func:`tiva.prepare_margins` names every such step. Countries and sectors
    without a published figure stay whole. Size classes differ by country (``band_schemes.csv``).

    Returns
    -------
    Margins

    Examples
    --------
    >>> import tiva
    >>> tiva.example_margins()
    <Margins: 61 facts for BRA, MEX, CAN, USA, ITA, ... (9 in all)>
    """
    folder = resources.files("tiva.data")
    with (
        resources.as_file(folder.joinpath("example_margins.csv")) as facts,
        resources.as_file(folder.joinpath("example_sector_map.csv")) as sectors,
    ):
        return read_margins(facts, sector_map=sectors)
