"""Patients rebuilt from a curve, with the fit to the raw input and to every printed fact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array, PatientTimes
from metagrove.survival.evidence.curve_input import DigitizedCurve
from metagrove.survival.evidence.lattice import Lattice
from metagrove.survival.evidence.printed_facts import Contradiction, Facts
from metagrove.survival.evidence.steps import CLICK_S
from metagrove.survival.kaplan_meier import step_quantile
from metagrove.survival.reconstruction.printed_limits import shown_limits

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Draws",
    "Guess",
    "LaterGuesses",
    "Patients",
    "RebuiltPatients",
    "levels_at",
    "median_of",
    "product_limit",
    "told_number",
]

#: Times, sorted, and whether each ended in an event.
Patients: TypeAlias = tuple[Array, NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Guess:
    """A stretch of follow-up in which the paper leaves deaths or censoring open."""

    start: float
    stop: float
    what: str
    message: str


class LaterGuesses(Sequence[Guess]):
    """Guesses worked out when they are first looked at; like the tuple of them in all else, also to a pickle.

    Parameters
    ----------
    found : gives the guesses, the same whenever it is called.
    """

    __slots__ = ("_found", "_known")

    def __init__(self, found: Callable[[], tuple[Guess, ...]]) -> None:
        self._found: Callable[[], tuple[Guess, ...]] | None = found
        self._known: tuple[Guess, ...] = ()

    @property
    def known(self) -> tuple[Guess, ...]:
        """The guesses themselves."""
        if self._found is not None:
            self._known, self._found = self._found(), None
        return self._known

    @overload
    def __getitem__(self, i: int) -> Guess: ...
    @overload
    def __getitem__(self, i: slice) -> tuple[Guess, ...]: ...
    def __getitem__(self, i: int | slice) -> Guess | tuple[Guess, ...]:
        return self.known[i]

    def __len__(self) -> int:
        return len(self.known)

    def __eq__(self, other: object) -> bool:
        return self.known == (other.known if isinstance(other, LaterGuesses) else other)

    def __hash__(self) -> int:
        return hash(self.known)

    def __repr__(self) -> str:
        return repr(self.known)

    def __reduce__(self) -> tuple[type[tuple[Any, ...]], tuple[tuple[Guess, ...]]]:
        return tuple, (self.known,)


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Plausible patient sets: `time` and `event` of shape (draws, n), each row sorted by time."""

    time: Array
    event: NDArray[np.bool_]


def product_limit(time: Array, event: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Times of the drops and the Kaplan-Meier level just after each."""
    when, deaths = np.unique(time[event], return_counts=True)
    risk = time.size - np.searchsorted(np.sort(time), when, side="left")
    return when, np.cumprod(1 - deaths / risk, dtype=np.float64)


def median_of(time: Array, event: NDArray[np.bool_]) -> float | None:
    """Median survival by R's rule, the middle of a flat piece at 0.5; None where it is not reached."""
    when, level = product_limit(time, event)
    found = step_quantile(np.append(when, time.max()), np.append(level, level[-1] if level.size else 1.0), 0.5)
    return None if np.isnan(found) else found


def levels_at(steps: tuple[Array, Array], t: Array, *, before: bool = False) -> Array:
    """The step function `steps` at each of `t`, or just before each."""
    when, level = steps
    return np.concatenate(([1.0], level))[np.searchsorted(when, t, side="left" if before else "right")]


@dataclass(frozen=True, slots=True, eq=False)
class RebuiltPatients(Result):
    """Patients behind a published Kaplan-Meier curve.

    Parameters
    ----------
    time, event : shape (n,), sorted by time; `event` is True where follow-up ended in an event.
    method : "likelihood", "guyot", "bounded" or "summary".
    curve : the raw curve, None where only a median or rates were printed. facts : what the paper printed beside it.
    sampled : plausible patient sets, or None where none were asked for.
    sigma : standard error of a survival reading that was used or estimated; NaN where the method has none.
    contradictions, guesses : facts that cannot all hold; stretches the paper leaves open.
    lattice : the grid of whole days, weeks or months on which times were recorded, None where none was seen.
    """

    time: Array
    event: NDArray[np.bool_]
    method: str
    cite: tuple[str, ...]
    curve: DigitizedCurve | None
    facts: Facts
    sampled: Draws | None = None
    sigma: float = float("nan")
    contradictions: tuple[Contradiction, ...] = ()
    guesses: Sequence[Guess] = ()
    notes: tuple[str, ...] = field(default=())
    lattice: Lattice | None = None

    def __post_init__(self) -> None:
        assert self.time.size == self.facts.n, f"{self.time.size} of {self.facts.n} patients"
        for values in (self.time, self.event):
            values.setflags(write=False)

    @property
    def n(self) -> int:
        """Number of patients."""
        return int(self.time.size)

    @property
    def events(self) -> int:
        """Number of events."""
        return int(self.event.sum())

    @property
    def patients(self) -> pd.DataFrame:
        """One row a patient: `time`, `event` (1 or 0), sorted by time."""
        import pandas as pd

        return pd.DataFrame({"time": self.time, "event": self.event.astype(np.int64)})

    @property
    def draws(self) -> pd.DataFrame | None:
        """All plausible patient sets in one frame: `draw` (from 1), `time`, `event`; None where none were asked for."""
        if self.sampled is None:
            return None
        import pandas as pd

        count, n = self.sampled.time.shape
        return pd.DataFrame(
            {
                "draw": np.repeat(np.arange(1, count + 1), n),
                "time": self.sampled.time.ravel(),
                "event": self.sampled.event.ravel().astype(np.int64),
            }
        )

    def as_values(self, unit: str = "months") -> PatientTimes:
        """The patients as a value of the survival room."""
        return PatientTimes(self.time, self.event, unit)

    @property
    def fit(self) -> list[dict[str, Any]]:
        """Printed against rebuilt, a dict per fact: `fact`, `printed`, `rebuilt`, `difference`, `agrees`."""
        steps = product_limit(self.time, self.event)
        return [*_curve_fit(self.curve, steps, self.time, self.sigma), *_fact_fit(self.facts, steps, self)]

    @property
    def report(self) -> dict[str, list[dict[str, Any]]]:
        """`{fit, contradictions, guesses}` in JSON's own types."""
        return {
            "fit": self.fit,
            "contradictions": [{"facts": list(c.facts), "message": c.message} for c in self.contradictions],
            "guesses": [{"from": g.start, "to": g.stop, "what": g.what, "message": g.message} for g in self.guesses],
        }

    def rows(self) -> list[dict[str, Any]]:
        """One dict a patient."""
        return [{"time": float(t), "event": int(e)} for t, e in zip(self.time, self.event, strict=True)]

    def summary(self) -> str:
        """Patients, events, the fit to the curve and whatever needs a person's eye."""
        lines = [f"{self.n} patients, {self.events} events rebuilt ({self.method})"]
        lines += [
            f"  {row['fact']}: printed {told_number(row['printed'])}, rebuilt {told_number(row['rebuilt'])}"
            for row in self.fit
        ]
        lines += [f"  contradiction: {c.message}" for c in self.contradictions]
        lines += [f"  guess: {g.message}" for g in self.guesses]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """The methods sentence."""
        used = ["the digitized curve"] if self.curve is not None else []
        used += [f"the number of patients ({self.n})"]
        used += [f"{self.facts.events} events"] if self.facts.events is not None else []
        used += [f"{self.facts.risk_n.size} numbers at risk"] if self.facts.risk_n.size else []
        used += [f"{self.facts.marks.size} censor marks"] if self.facts.marks is not None else []
        used += ["the printed median"] if self.facts.median is not None else []
        used += ["printed rates"] if self.facts.rates else []
        return Explanation(
            f"Individual patient times were rebuilt with the {self.method} method from {', '.join(used)}.", self.cite
        )


def told_number(value: Any) -> str:
    """A number with six digits at most, counts in full; what arithmetic leaves of 0 is 0."""
    if value is None:
        return "not reached"
    return f"{round(value, 6):.6g}" if isinstance(value, float) else str(value)


def _row(fact: str, printed: Any, rebuilt: Any, slack: float = 0.0) -> dict[str, Any]:
    difference = None if printed is None or rebuilt is None else float(rebuilt - printed)
    agrees = printed == rebuilt if difference is None else bool(abs(difference) <= slack + 1e-12)
    return {"fact": fact, "printed": printed, "rebuilt": rebuilt, "difference": difference, "agrees": agrees}


def _curve_fit(
    curve: DigitizedCurve | None, steps: tuple[Array, Array], time: Array, sigma: float
) -> list[dict[str, Any]]:
    """Distance of every raw row from the rebuilt curve, a shift of half a percent of the time axis forgiven."""
    if curve is None:
        return []
    shift = 0.005 * curve.end
    high = levels_at(steps, curve.time - shift, before=True)
    low = levels_at(steps, curve.time + shift)
    gap = np.maximum(0.0, np.maximum(curve.survival - high, low - curve.survival))
    plain = levels_at(steps, curve.time) - curve.survival
    plain = np.where(np.abs(plain) > gap, np.sign(plain) * gap, plain)
    worst = int(np.argmax(gap))
    slack = _reading_slack(curve, sigma if np.isfinite(sigma) else CLICK_S, time.size)
    where = f"largest difference from the curve (at {curve.time[worst]:.4g})"
    return [
        _row(where, 0.0, float(gap[worst]), slack),
        _row("mean absolute difference from the curve", 0.0, float(np.mean(np.abs(plain))), slack),
        _row("end of follow-up", curve.end, float(time.max()), 0.005 * curve.end),
        _row("survival at the end", float(curve.survival[-1]), float(levels_at(steps, time.max())), slack),
    ]


def _reading_slack(curve: DigitizedCurve, sigma: float, n: int) -> float:
    """How far a row may lie from the rebuilt curve by its reading alone, whatever error it took to find a path."""
    if curve.kind == "exact":
        return min(sigma, 0.6 * 10.0**-curve.decimals) + 1e-6
    careful = sigma if curve.kind == "trace" else min(sigma, 2 * CLICK_S)
    return 4.5 * careful + min(0.5 / max(n, 1), 0.01)


def _fact_fit(facts: Facts, steps: tuple[Array, Array], rebuilt: RebuiltPatients) -> list[dict[str, Any]]:
    rows = [] if facts.n_guessed else [_row("patients", facts.n, rebuilt.n)]
    if facts.events is not None:
        rows.append(_row("events", facts.events, rebuilt.events))
    for t, k in zip(facts.risk_time.tolist(), facts.risk_n.tolist(), strict=True):
        rows.append(_row(f"at risk at {t:g}", k, int(np.sum(rebuilt.time >= t))))
    if facts.marks is not None:
        censored = int(np.sum(~rebuilt.event))
        row = _row("censored, at least the marks shown", int(facts.marks.size), censored)
        rows.append(row | {"agrees": censored >= facts.marks.size})
    # Half a percent of the time axis is forgiven, as for the curve.
    error = 0.005 * rebuilt.curve.end if rebuilt.curve is not None else 0.0
    if facts.median is not None:
        slack = 1.001 * facts.median.half_unit + error
        rows.append(_row("median", facts.median.estimate, median_of(rebuilt.time, rebuilt.event), slack))
    for t, rate in facts.rates.items():
        if rate.estimate is not None:
            level = float(levels_at(steps, np.array(t)))
            known = t <= rebuilt.time.max() + error or level <= 0
            rows.append(_row(f"survival at {t:g}", rate.estimate, level if known else None, 0.0051))
    limits = shown_limits(facts, rebuilt.time, rebuilt.event, error=error)
    return rows + [_row(*limit) for limit in limits]
