"""Estimates with their sampling variances: the bare pair that measures return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from metagrove.core.values import Array

__all__ = ["Estimates"]


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Estimates `y` and sampling variances `v` on the analysis scale, both of shape (k,); NaN where undefined."""

    y: Array
    v: Array

    @property
    def defined(self) -> np.ndarray:
        """True where the estimate and a variance above zero exist; shape (k,)."""
        return np.isfinite(self.y) & np.isfinite(self.v) & (self.v > 0)

    def scaled(self, factor: float) -> Estimates:
        """The estimates times `factor`, the variances times its square."""
        return Estimates(self.y * factor, self.v * factor**2)
