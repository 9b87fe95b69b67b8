"""The analyses of a review as scripts for R with metafor (and survival), which check R's numbers against ours when they run."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = [
    "HEAD",
    "all_script",
    "effects_script",
    "glmm_script",
    "harms_script",
    "no_script",
    "patients_script",
    "study_columns",
]

#: What every script begins with: a comparison that stops where R and metagrove differ.
HEAD = """\
near <- function(what, ours, r, tolerance = 1e-4) {
  if (is.na(ours) || is.na(r)) return(invisible())
  cat(sprintf("%-44s metagrove %12.6f   R %12.6f\\n", what, ours, r))
  if (abs(ours - r) > tolerance * max(1, abs(ours))) stop(what, ": metagrove ", ours, ", R ", r)
}
"""

_METAFOR_TAU2 = frozenset(("DL", "PM", "PMM", "REML", "ML", "HS", "HSk", "SJ", "HE", "EB", "GENQ"))
_BACK = {
    "PFT": "transf.ipft.hm, targs = list(ni = studies$n)", "PLOGIT": "transf.ilogit", "PLN": "exp", "PRAW": "identity",
    "PAS": "transf.iarcsin",
}  # fmt: skip
_ESCALC = {"PFT": "PFT", "PLOGIT": "PLO", "PAS": "PAS"}


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    return repr(float(value)) if math.isfinite(value) else "NA"


def _start(title: str, file: str) -> list[str]:
    said = " ".join(title.split())
    return [
        f"# {said}. Written by metagrove from the review's own tables; run it in this folder: Rscript {file}.R",
        "suppressPackageStartupMessages(library(metafor))",
        'if (!exists("near")) source("check.R")',
        f'studies <- read.csv("{file}.csv", check.names = FALSE, stringsAsFactors = FALSE, encoding = "UTF-8")',
        "studies <- studies[studies$pooled == 1, ]",
        f'cat("\\n", {_text(said)}, "\\n", sep = "")',
    ]


def _call(name: str, pooled: Any, *, method: str, more: str = "") -> str:
    settings = pooled.settings
    test = '"knha"' if settings.method_random_ci == "HK" and method != "EE" else '"z"'
    level = f"{100 * settings.level_ma:g}"
    steps = "" if method == "EE" else ", control = list(threshold = 1e-10, maxiter = 10000)"
    return f'{name} <- rma(TE, sei = seTE, data = studies, slab = study, method = "{method}", test = {test}, level = {level}{more}{steps})'


def _checked(name: str, fit: str, values: Sequence[float]) -> list[str]:
    parts = ("beta[1]", "ci.lb[1]", "ci.ub[1]")
    words = ("estimate", "lower", "upper")
    return [
        f"near({_text(f'{name}, {word}')}, {_number(value)}, {fit}${part})"
        for word, part, value in zip(words, parts, values, strict=True)
    ]


def _limits(pooled: Any, model: str) -> list[float]:
    return [float(getattr(pooled, f"{part}_{model}")) for part in ("TE", "lower", "upper")]


def _random(pooled: Any) -> list[str]:
    settings = pooled.settings
    known = settings.method_tau in _METAFOR_TAU2
    lines = [] if known else [f"# metafor has no estimator {settings.method_tau}: its tau2 is given."]
    more = "" if known else f", tau2 = {_number(pooled.tau2)}"
    lines += [_call("fit", pooled, method=settings.method_tau if known else "DL", more=more), "print(fit)"]
    lines += [f'near("tau2", {_number(pooled.tau2)}, fit$tau2)'] if known else []
    if settings.method_random_ci == "KR":
        lines.append("# metafor has no Kenward-Roger limits: only the estimate is compared.")
        return [*lines, f'near("random effects, estimate", {_number(pooled.TE_random)}, fit$beta[1])']
    return lines + _checked("random effects", "fit", _limits(pooled, "random"))


def _common(pooled: Any) -> list[str]:
    """The common effect: inverse variance, Mantel-Haenszel or Peto."""
    if pooled.method == "Inverse":
        lines = [_call("common", pooled, method="EE")]
        return [*lines, "print(common)", *_checked("common effect", "common", _limits(pooled, "common"))]
    counts = "ai = event_e, n1i = n_e, ci = event_c, n2i = n_c, data = studies, slab = study"
    if pooled.method == "Peto":
        lines = [f"common <- rma.peto({counts})"]
    elif pooled.method == "MH":
        added = 'add = c(1/2, 1/2), to = c("only0", "only0")'
        lines = [f'common <- rma.mh({counts}, measure = "{pooled.sm}", correct = FALSE, {added})']
    else:
        return [f"# The common effect by method {pooled.method} is not repeated here."]
    return [*lines, "print(common)", *_checked("common effect", "common", _limits(pooled, "common"))]


def _subgroups(pooled: Any, model: str) -> list[str]:
    if pooled.studies.subgroup is None or pooled.method != "Inverse":
        return []
    lines = ['cat("Subgroups\\n")']
    if pooled.settings.tau_common and model == "random":
        call = _call(
            "part", pooled, method=pooled.settings.method_tau, more=", mods = ~ 0 + factor(subgroup, unique(subgroup))"
        )
        if pooled.settings.method_tau not in _METAFOR_TAU2 or pooled.settings.method_random_ci != "classic":
            return []
        lines.append(call)
        return lines + [
            f"near({_text(str(level))}, {_number(float(pooled.TE_random_w[i]))}, part$beta[{i + 1}])"
            for i, level in enumerate(pooled.subgroup_levels)
        ]
    method = pooled.settings.method_tau if model == "random" else "EE"
    if method not in (*_METAFOR_TAU2, "EE"):
        return []
    for i, level in enumerate(pooled.subgroup_levels):
        if int(pooled.k_w[i]) < 2:
            continue
        chosen = f"subgroup == {_text(str(level))}"
        lines.append(_call("part", pooled, method=method, more=f", subset = {chosen}"))
        lines.append(f"near({_text(str(level))}, {_number(float(getattr(pooled, f'TE_{model}_w')[i]))}, part$beta[1])")
    return lines if len(lines) > 1 else []


def effects_script(title: str, file: str, pooled: Any, *, sm: str = "") -> str:
    """The analysis from effects and standard errors in `<file>.csv`, with R's numbers checked against ours.

    Parameters
    ----------
    title, file : what it is called, and the name of its files without ending.
    pooled : the meta-analysis.
    sm : the transformation of proportions, whose back-transformed values are checked too.
    """
    lines = _start(title, file)
    settings = pooled.settings
    if sm in _ESCALC:
        lines += [
            f'counted <- escalc(measure = "{_ESCALC[sm]}", xi = event, ni = n, data = studies)',
            'near("effects from the counts", sum(studies$TE), sum(counted$yi))',
        ]
    if settings.random:
        lines += _random(pooled)
    if settings.common:
        lines += _common(pooled)
    lines += _subgroups(pooled, "random" if settings.random else "common")
    shown = "fit" if settings.random else "common"
    if sm in _BACK:
        model = "random" if settings.random else "common"
        lines.append(f"back <- predict({shown}, transf = {_BACK[sm]})")
        lines.append("print(back)")
        value = float(getattr(pooled.back, f"TE_{model}"))
        lines.append(f'near("as a proportion", {_number(value)}, back$pred)')
    elif shown == "fit" and pooled.scale.ratio:
        lines.append("print(predict(fit, transf = exp))")
    return "\n".join(lines) + "\n"


def glmm_script(title: str, file: str, pooled: Any) -> str:
    """A logistic model with random intercepts; R needs lme4, and the two optimisers agree to about three digits."""
    lines = _start(title, file)
    lines += [
        'fit <- rma.glmm(measure = "PLO", xi = event, ni = n, data = studies, slab = study)',
        "print(fit)",
        f'near("random effects, estimate", {_number(float(pooled.TE_random))}, fit$beta[1], 5e-3)',
        f'near("tau2", {_number(float(pooled.tau2))}, fit$tau2, 1e-2)',
        "print(predict(fit, transf = transf.ilogit))",
    ]
    return "\n".join(lines) + "\n"


def no_script(title: str, file: str) -> str:
    """What stands in place of a script that R's package cannot repeat from counts alone."""
    told = " ".join(title.split())
    return f"# {told}: a generalised linear mixed model of two arms; {file}-with-meta.R repeats it with package meta.\n"


def harms_script(title: str, file: str, sm: str, method_tau: str, terms: Sequence[dict[str, Any]]) -> str:
    """Each adverse event pooled over the studies that report it."""
    measure = {"PFT": "PFT", "PLOGIT": "PLO", "PLN": "PLN", "PRAW": "PR", "PAS": "PAS"}[sm]
    method = method_tau if method_tau in _METAFOR_TAU2 else "REML"
    back = _BACK[sm].replace("studies$n", "one$n")
    lines = [
        f"# {' '.join(title.split())}. Written by metagrove; run it in this folder: Rscript {file}.R",
        "suppressPackageStartupMessages(library(metafor))",
        'if (!exists("near")) source("check.R")',
        f'events <- read.csv("{file}.csv", check.names = FALSE, stringsAsFactors = FALSE, encoding = "UTF-8")',
        f'cat("\\n", {_text(" ".join(title.split()))}, "\\n", sep = "")',
        "pooled <- function(term) {",
        "  one <- events[events$term == term, ]",
        f'  one <- escalc(measure = "{measure}", xi = events, ni = n, data = one)',
        f'  fit <- rma(yi, vi, data = one, method = "{method}", control = list(threshold = 1e-10, maxiter = 10000))',
        f"  predict(fit, transf = {back})$pred",
        "}",
    ]
    for term in terms:
        if term["pooled"] is not None and math.isfinite(term["pooled"]):
            name = _text(term["term"])
            lines.append(f"near({name}, {_number(term['pooled'])}, pooled({name}), 1e-3)")
    return "\n".join(lines) + "\n"


def patients_script(title: str, file: str, medians: dict[str, float]) -> str:
    """The rebuilt patients of one survival analysis: Kaplan-Meier curves and medians by study."""
    lines = [
        f"# {' '.join(title.split())}: the patients behind the curves. Run it in this folder: Rscript {file}.R",
        "# The pooled curve itself stands in the -curve.csv beside; no package that R comes with repeats it.",
        "suppressPackageStartupMessages(library(survival))",
        'if (!exists("near")) source("check.R")',
        f'patients <- read.csv("{file}-patients.csv", stringsAsFactors = FALSE, encoding = "UTF-8")',
        f'cat("\\n", {_text(" ".join(title.split()))}, "\\n", sep = "")',
        "fit <- survfit(Surv(time, event) ~ study, data = patients)",
        "print(fit)",
        'median_of <- function(name) unname(summary(survfit(Surv(time, event) ~ 1, data = patients[patients$study == name, ]))$table["median"])',
    ]
    lines += [
        f"near({_text(f'{study}, median')}, {_number(value)}, median_of({_text(study)}), 1e-6)"
        for study, value in medians.items()
    ]
    return "\n".join(lines) + "\n"


def all_script(files: Sequence[str]) -> str:
    """A script that runs the others."""
    lines = ["# Everything: Rscript all.R", 'source("check.R")', *(f'source("{file}.R")' for file in files)]
    return "\n".join([*lines, 'cat("\\nAll numbers of metagrove come out in R.\\n")']) + "\n"


def study_columns(pooled: Any) -> dict[str, list[Any]]:
    """The studies of a meta-analysis as columns: label, subgroup, counts or means, effect, standard error, pooled or not."""
    studies = pooled.studies
    columns: dict[str, list[Any]] = {"study": [str(name) for name in studies.studlab]}
    if studies.subgroup is not None:
        columns["subgroup"] = [str(name) for name in studies.subgroup]
    for name, values in studies.columns.items():
        if np.ndim(values) == 1 and len(values) == len(studies.studlab):
            columns[name] = [value.item() if hasattr(value, "item") else value for value in values]
    columns["TE"] = [float(value) for value in studies.TE]
    columns["seTE"] = [float(value) for value in studies.seTE]
    columns["pooled"] = [int(bool(value)) for value in studies.pooled]
    return columns
