"""The embedded real table: WIOD 2011 in 17 economies and 15 sectors."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from tiva.table.native import load

if TYPE_CHECKING:
    from tiva.table.icio_table import IcioTable

EXAMPLE_FILE = "example_wiod2011.nc"


def example() -> IcioTable:
    """Return a real table that needs no download.

    The World Input-Output Table of 2011 (WIOD, 2013 release: 41 economies, 35 sectors, million USD at basic prices),
    summed to 17 economies and 15 sectors with :meth:`tiva.IcioTable.aggregate`; ``data_fetch/build_example.py`` is
    the script that made it.

    Returns
    -------
    IcioTable
        Output is row sums and value added the residual, so that rows and columns balance exactly.

    References
    ----------
    Timmer, Dietzenbacher, Los, Stehrer and de Vries (2015), Review of International Economics 23(3): 575-605.
    Licence of the data: CC BY 4.0.

    Examples
    --------
    >>> import tiva
    >>> tiva.example()
    <IcioTable WIOD 2013 release 2011: 17 countries x 15 sectors, 5 final demand categories, million USD>
    """
    with resources.as_file(resources.files("tiva.data").joinpath(EXAMPLE_FILE)) as path:
        return load(path)
