"""Columns as reported in; one effect and one variance per study out, with what was added and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from metagrove.core.errors import DataError, MethodError
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.effects.arms import (
    Changes,
    Columns,
    Correlations,
    OneMeans,
    PersonTimes,
    Proportions,
    Rates,
    Reliabilities,
    Tables,
    TwoMeans,
)
from metagrove.effects.corrections import (
    ADD_TO,
    Correction,
    corrected_person_times,
    corrected_single,
    corrected_tables,
)
from metagrove.effects.guarded import broadcast
from metagrove.effects.measures import MEASURES, MeasureOptions

__all__ = ["EffectSizes", "effect_sizes"]


@dataclass(frozen=True, slots=True, eq=False)
class EffectSizes(Result):
    """Effects of many studies on the analysis scale.

    Parameters
    ----------
    yi, vi : estimates and sampling variances, shape (k,); NaN where the study has no such effect.
    ni : people per study, shape (k,), or None where the inputs do not say.
    measure : its code in MEASURES, or "GEN".
    slab : study labels.
    reasons : why a study has no effect, "" where it has one.
    correction : the sentence on what was added to empty cells, "" where nothing was.
    columns : the table the inputs came from, kept beside yi and vi.
    """

    yi: Array
    vi: Array
    ni: Array | None
    measure: str
    slab: tuple[str, ...]
    reasons: tuple[str, ...]
    correction: str = ""
    options: MeasureOptions = field(default_factory=MeasureOptions)
    rule: Correction = field(default_factory=Correction)
    columns: Mapping[str, Sequence[Any]] | None = None
    names: tuple[str, str] = ("yi", "vi")

    def __len__(self) -> int:
        return int(self.yi.size)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*(self.columns or {"slab": self.slab}), *self.names]))

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    def __getitem__(self, name: str) -> Any:
        """A column by name, so that the result can be the `data` of a model."""
        if name in self.names:
            return (self.yi, self.vi)[self.names.index(name)]
        return (self.columns or {"slab": self.slab})[name]

    @property
    def sei(self) -> Array:
        """Standard errors, shape (k,)."""
        return np.sqrt(self.vi)

    def rows(self) -> list[dict[str, Any]]:
        """The columns that came in, then the estimate and its variance, one dict per study."""
        out = []
        y, v = self.names
        for i, label in enumerate(self.slab):
            row: dict[str, Any] = {name: column[i] for name, column in (self.columns or {"slab": self.slab}).items()}
            out.append({**row, y: float(self.yi[i]), v: float(self.vi[i])})
            if self.reasons[i]:
                out[-1]["reason"] = f"{label}: {self.reasons[i]}"
        return out

    def limits(self, level: float = 0.95) -> list[dict[str, float]]:
        """Standard error, z, p and limits at `level` for each study, as in metafor's `summary.escalc`."""
        from scipy.special import ndtr, ndtri

        if not 0 < level < 1:
            raise MethodError(f"level is {level}; it lies between 0 and 1")
        crit = float(ndtri(0.5 + level / 2))
        z = np.divide(self.yi, self.sei, out=np.full_like(self.yi, np.nan), where=self.sei > 0)
        columns = {
            "yi": self.yi,
            "vi": self.vi,
            "sei": self.sei,
            "zi": z,
            "pval": 2 * ndtr(-np.abs(z)),
            "ci_lb": self.yi - crit * self.sei,
            "ci_ub": self.yi + crit * self.sei,
        }
        return [{name: float(column[i]) for name, column in columns.items()} for i in range(len(self))]

    def summary(self) -> str:
        """A table of estimates, variances and 95% limits, with the notes on corrections and gaps."""
        width = max([len(label) for label in self.slab] + [5])
        lines = [f"{'study':<{width}}  {'yi':>10}  {'vi':>10}  {'lower':>10}  {'upper':>10}"]
        for label, row, reason in zip(self.slab, self.limits(), self.reasons, strict=True):
            numbers = (row["yi"], row["vi"], row["ci_lb"], row["ci_ub"])
            cells = "  ".join(f"{value:>10.4f}" if np.isfinite(value) else f"{'-':>10}" for value in numbers)
            lines.append(f"{label:<{width}}  {cells}" + (f"  {reason}" if reason else ""))
        return "\n".join([*lines, *([self.correction] if self.correction else [])])

    def explain(self) -> Explanation:
        """Which effect was computed, from which variance, after which correction."""
        if self.measure == "GEN":
            return Explanation("Estimates and variances were taken as given.")
        entry = MEASURES.entry(self.measure)
        text = f"The effect of each study was expressed as {entry.title}."
        if not self.correction:
            return Explanation(text, (entry.cite,))
        return Explanation(f"{text} {self.correction}", (entry.cite, ADD_TO.entry(self.rule.to).cite))


def effect_sizes(
    measure: str,
    data: Columns,
    *,
    rule: Correction | None = None,
    options: MeasureOptions | None = None,
    slab: Sequence[str] | None = None,
    always: bool = False,
) -> EffectSizes:
    """The effects of all studies under one measure.

    Parameters
    ----------
    measure : a code of MEASURES; UnknownName otherwise.
    data : the value that the measure's family takes.
    rule : what is done about empty cells; ignored by measures that need no correction, unless `always`.
    options : variance type and small-sample correction; the measure's own defaults if absent.
    slab : labels, one a study.
    """
    entry, rule = MEASURES[measure], rule or Correction()
    chosen = options or MeasureOptions(entry.vtypes[0])
    dropped = np.zeros(data.k, dtype=bool)
    sentence = ""
    used: Columns = data
    if isinstance(data, Tables):
        used, addition, dropped = corrected_tables(data, rule, apply=entry.corrected or always)
        sentence = addition.sentence
    elif isinstance(data, PersonTimes):
        used, addition, dropped = corrected_person_times(data, rule, apply=entry.corrected or always)
        sentence = addition.sentence
    elif isinstance(data, (Proportions, Rates)):
        used, addition = corrected_single(data, rule, apply=entry.corrected or always)
        sentence = addition.sentence
    estimates = entry(used, chosen)
    # Large-sample variances of correlations can fall below 0 in tiny tables, where they mean nothing.
    gone = data.missing | dropped | ~np.isfinite(estimates.y) | ~np.isfinite(estimates.v)
    gone |= np.where(gone, 0.0, estimates.v) < 0
    y, v = np.where(gone, np.nan, estimates.y), np.where(gone, np.nan, estimates.v)
    labels = tuple(str(s) for s in slab) if slab is not None else tuple(str(i + 1) for i in range(data.k))
    if len(labels) != data.k:
        raise DataError(f"{len(labels)} labels for {data.k} studies")
    reasons = tuple(_reason(data, i, bool(dropped[i]), entry_title(measure)) if gone[i] else "" for i in range(data.k))
    return EffectSizes(y, v, _people(data), measure, labels, reasons, sentence, chosen, rule)


def entry_title(measure: str) -> str:
    """What the measure is called in a sentence."""
    return MEASURES.entry(measure).title


def _reason(data: Columns, i: int, dropped: bool, title: str) -> str:
    columns = {name: column[i] for name, column in data.columns().items()}
    absent = [name for name, value in columns.items() if np.isnan(value)]
    if absent:
        return f"{', '.join(absent)} not reported"
    if dropped:
        return "no event, or only events, in both arms (drop00)"
    seen = ", ".join(f"{name} {value:g}" for name, value in columns.items())
    return f"the {title} does not exist for {seen}"


def _people(data: Columns) -> Array | None:
    if isinstance(data, Tables):
        return data.n
    if isinstance(data, TwoMeans):
        return data.n1 + data.n2
    if isinstance(data, (Proportions, OneMeans, Changes, Correlations, Reliabilities)):
        return data.n
    return None


def given_effects(yi: Any, vi: Any, slab: Sequence[str] | None = None) -> EffectSizes:
    """Effects that were reported as such: estimates and variances, kept as they are."""
    y, v = broadcast(yi, vi)
    bad = np.flatnonzero(v < 0)
    if bad.size:
        raise DataError(f"study {bad[0] + 1}: variance {v[bad[0]]:g}; a variance is not below 0")
    gone = ~np.isfinite(y) | ~np.isfinite(v)
    labels = tuple(str(s) for s in slab) if slab is not None else tuple(str(i + 1) for i in range(y.size))
    reasons = tuple("estimate or variance not reported" if g else "" for g in gone)
    return EffectSizes(np.where(gone, np.nan, y), np.where(gone, np.nan, v), None, "GEN", labels, reasons)
