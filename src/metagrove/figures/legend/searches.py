"""The legend of a picture: of the searches for its entries the one that says most, and which entries are arms."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from metagrove.figures.files.image import Pixels
from metagrove.figures.legend.clearing import grown_together
from metagrove.figures.legend.fits import without_fits
from metagrove.figures.legend.keys import Sample
from metagrove.figures.legend.marker_keys import marker_keys
from metagrove.figures.legend.samples import legend_samples, parted
from metagrove.figures.legend.unusual_keys import keys_after, patch_keys, step_keys
from metagrove.figures.lines.stripes import stripes
from metagrove.figures.page import Word, colour_distance
from metagrove.figures.scales.axes import Axis
from metagrove.figures.table.rows import RiskRow
from metagrove.figures.writing.naming import named_like

__all__ = ["listed_arms", "samples_of"]

# colours that are two
_TWO = 25.0
# pixels that entries of one column stand off it at most
_IN_COLUMN = 6.0


def samples_of(rgb: Pixels, ink: NDArray[np.float32], names: Sequence[Word], labels: Sequence[str]) -> list[Sample]:
    """The legend, keys after names and filled patches last; where steps of curves, lines inside filled keys, or keys that were read as letters, give these entries and more, that."""
    samples = legend_samples(rgb, ink, names, labels)
    if not names:
        return samples
    steps = step_keys(rgb, ink, names, labels)
    if len(steps) > 1 and len(steps) >= len(samples):
        return steps
    marked = marker_keys(rgb, names)
    if marked and len(marked) >= len(samples):
        apart = all(colour_distance(a.colour, b.colour) > _TWO for a, b in combinations(marked, 2))
        if not apart or not _same_places(marked, samples):
            return marked
    bare = parted(names, rgb)
    reach = round(0.42 * float(np.median([w.size for w in names])))
    both = [*names, *(w for w, n in zip(bare, names, strict=True) if w is not n)]
    offers = [legend_samples(rgb, stripes(rgb, max(reach, 3)), both, labels)]
    if len(both) > len(names):
        offers.append(legend_samples(rgb, ink, bare, labels))
    for offer in offers:
        if len(offer) > max(len(samples), 1) and {s.name for s in samples[1:]} <= {s.name for s in offer}:
            samples = offer
    if len(samples) < 2:
        others = (find(rgb, ink, names, labels) for find in (keys_after, patch_keys))
        samples = next((offer for offer in others if offer), samples)
    else:
        # patches may pass for lines, one less easily than another
        patches = patch_keys(rgb, ink, names, labels)
        more = len(patches) > len(samples) and {s.name for s in samples} <= {s.name for s in patches}
        samples = patches if more else samples
    return [] if len(samples) == 1 and grown_together(ink, samples[0]) else samples


def listed_arms(samples: Sequence[Sample], rows: Sequence[RiskRow], x: Axis) -> list[Sample]:
    """The entries of a legend that are arms: none in the heading of a table, no fitted curves, and no single one beside several rows or one of another name."""
    arms = without_fits(_outside_heading(samples, rows, x), lambda s: s.name)
    labels = [r.label for r in rows]
    return [] if len(arms) == 1 and (len(rows) > 1 or labels not in ([], [""], [arms[0].name])) else arms


def _same_places(marked: Sequence[Sample], samples: Sequence[Sample]) -> bool:
    """Whether two readings of a legend have their names at the same places."""
    found = [
        any(
            abs(m.start - s.start) < _IN_COLUMN and abs(m.box[1] + m.box[3] - s.box[1] - s.box[3]) < m.box[3] - m.box[1]
            for s in samples
        )
        for m in marked
    ]
    return len(marked) == len(samples) and all(found)


def _outside_heading(samples: Sequence[Sample], rows: Sequence[RiskRow], x: Axis) -> list[Sample]:
    """The legend without strokes in the heading of a table whose rows bear other names."""
    labels = [r.label for r in rows if r.label]
    if len(labels) < len(rows) or not rows or not x.printed:
        return list(samples)
    foot = max(r.height for r in rows)
    heading = [
        s for s in samples if x.band[1] < (s.box[1] + s.box[3]) / 2 < foot and named_like(s.name, labels) is None
    ]
    return [s for s in samples if s not in heading]
