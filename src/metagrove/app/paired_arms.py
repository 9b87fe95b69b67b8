"""Two arms of one trial in a review folder: whose curves they are, and the hazard ratio printed between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from metagrove.review.columns import named_ratio
from metagrove.review.comparison_checks import comparison_rows_of
from metagrove.review.comparison_rows import reported_of
from metagrove.review.folder import Review
from metagrove.review.tables import Row

__all__ = ["PrintedPair", "printed_pair"]


@dataclass(frozen=True, slots=True)
class PrintedPair:
    """The studies whose curves are the two arms of one trial, and the printed hazard ratio, treated against control.

    Parameters
    ----------
    hr : the ratio, or the ratio with its 95 % limits. row : where it is printed.
    """

    control: str
    treated: str
    hr: float | tuple[float, float, float]
    row: Row

    @property
    def text(self) -> str:
        """The hazard ratio as printed."""
        if isinstance(self.hr, float):
            return f"{self.hr:g}"
        return f"{self.hr[0]:g} ({self.hr[1]:g} to {self.hr[2]:g})"


def printed_pair(
    review: Review, endpoint: str, study: str, there: Sequence[str], total: Callable[[str], int | None]
) -> PrintedPair | None:
    """The pair that `study` belongs to; None unless the folder says which two curves one printed hazard ratio compares.

    Two studies are arms of one trial where they share a `trial_id`. The ratio stands in comparisons.csv, in a column named
    after it, for the endpoint and under one of the arms. The treated arm is told by n_e and n_c where the arms
    differ in size, else it is the arm under whose name the ratio stands.

    Parameters
    ----------
    there : the studies with a curve of the endpoint. total : the patients of a study's arm.
    """
    trial = _trial(review, study)
    arms = [name for name in there if trial and _trial(review, name) == trial]
    if len(arms) != 2 or study not in arms:
        return None
    known = {name.lower() for name in arms}
    rows = [
        row
        for row in comparison_rows_of(review, endpoint)
        if row.text("study").lower() in known and not row.text("subgroup") and row["te"] is not None
    ]
    headings = [theirs for theirs, ours in review.tables["comparisons"].mapping.items() if ours == "te"] if rows else []
    if len(rows) != 1 or not any(named_ratio(name) and _is_hazard(name) for name in headings):
        return None
    treated = _treated(rows[0], arms, total)
    if treated is None:
        return None
    told = reported_of(rows[0])
    if told.value is None or told.value <= 0:
        return None
    limits = told.low is not None and told.high is not None and abs(told.level - 0.95) < 1e-9
    hr = (told.value, float(told.low or 0), float(told.high or 0)) if limits else float(told.value)
    return PrintedPair(next(name for name in arms if name != treated), treated, hr, rows[0])


def _is_hazard(heading: str) -> bool:
    return heading.lower().replace("_", " ").strip() in ("hr", "hazard ratio")


def _trial(review: Review, study: str) -> str:
    about = review.study(study)
    return about.text("trial_id").lower() if about is not None else ""


def _treated(row: Row, arms: Sequence[str], total: Callable[[str], int | None]) -> str | None:
    """The experimental arm of a comparison: by its size where sizes differ, else the one the row names."""
    sizes = {name: total(name) for name in arms}
    if row["n_e"] is not None and row["n_c"] is not None and row["n_e"] != row["n_c"]:
        for name in arms:
            other = next(a for a in arms if a != name)
            if (sizes[name], sizes[other]) == (row["n_e"], row["n_c"]):
                return name
        return None
    return next((name for name in arms if name.lower() == row.text("study").lower()), None)
