"""The settings of one analysis, with R's names, codes and defaults."""

from __future__ import annotations

from dataclasses import dataclass

from metagrove.core.errors import MethodError
from metagrove.pooling.estimate import ADHOC, INTERVALS
from metagrove.pooling.intervals import TAU2_INTERVALS
from metagrove.pooling.prediction import PREDICTION
from metagrove.pooling.tau2 import TAU2

__all__ = ["Measured", "Settings", "covered"]


def covered(name: str, level: float) -> None:
    """Nothing for a confidence level between 0 and 1; MethodError for another, naming the argument."""
    if not 0 < level < 1:
        raise MethodError(f"{name} is {level!r}; a level lies between 0 and 1, such as 0.95")


_ADHOC_PI, _I2 = ("", "se"), ("Q", "tau2")


@dataclass(frozen=True, slots=True)
class Measured:
    """What each study gave, where that is more than its scale says.

    Parameters
    ----------
    label : the quantity as reported ("Median survival").
    title : the quantity as analysed ("log of median survival").
    sentence : how a study's number was made.
    cite : its reference.
    """

    label: str
    title: str
    sentence: str
    cite: str


@dataclass(frozen=True, slots=True)
class Settings:
    """How effects are pooled and reported; unknown codes are refused when the settings are made.

    Parameters
    ----------
    sm : effect measure, a code of SCALES or any label of the user's own.
    method : "Inverse", "MH", "Peto", "Cochran", "SSW", "GLMM" or "LRP".
    method_tau, method_tau_ci : codes of TAU2 and TAU2_INTERVALS; None: "REML", and "J" with DL, else "QP".
    method_random_ci, adhoc_hakn_ci : codes of INTERVALS and ADHOC.
    method_predict, adhoc_hakn_pi : a code of PREDICTION; "" or "se".
    method_I2 : "Q" (from Cochran's Q) or "tau2" (from tau2 and the typical sampling variance).
    level, level_ma, level_predict : coverage of study, pooled and prediction intervals.
    level_hetstat : coverage of the limits of tau2, H, I2 and Rb; None: level_ma.
    common, random, prediction : what the views show; everything is computed.
    tau_common : one tau2 within all subgroups.
    tau_preset : square root of a fixed tau2, or None.
    null_effect : null hypothesis on the analysis scale; NaN for no test.
    subgroup_name : what the subgroups are ("drug").
    measured : what the numbers are, in place of the words of the scale; None where those say it.
    door, options : the function the user called, and its other settings as (name, value), for the report.
    """

    sm: str = ""
    method: str = "Inverse"
    method_tau: str = "REML"
    method_tau_ci: str | None = None
    method_random_ci: str = "classic"
    adhoc_hakn_ci: str = ""
    method_predict: str = "V"
    adhoc_hakn_pi: str = ""
    method_I2: str = "Q"
    level: float = 0.95
    level_ma: float = 0.95
    level_predict: float = 0.95
    level_hetstat: float | None = None
    common: bool = True
    random: bool = True
    prediction: bool = False
    tau_common: bool = False
    tau_preset: float | None = None
    null_effect: float = 0.0
    subgroup_name: str = ""
    backtransf: bool = True
    measured: Measured | None = None
    door: str = "metagen"
    options: tuple[tuple[str, object], ...] = ()

    def __post_init__(self) -> None:
        TAU2.entry(self.method_tau)
        INTERVALS.entry(self.method_random_ci)
        ADHOC.entry(self.adhoc_hakn_ci)
        PREDICTION.entry(self.method_predict)
        if self.method_tau_ci is None:
            object.__setattr__(self, "method_tau_ci", "J" if self.method_tau == "DL" else "QP")
        TAU2_INTERVALS.entry(self.method_tau_ci)  # type: ignore[arg-type]
        if self.adhoc_hakn_pi not in _ADHOC_PI or self.method_I2 not in _I2:
            self._refuse_codes()
        for level in (self.level, self.level_ma, self.level_predict, self.level_hetstat):
            if level is not None and not 0 < level < 1:
                self._refuse_levels()
        if "KR" in (self.method_random_ci, self.method_predict[:2]) and self.method_tau != "REML":
            raise MethodError(f"Kenward-Roger intervals need method_tau 'REML', not '{self.method_tau}'")
        if self.tau_preset is not None and not self.tau_preset >= 0:
            raise MethodError(f"tau_preset is {self.tau_preset!r}; a standard deviation is 0 or above")

    def _refuse_codes(self) -> None:
        for name, value, known in (
            ("adhoc_hakn_pi", self.adhoc_hakn_pi, _ADHOC_PI),
            ("method_I2", self.method_I2, _I2),
        ):
            if value not in known:
                raise MethodError(f"{name} is '{value}'; known: {', '.join(repr(code) for code in known)}")

    def _refuse_levels(self) -> None:
        for name in ("level", "level_ma", "level_predict", "level_hetstat"):
            level = getattr(self, name)
            if level is not None:
                covered(name, level)

    @property
    def heterogeneity_level(self) -> float:
        """Coverage of the limits of tau2, H, I2 and Rb."""
        return self.level_ma if self.level_hetstat is None else self.level_hetstat
