"""Certainty of the evidence after GRADE: where it starts, what lowers or raises it, and the summary-of-findings row.

Guyatt GH et al., BMJ 2008;336:924-926 (doi:10.1136/bmj.39489.470347.AD); Schünemann HJ et al., J Clin Epidemiol
2019;111:105-114 (doi:10.1016/j.jclinepi.2018.01.012) for non-randomised studies assessed with ROBINS-I.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from metagrove.core.errors import DataError, MethodError, UnknownName

__all__ = ["DOWN", "LEVELS", "STARTS", "UP", "Certainty", "Step", "certainty", "findings_table", "footnote_letter"]

LEVELS = ("Very low", "Low", "Moderate", "High")
SYMBOLS: Mapping[str, str] = MappingProxyType({"High": "⨁⨁⨁⨁", "Moderate": "⨁⨁⨁◯", "Low": "⨁⨁◯◯", "Very low": "⨁◯◯◯"})
#: Where the certainty starts, by what the studies are.
STARTS: Mapping[str, str] = MappingProxyType(
    {"randomised trials": "High", "non-randomised, assessed with ROBINS-I": "High", "other observational": "Low"}
)
DOWN = ("Risk of bias", "Inconsistency", "Indirectness", "Imprecision", "Publication bias")
UP = ("Large effect", "Dose-response gradient", "Plausible confounding would reduce the effect")
_WORDS = {0: "not serious", -1: "serious", -2: "very serious", -3: "extremely serious"}


@dataclass(frozen=True, slots=True)
class Step:
    """One reason to lower (-1, -2, -3) or raise (+1, +2) the certainty, with the footnote that explains it."""

    domain: str
    steps: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Certainty:
    """The certainty of one outcome: its level and sign, where it started, and every step with its footnote."""

    level: str
    symbol: str
    start: str
    steps: tuple[Step, ...]

    def footnotes(self) -> tuple[str, ...]:
        """A sentence for each step that changed the level."""
        said = []
        for step in self.steps:
            if step.steps < 0:
                said.append(f"Lowered by {-step.steps} for {step.domain.lower()} ({_WORDS[step.steps]}): {step.why}")
            elif step.steps > 0:
                said.append(f"Raised by {step.steps} for {step.domain.lower()}: {step.why}")
        return tuple(said)


def certainty(studies: str, steps: Sequence[Step]) -> Certainty:
    """The certainty of the evidence on one outcome.

    Parameters
    ----------
    studies : what the studies are, a name of `STARTS`. Single-arm studies are "other observational".
    steps : at most one for each domain of `DOWN` and `UP`; each that changes the level needs its footnote.

    Raises
    ------
    UnknownName, DataError, MethodError
        An unknown start or domain, a domain twice, a step without footnote or too large; or evidence raised that was
        lowered, which GRADE does not do.

    >>> certainty("other observational", [Step("Imprecision", -1, "few events")]).level
    'Very low'
    """
    if studies not in STARTS:
        raise UnknownName("kind of evidence", studies, STARTS)
    seen: set[str] = set()
    for step in steps:
        if step.domain not in (*DOWN, *UP):
            raise UnknownName("GRADE domain", step.domain, (*DOWN, *UP))
        if step.domain in seen:
            raise DataError(f"'{step.domain}' is judged twice")
        seen.add(step.domain)
        low, high = (-3, 0) if step.domain in DOWN else (0, 2 if step.domain == UP[0] or step.domain == UP[1] else 1)
        if not low <= step.steps <= high:
            raise DataError(f"'{step.domain}' moves the certainty by {low} to {high}, not {step.steps}")
        if step.steps and not step.why.strip():
            raise DataError(f"'{step.domain}' moves the certainty by {step.steps}; a footnote must say why")
    lowered, raised = sum(min(s.steps, 0) for s in steps), sum(max(s.steps, 0) for s in steps)
    if lowered and raised:
        raise MethodError("evidence that was lowered for any reason is not raised")
    place = LEVELS.index(STARTS[studies]) + lowered + raised
    level = LEVELS[max(0, min(3, place))]
    return Certainty(level, SYMBOLS[level], STARTS[studies], tuple(steps))


def footnote_letter(place: int) -> str:
    """The mark of a footnote by its place from 0.

    >>> footnote_letter(0), footnote_letter(25), footnote_letter(26)
    ('a', 'z', 'aa')
    """
    return chr(97 + place) if place < 26 else f"{chr(96 + place // 26)}{chr(97 + place % 26)}"


def findings_table(rows: Sequence[Mapping[str, str]], certainties: Sequence[Certainty]) -> list[dict[str, str]]:
    """A summary of findings, at most seven outcomes, one row each, footnotes lettered through the whole table.

    Parameters
    ----------
    rows : for each outcome `outcome`, `participants`, and where there is one `relative`, `without`, `with`, `comment`.
        A single arm gives its absolute value in `with`; the relative effect is then not estimable.
    certainties : one for each row.
    """
    if len(rows) > 7:
        raise DataError(f"a summary of findings has at most 7 outcomes, not {len(rows)}")
    if len(rows) != len(certainties):
        raise DataError(f"{len(rows)} outcomes and {len(certainties)} certainties; one each")
    table, letter = [], 0
    for row, held in zip(rows, certainties, strict=True):
        notes = []
        for note in held.footnotes():
            notes.append(f"{footnote_letter(letter)}. {note}")
            letter += 1
        table.append(
            {
                "Outcome": row["outcome"],
                "Participants (studies)": row["participants"],
                "Relative effect (95% CI)": row.get("relative") or "not estimable",
                "Risk without": row.get("without") or "not estimable",
                "Risk with": row.get("with", ""),
                "Certainty": f"{held.symbol} {held.level}",
                "Comments": row.get("comment", ""),
                "Footnotes": " ".join(notes),
            }
        )
    return table
