"""2x2 tables from their margins and an odds ratio, a phi coefficient or a chi-squared statistic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.core.errors import DataError

__all__ = ["Margins", "table_from_chi_squared", "table_from_odds_ratio", "table_from_phi"]


@dataclass(frozen=True, slots=True)
class Margins:
    """Totals of a 2x2 table: everybody `n`, the first row `row` and the first column `column`."""

    n: float
    row: float
    column: float

    def __post_init__(self) -> None:
        for name, value in (("n1i", self.row), ("n2i", self.column)):
            if not 0 < value < self.n:
                raise DataError(f"{name} is {value:g} of ni {self.n:g}; a margin lies between 0 and the total")

    @property
    def limits(self) -> tuple[float, float]:
        """The smallest and largest first cell that the margins allow."""
        return max(0.0, self.row + self.column - self.n), min(self.row, self.column)

    def table(self, first: float) -> tuple[float, float, float, float]:
        """The cells a, b, c, d, rounded to whole people, for a first cell `first`.

        DataError where the margins do not allow it.
        """
        a = float(np.round(first))
        low, high = self.limits
        if not low <= a <= high:
            raise DataError(
                f"the statistic asks for {a:g} people in the first cell; the margins allow {low:g} to {high:g}"
            )
        return a, self.row - a, self.column - a, self.n - self.row - self.column + a


def table_from_odds_ratio(margins: Margins, odds_ratio: float) -> tuple[float, float, float, float]:
    """The cells with these margins and this odds ratio.

    Bonett DG. Transforming odds ratios into correlations for meta-analytic research. Am Psychol 2007;62:254-5
    (doi:10.1037/0003-066X.62.3.254): the first cell solves a quadratic.
    """
    if not odds_ratio > 0:
        raise DataError(f"an odds ratio of {odds_ratio:g}; odds ratios lie above 0")
    n, r, c = margins.n, margins.row, margins.column
    if abs(odds_ratio - 1) < 1e-12:
        return margins.table(r * c / n)
    total = odds_ratio * (r + c) + n - r - c
    root = float(np.sqrt(total**2 - 4 * r * c * odds_ratio * (odds_ratio - 1)))
    # the form without cancellation of the root that lies within the margins
    return margins.table(2 * r * c * odds_ratio / (total + root))


def table_from_phi(margins: Margins, phi: float) -> tuple[float, float, float, float]:
    """The cells with these margins and this phi coefficient, from its definition."""
    if not -1 <= phi <= 1:
        raise DataError(f"a phi coefficient of {phi:g}; it lies between -1 and 1")
    n, r, c = margins.n, margins.row, margins.column
    spread = float(np.sqrt(r * (n - r) * c * (n - c)))
    return margins.table(r * c / n + phi * spread / n)


def table_from_chi_squared(margins: Margins, statistic: float, *, corrected: bool) -> tuple[float, float, float, float]:
    """The cells with these margins and Pearson's chi-squared, whose sign tells the side; `corrected` is Yates's.

    Yates F. J R Stat Soc Suppl 1934;1:217-35 (doi:10.2307/2983604).
    """
    n, r, c = margins.n, margins.row, margins.column
    spread = float(np.sqrt(r * (n - r) * c * (n - c)))
    gap = float(np.sqrt(abs(statistic) / n)) * spread + (n / 2 if corrected and statistic != 0 else 0.0)
    return table_from_phi(margins, float(np.clip(np.sign(statistic) * gap / spread, -1, 1)))
