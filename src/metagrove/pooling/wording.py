"""A meta-analysis in words: rows, a text table, the methods sentence, and what a reader must know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from metagrove.core.results import Explanation
from metagrove.core.scales import SCALES
from metagrove.pooling.counts.models import GLMM_MODELS
from metagrove.pooling.counts.penalised import EVRENOGLOU, FLETCHER
from metagrove.pooling.counts.tables import COUNT_METHODS
from metagrove.pooling.estimate import ADHOC, INTERVALS
from metagrove.pooling.intervals import TAU2_INTERVALS
from metagrove.pooling.prediction import PREDICTION
from metagrove.pooling.tau2 import TAU2

__all__ = ["explain", "notes", "rows", "summary"]

_NAN = float("nan")
_METHODS = {
    "Inverse": "the inverse-variance method",
    "MH": "the Mantel-Haenszel method",
    "Peto": "Peto's method",
    "Cochran": "Cochran's method",
    "SSW": "sample-size weights",
    "GLMM": "a generalised linear mixed model",
    "LRP": "penalised logistic regression",
}
_THREE_LEVEL = "Van den Noortgate W, et al. Behav Res Methods 2013;45:576-94. doi:10.3758/s13428-012-0261-6"
_SOFTWARE = "Higgins JPT, Thompson SG. Stat Med 2002;21:1539-58. doi:10.1002/sim.1186"


def _line(kind: str, label: str) -> dict[str, Any]:
    return {
        "kind": kind, "studlab": label, "subgroup": None, "estimate": _NAN, "lower": _NAN, "upper": _NAN, "TE": _NAN,
        "seTE": _NAN, "weight_common": _NAN, "weight_random": _NAN, "k": None, "tau2": _NAN, "I2_fraction": _NAN,
        "Q": _NAN, "pval_Q": _NAN, "pval": _NAN, "reason": "",
    }  # fmt: skip


def _share(weights: Any) -> Any:
    total = weights.sum()
    return 100 * weights / total if total > 0 else weights * _NAN


_OF_PEOPLE = ("PRAW", "PLN", "PLOGIT", "PAS", "PFT", "RD")
_OF_TIME = ("IR", "IRLN", "IRS", "IRFT", "IRD")


class _Printed:
    """Estimates and limits as a summary prints them: by `backtransf`, and per `pscale` people or `irscale` units of time."""

    def __init__(self, result: Any) -> None:
        settings, label = result.settings, result.scale.label
        options = dict(settings.options)
        self.source = result.back if settings.backtransf or not result.scale.transformed else result
        scales = {"pscale": _OF_PEOPLE, "irscale": _OF_TIME}
        named = [name for name, measures in scales.items() if settings.sm in measures and name in options]
        multiplied = named and self.source is not result
        self.factor = float(options[named[0]]) if multiplied else 1.0
        self.label = label if self.source is not result else f"{settings.sm} (not transformed back)"
        if self.factor != 1:
            unit = "" if named == ["pscale"] else f" {options['irunit']}"
            self.label = f"{label} per {self.factor:g}{unit}"

    def __getattr__(self, name: str) -> Any:
        return self.factor * getattr(self.source, name)


def rows(result: Any, back: Any = None) -> list[dict[str, Any]]:
    """One dict per study, subgroup estimate, pooled estimate and prediction interval; one set of keys for all.

    `back` gives estimates and limits, by default on the reporting scale.
    """
    s, back = result.studies, result.back if back is None else back
    te, lower, upper = back.TE, back.lower, back.upper
    common, random = _share(result.w_common), _share(result.w_random)
    found = []
    for i, label in enumerate(s.studlab):
        line = _line("study", label) | {
            "subgroup": None if s.subgroup is None else s.subgroup[i],
            "estimate": float(te[i]),
            "lower": float(lower[i]),
            "upper": float(upper[i]),
            "TE": float(s.TE[i]),
            "seTE": float(s.seTE[i]),
            "weight_common": float(common[i]),
            "weight_random": float(random[i]),
            "reason": s.reasons[i],
        }
        found.append(line | {name: column[i].item() for name, column in s.columns.items()})
    if s.subgroup is not None:
        found += [
            _group_row(result, back, which, g) for g in range(len(result.groups.levels)) for which in _shown(result)
        ]
    found += [_total_row(result, back, which) for which in _shown(result)]
    predicted = result.predicted
    if result.settings.prediction:
        found.append(
            _line("prediction", "Prediction interval")
            | {"lower": back.lower_predict, "upper": back.upper_predict, "seTE": predicted.seTE, "k": result.k}
        )
    names = list(s.columns)
    return [line | {name: line.get(name) for name in names} for line in found]


def _shown(result: Any) -> list[str]:
    return [which for which in ("common", "random") if getattr(result.settings, which)]


_TITLES = {"common": "Common effect model", "random": "Random effects model"}


def _total_row(result: Any, back: Any, which: str) -> dict[str, Any]:
    fit, h = getattr(result.fit, which), result.heterogeneity
    return _line(which, _TITLES[which]) | {
        "estimate": getattr(back, f"TE_{which}"),
        "lower": getattr(back, f"lower_{which}"),
        "upper": getattr(back, f"upper_{which}"),
        "TE": fit.TE,
        "seTE": fit.seTE,
        "pval": fit.pval,
        "k": result.k,
        "tau2": result.fit.tau2.value,
        "I2_fraction": h.I2,
        "Q": h.Q,
        "pval_Q": h.pval_Q,
    }


def _group_row(result: Any, back: Any, which: str, g: int) -> dict[str, Any]:
    groups = result.groups
    fit, h = groups.fits[g], groups.heterogeneities[g]
    estimate = getattr(fit, which)
    return _line(f"subgroup {which}", _TITLES[which]) | {
        "subgroup": groups.levels[g],
        "estimate": float(getattr(back, f"TE_{which}_w")[g]),
        "lower": float(getattr(back, f"lower_{which}_w")[g]),
        "upper": float(getattr(back, f"upper_{which}_w")[g]),
        "TE": estimate.TE,
        "seTE": estimate.seTE,
        "pval": estimate.pval,
        "k": groups.k[g],
        "tau2": fit.tau2.value,
        "I2_fraction": h.I2,
        "Q": h.Q,
        "pval_Q": h.pval_Q,
    }


def notes(result: Any) -> tuple[str, ...]:
    """Sentences on studies left out, on quantities that do not exist, and on a small number of studies."""
    found = [f"{label} is not pooled: {why}." for label, why in result.studies.excluded]
    if result.k == 1:
        found.append("One study is pooled: tau2, I2 and a prediction interval need two.")
    elif result.k < 5:
        found.append(f"{result.k} studies say little about the variance between studies.")
    names = _corrected(result)
    if names:
        found.append(f"Increments were added to the counts of {', '.join(names)}.")
    if result.studies.subgroup is not None:
        single = [lab for lab, k in zip(result.groups.levels, result.groups.k, strict=True) if k == 1]
        if single:
            found.append(f"One study alone makes up: {', '.join(single)}.")
    return tuple(found)


def _corrected(result: Any) -> list[str]:
    """Pooled studies to whose counts something was added before they were pooled."""
    columns = result.studies.columns
    if result.settings.method in ("GLMM", "Peto", "Cochran", "LRP"):
        return []
    parts = [np.asarray(columns[name], dtype=float) for name in ("incr_event", "incr_e", "incr_c") if name in columns]
    if not parts:
        return []
    added = np.sum(parts, axis=0)
    pooled = result.studies.pooled
    return [lab for lab, a, used in zip(result.studies.studlab, added, pooled, strict=True) if a > 0 and used]


def _number(x: float, digits: int = 4) -> str:
    if x is None or np.isnan(x):
        return "–"
    return f"{x:.{digits}f}" if 1e-3 <= abs(x) < 1e5 or x == 0 else f"{x:.{digits - 1}e}"


def p_text(p: float) -> str:
    """A p-value as text: four digits, or a bound below 0.0001."""
    if np.isnan(p):
        return "–"
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _table(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True)])
        for line in lines
    )


def summary(result: Any) -> str:
    """Estimates on the reporting scale (or as `backtransf`, `pscale` and `irscale` ask), heterogeneity and methods as text."""
    printed = _Printed(result)
    head = ["", printed.label, f"{100 * result.settings.level_ma:g}%-CI", "weight", "p"]
    body = [head]
    for line in rows(result, printed):
        weight = line["weight_random"]
        name = line["studlab"] if line["subgroup"] is None else f"{line['studlab']} ({line['subgroup']})"
        body.append([
            name, _number(line["estimate"]), f"[{_number(line['lower'])}; {_number(line['upper'])}]",
            "" if np.isnan(weight) else f"{weight:.1f}%", "" if np.isnan(line["pval"]) else p_text(line["pval"]),
        ])  # fmt: skip
    parts = [f"Studies: {result.k} pooled of {result.k_all}", _table(body), _heterogeneity_text(result)]
    if result.studies.subgroup is not None and len(result.groups.levels) > 1:
        between = result.groups.random if result.settings.random else result.groups.common
        parts.append(
            f"Test for subgroup differences: Q = {_number(between.Q, 2)}, df = {between.df}, p = {p_text(between.pval)}"
        )
    parts += list(notes(result)) + [explain(result).sentence]
    return "\n\n".join(parts)


def _tau2_text(result: Any) -> str:
    if not result.fit.parts:
        return f"{_number(result.tau2)} [{_number(result.lower_tau2)}; {_number(result.upper_tau2)}]"
    parts = zip(("between", "within"), result.fit.parts, result.tau2_part_limits, strict=True)
    return " and ".join(f"{_number(x)} [{_number(a)}; {_number(b)}] {name} clusters" for name, x, (a, b) in parts)


def _heterogeneity_text(result: Any) -> str:
    h = result.heterogeneity
    if h.df_Q < 1:
        return "Heterogeneity: one study."
    return (
        f"Heterogeneity: tau2 = {_tau2_text(result)}; "
        f"I2 = {100 * h.I2:.1f}% [{_percent(h.lower_I2)}; {_percent(h.upper_I2)}]; "
        f"Q = {_number(h.Q, 2)}, df = {h.df_Q:g}, p = {p_text(h.pval_Q)}"
    )


def _percent(x: float) -> str:
    return "–" if np.isnan(x) else f"{100 * x:.1f}%"


def explain(result: Any) -> Explanation:
    """The methods sentence for the settings used, with references."""
    s = result.settings
    found = _measure_sentence(result) + Explanation(
        f"Studies were pooled by {_METHODS.get(s.method, s.method)}{_glmm_kind(s)}"
        + (", with common-effect and random-effects estimates." if s.common and s.random else
           ", assuming a common effect." if s.common else ", allowing for random effects."),
        _method_cites(s),
    )  # fmt: skip
    own = [which for which in ("common", "random") if f"weights_{which}" in result.studies.columns]
    if own:
        found += Explanation(f"Weights of the {' and '.join(own)} effect were given by the authors.")
    if s.random:
        found += _tau2_sentence(result) + _interval_sentence(s)
    if s.prediction:
        entry = PREDICTION.entry(s.method_predict)
        found += Explanation(f"The prediction interval used the rule '{entry.title}'.", (entry.cite,))
    found += Explanation(
        (
            "Heterogeneity was described by Q and I²."
            if s.method == "LRP"
            else "Heterogeneity was described by Q, I² and tau²."
        ),
        (_SOFTWARE,),
    )
    if result.studies.subgroup is not None:
        kind = "one common tau²" if s.tau_common else "a separate tau² each"
        name = f" ({s.subgroup_name})" if s.subgroup_name else ""
        found += Explanation(
            f"Subgroups{name} were estimated with {kind} and compared by a Q test.",
            ("Borenstein M, Hedges LV, Higgins JPT, Rothstein HR. Introduction to Meta-Analysis. 2009. "
             "doi:10.1002/9780470743386",),
        )  # fmt: skip
    return found


_ONE_STAGE = "Stijnen T, Hamza TH, Özdemir P. Stat Med 2010;29:3046-67. doi:10.1002/sim.4040"


def _glmm_kind(s: Any) -> str:
    model = dict(s.options).get("model_glmm") if s.method == "GLMM" else None
    return f" ({GLMM_MODELS.entry(str(model)).title})" if model else ""


def _method_cites(s: Any) -> tuple[str, ...]:
    if s.method == "LRP":
        return (EVRENOGLOU,)
    if s.method != "GLMM":
        return (COUNT_METHODS.entry(s.method).cite,) if s.method in COUNT_METHODS else ()
    model = dict(s.options).get("model_glmm")
    return (_ONE_STAGE,) if not model else tuple(dict.fromkeys((_ONE_STAGE, GLMM_MODELS.entry(str(model)).cite)))


def _measure_sentence(result: Any) -> Explanation:
    s = result.settings
    options = dict(s.options)
    if s.measured is not None:
        return Explanation(s.measured.sentence, (s.measured.cite,))
    if s.sm not in SCALES or not s.sm:
        return Explanation("Effects and standard errors were taken as given.")
    entry = SCALES.entry(s.sm)
    text = f"Effects were analysed as {entry.title}"
    if options.get("method_ci"):
        text += f", with {options['method_ci']} intervals for single studies"
    if options.get("incr") is not None and _corrected(result):
        text += f"; {options['incr']} was added to counts that needed it ({options.get('method_incr', 'only0')})"
    if entry.value.needs_n:
        text += "; pooled values were transformed back at the harmonic mean of the sample sizes"
    return Explanation(f"{text}.", (entry.cite,))


def _tau2_sentence(result: Any) -> Explanation:
    s = result.settings
    if s.tau_preset is not None:
        return Explanation(f"The between-study standard deviation was fixed at {s.tau_preset:g}.")
    if s.method == "LRP":
        return Explanation("Heterogeneity inflated the variance by an overdispersion parameter.", (FLETCHER,))
    if s.method == "GLMM":
        return Explanation("The between-study variance was estimated by maximum likelihood.")
    if result.fit.parts:
        return Explanation(
            f"Effects that share a cluster were allowed for by a three-level model fitted by {s.method_tau}, with "
            "profile-likelihood limits of both variances.",
            (_THREE_LEVEL,),
        )
    estimator, limits = TAU2.entry(s.method_tau), TAU2_INTERVALS.entry(s.method_tau_ci)
    return Explanation(
        f"The between-study variance was estimated by the {estimator.title} estimator, its limits by the "
        f"{limits.title} method.",
        (estimator.cite, limits.cite),
    )


def _interval_sentence(s: Any) -> Explanation:
    entry = INTERVALS.entry(s.method_random_ci)
    adhoc = ADHOC.entry(s.adhoc_hakn_ci)
    if s.method_random_ci != "HK" or not s.adhoc_hakn_ci:
        return Explanation(f"The random-effects interval was {entry.title}.", (entry.cite,))
    return Explanation(f"The random-effects interval was {entry.title}, {adhoc.title}.", (entry.cite, adhoc.cite))
