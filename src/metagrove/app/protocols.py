"""The text of a new review.toml: its head and one block for each analysis."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["comparison_block", "harms_block", "proportion_block", "protocol_text", "slug", "slugs"]

_TOML = """\
# The protocol of this review. Run it with: metagrove run {folder}
version = 1
title = {title}
question = ""
time_unit = "months"
{published}{analyses}"""

_PROPORTION = """
[[analysis]]
name = "{name}"
title = {title}
kind = "proportion"
outcome = {title}
{subgroup}sm = "PLOGIT"        # PRAW, PLN, PLOGIT, PAS or PFT
method = "GLMM"      # GLMM (with PLOGIT) or Inverse
method_tau = "ML"
"""

_HARMS = """
[[analysis]]
name = "harms"
title = "Adverse events"
kind = "harms"
grade = ""
"""

_COMPARISON = """
[[analysis]]
name = "{name}"
title = {title}
kind = "comparison"
outcome = {title}
{lines}"""


def slug(text: str) -> str:
    """A name for files and keys: small letters, digits and hyphens.

    >>> slug("Overall survival (OS)")
    'overall-survival-os'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48].strip("-") or "outcome"


def slugs(names: Sequence[str]) -> list[str]:
    """A slug for each of `names`, every one different.

    >>> slugs(["Pain", "pain?", "Death"])
    ['pain', 'pain-2', 'death']
    """
    taken: list[str] = []
    for name in names:
        base, number = slug(name), 1
        while (f"{base}-{number}" if number > 1 else base) in taken:
            number += 1
        taken.append(f"{base}-{number}" if number > 1 else base)
    return taken


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "")


def proportion_block(name: str, outcome: str, *, subgroup: str = "") -> str:
    """The analysis of one outcome of responses.csv."""
    line = f"subgroup = {_quoted(subgroup)}\n" if subgroup else ""
    return _PROPORTION.format(name=name, title=_quoted(outcome), subgroup=line)


def harms_block() -> str:
    """The analysis of adverse events."""
    return _HARMS


def comparison_block(
    name: str, outcome: str, keys: Sequence[tuple[str, str | bool | float, str]], *, labels: Sequence[str] = ()
) -> str:
    """The analysis of one outcome of comparisons.csv.

    Parameters
    ----------
    keys : key, value and remark of each line.
    labels : the two arms, and what the left and right of no effect favour; empty where not known.
    """
    lines = []
    for key, value, remark in keys:
        text = _quoted(value) if isinstance(value, str) else str(value).lower()
        lines.append(f"{key} = {text}".ljust(21 if remark else 0) + (f"# {remark}" if remark else ""))
    named = zip(("experimental", "control", "left", "right"), labels, strict=False)
    parts = [f"{key} = {_quoted(text)}" for key, text in named if text]
    if parts:
        lines.append(f"labels = {{ {', '.join(parts)} }}")
    return _COMPARISON.format(name=name, title=_quoted(outcome), lines="".join(f"{line}\n" for line in lines))


def protocol_text(folder: Path, blocks: Iterable[str], *, title: str = "", published: str = "") -> bytes:
    """The whole review.toml; `published` names the document whose numbers stand in published.csv."""
    title = title or folder.resolve().name.replace("-", " ").replace("_", " ").title()
    source = f"\n[published]\ndocument = {_quoted(published)}\n" if published else ""
    return _TOML.format(folder=folder, title=_quoted(title), published=source, analyses="".join(blocks)).encode()
