"""Accuracy and time of reading figures: the reference figures, the KM-GPT benchmark and house styles not tuned on.

Prints what is asked against what is measured. `FIGURE_SEEDS=58:116` chooses other generated figures.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.figure_habits import habit_figure
from benchmarks.figure_journals import FIRST_UNSEEN, journal_figure
from benchmarks.figure_levels import FIRST_LEVEL, level_figure
from benchmarks.figure_lifelines import lifelines_figure
from benchmarks.figure_prints import FIRST_PRINT, print_figure
from benchmarks.figure_scores import REFERENCE, score_of
from benchmarks.figure_styles import figure
from benchmarks.figure_styles_tools import drawn_by_tools
from benchmarks.figure_vendors import vendor_figure

#: Median of mean |S' - S| to the end of the axis, GPT5_base on the same 48 figures (computed in the reference folder).
PEER_MEAN, PEER_NINETY = 0.0029, 0.0071
SEEDS = "58:116"


def _read(job):
    path, hinted = job
    truth = json.loads(path.with_suffix(".json").read_text())
    return score_of(path.stem, path.read_bytes(), truth, hinted=hinted)


def scores(paths, *, hinted):
    """The scores of files with a truth beside them, two at a time."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(_read, [(path, hinted) for path in paths]))


def share(rows, test):
    """`k of n (p %)`."""
    hits = sum(bool(test(r)) for r in rows)
    return f"{hits} of {len(rows)} ({100 * hits / max(len(rows), 1):.0f} %)"


def line(what, asked, measured):
    print(f"  {what:<52} {asked:>10}   {measured}")


def vector(paths):
    rows = scores(paths, hinted=False)
    line("status ok without hints", "95 %", share(rows, lambda r: r.ok))
    line("every arm max |dS| <= .001", "95 %", share(rows, lambda r: r.largest <= 0.001))
    cells(rows)
    silent(rows)


def raster(paths):
    rows = scores(paths, hinted=True)
    colour, neutral = [r for r in rows if not r.neutral], [r for r in rows if r.neutral]
    line("hinted, colour: mean |dS| <= .002", "90 %", share(colour, lambda r: r.mean <= 0.002))
    line("hinted, colour: mean |dS| <= .003", "", share(colour, lambda r: r.mean <= 0.003))
    line("hinted, colour: max |dS| <= .02 on all arms", "85 %", share(colour, lambda r: r.largest <= 0.02))
    line("hinted, black or grey: mean |dS| <= .005", "90 %", share(neutral, lambda r: r.mean <= 0.005))
    rows = scores(paths, hinted=False)
    automatic(rows)
    marks = sum(r.marks_hit for r in rows), sum(r.marks_read for r in rows), sum(r.marks_true for r in rows)
    line(
        "censor marks: read that are true; true that are read", "", f"{_part(*marks[:2])}; {_part(marks[0], marks[2])}"
    )
    spent = [r.seconds for r in rows]
    line("seconds a figure, one core: median, worst", "3.5", f"{np.median(spent):.1f}, {max(spent):.1f}")


def automatic(rows):
    line("automatic: right (every arm mean <= .01)", "85 %", share(rows, lambda r: r.right))
    line("automatic: right and called ok", "85 %", share(rows, lambda r: r.right and r.ok))
    silent(rows)
    cells(rows)


def silent(rows):
    found = [r.name for r in rows if r.silent]
    line("silently wrong (mean > .01 or max > .1 within ok)", "0", f"{len(found)} {' '.join(found)}")


def cells(rows):
    total = sum(r.cells for r in rows)
    if total:
        line("numbers at risk exact", "98 %", _part(sum(r.cells_exact for r in rows), total))
        line("numbers at risk wrong without a flag", "0", str(sum(r.cells_wrong_sure for r in rows if r.ok)))


def _part(some, whole):
    return f"{some} of {whole} ({100 * some / max(whole, 1):.1f} %)"


def generated(folder, seeds, ending=None):
    for seed in seeds:
        drawn = figure(seed, ending=ending(seed) if ending else None)
        (folder / f"{drawn.name}.{drawn.ending}").write_bytes(drawn.content)
        (folder / f"{drawn.name}.json").write_text(json.dumps(drawn.truth))
    return files(folder)


def files(folder):
    kinds = {".png", ".jpg", ".pdf", ".svg"}
    return sorted(p for p in folder.iterdir() if p.suffix in kinds and p.with_suffix(".json").exists())


def peers():
    folder = REFERENCE / "kmgpt"
    with ProcessPoolExecutor(2) as pool:
        rows = list(pool.map(_patient_score, sorted(folder.glob("*.png"))))
    means = [m for m, _ in rows]
    line("called ok", "90 %", share(rows, lambda r: r[1]))
    line("ok and mean |dS| > .01", "0", str(sum(ok and mean > 0.01 for mean, ok in rows)))
    asked = f"{PEER_MEAN}/{PEER_NINETY}"
    line(
        "mean |dS|, median / 90 % / worst (asked: the peer's)",
        asked,
        "/".join(f"{v:.4f}" for v in np.quantile(means, [0.5, 0.9, 1])),
    )


def _patient_score(path):
    from metagrove.figures.digitizing import figures_in

    table = np.genfromtxt(path.with_name(f"{path.stem}.truth.csv"), delimiter=",", names=True)
    time, event = table["Time"], table["Event"] == 1
    died = np.unique(time[event])
    level = np.cumprod([1 - ((time == t) & event).sum() / (time >= t).sum() for t in died])
    reading = figures_in(path.read_bytes(), threads=1)[0].reading
    grid = np.linspace(0, min(max(reading.x.values), float(time.max())), 2001)[:-1]
    truth = np.append(1.0, level)[np.searchsorted(died, grid, side="right")]
    return float(np.abs(reading.arms[0].at(grid) - truth).mean()), reading.status == "ok"


def main():
    first, last = (int(v) for v in os.environ.get("FIGURE_SEEDS", SEEDS).split(":"))
    if REFERENCE.exists():
        print("reference, vector")
        vector(files(REFERENCE / "figures" / "vector"))
        print("reference, raster")
        raster(files(REFERENCE / "figures"))
        print("KM-GPT benchmark, automatic")
        peers()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("vector", "raster", "r"):
            (folder / part).mkdir()
        print(f"house styles, vector (seeds {first} to {last - 1})")
        vector(generated(folder / "vector", range(first, last), lambda seed: ("pdf", "svg")[seed % 2]))
        print(f"house styles, raster (seeds {first} to {last - 1})")
        raster(generated(folder / "raster", range(first, last)))
        print(f"habits of papers, raster (seeds {first} to {last - 1})")
        automatic(scores(kept(folder / "habits", map(habit_figure, range(first, last))), hinted=False))
        unseen = range(FIRST_UNSEEN, FIRST_UNSEEN + last - first)
        print(f"journals and programs, raster (seeds {unseen.start} to {unseen.stop - 1})")
        raster(kept(folder / "journals", map(journal_figure, unseen)))
        print("journals and programs, vector")
        vector(kept(folder / "drawings", (journal_figure(s, ending=("pdf", "svg")[s % 2]) for s in unseen)))
        print(
            f"further programs, portals, trial groups and languages, raster (seeds {unseen.start} to {unseen.stop - 1})"
        )
        raster(kept(folder / "vendors", map(vendor_figure, unseen)))
        printed = range(FIRST_PRINT, FIRST_PRINT + last - first)
        print(f"prints of papers, labels and reports, raster (seeds {printed.start} to {printed.stop - 1})")
        raster(kept(folder / "prints", map(print_figure, printed)))
        damaged = range(FIRST_LEVEL, FIRST_LEVEL + last - first)
        print(f"eight styles in three levels of damage, raster (seeds {damaged.start} to {damaged.stop - 1})")
        raster(kept(folder / "levels", map(level_figure, damaged)))
        print("drawn by lifelines")
        automatic(scores(kept(folder / "lifelines", map(lifelines_figure, range(first, last))), hinted=False))
        drawn_by_tools(folder / "tools", first, last)
        drawn = files(folder / "tools")
        print("drawn by other programs (those that are installed), vector")
        vector([p for p in drawn if p.suffix in {".pdf", ".svg"}])
        print("drawn by other programs, raster")
        automatic(scores([p for p in drawn if p.suffix not in {".pdf", ".svg"}], hinted=False))
        if shutil.which("Rscript"):
            drawn = drawn_by_r("figure_styles.R", folder / "r", first, last)
            print("drawn by R, vector")
            vector([p for p in drawn if p.suffix != ".png"])
            print("drawn by R, raster")
            raster([p for p in drawn if p.suffix == ".png"])
            print("drawn by survminer")
            automatic(scores(drawn_by_r("figure_styles_survminer.R", folder / "survminer", first, last), hinted=False))
            print("drawn by survival, prodlim, rms and GGally")
            automatic(scores(drawn_by_r("figure_styles_programs.R", folder / "programs", first, last), hinted=False))


def kept(folder, figures):
    """The files of drawn figures with their truth beside them."""
    folder.mkdir(exist_ok=True)
    for drawn in figures:
        (folder / f"{drawn.name}.{drawn.ending}").write_bytes(drawn.content)
        (folder / f"{drawn.name}.json").write_text(json.dumps(drawn.truth))
    return files(folder)


def drawn_by_r(script, folder, first, last):
    folder.mkdir(exist_ok=True)
    run = [shutil.which("Rscript"), Path(__file__).with_name(script), folder, str(first), str(last - 1)]
    done = subprocess.run([str(part) for part in run], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        sys.exit(f"R could not draw: {done.stderr.strip()[-200:]}")
    return files(folder)


if __name__ == "__main__":
    main()
