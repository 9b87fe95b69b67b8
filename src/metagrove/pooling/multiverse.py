"""Every defensible analysis of the same studies at once: which conclusion hangs on which choice.

Steegen S, Tuerlinckx F, Gelman A, Vanpaemel W. Perspect Psychol Sci 2016;11:702-12. doi:10.1177/1745691616658637
Simonsohn U, Simmons JP, Nelson LD. Nat Hum Behav 2020;4:1208-14. doi:10.1038/s41562-020-0912-z
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError, MetagroveError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.scales import scale
from metagrove.core.values import Array
from metagrove.effects.one_arm import (
    PROPORTIONS,
    RATES,
    OneArm,
    correlation_effects,
    mean_effects,
    proportion_effects,
    rate_effects,
)
from metagrove.pooling.counts.glmm import one_arm_model
from metagrove.pooling.estimate import Estimate
from metagrove.pooling.model import InverseVariance, Model
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies, studies_of

__all__ = ["Choices", "Multiverse", "Specification", "multiverse"]

_STEEGEN = "Steegen S, et al. Perspect Psychol Sci 2016;11:702-12. doi:10.1177/1745691616658637"
_SIMONSOHN = "Simonsohn U, Simmons JP, Nelson LD. Nat Hum Behav 2020;4:1208-14. doi:10.1038/s41562-020-0912-z"
_NAMES = ("transformation", "correction", "model", "interval", "studies")
_GLMM = "GLMM"


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of each choice; impossible combinations (an interval of a common effect by HK) are left out.

    Parameters
    ----------
    transformations : measures of the same quantity; None: all of the family the studies belong to.
    estimators : codes of TAU2, "CE" for a common effect and "GLMM" for the one-stage model where there is one.
    intervals : "classic", "HK", and "HK-se" (Hartung-Knapp never narrower than classic).
    corrections : pairs of increment and way of adding it, used where a study has 0 or n events.
    leave_one_out : whether each study is also left out.
    inclusions : named sets of studies to pool, as masks over the pooled studies.
    """

    transformations: tuple[str, ...] | None = None
    estimators: tuple[str, ...] = ("CE", "DL", "PM", "REML", "SJ", _GLMM)
    intervals: tuple[str, ...] = ("classic", "HK", "HK-se")
    corrections: tuple[tuple[float, str], ...] = ((0.5, "only0"), (0.5, "all"), (0.25, "only0"))
    leave_one_out: bool = True
    inclusions: Mapping[str, Sequence[bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Specification:
    """One analysis: what was chosen, the estimate and limits on the reporting scale, and whether the conclusion holds.

    `main` marks the analysis the multiverse was built around.
    """

    options: tuple[str, ...]
    estimate: float
    lower: float
    upper: float
    tau2: float
    k: int
    holds: bool
    main: bool = False


@dataclass(frozen=True, slots=True)
class Multiverse(Result):
    """All analyses and what they say together.

    Parameters
    ----------
    choices : names of the choices, the order of `options` in each specification.
    specifications : the analyses that gave an estimate, the main one first.
    left_out : options and reason of those that did not.
    conclusion : the statement that is tested in each ("the proportion is above 0.1").
    effect, logarithmic, reference : what is estimated, whether it is a ratio, and the value it is compared with.
    """

    choices: tuple[str, ...]
    specifications: tuple[Specification, ...]
    left_out: tuple[tuple[tuple[str, ...], str], ...]
    conclusion: str
    effect: str
    logarithmic: bool
    reference: float | None

    @property
    def holding(self) -> int:
        """In how many analyses the conclusion holds."""
        return sum(spec.holds for spec in self.specifications)

    @property
    def main(self) -> Specification:
        """The analysis the multiverse was built around."""
        return next(spec for spec in self.specifications if spec.main)

    @property
    def sentence(self) -> str:
        """What the multiverse says, in one sentence."""
        ranked = sorted(self.specifications, key=lambda spec: spec.estimate)
        low, high = ranked[0], ranked[-1]
        text = (
            f"The conclusion that {self.conclusion} holds in {self.holding} of {len(ranked)} analyses; estimates run "
            f"from {low.estimate:.4g} ({self._named(low)}) to {high.estimate:.4g} ({self._named(high)})"
        )
        shares = self.importance
        if shares:
            name = max(shares, key=lambda choice: shares[choice])
            text += f", and {name} is the choice that moves them most"
        return f"{text}."

    def _named(self, spec: Specification) -> str:
        return ", ".join(option for option in spec.options if option != "–")

    @property
    def importance(self) -> dict[str, float]:
        """Share of the variance of the estimates between the options of each choice that has several."""
        estimates = np.array([spec.estimate for spec in self.specifications])
        total = float(((estimates - estimates.mean()) ** 2).sum())
        found = {}
        for j, choice in enumerate(self.choices):
            options = np.array([spec.options[j] for spec in self.specifications])
            levels = np.unique(options)
            if levels.size > 1 and total > 0:
                parts = [estimates[options == level] for level in levels]
                found[choice] = float(sum(p.size * (p.mean() - estimates.mean()) ** 2 for p in parts)) / total
        return found

    def rows(self) -> list[dict[str, Any]]:
        """One dict per analysis, by rising estimate."""
        return [
            dict(zip(self.choices, spec.options, strict=True))
            | {"estimate": spec.estimate, "lower": spec.lower, "upper": spec.upper, "tau2": spec.tau2, "k": spec.k,
               "holds": spec.holds, "main": spec.main}
            for spec in sorted(self.specifications, key=lambda spec: (spec.estimate, spec.lower))
        ]  # fmt: skip

    def summary(self) -> str:
        """The sentence, the share of each choice, and for each option in how many analyses the conclusion holds."""
        lines = [self.sentence, ""]
        for j, choice in enumerate(self.choices):
            levels = list(dict.fromkeys(spec.options[j] for spec in self.specifications))
            if len(levels) < 2:
                continue
            lines.append(f"{choice} ({100 * self.importance.get(choice, 0.0):.0f}% of the variance of the estimates)")
            for level in levels:
                part = [spec for spec in self.specifications if spec.options[j] == level]
                middle = float(np.median([spec.estimate for spec in part]))
                lines.append(f"  {level:<24} holds in {sum(s.holds for s in part)} of {len(part)}, median {middle:.4g}")
        lines += [f"Left out: {', '.join(options)}: {why}" for options, why in self.left_out]
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """The methods sentence, with references."""
        several = [c for j, c in enumerate(self.choices) if len({s.options[j] for s in self.specifications}) > 1]
        return Explanation(
            f"All {len(self.specifications)} combinations of defensible choices ({', '.join(several)}) were analysed "
            "and compared in a specification curve.",
            (_STEEGEN, _SIMONSOHN),
        )


@dataclass(frozen=True, slots=True)
class _Universe:
    """Studies on one scale, with the options that put them there."""

    transformation: str
    correction: str
    studies: Studies


def _refitted(studies: Studies, effects: OneArm) -> Studies:
    return studies_of(
        effects.TE, effects.seTE, limits=lambda te, se: effects.limits(), studlab=studies.studlab,
        subgroup=studies.subgroup, columns=dict(studies.columns) | {"incr_event": effects.incr_event},
        size=studies.columns.get("n", studies.columns.get("time")),
    )  # fmt: skip


def _effects(studies: Studies, door: str, sm: str, correction: tuple[float, str]) -> OneArm:
    c = studies.columns
    incr, way = correction
    if door == "metaprop":
        return proportion_effects(c["event"], c["n"], sm, incr=incr, method_incr=way)
    if door == "metarate":
        return rate_effects(c["event"], c["time"], sm, incr=incr, method_incr=way)
    if door == "metamean":
        return mean_effects(c["n"], c["mean"], c["sd"], sm)
    return correlation_effects(c["cor"], c["n"], sm)


_FAMILIES = {
    "metaprop": PROPORTIONS,
    "metarate": RATES,
    "metamean": ("MRAW", "MLN"),
    "metacor": ("ZCOR", "COR"),
}


def _universes(studies: Studies, settings: Settings, choices: Choices) -> Iterator[_Universe]:
    """The studies on every scale, with every correction that changes them."""
    family = _FAMILIES.get(settings.door)
    if family is None:
        yield _Universe(settings.sm or "as given", "–", studies)
        return
    for sm in choices.transformations or family:
        if sm not in family:
            raise MethodError(f"'{sm}' does not measure the same as '{settings.sm}'; known: {', '.join(family)}")
        seen: list[Array] = []
        for correction in choices.corrections:
            effects = _effects(studies, settings.door, sm, correction)
            if any(np.array_equal(effects.TE, te, equal_nan=True) for te in seen):
                continue
            seen.append(effects.TE)
            label = "–" if not effects.incr_event.any() else f"{correction[0]:g} {correction[1]}"
            yield _Universe(sm, label, _refitted(studies, effects))


def _sets(studies: Studies, choices: Choices) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Named sets of studies as positions: all, each left out, and those the user named."""
    everyone = np.arange(len(studies.studlab))
    yield "all", everyone
    if choices.leave_one_out and everyone.size > 2:
        for i, label in enumerate(studies.studlab):
            yield f"without {label}", np.delete(everyone, i)
    for name, mask in choices.inclusions.items():
        chosen = np.asarray(mask, dtype=bool)
        if chosen.size != everyone.size:
            raise DataError(f"inclusion '{name}' has {chosen.size} entries for {everyone.size} pooled studies")
        if not chosen.any():
            raise DataError(f"inclusion '{name}' leaves no study")
        yield name, np.flatnonzero(chosen)


def _ways(universe: _Universe, settings: Settings, choices: Choices) -> Iterator[tuple[str, str, Settings, Model]]:
    """Labels, settings and model for each combination of estimator and interval that makes sense on this scale."""
    one_stage = (settings.door, universe.transformation) in (("metaprop", "PLOGIT"), ("metarate", "IRLN"))
    plain = replace(settings, sm=universe.transformation, method="Inverse", tau_preset=None, null_effect=float("nan"))
    for estimator, interval in product(choices.estimators, choices.intervals):
        kind, _, adhoc = interval.partition("-")
        if estimator == _GLMM:
            if one_stage and not adhoc:
                changed = replace(plain, method=_GLMM, method_tau="ML", method_random_ci=kind, adhoc_hakn_ci="")
                yield estimator, interval, changed, one_arm_model(changed)
        elif estimator == "CE":
            if interval == "classic":
                yield estimator, interval, plain, InverseVariance()
        else:
            changed = replace(
                plain, method_tau=estimator, method_tau_ci=None, method_random_ci=kind, adhoc_hakn_ci=adhoc,
                method_predict="V",
            )  # fmt: skip
            yield estimator, interval, changed, InverseVariance()


def _on_report_scale(estimate: Estimate, studies: Studies, sm: str) -> tuple[float, float, float]:
    back = scale(sm)
    n = np.array(float("nan") if studies.size is None else studies.size.size / np.sum(1 / studies.size))
    values = [float(back.back(np.array(x), n)) for x in (estimate.TE, estimate.lower, estimate.upper)]
    return values[0], min(values[1:]), max(values[1:])


def _verdict(lower: float, upper: float, reference: float) -> str:
    return "above" if lower > reference else ("below" if upper < reference else "open")


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of each analysis: the verdict on a reference value, or to stay inside the main interval."""

    reference: float | None
    verdict: str
    lower: float
    upper: float

    def holds(self, estimate: float, lower: float, upper: float) -> bool:
        if self.reference is None:
            return self.lower <= estimate <= self.upper
        return _verdict(lower, upper, self.reference) == self.verdict

    def sentence(self, effect: str) -> str:
        if self.reference is None:
            return f"the {effect} lies between {self.lower:.4g} and {self.upper:.4g}"
        if self.verdict == "open":
            return f"the {effect} may be above or below {self.reference:g}"
        return f"the {effect} is {self.verdict} {self.reference:g}"


def multiverse(
    studies: Studies,
    settings: Settings,
    model: Model,
    *,
    choices: Choices | None = None,
    reference: float | None = None,
) -> Multiverse:
    """Every defensible analysis of the pooled `studies`, around the one that `settings` and `model` describe.

    Parameters
    ----------
    choices : what is varied; None for the defaults of Choices.
    reference : the value on the reporting scale that decides the conclusion (a response rate of no interest, a ratio
        of 1). None: 1 for ratios and 0 for differences; for single arms the conclusion is that the estimate stays
        inside the main interval.

    Analyses that refuse (one study, no convergence) are listed in `left_out` with the reason.
    """
    choices = choices or Choices()
    shown = scale(settings.sm)
    single = settings.door in _FAMILIES
    if reference is None and not single:
        reference = 1.0 if shown.ratio else 0.0
    base = model.fit(studies, settings)
    main = _on_report_scale(base.random if settings.random else base.common, studies, settings.sm)
    question = _Question(reference, _verdict(*main[1:], 0.0 if reference is None else reference), *main[1:])
    first = Specification(_main_options(studies, settings), *main, base.tau2.value, len(studies.studlab), True, True)
    found, left_out = [first], []
    seen = {first.options}
    for universe in _universes(studies, settings, choices):
        for (name, index), way in product(_sets(studies, choices), _ways(universe, settings, choices)):
            part = universe.studies.take(index)
            options = (universe.transformation, _correction(universe, part, way[0]), way[0], way[1], name)
            if options in seen:
                continue
            seen.add(options)
            outcome = _one(universe.transformation, part, way, question)
            if isinstance(outcome, str):
                left_out.append((options, outcome))
            else:
                found.append(replace(outcome, options=options))
    effect = "effect" if not shown.label else shown.label.lower()
    return Multiverse(
        _NAMES, tuple(found), tuple(left_out), question.sentence(effect), shown.label, shown.ratio, reference
    )  # fmt: skip


def _main_options(studies: Studies, settings: Settings) -> tuple[str, ...]:
    """The main analysis in the words of the choices."""
    added = studies.columns.get("incr_event")
    options = dict(settings.options)
    correction = "–"
    if added is not None and added.any() and settings.method != _GLMM:
        correction = f"{options.get('incr') or 0.5:g} {options.get('method_incr', 'only0')}"
    estimator = _GLMM if settings.method == _GLMM else (settings.method_tau if settings.random else "CE")
    interval = settings.method_random_ci if settings.random else "classic"
    interval += f"-{settings.adhoc_hakn_ci}" if settings.adhoc_hakn_ci else ""
    return settings.sm or "as given", correction, estimator, interval, "all"


def _correction(universe: _Universe, part: Studies, estimator: str) -> str:
    """The correction as far as it reaches these studies: none in a one-stage model, or if no study here needed it."""
    added = part.columns.get("incr_event")
    return "–" if estimator == _GLMM or added is None or not added.any() else universe.correction


def _one(sm: str, chosen: Studies, way: tuple[str, str, Settings, Model], question: _Question) -> Specification | str:
    """One analysis, or why there is none."""
    estimator, _, settings, model = way
    mask = chosen.pooled
    if not mask.any():
        return "no study can be pooled"
    if estimator != "CE" and mask.sum() < 2:
        return "one study has no variance between studies"
    try:
        pooled = chosen if mask.all() else chosen.take(mask)
        fit = model.fit(pooled, settings)
    except (MetagroveError, ArithmeticError) as error:
        return str(error)
    values = _on_report_scale(fit.common if estimator == "CE" else fit.random, pooled, sm)
    if not np.isfinite(values).all():
        return "the estimate or a limit is not finite"
    tau2 = 0.0 if estimator == "CE" else fit.tau2.value
    return Specification((), *values, tau2, int(mask.sum()), question.holds(*values))
