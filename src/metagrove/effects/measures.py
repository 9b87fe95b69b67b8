"""The measures by their codes: what each needs, where it was published, on which scale it is reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from metagrove.core.errors import MethodError
from metagrove.core.registry import Registry
from metagrove.effects import association, continuous, paired, single, two_arm
from metagrove.effects.estimates import Estimates

__all__ = ["MEASURES", "Measure", "MeasureOptions"]


@dataclass(frozen=True, slots=True)
class MeasureOptions:
    """Choices within a measure: the variance's type and whether small-sample bias is removed."""

    vtype: str = "LS"
    correct: bool = True


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure: the kind of data it takes, its estimator, its reporting scale and its rules.

    Parameters
    ----------
    family : "tables", "pairs", "person-time", "means", "proportions", "rates", "one mean", "changes", "correlations"
        or "reliabilities"; the value of `metagrove.effects.arms` it takes.
    estimates : the estimator.
    scale : "identity", "log", "logit", "probit", "arcsine", "double arcsine", "root", "double root", "atanh" …
    corrected : empty cells are corrected before estimation.
    vtypes : the variance types it knows; the first is the default.
    ratio : the reporting scale is a ratio with 1 for no effect.
    """

    family: str
    estimates: Callable[[Any, MeasureOptions], Estimates]
    scale: str = "identity"
    corrected: bool = False
    vtypes: tuple[str, ...] = ("LS",)
    ratio: bool = False

    def __call__(self, data: Any, options: MeasureOptions) -> Estimates:
        """The estimates; MethodError where the measure has no such variance type."""
        if options.vtype not in self.vtypes:
            raise MethodError(f"vtype '{options.vtype}' is not defined here; known: {', '.join(self.vtypes)}")
        return self.estimates(data, options)


MEASURES: Registry[Measure] = Registry("measure")

_TWO_BY_TWO = "Fleiss JL, Berlin JA. In: The Handbook of Research Synthesis and Meta-Analysis, 2nd ed. 2009:237-53."
_WOOLF = "Woolf B. Ann Hum Genet 1955;19:251-3. doi:10.1111/j.1469-1809.1955.tb01348.x"
_KATZ = "Katz D, et al. Biometrics 1978;34:469-74. doi:10.2307/2530610"
_RUCKER = "Rücker G, et al. Stat Med 2009;28:721-38. doi:10.1002/sim.3511"
_YUSUF = "Yusuf S, et al. Prog Cardiovasc Dis 1985;27:335-71. doi:10.1016/S0033-0620(85)80003-7"
_YULE = "Yule GU. J R Stat Soc 1912;75:579-652. doi:10.2307/2340126"
_BROWN = "Brown MB. Appl Stat 1977;26:343-51. doi:10.2307/2346985"
_SANCHEZ = "Sánchez-Meca J, et al. Psychol Methods 2003;8:448-67. doi:10.1037/1082-989X.8.4.448"
_BECKER = "Becker MP, Balagtas CC. Biometrics 1993;49:997-1009. doi:10.2307/2532242"
_CURTIN = "Curtin F, et al. Stat Med 2002;21:2131-44. doi:10.1002/sim.1205"
_ROTHMAN = "Rothman KJ, Greenland S, Lash TL. Modern Epidemiology, 3rd ed. 2008."
_HEDGES = "Hedges LV. J Educ Stat 1981;6:107-28. doi:10.3102/10769986006002107"
_BONETT09 = "Bonett DG. Psychol Methods 2009;14:225-38. doi:10.1037/a0016619"
_GLASS = "Glass GV. Educ Res 1976;5:3-8. doi:10.3102/0013189X005010003"
_ROM = "Hedges LV, et al. Ecology 1999;80:1150-6. doi:10.1890/0012-9658(1999)080[1150:TMAORR]2.0.CO;2"
_NAKAGAWA = "Nakagawa S, et al. Methods Ecol Evol 2015;6:143-52. doi:10.1111/2041-210X.12309"
_TATE = "Tate RF. Ann Math Stat 1954;25:603-7. doi:10.1214/aoms/1177728730"
_SOPER = "Soper HE. Biometrika 1914;10:384-90. doi:10.1093/biomet/10.2-3.384"
_FREEMAN = "Freeman MF, Tukey JW. Ann Math Stat 1950;21:607-11. doi:10.1214/aoms/1177729756"
_STIJNEN = "Stijnen T, et al. Stat Med 2010;29:3046-67. doi:10.1002/sim.4040"
_OLKIN = "Olkin I, Pratt JW. Ann Math Stat 1958;29:201-11. doi:10.1214/aoms/1177706717"
_FISHER = "Fisher RA. Metron 1921;1:1-32."
_GIBBONS = "Gibbons RD, et al. J Educ Stat 1993;18:271-9. doi:10.3102/10769986018003271"
_BECKER88 = "Becker BJ. Br J Math Stat Psychol 1988;41:257-78. doi:10.1111/j.2044-8317.1988.tb00901.x"
_BONETT08 = "Bonett DG. Psychol Methods 2008;13:99-109. doi:10.1037/1082-989X.13.2.99"
_LAJEUNESSE = "Lajeunesse MJ. Ecology 2011;92:2049-55. doi:10.1890/11-0423.1"
_VANZYL = "van Zyl JM, et al. Psychometrika 2000;65:271-80. doi:10.1007/BF02296146"
_HAKSTIAN = "Hakstian AR, Whalen TE. Psychometrika 1976;41:219-31. doi:10.1007/BF02291840"
_BONETT02 = "Bonett DG. J Educ Behav Stat 2002;27:335-40. doi:10.3102/10769986027004335"
_MEAN = "Borenstein M, et al. Introduction to Meta-Analysis. Wiley 2009. doi:10.1002/9780470743386"


def _plain(function: Callable[[Any], Estimates]) -> Callable[[Any, MeasureOptions], Estimates]:
    return lambda data, options: function(data)


def _typed(function: Callable[[Any, str], Estimates]) -> Callable[[Any, MeasureOptions], Estimates]:
    return lambda data, options: function(data, options.vtype)


def _enter_tables() -> None:
    def put(name: str, title: str, cite: str, value: Measure) -> None:
        MEASURES.put(name, value, title=title, cite=cite)

    def table(function: Callable[[Any], Estimates], scale: str = "identity", *, corrected: bool = True) -> Measure:
        return Measure("tables", _plain(function), scale, corrected, ratio=scale == "log")

    a, t = association, two_arm
    put("OR", "log odds ratio", _WOOLF, table(t.log_odds_ratio, "log"))
    put("DOR", "log diagnostic odds ratio", _WOOLF, table(t.log_odds_ratio, "log"))
    put("RR", "log risk ratio", _KATZ, table(t.log_risk_ratio, "log"))
    put("RD", "risk difference", _TWO_BY_TWO,
        Measure("tables", _typed(t.risk_difference), corrected=True, vtypes=("LS", "UB", "AV")))  # fmt: skip
    put("AS", "arcsine difference", _RUCKER, table(t.arcsine_difference, corrected=False))
    put("ASD", "arcsine difference", _RUCKER, table(t.arcsine_difference, corrected=False))
    put("PETO", "log odds ratio by Peto's method", _YUSUF, table(t.peto_log_odds_ratio, "log"))
    put("PHI", "phi coefficient", _YULE, Measure("tables", _typed(a.phi), vtypes=("LS", "CS", "ST")))
    put("ZPHI", "Fisher's z of the phi coefficient", _YULE,
        Measure("tables", lambda d, o: a.fisher_z(a.phi(d, o.vtype)), "atanh", vtypes=("LS", "CS", "ST")))  # fmt: skip
    put("YUQ", "Yule's Q", _YULE, table(a.yule_q))
    put("YUY", "Yule's Y", _YULE, table(a.yule_y))
    put("RTET", "tetrachoric correlation", _BROWN, table(a.tetrachoric, corrected=False))
    put("ZTET", "Fisher's z of the tetrachoric correlation", _BROWN,
        table(lambda d: a.fisher_z(a.tetrachoric(d)), "atanh", corrected=False))  # fmt: skip
    put("PBIT", "difference of probits", _SANCHEZ, table(a.probit_difference))
    normal = table(lambda d: a.log_odds_ratio_as_difference(d, "normal"))
    logistic = table(lambda d: a.log_odds_ratio_as_difference(d, "logistic"))
    put("OR2DN", "standardised difference from the odds ratio, normal", _SANCHEZ, normal)
    put("OR2DL", "standardised difference from the odds ratio, logistic", _SANCHEZ, logistic)
    put("OR2D", "standardised difference from the odds ratio, logistic", _SANCHEZ, logistic)
    put("MPRD", "matched-pairs marginal risk difference", _TWO_BY_TWO, table(a.marginal_risk_difference))
    put("MPRR", "matched-pairs marginal log risk ratio", _CURTIN, table(a.marginal_log_risk_ratio, "log"))
    put("MPOR", "matched-pairs marginal log odds ratio", _BECKER, table(a.marginal_log_odds_ratio, "log"))
    put("MPORC", "matched-pairs conditional log odds ratio", _CURTIN, table(a.conditional_paired_log_odds_ratio, "log"))
    put("MPPETO", "matched-pairs log odds ratio by Peto's method", _CURTIN, table(a.paired_peto_log_odds_ratio, "log"))


def _enter_person_times() -> None:
    def put(name: str, title: str, function: Callable[[Any], Estimates], scale: str, *, corrected: bool) -> None:
        value = Measure("person-time", _plain(function), scale, corrected, ratio=scale == "log")
        MEASURES.put(name, value, title=title, cite=_ROTHMAN)

    put("IRR", "log incidence-rate ratio", two_arm.log_rate_ratio, "log", corrected=True)
    put("IRD", "incidence-rate difference", two_arm.rate_difference, "identity", corrected=True)
    put("IRSD", "difference of square-root rates", two_arm.root_rate_difference, "identity", corrected=False)


def _enter_means() -> None:
    c = continuous
    smd = ("LS", "LS2", "UB", "H0", "AV")

    def put(
        name: str,
        title: str,
        cite: str,
        function: Callable[[Any, MeasureOptions], Estimates],
        vtypes: tuple[str, ...] = ("LS",),
    ) -> None:
        ratio = name in ("ROM", "CVR", "VR")
        value = Measure("means", function, "log" if ratio else "identity", vtypes=vtypes, ratio=ratio)
        MEASURES.put(name, value, title=title, cite=cite)

    put("MD", "mean difference", _MEAN, _typed(c.mean_difference), ("LS", "UB", "HO"))
    put("SMD", "standardised mean difference (Hedges's g)", _HEDGES,
        lambda d, o: c.standardised_difference(d, o.vtype, correct=o.correct), smd)  # fmt: skip
    put("SMDH", "standardised mean difference, unequal variances", _BONETT09,
        lambda d, o: c.standardised_difference_unequal(d, correct=o.correct))  # fmt: skip
    put("SMD1", "standardised mean difference, SD of the second arm", _GLASS,
        lambda d, o: c.glass_difference(d, correct=o.correct))  # fmt: skip
    put("SMD1H", "standardised mean difference, SD of the second arm, unequal variances", _BONETT09,
        lambda d, o: c.glass_difference(d, correct=o.correct, unequal=True))  # fmt: skip
    put("ROM", "log ratio of means", _ROM,
        lambda d, o: c.log_ratio_of_means(d, o.vtype, correct=o.correct), ("LS", "HO", "AV", "AVHO"))  # fmt: skip
    put("CVR", "log ratio of coefficients of variation", _NAKAGAWA,
        lambda d, o: c.log_variation_ratio(d, correct=o.correct))  # fmt: skip
    put("VR", "log variability ratio", _NAKAGAWA, lambda d, o: c.log_variability_ratio(d, correct=o.correct))
    put("RPB", "point-biserial correlation", _TATE,
        lambda d, o: c.point_biserial(d, "CS" if o.vtype == "CS" else "ST"), ("LS", "ST", "CS"))  # fmt: skip
    put("RBIS", "biserial correlation", _SOPER, _plain(c.biserial))
    cohen: Callable[[Any], Estimates] = lambda d: c.standardised_difference(d, correct=False)  # noqa: E731
    put("D2ORN", "log odds ratio from the standardised difference, normal", _SANCHEZ,
        lambda d, o: cohen(d).scaled(association.COX))  # fmt: skip
    put("D2ORL", "log odds ratio from the standardised difference, logistic", _SANCHEZ,
        lambda d, o: cohen(d).scaled(1 / association.LOGISTIC))  # fmt: skip
    put("D2OR", "log odds ratio from the standardised difference, logistic", _SANCHEZ,
        lambda d, o: cohen(d).scaled(1 / association.LOGISTIC))  # fmt: skip


def _enter_single() -> None:
    def put(name: str, title: str, cite: str, value: Measure) -> None:
        MEASURES.put(name, value, title=title, cite=cite)

    s = single
    put("PR", "proportion", _MEAN,
        Measure("proportions", _typed(s.proportion), corrected=True, vtypes=("LS", "UB", "AV")))  # fmt: skip
    put("PLN", "log proportion", _MEAN,
        Measure("proportions", _typed(s.log_proportion), "log", True, vtypes=("LS", "AV")))  # fmt: skip
    put("PLO", "logit proportion", _STIJNEN,
        Measure("proportions", _typed(s.logit_proportion), "logit", True, vtypes=("LS", "AV")))  # fmt: skip
    put("PRZ", "probit proportion", _SANCHEZ, Measure("proportions", _plain(s.probit_proportion), "probit", True))
    put("PAS", "arcsine-root proportion", _RUCKER, Measure("proportions", _plain(s.arcsine_proportion), "arcsine"))
    put("PFT", "double-arcsine proportion", _FREEMAN,
        Measure("proportions", _plain(s.double_arcsine_proportion), "double arcsine"))  # fmt: skip
    put("IR", "incidence rate", _ROTHMAN, Measure("rates", _plain(s.rate), corrected=True))
    put("IRLN", "log incidence rate", _ROTHMAN, Measure("rates", _plain(s.log_rate), "log", True))
    put("IRS", "square-root incidence rate", _ROTHMAN, Measure("rates", _plain(s.root_rate), "root"))
    put("IRFT", "double-root incidence rate", _FREEMAN, Measure("rates", _plain(s.double_root_rate), "double root"))
    put("MN", "mean", _MEAN, Measure("one mean", _plain(s.mean)))
    put("MNLN", "log mean", _ROM, Measure("one mean", _plain(s.log_mean), "log"))
    put("SMN", "standardised mean", _HEDGES,
        Measure("one mean", lambda d, o: s.standardised_mean(d, o.vtype, correct=o.correct),
                vtypes=("LS", "LS2", "UB")))  # fmt: skip
    put("CVLN", "log coefficient of variation", _NAKAGAWA, Measure("one mean", _plain(s.log_variation), "log"))
    put("SDLN", "log standard deviation", _NAKAGAWA, Measure("one mean", _plain(s.log_standard_deviation), "log"))
    put("COR", "correlation", _OLKIN, Measure("correlations", _typed(s.correlation), vtypes=("LS", "AV")))
    put("UCOR", "correlation corrected for bias", _OLKIN,
        Measure("correlations", _typed(s.unbiased_correlation), vtypes=("LS", "UB", "AV")))  # fmt: skip
    put("ZCOR", "Fisher's z of the correlation", _FISHER, Measure("correlations", _plain(s.fisher_z), "atanh"))
    put("ARAW", "Cronbach's alpha", _VANZYL, Measure("reliabilities", _plain(s.raw_alpha)))
    put("AHW", "one minus the cube root of 1 - alpha", _HAKSTIAN,
        Measure("reliabilities", _plain(s.hakstian_whalen_alpha), "cube root"))  # fmt: skip
    put("ABT", "minus the log of 1 - alpha", _BONETT02, Measure("reliabilities", _plain(s.bonett_alpha), "complement"))


def _enter_changes() -> None:
    def put(name: str, title: str, cite: str, function: Callable[[Any, MeasureOptions], Estimates]) -> None:
        ratio = name in ("ROMC", "CVRC", "VRC")
        value = Measure("changes", function, "log" if ratio else "identity", ratio=ratio)
        MEASURES.put(name, value, title=title, cite=cite)

    p = paired
    put("MC", "mean change", _MEAN, _plain(p.mean_change))
    put("SMCC", "standardised mean change, SD of the changes", _GIBBONS,
        lambda d, o: p.standardised_change(d, correct=o.correct))  # fmt: skip
    put("SMCR", "standardised mean change, raw SD", _BECKER88,
        lambda d, o: p.standardised_change_raw(d, correct=o.correct))  # fmt: skip
    put("SMCRH", "standardised mean change, raw SD, unequal variances", _BONETT08,
        lambda d, o: p.standardised_change_raw(d, unequal=True, correct=o.correct))  # fmt: skip
    put("SMCRP", "standardised mean change, both SDs averaged", _BONETT08,
        lambda d, o: p.standardised_change_raw(d, "both", correct=o.correct))  # fmt: skip
    put("SMCRPH", "standardised mean change, both SDs averaged, unequal variances", _BONETT08,
        lambda d, o: p.standardised_change_raw(d, "both", unequal=True, correct=o.correct))  # fmt: skip
    put("ROMC", "log ratio of means, paired", _LAJEUNESSE,
        lambda d, o: p.log_ratio_of_means_change(d, correct=o.correct))  # fmt: skip
    put("CVRC", "log ratio of coefficients of variation, paired", _NAKAGAWA,
        lambda d, o: p.log_variation_change(d, correct=o.correct))  # fmt: skip
    put("VRC", "log variability ratio, paired", _NAKAGAWA, _plain(p.log_variability_change))


for _enter in (_enter_tables, _enter_person_times, _enter_means, _enter_single, _enter_changes):
    _enter()
