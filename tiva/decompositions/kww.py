"""Koopman, Wang and Wei: nine terms of a country's exports, and what their known bias comes to."""

from __future__ import annotations

from tiva.decompositions.borin_mancini import contents
from tiva.decompositions.carrier import EXPORTERS, Terms
from tiva.decompositions.headline import by_exporter
from tiva.decompositions.world import sink_foreign_value_added
from tiva.model.operators import Operators, own_country

BIAS = (
    "known bias: the foreign terms of Koopman, Wang and Wei mix perimeters; fva_fin + fva_int understates foreign "
    "value added and fdc overstates double counting; fva_corrected and fdc_corrected are the world perspective, "
    "sink-based, of Borin and Mancini"
)


def kww(model: Operators) -> Terms:
    """Decompose each country's total exports into the nine terms of Koopman, Wang and Wei.

    Parameters
    ----------
    model
        The operators of a table.

    Returns
    -------
    Terms
        Axis exporter, arrays (G,), unit of the table: ``gexp``, the nine terms ``dva_fin dva_int dva_intrex rdv_fin
        rdv_int ddc fva_fin fva_int fdc``, which sum to it, and ``fva_corrected``, ``fdc_corrected``. The theory holds
        at country level only.

    Notes
    -----
    The ninth term is computed by its formula, never as the rest: where sectors without output export, the rest is not
    zero and is reported as ``discrepancy``. Terms five and six use sum_{r != s} V_s B_sr A_rs L_ss = V_s (B_ss - L_ss).

    References
    ----------
    Koopman, Wang and Wei (2014), American Economic Review 104(2): 459-494, eq. 36. Bias: Borin and Mancini (2019),
    WPS 8804; Los, Timmer and de Vries (2016); Nagengast and Stehrer (2016).
    """
    unit = contents(model)
    v, final = model.value_added, model.exports_final.sum(axis=1)
    exports = model.exports.sum(axis=1)
    home = own_country(model, model.final_demand)
    local = model.local_inverse(home)
    dva_fin = by_exporter(model, unit["dc"] * final)
    rdv_fin = by_exporter(model, v * own_country(model, model.apply_inverse(model.exports_final)))
    dva_int = by_exporter(model, v * model.apply_inverse(home) - unit["dc"] * home)
    third = by_exporter(model, v * model.apply_inverse(final) - unit["dc"] * final) - rdv_fin
    returned = unit["dc"] - unit["dva"]
    fc = by_exporter(model, unit["fc"] * exports)
    corrected = by_exporter(model, sink_foreign_value_added(model))
    arrays = {
        "gexp": by_exporter(model, exports),
        "dva_fin": dva_fin,
        "dva_int": dva_int,
        "dva_intrex": third,
        "rdv_fin": rdv_fin,
        "rdv_int": by_exporter(model, returned * home),
        "ddc": by_exporter(model, returned * exports),
        "fva_fin": by_exporter(model, unit["fc"] * final),
        "fva_int": by_exporter(model, unit["fc"] * model.trade(local)),
        "fdc": by_exporter(model, unit["fc"] * model.trade(model.local_inverse(exports))),
        "fva_corrected": corrected,
        "fdc_corrected": fc - corrected,
    }
    if unit["taxes_margins"].any():
        arrays["taxes_margins"] = by_exporter(model, unit["taxes_margins"] * exports)
    return Terms(arrays, EXPORTERS, (BIAS,))
