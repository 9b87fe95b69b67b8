"""What every result can do: rows, frames, text, pictures and an explanation with its references."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metagrove.core.errors import MethodError
from metagrove.core.sockets import socket

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Explanation", "Result", "Script", "plain"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A methods sentence and the papers behind it; `str()` gives both.

    `sentence` is prose in the past tense, ready for a Methods section; `references` are full citations with DOI, in
    order of appearance.
    """

    sentence: str
    references: tuple[str, ...] = ()

    def __str__(self) -> str:
        listed = "\n".join(f"[{i}] {text}" for i, text in enumerate(self.references, 1))
        return f"{self.sentence}\n\n{listed}" if listed else self.sentence

    def __add__(self, other: Explanation) -> Explanation:
        more = tuple(text for text in other.references if text not in self.references)
        return Explanation(f"{self.sentence} {other.sentence}".strip(), self.references + more)


@dataclass(frozen=True, slots=True)
class Script:
    """The same analysis as code: in R, and in Stata where Stata has it ("" where not)."""

    r: str
    stata: str = ""


def plain(value: Any) -> Any:
    """The same value in JSON's own types: arrays become lists, NaN and infinities null, numpy scalars numbers."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (str, bool)) or value is None:
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, int):
        return value
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


class Result:
    """A conclusion that can show itself. Subclasses are frozen and give `rows`, `summary` and `explain`."""

    __slots__ = ()

    def rows(self) -> list[dict[str, Any]]:
        """One dict per line of the result's table; every other table derives from it."""
        raise NotImplementedError

    def summary(self) -> str:
        """The result as text for a terminal; never prints."""
        raise NotImplementedError

    def explain(self) -> Explanation:
        """The methods sentence for the settings actually used, and its references."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """`rows()` as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def to_json(self) -> str:
        """`rows()` as JSON; NaN and infinities become null."""
        return json.dumps(plain(self.rows()), indent=2, ensure_ascii=False)

    def to_r(self) -> str:
        """Code in R that repeats this result; MethodError where there is none."""
        script: Script | None = getattr(self, "script", None)
        if script is None:
            raise MethodError(f"there is no code in R for a {type(self).__name__}; ask the analysis it was made from")
        return script.r

    def to_stata(self) -> str:
        """Code in Stata that repeats this result; MethodError where there is none."""
        script: Script | None = getattr(self, "script", None)
        if script is None or not script.stata:
            raise MethodError(f"there is no code in Stata for a {type(self).__name__}")
        return script.stata

    def plot(self, style: Any = None) -> Any:
        """The figure that suits this kind of result, in a style ("plain", "JAMA", "BMJ", "RevMan5", or a Style)."""
        return socket("plot")(self, style)

    def __str__(self) -> str:
        return self.summary()
