"""Simulated arms of the reference set, and arms made here, for the tests of reconstruction."""

import csv
from collections import defaultdict

import numpy as np

from known import reference


def read(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def arms():
    """Arms of the simulated cases: name, true patients, curves by input, numbers at risk, marks."""
    found = []
    for folder in sorted(reference("survival/cases").glob("sim_*")):
        truth, curves = defaultdict(list), defaultdict(lambda: defaultdict(list))
        risk, marks = defaultdict(list), defaultdict(list)
        for row in read(folder / "truth_ipd.csv"):
            truth[row["arm"]].append((float(row["time"]), int(row["event"])))
        for row in read(folder / "digitised.csv"):
            curves[row["arm"]][row["input"]].append((float(row["time"]), float(row["surv"])))
        for row in read(folder / "at_risk.csv"):
            risk[row["arm"]].append((float(row["time"]), float(row["n_risk"])))
        for row in read(folder / "censor_marks.csv"):
            marks[row["arm"]].append(float(row["time_noisy"]))
        for arm, people in truth.items():
            found.append((f"{folder.name}-{arm}", np.array(people), curves[arm], np.array(risk[arm]), marks[arm]))
    return found


ARMS = arms()
BY_NAME = {name: rest for name, *rest in ARMS}


def known(people, risk, marks, level):
    given = {"at_risk": risk} if "risk" in level else {"n": len(people)}
    if "events" in level:
        given["events"] = int(people[:, 1].sum())
    if "marks" in level:
        given["marks"] = marks
    return given


def survival(time, event, t):
    when, deaths = np.unique(time[event], return_counts=True)
    at_risk = time.size - np.searchsorted(np.sort(time), when)
    return np.concatenate(([1.0], np.cumprod(1 - deaths / at_risk)))[np.searchsorted(when, t, side="right")]


def corners(time, event):
    when = np.unique(time[event])
    level = survival(time, event, when)
    t = np.concatenate(([0.0], np.repeat(when, 2), [time.max()]))
    s = np.concatenate(([1.0, 1.0], np.repeat(level, 2)))
    return t, s


def simulated(seed, n=60):
    rng = np.random.default_rng(seed)
    death, left = rng.exponential(10, n), rng.uniform(5, 25, n)
    return np.round(np.minimum(death, left), 2) + 0.01, death <= left
