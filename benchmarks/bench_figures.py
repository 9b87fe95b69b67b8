"""Accuracy and time on the reference figures, against what peers have published for theirs."""

import json
import time
from pathlib import Path

import numpy as np

from metagrove.core.errors import DataError
from metagrove.figures.digitizing import figures_in

SHARED = Path(__file__).resolve().parents[2] / "shared" / "reference"
#: Published RMSE of survival: an automatic digitizer and trained people (BMC Med Res Methodol 2024;24:147).
PEER_AUTOMATIC, PEER_PEOPLE = 0.012, 0.014


def rmse(arm, truth):
    steps = np.array(truth["steps"])
    grid = np.linspace(0, truth["last_time"], 2001)
    level = steps[np.searchsorted(steps[:, 0], grid, side="right") - 1, 1]
    return float(np.sqrt(np.mean((arm.at(grid) - level) ** 2)))


def matched(reading, truth):
    """The smallest RMSE of each true arm against any read arm."""
    return [min(rmse(arm, expected) for arm in reading.arms) for expected in truth["arms"]]


def main():
    folder = SHARED / "figures"
    if not folder.exists():
        print("reference figures are not here")
        return
    for title, paths in (
        ("vector", sorted(folder.glob("vector/*.pdf")) + sorted(folder.glob("vector/*.svg"))),
        ("raster", sorted(folder.glob("km*.png")) + sorted(folder.glob("km*.jpg"))),
    ):
        errors, called, spent = [], 0, []
        for path in paths:
            truth = json.loads(path.with_suffix(".json").read_text())
            start = time.perf_counter()
            try:
                reading = figures_in(path.read_bytes())[0].reading
            except DataError:
                errors.append(1.0)
                continue
            spent.append(time.perf_counter() - start)
            called += reading.status == "ok"
            errors.append(float(np.mean(matched(reading, truth))))
        middle = float(np.median(errors))
        print(
            f"{title}: {len(paths)} figures, {called} called ok, RMSE median {middle:.5f}, worst {max(errors):.4f}, "
            f"{np.median(spent):.2f} s a figure (worst {max(spent):.2f})"
        )
        ratios = middle / PEER_AUTOMATIC, middle / PEER_PEOPLE
        print(f"  against the published automatic digitizer {ratios[0]:.3f}, against people {ratios[1]:.3f}")


if __name__ == "__main__":
    main()
