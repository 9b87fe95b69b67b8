"""The result of a meta-analysis, under the names R users know.

`MetaResult` keeps the studies, the settings, the model and its fit. Everything else (limits of tau2, prediction,
subgroups, ...) is computed when first asked for and then kept. Names are R's with `.` as `_`, on the analysis scale;
`result.back` holds the same names on the reporting scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metagrove.core.errors import DataError, UnknownName
from metagrove.core.results import Explanation, Result
from metagrove.core.scales import SAMPLE_SIZES, Scale, scale
from metagrove.core.sockets import socket
from metagrove.core.values import Array
from metagrove.pooling import r_names, sensitivity, source_code, wording
from metagrove.pooling.bayes import BayesResult, bayes
from metagrove.pooling.heterogeneity import Heterogeneity, Share, heterogeneity, rb_share, tau2_share, typical_variance
from metagrove.pooling.intervals import Limits, tau2_limits
from metagrove.pooling.model import Fit, InverseVariance, Model
from metagrove.pooling.prediction import Prediction
from metagrove.pooling.settings import Settings
from metagrove.pooling.studies import Studies
from metagrove.pooling.subgroups import Subgroups, subgroups
from metagrove.pooling.tau_priors import TauPrior

__all__ = ["Back", "MetaResult", "meta_analysis"]

_NAN = float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class MetaResult(Result):
    """A meta-analysis: studies in, estimates out.

    Parameters
    ----------
    studies : all studies of the table, pooled or not.
    settings : how they were pooled.
    model : what pooled them.
    fit : the two estimates, tau2, Q and weights of the pooled studies.

    Attributes under R's names
    --------------------------
    `TE`, `seTE`, `lower`, `upper`, `statistic`, `pval`, `w_common`, `w_random` per study; `TE_common`, `TE_random` and
    their `seTE_`, `lower_`, `upper_`, `statistic_`, `pval_`, `df_random`; `tau2`, `se_tau2`, `lower_tau2`,
    `upper_tau2`, `tau`; `Q`, `df_Q`, `pval_Q`, `H`, `I2`, `Rb` and their limits; `lower_predict`, `upper_predict`,
    `seTE_predict`, `df_predict`; per subgroup the same with `_w`, `Q_b_random`, `pval_Q_b_random`, ...; settings and
    columns under their own names (`sm`, `method_tau`, `event`, `n`, `incr_event`). NaN where a quantity does not exist
    (tau2 of one study); `notes` says why.
    """

    studies: Studies
    settings: Settings
    model: Model
    fit: Fit
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in r_names.NAMES:
            return r_names.NAMES[name](self)
        if name in self.studies.columns:
            return self.studies.columns[name]
        if hasattr(Settings, name):
            return getattr(self.settings, name)
        try:
            return partial(socket(name), self)
        except UnknownName:
            near = ", ".join(sorted(known for known in r_names.NAMES if known.split("_")[0] == name.split("_")[0]))
            hint = f"; near it: {near}" if near else ""
            raise AttributeError(f"a meta-analysis has no '{name}'{hint}") from None

    def __dir__(self) -> list[str]:
        return sorted({*object.__dir__(self), *r_names.NAMES, *self.studies.columns, *Settings.__slots__})

    def _keep(self, name: str, make: Callable[[], Any]) -> Any:
        found = self._kept.get(name)
        if found is None:
            found = self._kept[name] = make()
        return found

    @property
    def pooled(self) -> Studies:
        """The studies that are pooled."""
        kept: Studies = self._keep("pooled", lambda: self.studies.take(self.studies.pooled))
        return kept

    @property
    def scale(self) -> Scale:
        """Analysis and reporting scale."""
        measured, found = self.settings.measured, scale(self.settings.sm)
        return found if measured is None else replace(found, label=measured.label)

    @property
    def back(self) -> Back:
        """The same names on the reporting scale."""
        return Back(self)

    def back_at(self, rule: str) -> Back:
        """The same names on the reporting scale, with the sample size made by another rule of SAMPLE_SIZES."""
        SAMPLE_SIZES.entry(rule)
        return Back(self, rule)

    @property
    def heterogeneity(self) -> Heterogeneity:
        """Q, H and I² with their limits."""
        kept: Heterogeneity = self._keep("heterogeneity", self._heterogeneity)
        return kept

    def _heterogeneity(self) -> Heterogeneity:
        found = heterogeneity(self.fit.Q, self.fit.df_Q, level=self.settings.heterogeneity_level)
        if self.settings.method_I2 == "Q" or self.fit.design is None or self.fit.df_Q < 1:
            return found
        share = tau2_share(self.fit.design, self.fit.tau2.value, self.tau2_limits)
        typical = typical_variance(self.fit.design)
        # from tau2 and not from I2, which rounds to 1 where tau2 dwarfs the sampling variance
        h, lower, upper = ((1 + t / typical) ** 0.5 for t in (self.fit.tau2.value, *self.tau2_limits))
        return found._replace(
            H=h, lower_H=lower, upper_H=upper, I2=share.value, lower_I2=share.lower, upper_I2=share.upper
        )

    @property
    def tau2_limits(self) -> Limits:
        """Confidence limits of tau2; NaN for fewer than two studies, a fixed tau2, or a model without them."""
        kept: Limits = self._keep("tau2_limits", lambda: self._limits_of(self.fit))
        return kept

    def _limits_of(self, fit: Fit) -> Limits:
        s = self.settings
        if fit.design is None or s.tau_preset is not None or s.method_tau_ci is None or fit.parts:
            return Limits(_NAN, _NAN)
        return tau2_limits(fit.design, method_ci=s.method_tau_ci, method_tau=s.method_tau, level=s.heterogeneity_level)

    @property
    def tau2_part_limits(self) -> tuple[Limits, ...]:
        """Profile-likelihood limits of each part of tau2; empty where it has one part only."""
        give = self.fit.part_limits
        kept: tuple[Limits, ...] = self._keep(
            "tau2_part_limits", lambda: () if give is None else give(self.settings.heterogeneity_level)
        )
        return kept

    @property
    def rb(self) -> Share:
        """Rb with its limits."""
        kept: Share = self._keep("rb", lambda: self._rb_of(self.fit))
        return kept

    def _rb_of(self, fit: Fit) -> Share:
        if fit.design is None:
            return Share(_NAN, _NAN, _NAN)
        se = fit.random.seTE if fit.parts else None
        return rb_share(fit.design, fit.tau2.value, se=se, level=self.settings.heterogeneity_level, q=fit.Q)

    @property
    def predicted(self) -> Prediction:
        """Prediction interval for the effect of a new study."""
        kept: Prediction = self._keep("predicted", lambda: self.model.predict(self.fit, self.settings))
        return kept

    @property
    def groups(self) -> Subgroups:
        """Estimates per subgroup; raises MethodError where no subgroup was given."""
        kept: Subgroups = self._keep("groups", lambda: subgroups(self.pooled, self.settings, self.model))
        return kept

    @property
    def group_tau2_limits(self) -> tuple[Limits, ...]:
        """Limits of each subgroup's own tau2."""
        kept: tuple[Limits, ...] = self._keep(
            "group_tau2_limits", lambda: tuple(self._limits_of(fit) for fit in self.groups.fits)
        )
        return kept

    @property
    def group_rb(self) -> tuple[Share, ...]:
        """Rb of each subgroup."""
        kept: tuple[Share, ...] = self._keep("group_rb", lambda: tuple(self._rb_of(fit) for fit in self.groups.fits))
        return kept

    @property
    def n_harmonic_mean(self) -> float:
        """Harmonic mean of the pooled studies' sample sizes (times at risk), at which pooled values are reported."""
        size = self.pooled.size
        return _NAN if size is None else float(size.size / np.sum(1 / size))

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know: studies left out, quantities that do not exist, small k."""
        return wording.notes(self)

    def refit(self, index: NDArray[Any]) -> Fit:
        """The model fitted to the pooled studies at `index` (positions among the pooled)."""
        return self.model.fit(self.pooled.take(index), self.settings)

    def rows(self) -> list[dict[str, Any]]:
        """One dict per study, then per subgroup estimate, pooled estimate and prediction interval.

        `estimate`, `lower`, `upper` are on the reporting scale, `TE` and `seTE` on the analysis scale, weights in
        percent; `I2_fraction` is a fraction.
        """
        return wording.rows(self)

    def summary(self) -> str:
        """Studies, estimates, heterogeneity and methods as a text table."""
        return wording.summary(self)

    def explain(self) -> Explanation:
        """The methods sentence for these settings, with its references."""
        return wording.explain(self)

    def to_r(self) -> str:
        """R code that repeats this analysis with package meta."""
        return source_code.r_code(self.studies, self.settings)

    def to_stata(self) -> str:
        """Stata code that repeats this analysis with `meta`."""
        return source_code.stata_code(self.studies, self.settings)

    @property
    def forest(self) -> Callable[..., Any]:
        """Forest plot: `result.forest(...)`."""
        return partial(socket("forest"), self)

    @property
    def funnel(self) -> Callable[..., Any]:
        """Funnel plot: `result.funnel(...)`."""
        return partial(socket("funnel"), self)

    @property
    def metabias(self) -> Callable[..., Any]:
        """Test for small-study effects: `result.metabias(method, ...)`."""
        return partial(socket("metabias"), self)

    def leave_one_out(self, pooled: str = "random") -> sensitivity.Refits:
        """The estimate ("random" or "common") without each study in turn."""
        found = sensitivity.leave_one_out(self.pooled, self.settings, self.model, pooled=pooled)
        return replace(found, source=self)

    def cumulative(self, pooled: str = "random", *, order: NDArray[Any] | None = None) -> sensitivity.Refits:
        """The estimate as studies are added in table order, or by increasing values of `order`."""
        found = sensitivity.cumulative(self.pooled, self.settings, self.model, pooled=pooled, order=order)
        return replace(found, source=self)

    def influence(self) -> sensitivity.Influence:
        """Influence of each study: deleted residuals, DFFITS, Cook's distance, leverage, and what changes."""
        return sensitivity.influence(self.pooled, self.settings, self.model)

    def bayes(
        self,
        prior: TauPrior | str = "half-normal",
        scale: float = 0.5,
        *,
        mu_prior: tuple[float, float] | None = None,
    ) -> BayesResult:
        """Bayesian random-effects analysis of the pooled studies; see `metagrove.pooling.bayes.bayes`."""
        s = self.pooled
        return bayes(
            s.TE, s.seTE, studlab=s.studlab, prior=prior, scale=scale, mu_prior=mu_prior, level=self.settings.level_ma,
            sm=self.settings.sm,
        )  # fmt: skip

    def baujat(self, pooled: str = "common") -> sensitivity.Baujat:
        """Contribution of each study to Q against its influence on the estimate."""
        return sensitivity.baujat(self.pooled, self.settings, self.model, pooled=pooled)


for _name, _getter in r_names.NAMES.items():
    if not hasattr(MetaResult, _name):
        setattr(MetaResult, _name, property(_getter))  # __getattr__ would find them too, only later


@dataclass(frozen=True, slots=True)
class Back:
    """The estimates and limits of a result on its reporting scale, under the same names.

    Double-arcsine values (and Freeman-Tukey rates) are converted at the sample size of the study, pooled ones at the
    size that `rule` (a code of SAMPLE_SIZES) makes of the pooled studies: R meta's is "harmonic"; `at` converts any
    value at any size.
    """

    result: MetaResult
    rule: str = "harmonic"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in r_names.LOCATIONS:
            raise AttributeError(f"nothing called '{name}' is reported on another scale")
        swapped = {"lower": "upper", "upper": "lower"}
        first, _, rest = name.partition("_")
        falling = self.result.settings.sm == "VE"
        source = f"{swapped[first]}_{rest}".rstrip("_") if falling and first in swapped else name
        return self.at(getattr(self.result, source), self._size(name))

    def _size(self, name: str) -> Any:
        if not self.result.scale.needs_n:
            return _NAN
        if name in ("TE", "lower", "upper"):
            return self.result.studies.size
        which = "common" if "common" in name else "random"
        if not name.endswith("_w"):
            return self._pooled_size(self.result.pooled.size, getattr(self.result.fit, which).seTE)
        groups = self.result.groups
        return np.array(
            [
                self._pooled_size(size, getattr(fit, which).seTE)
                for size, fit in zip(groups.sizes, groups.fits, strict=True)
            ]
        )

    def _pooled_size(self, sizes: Array | None, se: float) -> float:
        return _NAN if sizes is None else SAMPLE_SIZES[self.rule](sizes, se)

    def at(self, value: Any, n: Any) -> Any:
        """`value` of the analysis scale at sample size `n`; a float for a number, an array for an array."""
        x = np.asarray(value, dtype=float)
        size = np.broadcast_to(np.asarray(_NAN if n is None else n, dtype=float), x.shape)
        missing = np.isnan(x)
        changed = np.where(missing, _NAN, self.result.scale.back(np.where(missing, 0.0, x), size))
        return float(changed) if changed.ndim == 0 else changed


def meta_analysis(studies: Studies, settings: Settings, model: Model | None = None) -> MetaResult:
    """The analysis of `studies` with `settings`, by inverse variance where no other `model` is given.

    Raises DataError, naming each study and why, if none can be pooled.
    """
    model = model or InverseVariance()
    out = sum(map(bool, studies.reasons))
    if out == len(studies.reasons):
        listed = "; ".join(f"{lab}: {why}" for lab, why in studies.excluded)
        raise DataError(f"no study can be pooled ({listed or 'the table is empty'})")
    pooled = studies.take(studies.pooled) if out else studies
    return MetaResult(studies, settings, model, model.fit(pooled, settings), {"pooled": pooled})


def spread_out(values: Array, mask: NDArray[np.bool_]) -> Array:
    """`values` of the pooled studies in table order, 0 for the others."""
    full = np.zeros(mask.size)
    full[mask] = values
    return full
