"""How often counts are right that are said to be so probable: true counts of drawn figures printed anew, badly, and read again.

    python -m benchmarks.count_calibration FIGURES... --fonts FONTS... [--rounds 3]

FIGURES are folders of pictures with their truth beside them, as `bench_figures` draws them. Each figure is read as it is; the
true numbers at risk of each of its arms are then printed anew on damaged pages (`digit_pages`), one row after the other, found and
read there by both readers, and joined with the row and with the arm's curve as it was read. Printed are, for bands of the
probability said, how many counts fall there, what was said and what was found: by print alone, and by all together.
"""

import argparse
import json
import pickle
import warnings
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.bench_figures import files
from benchmarks.digit_pages import faces, page, weights

BANDS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.9995, 1.0)
#: The first seed of the pages; those of the training of the reader of digits end before.
FIRST = 300_000


class Printed(str):
    """A count as text, with the row and the cell that it belongs to."""

    place = (0, 0)


def rows_of(path):
    """The arms of a figure as read with their true counts: (name, reading of the arm, times, counts)."""
    from metagrove.core.errors import DataError
    from metagrove.figures.digitizing import figures_in

    truth = json.loads(path.with_suffix(".json").read_text())
    if not truth["at_risk"] or path.suffix not in (".png", ".jpg"):
        return []
    try:
        reading = figures_in(path.read_bytes(), threads=1)[0].reading
    except DataError:
        return []
    return matched(reading.arms, truth)


def matched(arms, truth):
    """Each true row with the curve that was read of its arm, where one is within .01 of the truth everywhere on average."""
    known = {a["name"]: a for a in truth["arms"]}
    out = []
    for row in truth["at_risk"]["rows"]:
        true = known.get(row["arm"])
        if true is None:
            continue
        steps = np.array(true["steps"])
        grid = np.linspace(0, float(true["last_time"]), 200)
        level = steps[np.clip(np.searchsorted(steps[:, 0], grid, side="right") - 1, 0, None), 1]
        off = [float(np.abs(a.at(grid) - level).mean()) for a in arms]
        if off and min(off) < 0.01:
            out.append((arms[int(np.argmin(off))], truth["at_risk"]["times"], row["n"]))
    return out


def reprinted(job):
    """What both readers see of the counts of rows on damaged pages, by row and cell: (truth, values, agreed, height)."""
    from metagrove.figures.writing.ocr import _looked_at, _reader

    rows, first, fonts = job
    warnings.simplefilter("ignore")
    paths = faces(fonts)
    held = faces(fonts, held_out=True)
    paths = held or paths
    queue = []
    for r, counts in rows:
        for c, n in enumerate(counts):
            word = Printed(n)
            word.place = (r, c)
            queue.append(word)
    reader, seen, at = _reader(1), {}, 0

    def say(_):
        nonlocal at
        word = queue[min(at, len(queue) - 1)]
        at += 1
        return word, word

    while at < len(queue):
        found = page(
            first, paths, weights(paths), cut=lambda ink, box: _looked_at(reader, ink, [(box, (box,))]), say=say
        )
        first += 1
        seen |= {s.text.place: (int(s.text), s.strip, s.size) for s in found}
    return seen


def judged(rows, seen):
    """For each count its truth, and by print alone and by all together the best count and its probability."""
    from metagrove.figures.table.posterior import probable_counts
    from metagrove.figures.table.rows import Cell

    out = []
    for r, (arm, times, _) in enumerate(rows):
        held = [(t, *seen[r, c]) for c, t in enumerate(times) if (r, c) in seen and seen[r, c][1]]
        cells = [Cell(float(t), values[0][0], None, False, (0, 0, 0, 0), "", values) for t, _, values, _ in held]
        if len(cells) < 2:
            continue
        for (_, true, values, size), chances in zip(held, probable_counts(cells, arm), strict=True):
            best = max(chances, key=chances.get)
            out.append((true, size, *values[0], best, chances[best]))
    return out


def told(judged_counts):
    """The lines of the table."""
    true, _, first, said_first, best, said = np.array(judged_counts, float).T
    yield "probability said   print: counts  said    found     together: counts  said    found"
    for low, high in pairwise(BANDS):
        parts = []
        for value, chance in ((first, said_first), (best, said)):
            own = (chance >= low) & ((chance < high) | (high == 1.0))
            right = value[own] == true[own]
            parts.append(
                f"{own.sum():>6} {chance[own].mean():.4f} {right.mean():.4f}" if own.any() else f"{0:>6}      -      -"
            )
        yield f"{low:>6} to {high:<6}        {parts[0]}                 {parts[1]}"


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("folders", nargs="*", type=Path)
    ask.add_argument("--fonts", nargs="+", required=True)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--first", type=int, default=FIRST)
    ask.add_argument("--rows", type=Path, help="rows kept from an earlier call, or where to keep them")
    asked = ask.parse_args()
    with ProcessPoolExecutor(2) as pool:
        if asked.rows and asked.rows.exists():
            rows = pickle.loads(asked.rows.read_bytes())
        else:
            rows = [r for part in pool.map(rows_of, [p for f in asked.folders for p in files(f)]) for r in part]
            if asked.rows:
                asked.rows.write_bytes(pickle.dumps(rows))
        counts = []
        for k in range(asked.rounds):
            halves = [list(enumerate(r[2] for r in rows))[h::2] for h in (0, 1)]
            firsts = [asked.first + 20_000 * k + 10_000 * h for h in (0, 1)]
            jobs = [(h, first, asked.fonts) for h, first in zip(halves, firsts, strict=True)]
            seen = {key: value for part in pool.map(reprinted, jobs) for key, value in part.items()}
            counts += judged(rows, seen)
    print(len(rows), "rows,", len(counts), "counts")
    print("\n".join(told(counts)))


if __name__ == "__main__":
    main()
