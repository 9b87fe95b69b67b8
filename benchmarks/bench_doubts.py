"""The worth of each doubt about figures: share of planted errors that it catches, share of right figures it accuses.

Figures of five families are drawn and read; into each that was read right, errors are planted, one at a time, and every
check is asked again. An error is caught where a sentence appears that was not said before. `DOUBT_SEEDS=590:596`
chooses other figures, `DOUBT_FAMILIES=house,habits` fewer families.
"""

import json
import os
import shutil
import tempfile
import warnings
import zlib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.bench_figures import drawn_by_r, generated, kept
from benchmarks.figure_habits import habit_figure
from benchmarks.figure_journals import journal_figure
from benchmarks.figure_lifelines import lifelines_figure
from benchmarks.figure_scores import score_of
from benchmarks.planted_errors import COUNTS, TRACES, WRONG, Case, off, same_counts
from metagrove.figures import raster
from metagrove.figures.doubts.checks import READING_CHECKS, TRACE_CHECKS
from metagrove.figures.doubts.reading_checks import Read

CHECKS = (*TRACE_CHECKS, *READING_CHECKS)
SEEDS = "590:596"
FAMILIES = "house,habits,journals,lifelines,survminer"


@dataclass
class Worth:
    """What the checks said of one figure: names of the checks that accuse it, and per planted error who caught it."""

    name: str
    right: bool
    ok: bool
    accused: list[str] = field(default_factory=list)
    caught: list[tuple[str, list[str]]] = field(default_factory=list)


def said(case):
    """Each check's sentences about a case."""
    read = Read(case.reading, tuple(case.witnesses), case.hints, tuple(case.words))
    asked = [(c, case.seen) for c in TRACE_CHECKS] + [(c, read) for c in READING_CHECKS]
    return {check.name: {f.message for f in check.find(about) if f.grave} for check, about in asked}


def planted(case, seed):
    """For each planted error that makes the reading wrong, which checks say something new."""
    before = said(case)
    out = []
    for error in (*TRACES, *COUNTS):
        rng = np.random.default_rng([seed, zlib.crc32(error.__name__.encode())])
        wrong = error(case, rng)
        if wrong is None or (same_counts(case, wrong) if error in COUNTS else off(case, wrong) <= WRONG):
            continue
        after = said(wrong)
        out.append((error.__name__, [name for name, found in after.items() if found - before[name]]))
    return out


def watched(path):
    """The score of a picture and the last case that the checks saw."""
    cases = []
    plain, judge = raster.trace_doubts, raster.judged

    def doubts(seen):
        cases.append([seen])
        return plain(seen)

    def judged(reading, findings, *, witnesses, hints, words):
        cases[-1] += [reading, tuple(witnesses), hints, tuple(words)]
        return judge(reading, findings, witnesses=witnesses, hints=hints, words=words)

    raster.trace_doubts, raster.judged = doubts, judged
    try:
        score = score_of(path.stem, path.read_bytes(), json.loads(path.with_suffix(".json").read_text()))
    finally:
        raster.trace_doubts, raster.judged = plain, judge
    return score, [Case(*c) for c in cases]


def worth(path):
    warnings.simplefilter("ignore")
    score, cases = watched(path)
    accused = [c.name for c in CHECKS if any(c.said(reason) for reason in score.reasons)]
    other = [r for r in score.reasons if not any(c.said(r) for c in CHECKS)]
    out = Worth(score.name, score.right, score.ok, accused + (["others"] if other else []))
    if score.right and len(cases) == 1:
        out.caught = planted(cases[0], zlib.crc32(score.name.encode()))
    return out


def drawn(folder, families, first, last):
    """Generated figures of each family that are pictures."""
    from benchmarks.bench_figures import files

    ways = {"habits": (habit_figure, 0), "journals": (journal_figure, 1000), "lifelines": (lifelines_figure, 0)}
    paths = []
    for family in families:
        own = folder / family
        if family == "house":
            own.mkdir()
            generated(own, range(first, last))
        elif family in ways:
            way, shift = ways[family]
            kept(own, map(way, range(shift + first, shift + last)))
        elif shutil.which("Rscript"):
            drawn_by_r("figure_styles_survminer.R", own, first, last)
        paths += [p for p in (files(own) if own.exists() else []) if p.suffix in {".png", ".jpg"}]
    return paths


def report(rows):
    right = [r for r in rows if r.right]
    print(f"{len(rows)} figures, {len(right)} read right, {sum(r.ok for r in right)} of these called ok")
    errors = [(error, who) for r in right for error, who in r.caught]
    print(f"\n  {'planted error':<24} {'caught':>12}   by")
    for error in dict.fromkeys(e for e, _ in errors):
        own = [who for e, who in errors if e == error]
        by = Counter(name for who in own for name in who)
        hit = sum(bool(w) for w in own)
        print(f"  {error:<24} {hit:>4} of {len(own):<4}   " + ", ".join(f"{n} {k}" for n, k in by.most_common()))
    missed = sum(not who for _, who in errors)
    print(f"  {'all':<24} {len(errors) - missed:>4} of {len(errors)}")
    print(f"\n  {'check':<20} {'caught':>8} {'alone':>8} {'right figures accused':>24} {'alone':>8}")
    for check in [*(c.name for c in CHECKS), "others"]:
        caught = [who for _, who in errors if check in who]
        accused = [r.accused for r in right if check in r.accused]
        alone = sum(len(a) == 1 for a in accused)
        print(
            f"  {check:<20} {len(caught):>8} {sum(len(w) == 1 for w in caught):>8} "
            f"{f'{len(accused)} of {len(right)}':>24} {alone:>8}"
        )


def main():
    os.environ["OMP_NUM_THREADS"] = "1"
    first, last = (int(v) for v in os.environ.get("DOUBT_SEEDS", SEEDS).split(":"))
    families = os.environ.get("DOUBT_FAMILIES", FAMILIES).split(",")
    with tempfile.TemporaryDirectory() as name:
        paths = drawn(Path(name), families, first, last)
        with ProcessPoolExecutor(2) as pool:
            report(list(pool.map(worth, paths)))


if __name__ == "__main__":
    main()
