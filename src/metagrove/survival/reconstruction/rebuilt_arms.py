"""Two arms rebuilt together, with what they show of the printed hazard ratio, its limits and the log-rank p."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array
from metagrove.survival.evidence.printed_comparison import COARSEST, HR, LOG_RANK, PrintedComparison
from metagrove.survival.evidence.printed_facts import Contradiction, Interval
from metagrove.survival.reconstruction.papers import EFRON, HESTERBERG
from metagrove.survival.reconstruction.rebuilt import RebuiltPatients, told_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PrintedArms", "RebuiltArms", "two_sided"]

#: Standard errors to either limit of 95 %.
Z95 = NormalDist().inv_cdf(0.975)


def two_sided(z: float) -> float:
    """The two-sided p of a z."""
    return 2 * NormalDist().cdf(-abs(z))


@dataclass(frozen=True, slots=True)
class PrintedArms:
    """What a paper prints about two arms: the hazard ratio with its limits, None where it is not printed, and the p as printed.

    Parameters
    ----------
    meant : the values that agree with it.
    """

    hr: Interval | None = None
    p: float | str | None = None
    meant: PrintedComparison = PrintedComparison()  # noqa: RUF009 frozen


@dataclass(frozen=True, slots=True, eq=False)
class RebuiltArms(Result):
    """Two arms that agree with what was printed about their difference.

    Parameters
    ----------
    control, treated : the arms; their draws belong together, draw by draw.
    loghr, error, z : log hazard ratio (treated against control), its standard error and log-rank z of the point.
    drawn_loghr : the first, of each pair of draws.
    matched : effective number of pairs tried that agree with what was printed.
    cost : for control and treated, how much farther from the digitized curve (mean absolute difference) the point lies
        than without the printed comparison.
    contradictions : printed facts that no pair shows; the arms were rebuilt without them.
    printed : what the paper says of the difference, also what was left out.
    """

    control: RebuiltPatients
    treated: RebuiltPatients
    loghr: float
    drawn_loghr: Array
    matched: float
    contradictions: tuple[Contradiction, ...] = ()
    error: float = float("nan")
    z: float = float("nan")
    cost: tuple[float, float] = (0.0, 0.0)
    printed: PrintedArms = PrintedArms()

    @property
    def hr(self) -> float:
        """Hazard ratio of the point, treated against control (Cox, Efron's ties)."""
        return float(np.exp(self.loghr))

    @property
    def hr_ci(self) -> tuple[float, float]:
        """Its limits at 95 % (Wald)."""
        return float(np.exp(self.loghr - Z95 * self.error)), float(np.exp(self.loghr + Z95 * self.error))

    @property
    def p(self) -> float:
        """Two-sided log-rank p of the point."""
        return two_sided(self.z)

    @property
    def patients(self) -> pd.DataFrame:
        """One row a patient: `arm` (control or treated), `time`, `event`."""
        import pandas as pd

        frames = [arm.patients.assign(arm=name) for name, arm in self._arms]
        return pd.concat(frames, ignore_index=True)[["arm", "time", "event"]]

    @property
    def draws(self) -> pd.DataFrame | None:
        """All plausible pairs in one frame: `draw` (from 1), `arm`, `time`, `event`; None where none were asked for."""
        import pandas as pd

        frames = [arm.draws.assign(arm=name) for name, arm in self._arms if arm.draws is not None]
        if not frames:
            return None
        both = pd.concat(frames, ignore_index=True)[["draw", "arm", "time", "event"]]
        return both.sort_values("draw", kind="stable", ignore_index=True)

    @property
    def _arms(self) -> tuple[tuple[str, RebuiltPatients], tuple[str, RebuiltPatients]]:
        return ("control", self.control), ("treated", self.treated)

    def rows(self) -> list[dict[str, Any]]:
        """A dict for hazard ratio, either limit and log-rank p: `fact`, `printed`, `rebuilt`, `difference`, `agrees`.

        `agrees` says whether the rebuilt value rounds to the printed one, or keeps a printed bound; None where nothing is printed.
        """
        hr, p, meant = self.printed.hr, self.printed.p, self.printed.meant
        low, high = self.hr_ci
        ratio = meant.loghr is not None and float(meant.loghr.excess(self.loghr)) == 0
        score = meant.z is not None and abs(float(meant.z.excess(abs(self.z)))) < 1e-9
        limits = (None, None) if hr is None else (hr.lower, hr.upper)
        half = 0.0 if hr is None else min(hr.half_unit, COARSEST * max(1.0, hr.upper or 1.0)) * 1.001
        return [
            _row(HR, None if hr is None else hr.estimate, self.hr, ratio),
            _row("hazard ratio, lower limit", limits[0], low, limits[0] is not None and abs(low - limits[0]) <= half),
            _row("hazard ratio, upper limit", limits[1], high, limits[1] is not None and abs(high - limits[1]) <= half),
            _row(LOG_RANK, p, self.p, score),
        ]

    @property
    def fit(self) -> list[dict[str, Any]]:
        """Printed against rebuilt: of `rows()` those that are printed."""
        return [row for row in self.rows() if row["printed"] is not None]

    @property
    def report(self) -> dict[str, list[dict[str, Any]]]:
        """`{fit, contradictions, guesses}` in JSON's own types, of the pair and of either arm; `arm` says whose."""
        own = [{"facts": list(c.facts), "message": c.message} for c in self.contradictions]
        pair = {"fit": self.fit, "contradictions": own, "guesses": []}
        told = (("both", pair), *((name, arm.report) for name, arm in self._arms))
        return {part: [{"arm": name, **line} for name, report in told for line in report[part]] for part in pair}

    def summary(self) -> str:
        """The difference as printed and as rebuilt, what contradicts, and either arm."""
        low, high = self.hr_ci
        lines = [
            f"hazard ratio {self.hr:.3g} ({low:.3g} to {high:.3g}), log-rank p {self.p:.3g}, treated against control"
        ]
        lines += [
            f"  {row['fact']}: printed {told_number(row['printed'])}, rebuilt {row['rebuilt']:.4g}"
            f"{'' if row['agrees'] else ', which differs'}"
            for row in self.fit
        ]
        lines += [f"  contradiction: {c.message}" for c in self.contradictions]
        return "\n".join([*lines, *(f"{name}: {arm.summary()}" for name, arm in self._arms)])

    def explain(self) -> Explanation:
        """The methods sentence."""
        gone = {name for c in self.contradictions for name in c.facts}
        used = [name for name in self.printed.meant.names if name not in gone]
        text = "side by side" if not used else f"together, with the printed {_listed(used)} as evidence on both"
        return self.control.explain() + Explanation(f"The two arms were rebuilt {text}.", (EFRON, HESTERBERG))


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _row(fact: str, printed: Any, rebuilt: float, agrees: bool) -> dict[str, Any]:
    number = isinstance(printed, int | float)
    return {
        "fact": fact,
        "printed": printed,
        "rebuilt": rebuilt,
        "difference": rebuilt - printed if number else None,
        "agrees": None if printed is None else bool(agrees),
    }
