"""The protocol: what `review.toml` asks for, checked down to file and line."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from metagrove.core.errors import SpecError
from metagrove.core.units import time_unit
from metagrove.review.bias_tools import tool_named
from metagrove.review.search_strategy import strategy_of

__all__ = [
    "Analysis",
    "ComparisonAnalysis",
    "FigureSource",
    "HarmsAnalysis",
    "ProportionAnalysis",
    "Published",
    "ReviewSpec",
    "Search",
    "SurvivalAnalysis",
    "parse_review",
]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=60)]
Tau2 = Literal["DL", "DL2", "PM", "PMM", "REML", "ML", "HS", "HSk", "SJ", "HE", "EB", "GENQ"]

Measure = Literal[
    "", "OR", "RR", "RD", "ASD", "DOR", "VE", "MD", "SMD", "ROM", "HR", "IRR", "IRD", "VR", "CVR", "COR", "ZCOR",
]  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Exclusion(_Strict):
    """A study left out of one analysis, with the reason, which the report repeats."""

    study: str
    reason: str = Field(min_length=3)


class _Common(_Strict):
    name: Name
    title: str = ""
    exclude: tuple[Exclusion, ...] = ()
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    note: str = ""


class ProportionAnalysis(_Common):
    """Events among patients, one arm per study: responses, disease control, prevalence."""

    kind: Literal["proportion"]
    outcome: str
    population: Literal["evaluable", "enrolled", "safety"] = "evaluable"
    subgroup: str = ""
    sm: Literal["PRAW", "PLN", "PLOGIT", "PAS", "PFT"] = "PLOGIT"
    method: Literal["Inverse", "GLMM"] = "Inverse"
    method_tau: Tau2 = "REML"
    method_ci: Literal["CP", "WS", "WSCC", "AC", "SA", "SACC", "NAsm"] = "CP"
    method_random_ci: Literal["classic", "HK", "KR"] = "classic"
    tau_common: bool = False
    common: bool = False
    random: bool = True
    prediction: bool = True
    denominators: tuple[Literal["evaluable", "enrolled", "safety"], ...] = ()
    leave_one_out: bool = True

    @model_validator(mode="after")
    def _some_model(self) -> ProportionAnalysis:
        if not (self.common or self.random):
            raise ValueError(
                f"analysis '{self.name}': common and random are both false; one of them is what is reported"
            )
        return self


class SurvivalAnalysis(_Common):
    """Digitized curves rebuilt into patients and pooled into one summary curve."""

    kind: Literal["survival"]
    endpoint: str
    step: Annotated[float, Field(gt=0)] = 1.0
    until: Annotated[float, Field(gt=0)] | None = None
    rates_every: Annotated[float, Field(gt=0)] = 3.0
    model: Literal["random", "fixed"] = "random"
    correction: Literal["none"] | tuple[float, float] = (0.25, 0.5)
    compat: Literal["msurv"] | None = None
    method: Literal["likelihood", "guyot", "bounded"] = "likelihood"
    draws: Annotated[int, Field(ge=0, le=10000)] = 0
    seed: Annotated[int, Field(ge=0)] = 20140624


class HarmsAnalysis(_Common):
    """Adverse events by harmonised term: who reported them, and the pooled share where at least two did."""

    kind: Literal["harms"]
    grade: str = ">=3"
    sm: Literal["PRAW", "PLN", "PLOGIT", "PAS", "PFT"] = "PFT"
    method_tau: Tau2 = "REML"
    method_random_ci: Literal["classic", "HK", "KR"] = "classic"
    min_studies: Annotated[int, Field(ge=1)] = 2


class Labels(_Strict):
    """What the arms are called, and what the left and the right of no effect favour."""

    experimental: str = "experimental"
    control: str = "control"
    left: str = ""
    right: str = ""


class ComparisonAnalysis(_Common):
    """Two arms a study: an effect from counts, from means, or as it was reported, pooled over studies."""

    kind: Literal["comparison"]
    outcome: str
    subgroup: str = ""
    sm: Measure = ""
    method: Literal["", "Inverse", "MH", "Peto", "SSW", "GLMM"] = ""
    method_tau: Tau2 = "REML"
    method_random_ci: Literal["classic", "HK", "KR"] = "classic"
    tau_common: bool = False
    common: bool = False
    random: bool = True
    prediction: bool = True
    scale: Literal["", "printed", "log"] = ""
    compat: Literal["RevMan5"] | None = None
    labels: Labels = Field(default_factory=Labels)
    leave_one_out: bool = True

    @model_validator(mode="after")
    def _one_model(self) -> ComparisonAnalysis:
        if not (self.common or self.random):
            raise ValueError(f"analysis '{self.name}' has neither common nor random; one of them is true")
        return self


Analysis = Annotated[
    ProportionAnalysis | SurvivalAnalysis | HarmsAnalysis | ComparisonAnalysis, Field(discriminator="kind")
]


class Published(_Strict):
    """The published review whose numbers stand beside ours, where there is one."""

    document: str
    citation: str = ""
    doi: str = ""


class Search(_Strict):
    """The search behind the review: when, where and with which terms; `concepts` maps each concept to its terms.

    `files` maps a file of `search/` to the database it came from, where its name does not say it.
    """

    date: str = ""
    databases: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    concepts: dict[str, Any] = Field(default_factory=dict)
    first_year: int | None = None
    last_year: int | None = None
    languages: tuple[str, ...] = ()
    note: str = ""
    files: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _strategy(self) -> Search:
        strategy_of(self.model_dump())
        return self


class FigureSource(_Strict):
    """A Kaplan-Meier figure in the folder, and whose curve one of its arms is.

    `figure` counts the figures of the file, `arm` is the arm's name as read (needed where there are several); `unit` is
    that of the time axis where the figure prints none, `hints` are as for `metagrove digitize`.
    """

    file: str = Field(min_length=1)
    study: str = Field(min_length=1)
    endpoint: str = Field(min_length=1)
    arm: str = ""
    figure: Annotated[int, Field(ge=1)] = 1
    unit: str = ""
    hints: dict[str, Any] = Field(default_factory=dict)
    document: str = ""
    locator: str = ""

    @field_validator("file")
    @classmethod
    def _inside(cls, value: str) -> str:
        path = PurePosixPath(value.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in value:
            raise ValueError("the figure's file lies in the review folder, as in figures/name.pdf")
        return str(path)

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, value: str) -> str:
        return time_unit(value) if value else ""

    @property
    def project(self) -> str:
        """The project file of the figure, inside the review folder."""
        return str(PurePosixPath(self.file).with_suffix(".json"))


class Bias(_Strict):
    """How risk of bias is read and shown: the tool where risk_of_bias.csv names none, and whether forest plots show it."""

    tool: str = ""
    forest: bool = True

    @field_validator("tool")
    @classmethod
    def _known_tool(cls, value: str) -> str:
        return tool_named(value) if value else ""


class Moved(_Strict):
    """One reason to lower or raise the certainty: by how many steps, and why."""

    steps: Annotated[int, Field(ge=-3, le=2)]
    why: str = ""


class Certain(_Strict):
    """The certainty of one analysis after GRADE: what the studies are, the reasons that move it, and a comment."""

    studies: Literal["randomised trials", "non-randomised, assessed with ROBINS-I", "other observational"]
    risk_of_bias: Moved | None = None
    inconsistency: Moved | None = None
    indirectness: Moved | None = None
    imprecision: Moved | None = None
    publication_bias: Moved | None = None
    large_effect: Moved | None = None
    dose_response: Moved | None = None
    confounding: Moved | None = None
    comment: str = ""


class ReviewSpec(_Strict):
    """All that `review.toml` says."""

    version: Literal[1]
    title: str = Field(min_length=1)
    question: str = ""
    authors: tuple[str, ...] = ()
    time_unit: str = "months"
    published: Published | None = None
    synthetic: tuple[str, ...] = ()
    columns: dict[str, dict[str, str]] = Field(default_factory=dict)
    search: Search = Field(default_factory=Search)
    figure: tuple[FigureSource, ...] = ()
    risk_of_bias: Bias = Field(default_factory=Bias)
    certainty: dict[str, Certain] = Field(default_factory=dict)
    analysis: tuple[Analysis, ...] = ()

    @field_validator("time_unit")
    @classmethod
    def _known_unit(cls, value: str) -> str:
        return time_unit(value)

    @model_validator(mode="after")
    def _figures_once(self) -> ReviewSpec:
        first: dict[str, FigureSource] = {}
        arms: set[tuple[str, str]] = set()
        for figure in self.figure:
            known = first.setdefault(figure.project, figure)
            if known.file != figure.file:
                raise ValueError(f"'{known.file}' and '{figure.file}' differ in their ending alone; rename one")
            if known.hints != figure.hints:
                raise ValueError(f"'{figure.file}' is named twice, with different hints; give it the same")
            arm = figure.study.lower(), figure.endpoint.lower()
            if arm in arms:
                raise ValueError(f"two figures show {figure.endpoint} of '{figure.study}'; keep one")
            arms.add(arm)
        return self

    @model_validator(mode="after")
    def _names_once(self) -> ReviewSpec:
        seen: set[str] = set()
        for analysis in self.analysis:
            if analysis.name in seen:
                raise ValueError(f"two analyses are called '{analysis.name}'; names must differ")
            seen.add(analysis.name)
        return self


_KINDS: dict[str, type[_Common]] = {
    "proportion": ProportionAnalysis,
    "survival": SurvivalAnalysis,
    "harms": HarmsAnalysis,
    "comparison": ComparisonAnalysis,
}


def _line_of(text: str, location: tuple[int | str, ...]) -> int:
    """Line of `review.toml` where the key at `location` stands (the best that text search can say), from 1."""
    lines = text.splitlines()
    start = 0
    keys = [part for part in location if not (isinstance(part, str) and part in _KINDS)]
    if len(keys) >= 2 and isinstance(keys[0], str) and isinstance(keys[1], int):
        heads = [i for i, line in enumerate(lines) if line.strip().replace(" ", "") == f"[[{keys[0]}]]"]
        start = heads[keys[1]] if keys[1] < len(heads) else 0
        keys = keys[2:]
    elif len(keys) >= 2:
        pattern = re.compile(rf"^\s*\[\s*{re.escape(str(keys[0]))}\b")
        start = next((i for i, line in enumerate(lines) if pattern.match(line)), 0)
        keys = keys[1:]
    names = [str(key) for key in keys if isinstance(key, str)]
    for name in names[:1]:
        pattern = re.compile(
            rf'^\s*"?{re.escape(name)}"?\s*(=|\.)|^\s*\[+\s*{re.escape(name)}\b|[{{,]\s*{re.escape(name)}\s*='
        )
        for i in range(start, len(lines)):
            if pattern.search(lines[i]):
                return i + 1
    return start + 1


def _known_keys(location: tuple[int | str, ...]) -> list[str]:
    if "exclude" in location:
        return sorted(Exclusion.model_fields)
    if "labels" in location[:-1]:
        return sorted(Labels.model_fields)
    if location and location[0] == "analysis":
        kind = next((part for part in location if isinstance(part, str) and part in _KINDS), None)
        return sorted(_KINDS[kind].model_fields) if kind else sorted(_Common.model_fields)
    if location[0] == "figure" and len(location) > 1:
        return sorted(FigureSource.model_fields)
    if location[0] == "search" and len(location) > 1:
        return sorted(Search.model_fields)
    if location[0] == "risk_of_bias" and len(location) > 1:
        return sorted(Bias.model_fields)
    if location[0] == "certainty" and len(location) > 2:
        return sorted(Moved.model_fields if len(location) > 3 else Certain.model_fields)
    return sorted(
        Published.model_fields if location[0] == "published" and len(location) > 1 else ReviewSpec.model_fields
    )


def _message(error: dict[str, Any]) -> str:
    # Steps into a list or one of several allowed forms are no keys of the file.
    location = tuple(p for p in error["loc"] if not (isinstance(p, str) and ("[" in p or p in ("float", "int"))))
    while len(location) > 1 and isinstance(location[-1], int):
        location = location[:-1]
    key = str(location[-1]) if location else ""
    if error["type"] == "extra_forbidden":
        known = _known_keys(location)
        near = get_close_matches(key, known, n=1, cutoff=0.5)
        hint = f"nearest known key: '{near[0]}'" if near else f"known keys: {', '.join(known)}"
        return f"unknown key '{key}'; {hint}"
    if error["type"] == "missing":
        return f"'{key}' is missing; it is required here"
    if error["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return f"an analysis needs kind = one of {', '.join(_KINDS)}"
    if error["type"].startswith("value_error") and not key:
        return str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "literal_error":
        wanted = error["ctx"]["expected"]
        return f"'{key}' is {error['input']!r}; known: {wanted}"
    reason = error["msg"].removeprefix("Value error, ")
    return f"'{key}' is {error['input']!r}: {reason}" if key and location[-1] != "analysis" else reason


def parse_review(text: str, file: str = "review.toml") -> ReviewSpec:
    """The protocol in `text`; the first fault is raised with its line and, for an unknown key, the nearest known one.

    Raises
    ------
    SpecError
        Not TOML, an unknown or missing key, or a value outside what is known.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{file}: not valid TOML: {error}") from None
    try:
        return ReviewSpec.model_validate(raw)
    except ValidationError as error:
        faults = error.errors()
        # An unknown key explains more than the missing one it was meant to be.
        first = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
        line = _line_of(text, first["loc"])
        raise SpecError(f"{file}, line {line}: {_message(dict(first))}") from None
