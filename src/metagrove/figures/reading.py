"""What was read from one figure: arms, marks, numbers at risk, scales, and whether a person must look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from metagrove.core.errors import UnknownName
from metagrove.core.results import Explanation, Result
from metagrove.core.values import Array, Source, SurvivalCurve
from metagrove.figures.page import RGB, hex_colour
from metagrove.figures.scales.axes import Axis

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ArmReading", "FigureReading", "RiskCell"]

OK, REVIEW = "ok", "needs-review"


@dataclass(frozen=True, slots=True)
class RiskCell:
    """One printed number at risk: `n` people of `arm` at `time`; `sure` is False where two readings disagree.

    `box` is the cell on the page (left, top, right, bottom); `text` is what was read there.
    """

    arm: str
    time: float
    n: int
    censored: int | None = None
    sure: bool = True
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class ArmReading:
    """One curve: `survival[i]` holds from `time[i]` on; the first row is (0, 1), the last ends the drawn line.

    `time_error` and `survival_error`, shape of `time`, are half-widths in the units of the curve: line width, pixel
    size and calibration residual together. `style` is solid, dashed or dotted; `marks` are the times of censor marks.
    """

    name: str
    colour: RGB
    style: str
    time: Array
    survival: Array
    time_error: Array
    survival_error: Array
    marks: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        for name in ("time", "survival", "time_error", "survival_error", "marks"):
            value = np.array(getattr(self, name), dtype=float, ndmin=1, copy=True)
            value.setflags(write=False)
            object.__setattr__(self, name, value)

    @property
    def end(self) -> float:
        """The time at which the drawn line ends."""
        return float(self.time[-1])

    def at(self, t: Array) -> Array:
        """Survival just after each time in `t`; the last level beyond the end."""
        index = np.searchsorted(self.time, t, side="right") - 1
        return np.asarray(self.survival[np.clip(index, 0, None)])


@dataclass(frozen=True, slots=True, eq=False)
class FigureReading(Result):
    """The reading of one figure.

    `status` is `ok` only where independent checks agree; otherwise `needs-review`, and `reasons` say why.
    `source` is `vector` or `raster`; `direction` is what the figure drew (`survival` or `incidence`), the curves are
    survival always. `scale` is 1 for axes in proportions, 100 for percent. `rotation` in degrees was taken out before
    reading. `digest` is the SHA-256 of the file; `checks` are measured quantities behind the status.
    """

    arms: tuple[ArmReading, ...]
    x: Axis
    y: Axis
    scale: float
    source: str
    status: str
    reasons: tuple[str, ...]
    cells: tuple[RiskCell, ...] = ()
    unit: str = ""
    direction: str = "survival"
    page: int = 1
    rotation: float = 0.0
    digest: str = ""
    frame: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    checks: tuple[tuple[str, float], ...] = ()
    siblings: tuple[FigureReading, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        """One row per step of each arm: arm, time, survival."""
        return [
            {"arm": arm.name, "time": round(float(t), 6), "survival": round(float(s), 6)}
            for arm in self.arms
            for t, s in zip(arm.time, arm.survival, strict=True)
        ]

    @property
    def curves(self) -> pd.DataFrame:
        """`arm, time, survival`, one row per step; the last row of an arm is where its line ends."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=["arm", "time", "survival"])

    @property
    def at_risk(self) -> pd.DataFrame:
        """`arm, time, n, censored, sure` as printed; empty where the figure prints none."""
        import pandas as pd

        rows = [(c.arm, c.time, c.n, c.censored, c.sure) for c in self.cells]
        return pd.DataFrame(rows, columns=["arm", "time", "n", "censored", "sure"])

    @property
    def marks(self) -> pd.DataFrame:
        """`arm, time` of each censor mark."""
        import pandas as pd

        rows = [(arm.name, round(float(t), 6)) for arm in self.arms for t in arm.marks]
        return pd.DataFrame(rows, columns=["arm", "time"])

    @property
    def axes(self) -> dict[str, list[list[float]]]:
        """`{"x": [[pixel, value], …], "y": …}`: the scales, in the shape that hints take; y as a proportion."""
        y = [[pixel, value / self.scale] for pixel, value in self.y.pairs]
        return {"x": self.x.pairs, "y": y}

    def arm(self, name: str) -> ArmReading:
        """The arm of that name; raises UnknownName."""
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise UnknownName("arm", name, [a.name for a in self.arms])

    def survival_curve(self, name: str) -> SurvivalCurve:
        """One arm as a SurvivalCurve, with the figure's digest as its source."""
        arm = self.arm(name)
        return SurvivalCurve(arm.time, arm.survival, self.unit or "months", Source("figure", arm.name, self.digest))

    def document(self) -> dict[str, Any]:
        """What `<stem>.json` says: status, reasons, scales, arms with their uncertainty, cells that need a look."""
        return {
            "status": self.status,
            "reasons": list(self.reasons),
            "source": self.source,
            "page": self.page,
            "digest": self.digest,
            "direction": self.direction,
            "axes": self.axes,
            "axis": {
                "unit": self.unit,
                "x_log": self.x.log,
                "y_log": self.y.log,
                "printed": "percent" if self.scale == 100 else "proportion",
                "x_labels": [list(pair) for pair in zip(self.x.pixels, self.x.values, strict=True)],
                "y_labels": [list(pair) for pair in zip(self.y.pixels, self.y.values, strict=True)],
                "x_residual": self.x.residual,
                "y_residual": self.y.residual,
                "rotation": self.rotation,
            },
            "arms": [
                {
                    "name": a.name,
                    "color": hex_colour(a.colour),
                    "style": a.style,
                    "steps": max(len(a.time) - 2, 0),
                    "end": round(a.end, 6),
                    "marks": len(a.marks),
                }
                for a in self.arms
            ],
            "uncertainty": {
                a.name: {
                    "time": round(float(np.median(a.time_error)), 6),
                    "survival": round(float(np.median(a.survival_error)), 6),
                    "points": [
                        [round(float(t), 6), round(float(s), 6)]
                        for t, s in zip(a.time_error, a.survival_error, strict=True)
                    ],
                }
                for a in self.arms
            },
            "unsure_cells": [
                {"arm": c.arm, "time": c.time, "read": c.text, "n": c.n, "box": list(c.box)}
                for c in self.cells
                if not c.sure
            ],
            "checks": dict(self.checks),
        }

    def summary(self) -> str:
        """A few lines of text: status, arms, reasons."""
        lines = [
            f"{self.status}: {len(self.arms)} arm{'s' if len(self.arms) != 1 else ''} read from a {self.source} figure"
        ]
        for arm in self.arms:
            level = f"{100 * float(arm.survival[-1]):.1f} % at {arm.end:g} {self.unit}".rstrip()
            lines.append(f"  {arm.name}: {max(len(arm.time) - 2, 0)} steps, {len(arm.marks)} marks, {level}")
        lines += [f"  ? {reason}" for reason in self.reasons]
        return "\n".join(lines)

    def explain(self) -> Explanation:
        """How the curve was captured, for a Methods section."""
        if self.source == "vector":
            how = "Survival curves were read from the drawing commands of the published vector figures"
        else:
            how = "Survival curves were traced from the published figures by joint monotone dynamic programming"
        cite = (
            "Guyot P, Ades AE, Ouwens MJNM, Welton NJ. Enhanced secondary analysis of survival data: reconstructing "
            "the data from published Kaplan-Meier survival curves. BMC Med Res Methodol 2012;12:9. "
            "doi:10.1186/1471-2288-12-9"
        )
        return Explanation(f"{how}; each axis was calibrated on its printed labels and tick marks.", (cite,))
