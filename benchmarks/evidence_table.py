"""What printed facts add to reconstruction: `./run python -m benchmarks.evidence_table [quick] [sim=30] [level=…] [input=…]`.

The same arms rebuilt three times: from the level alone; with the printed median (with limits) and two printed rates
(with limits); and with the printed hazard ratio (with limits) and log-rank p of the two arms besides. All are rounded
as papers round them. The cases are the public pairs, or with `sim=` that many simulated pairs of the calibration.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict

import numpy as np

from benchmarks.reconstruction_calibration import cox, distance, pair_of
from benchmarks.reconstruction_calibration import known as known_of_simulation
from benchmarks.reconstruction_table import INPUTS, LEVELS, ROOT, cases, known

WAYS = ("level alone", "+ median, rates", "+ hazard ratio, p")
MEASURES = ("curve", "iae", "dloghr")


def summaries(seen, event, axis, ticks=None):
    """Median and two rates with their log-log limits, as a paper prints them."""
    when, deaths = np.unique(seen[event], return_counts=True)
    risk = seen.size - np.searchsorted(np.sort(seen), when)
    level = np.cumprod(1 - deaths / risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.cumsum(deaths / (risk * (risk - deaths)))) / -np.log(level)
        low, high = level ** np.exp(1.96 * error), level ** np.exp(-1.96 * error)
    digits = 0 if axis > 400 else 1

    def half(values):
        below = np.flatnonzero(values <= 0.5)
        return round(float(when[below[0]]), digits) if below.size else None

    given = {"rates": {}}
    for t in milestones(axis, ticks):
        i = np.searchsorted(when, t, side="right") - 1
        if t < seen.max() and i >= 0 and 0 < level[i] < 1:
            given["rates"][t] = tuple(round(float(x[i]), 3) for x in (level, low, high))
    if half(level) is not None:
        given["median"] = (half(level), half(low), half(high))
    return given


def milestones(axis, ticks):
    """Times of the printed rates: the numbers at risk nearest to a third and two thirds of the axis, else whole units."""
    if ticks is None or len(ticks) < 3:
        return [float(round(axis / 3, 1)), float(round(2 * axis / 3, 1))]
    ticks = np.asarray(ticks)[1:]
    return [float(ticks[np.argmin(np.abs(ticks - x * axis))]) for x in (1 / 3, 2 / 3)]


def comparison(people):
    """Printed hazard ratio with limits, to two decimals, and log-rank p, to two digits."""
    import metagrove as mg

    b, error = cox(people)
    hr = tuple(round(float(np.exp(b + z * error)), 2) for z in (0, -1.96, 1.96))
    seen, event = (np.concatenate([p[i] for p in people]) for i in (0, 1))
    p = mg.log_rank(seen, event, np.repeat([0, 1], [q[0].size for q in people])).p
    return {"hr": hr, "p": float(f"{p:.2g}") if p >= 0.001 else "<0.001"}


def public_pairs(inputs):
    """Two-arm public cases as (name, people, axis, curves, arguments by level and input, facts)."""
    found = defaultdict(list)
    for case in cases():
        found[case["case"]].append(case)
    for name, arms in found.items():
        if len(arms) != 2:
            continue
        people = [(c["time"], c["event"]) for c in arms]
        axis = arms[0]["x_max"]
        ticks = max((c["risk"][:, 0] for c in arms), key=len)
        facts = [summaries(*p, axis, ticks) for p in people]
        for level in LEVELS:
            for source in inputs:
                given = [{"curve": c["curves"][source], **known(c, level, source)} for c in arms]
                yield name, people, axis, level, source, given, facts


def simulated_pairs(seeds, inputs):
    """The same for pairs of the calibration's designs."""
    for seed in seeds:
        pair = pair_of(seed)
        facts = [summaries(*p, pair.axis) for p in pair.people]
        for level in LEVELS:
            for source in sorted({i.split("_")[0] for i in inputs}):
                given = [
                    {"curve": pair.curves[a][source], **known_of_simulation(pair, a, level, source)} for a in range(2)
                ]
                yield f"seed {seed}", pair.people, pair.axis, level, source, given, facts


def scored(people, axis, found):
    """Errors of both arms and of their log hazard ratio."""
    off = [distance(p, (f.time, f.event), axis) for p, f in zip(people, found, strict=True)]
    loghr = cox([(f.time, f.event) for f in found])[0]
    return {"curve": [x[0] for x in off], "iae": [x[1] for x in off], "dloghr": [abs(loghr - cox(people)[0])]}


def rebuilt(way, given, facts, both):
    """The two arms rebuilt in one of the ways, and the drawn log hazard ratios where they are drawn together."""
    import metagrove as mg

    if way == 0:
        return [mg.reconstruct(**g) for g in given], None
    if way == 1:
        return [mg.reconstruct(**g, **f) for g, f in zip(given, facts, strict=True)], None
    pair = mg.reconstruct_arms(*({**g, **f} for g, f in zip(given, facts, strict=True)), **both)
    return [pair.control, pair.treated], pair


def run(pairs, levels, ways=3):
    """Scores by (level, input, way, measure), raw rows and failures."""
    table, raw, failures, seconds = defaultdict(list), [], [], defaultdict(list)
    for name, people, axis, level, source, given, facts in pairs:
        if level not in levels:
            continue
        both = comparison(people)
        for way in range(ways):
            began = time.process_time()
            try:
                found, pair = rebuilt(way, given, facts, both)
            except (ValueError, ArithmeticError, AssertionError, IndexError) as error:
                failures.append((name, source, level, WAYS[way], repr(error)))
                continue
            seconds[way].append(time.process_time() - began)
            for p, f, g in zip(people, found, given, strict=True):
                counts = [f.event.sum()] + ([] if f.sampled is None else f.sampled.event.sum(axis=1).tolist())
                if f.n != p[0].size or ("events" in g and any(c != p[1].sum() for c in counts)):
                    failures.append((name, source, level, WAYS[way], "n or events"))
            score = scored(people, axis, found)
            for measure, values in score.items():
                table[level, source[:5], way, measure] += values
            if pair is not None:
                true = cox(people)[0]
                low, high = np.quantile(pair.drawn_loghr, (0.025, 0.975))
                table[level, source[:5], "covered"].append(float(low - 1e-9 <= true <= high + 1e-9))
                rounded = np.abs(np.exp([pair.loghr, *pair.drawn_loghr]) - both["hr"][0]) <= 0.00501
                table[level, source[:5], "met"].append(float(rounded[0]))
                table[level, source[:5], "draws met"].append(float(rounded[1:].mean()))
                table[level, source[:5], "said"].append(float(bool(pair.contradictions)))
            said = [c.message for f in (*found, *([] if pair is None else [pair])) for c in f.contradictions]
            raw.append((name, level, source, way, score, said))
    return table, raw, failures, seconds


def lines(table, levels, ways=3):
    """The table as text; a number worse than with less known carries a *."""
    out = [
        "| information | input | "
        + " | ".join(f"{m}: {' → '.join(WAYS)}" for m in MEASURES)
        + " | HR met: point, draws | HR covered | said |",
        "|" + "---|" * (len(MEASURES) + 5),
    ]
    for level in levels:
        for source in ("exact", "click", "trace"):
            if (level, source, 0, "curve") not in table:
                continue
            cells = []
            for measure in MEASURES:
                points = [np.quantile(table[level, source, way, measure], (0.5, 0.9)) for way in range(ways)]
                worse = any(np.any(p > points[0] + 5e-5) for p in points[1:])
                cells.append(" → ".join(f"{a:.4f} / {b:.4f}" for a, b in points) + (" *" if worse else ""))
            met, drawn, covered, said = (
                100 * float(np.mean(table.get((level, source, k), [np.nan])))
                for k in ("met", "draws met", "covered", "said")
            )
            out.append(
                f"| {level} | {source} | {' | '.join(cells)} | {met:.0f} %, {drawn:.0f} % | {covered:.0f} % | {said:.0f} % |"
            )
    return out


def main(words):
    """Print the table; options: quick, write, sim=pairs, first=seed, level=…, input=…, worst=measure (losses by printed facts), ways=1 to 3."""
    options = dict(w.split("=", 1) for w in words if "=" in w)
    inputs = [i for i in INPUTS if any(i.startswith(x) for x in options.get("input", "e,c,t").split(","))]
    if "quick" in words:
        inputs = [i for i in inputs if i.endswith(("exact", "s1"))]
    levels = options["level"].split(",") if "level" in options else LEVELS
    first = int(options.get("first", 0))
    pairs = (
        simulated_pairs(range(first, first + int(options["sim"])), inputs) if "sim" in options else public_pairs(inputs)
    )
    ways = int(options.get("ways", 3))
    table, raw, failures, seconds = run(pairs, levels, ways)
    shown = "\n".join(lines(table, levels, ways))
    print(shown)
    if "write" in words:
        page = ROOT / "docs" / "reconstruction.md"
        before, _, rest = page.read_text(encoding="utf-8").partition("<!-- evidence -->")
        after = rest.partition("<!-- end of evidence -->")[2]
        text = f"{before}<!-- evidence -->\n{shown}\n<!-- end of evidence -->{after}"
        page.write_text(text, encoding="utf-8")
    for failure in failures[:12]:
        print("FAILED", *failure)
    spent = ", ".join(f"{WAYS[way]}: {np.median(seconds[way]):.3f}" for way in range(3) if seconds[way])
    print(f"{len(failures)} failures; median seconds a pair: {spent}")
    if "worst" in options:
        name = options["worst"]
        alone = {r[:3]: max(r[4][name]) for r in raw if r[3] == 0}
        rows = sorted((r for r in raw if r[3]), key=lambda r: alone[r[:3]] - max(r[4][name]))
        for case, level, source, way, score, said in rows[:30]:
            shown = {k: np.round(v, 4).tolist() for k, v in score.items()}
            print(case, level, source, WAYS[way], f"before {alone[case, level, source]:.4f}", shown, said)
    return table, raw


if __name__ == "__main__":
    main(sys.argv[1:])
