"""Reconstruction beside its peers: `./run python benchmarks/reconstruction_table.py [method] [write]`.

Every public case (45 arms, 22 pairs), input and level of information; errors as in `peer_recon_arms.csv`.
"""

from __future__ import annotations

import csv
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
SURVIVAL = next(
    (p for p in (ROOT.parent / "shared/reference/survival", ROOT / "tests/reference/survival") if p.exists()), ROOT
)
LEVELS = ("risk+events", "risk", "n+events", "n", "n+marks", "risk+events+marks")
INPUTS = ("exact", "clicks_s1", "clicks_s2", "clicks_s3", "trace_s1", "trace_s2", "trace_s3")
MEASURES = ("curve", "iae", "events", "dloghr")
COLUMNS = {
    "curve": "maxabsS_tol",
    "iae": "iae",
    "events": "events_rel",
    "dloghr": "abs_dloghr",
}


def read(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def cases(only=None):
    """Per arm: case, arm, true patients, curves by input, numbers at risk, marks, axis length."""
    found = []
    for folder in sorted((SURVIVAL / "cases").iterdir()):
        if not (folder / "meta.json").exists() or (only and only not in folder.name):
            continue
        x_max = float((folder / "meta.json").read_text().split('"x_max":')[1].split(",")[0])
        tables = {name: read(folder / f"{name}.csv") for name in ("truth_ipd", "digitised", "at_risk", "censor_marks")}
        for arm in dict.fromkeys(row["arm"] for row in tables["truth_ipd"]):
            mine = {name: [row for row in rows if row["arm"] == arm] for name, rows in tables.items()}
            curves = defaultdict(list)
            for row in mine["digitised"]:
                curves[row["input"]].append((float(row["time"]), float(row["surv"])))
            found.append(
                {
                    "case": folder.name,
                    "arm": arm,
                    "time": np.array([float(r["time"]) for r in mine["truth_ipd"]]),
                    "event": np.array([r["event"] == "1" for r in mine["truth_ipd"]]),
                    "curves": {k: np.array(v) for k, v in curves.items()},
                    "risk": np.array([(float(r["time"]), float(r["n_risk"])) for r in mine["at_risk"]]),
                    "marks": [float(r["time_noisy"]) for r in mine["censor_marks"]],
                    "marks_exact": [float(r["time_exact"]) for r in mine["censor_marks"]],
                    "x_max": x_max,
                }
            )
    return found


def known(case, level, source):
    """The arguments that a level of information allows."""
    given = {}
    if "risk" in level:
        given["at_risk"] = case["risk"]
    if level.startswith("n"):
        given["n"] = case["time"].size
    if "events" in level:
        given["events"] = int(case["event"].sum())
    if "marks" in level:
        given["marks"] = case["marks_exact"] if source == "exact" else case["marks"]
    return given


class Steps:
    """A product-limit curve."""

    def __init__(self, time, event):
        self.when, deaths = np.unique(time[event], return_counts=True)
        risk = time.size - np.searchsorted(np.sort(time), self.when, side="left")
        self.level = np.concatenate(([1.0], np.cumprod(1 - deaths / risk)))

    def __call__(self, t):
        return self.level[np.searchsorted(self.when, t, side="right")]


def errors(case, time, event):
    """Curve error (0.5 % of the axis forgiven), mean absolute difference and relative error of the events."""
    true, ours = Steps(case["time"], case["event"]), Steps(time, event)
    end, shift = case["time"].max(), 0.005 * case["x_max"]
    g = np.unique(np.concatenate(([0.0, end], true.when[true.when < end], ours.when[ours.when < end])))
    mid = np.concatenate((g, (g[1:] + g[:-1]) / 2))
    early = np.where(mid >= shift, true(mid - shift), 1.0)
    worst = max(0.0, float(np.max(ours(mid) - early)), float(np.max(true(mid + shift) - ours(mid))))
    gap = np.abs(true(g[:-1]) - ours(g[:-1]))
    deaths = case["event"].sum()
    return {
        "curve": worst,
        "iae": float(np.sum(gap * np.diff(g)) / end),
        "events": abs(int(event.sum()) - deaths) / deaths,
    }


def log_hazard_ratio(arms):
    """Efron's Cox estimate for two arms of (time, event), by Newton steps."""
    time = np.concatenate([arms[0][0], arms[1][0]])
    event = np.concatenate([arms[0][1], arms[1][1]])
    group = np.repeat([0.0, 1.0], [arms[0][0].size, arms[1][0].size])
    when = np.unique(time[event])
    risk1 = np.array([np.sum(group[time >= t]) for t in when])
    risk0 = np.array([np.sum(1 - group[time >= t]) for t in when])
    dead1 = np.array([np.sum(group[event & (time == t)]) for t in when])
    dead = np.array([np.sum(event & (time == t)) for t in when])
    share = np.concatenate([np.arange(d) / d for d in dead])
    row = np.repeat(np.arange(when.size), dead)
    beta = 0.0
    for _ in range(50):
        r1 = np.exp(beta) * (risk1[row] - share * dead1[row])
        total = r1 + risk0[row] - share * (dead - dead1)[row]
        p = r1 / total
        step = (dead1.sum() - p.sum()) / max(np.sum(p * (1 - p)), 1e-9)
        beta += float(np.clip(step, -1, 1))
        if abs(step) < 1e-9:
            break
    return beta


def run(method, only=None, levels=LEVELS, inputs=INPUTS):
    """All errors by (level, input group), the failures, and the seconds of each run."""
    import metagrove as mg

    arms = cases(only)
    table, failures, seconds, rebuilt, raw = defaultdict(list), [], defaultdict(list), {}, []
    for level in levels:
        for source in inputs:
            for case in arms:
                given = known(case, level, source)
                started = time.process_time()
                try:
                    found = mg.reconstruct(case["curves"][source], **given, method=method)
                except (ValueError, ArithmeticError, AssertionError, IndexError) as error:
                    failures.append((case["case"], case["arm"], source, level, repr(error)))
                    continue
                seconds[level, source[:5]].append(time.process_time() - started)
                if found.n != case["time"].size or ("events" in level and found.events != case["event"].sum()):
                    failures.append((case["case"], case["arm"], source, level, f"n {found.n}, events {found.events}"))
                scored = errors(case, found.time, found.event)
                raw.append((case["case"], case["arm"], source, level, scored, found))
                if level == "n+marks" and sum(c["time"].size for c in arms if c["case"] == case["case"]) > 320:
                    continue  # the peers were run on the trials with at most 320 patients
                rebuilt[case["case"], case["arm"], source, level] = (found.time, found.event)
                for name, value in scored.items():
                    table[level, source[:5], name].append(value)
            for name in dict.fromkeys(c["case"] for c in arms):
                pair = [c for c in arms if c["case"] == name]
                both = [rebuilt.get((name, c["arm"], source, level)) for c in pair]
                if len(both) == 2 and all(both):
                    true = log_hazard_ratio([(c["time"], c["event"]) for c in pair])
                    table[level, source[:5], "dloghr"].append(abs(log_hazard_ratio(both) - true))
                    raw.append((name, "pair", source, level, {"dloghr": table[level, source[:5], "dloghr"][-1]}, None))
    return table, failures, seconds, raw


def best_peer(level, source, measure, which="all"):
    """The smallest median and 90 % point among the peers' rows of `peer_bar.csv`."""
    points = []
    for point in ("median", "p90"):
        values = [
            float(row[f"{COLUMNS[measure]}_{point}"])
            for row in read(SURVIVAL / "peer_bar.csv")
            if row["group"] == "all"
            and row["info"] == level
            and row["input"] == {"click": "clicks"}.get(source, source)
            and (which == "all" or row["peer"] == which)
            and row[f"{COLUMNS[measure]}_{point}"]
        ]
        points.append(min(values) if values else None)
    return points


def lines(table, seconds, which="all"):
    """The table as text; a cell worse than the best peer is marked with *."""

    def shown(x):
        return "-" if x is None else f"{x:.4f}"

    out = ["| information | input | " + " | ".join(f"{m}: ours (best peer)" for m in MEASURES) + " | s |"]
    out.append("|" + "---|" * (len(MEASURES) + 3))
    won = {"better": 0, "tied": 0, "worse": 0}
    for level in LEVELS:
        for source in ("exact", "click", "trace"):
            cells = []
            for measure in MEASURES:
                values = table.get((level, source, measure), [])
                if not values:
                    cells.append("-")
                    continue
                ours = [float(np.quantile(values, q)) for q in (0.5, 0.9)]
                peer = best_peer(level, source, measure, which)
                verdicts = []
                for a, b in zip(ours, peer, strict=True):
                    if b is not None:
                        verdicts.append("tied" if abs(a - b) < 5e-5 else "better" if a < b else "worse")
                        won[verdicts[-1]] += 1
                star = " *" if "worse" in verdicts else ""
                cells.append(f"{shown(ours[0])} / {shown(ours[1])} ({shown(peer[0])} / {shown(peer[1])}){star}")
            spent = seconds.get((level, source), [])
            if spent:
                out.append(f"| {level} | {source} | " + " | ".join(cells) + f" | {np.median(spent):.4f} |")
    out.append(f"\ncells: {won['better']} better, {won['tied']} tied, {won['worse']} worse (*)")
    return out


def main(words):
    """Print the table; options: method, case=…, level=…, input=…, peer=…."""
    options = dict(w.split("=", 1) for w in words if "=" in w)
    method = next((w for w in words if "=" not in w and w != "write"), "likelihood")
    levels = options["level"].split(",") if "level" in options else LEVELS
    inputs = [i for i in INPUTS if any(i.startswith(x) for x in options.get("input", "e,c,t").split(","))]
    table, failures, seconds, raw = run(method, options.get("case"), levels, inputs)
    shown = "\n".join(lines(table, seconds, options.get("peer", "all")))
    print(shown)
    if "write" in words:
        page = ROOT / "docs" / "reconstruction.md"
        before, _, rest = page.read_text(encoding="utf-8").partition("<!-- table -->")
        after = rest.partition("<!-- end of table -->")[2]
        text = f"{before}<!-- table -->\n{shown}\n<!-- end of table -->{after}"
        page.write_text(text, encoding="utf-8")
    for failure in failures[:12]:
        print("FAILED", *failure)
    print(f"{len(failures)} failures")
    if "worst" in options:
        name = options["worst"]
        for case, arm, source, level, scored, _ in sorted((r for r in raw if name in r[4]), key=lambda r: -r[4][name])[
            :25
        ]:
            print(case, arm, source, level, {k: round(float(v), 4) for k, v in scored.items()})
    return table, failures, seconds, raw


if __name__ == "__main__":
    main(sys.argv[1:])
