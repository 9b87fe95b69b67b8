"""A review folder rebuilt: only what is stale is made again, and `out/` changes all at once, at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

import metagrove
from metagrove.app.arms import arm_inputs, arm_name, arm_rows, arms_of, doubtful_figures, total_of
from metagrove.app.figure_steps import FiguresRead, read_figures
from metagrove.app.products import Product, csv_bytes, row_material
from metagrove.core.errors import MetagroveError
from metagrove.review.checks import findings_of, row_faults, sorted_findings
from metagrove.review.comparison_checks import comparison_rows_of
from metagrove.review.folder import Review, open_review
from metagrove.review.log import LOG
from metagrove.review.spec import ComparisonAnalysis, HarmsAnalysis, ProportionAnalysis, SurvivalAnalysis
from metagrove.review.storage import WorkStore, digest_of, write_folder
from metagrove.review.tables import Row

__all__ = ["Progress", "Rebuilt", "check_review", "rebuild"]

Progress: TypeAlias = Callable[[str, int, int], None]

_STORE = ".metagrove/work"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a run did: the steps it made again, those that were fresh, the files that changed, and the report.

    `doubtful` names the figures that were left out because nobody has confirmed their reading, with the reason;
    `budgets` holds, for each survival analysis, lines that say where the uncertainty of its numbers comes from.
    """

    redone: tuple[str, ...]
    fresh: tuple[str, ...]
    written: tuple[str, ...]
    report: Path
    findings: int
    doubtful: tuple[str, ...] = ()
    budgets: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def summary(self) -> str:
        """One or two lines for a terminal."""
        if not self.redone:
            return f"Nothing to redo: {len(self.fresh)} steps are fresh."
        arms = [name for name in self.redone if name.startswith("patients ")]
        shown = [f"patients of {len(arms)} arms"] if len(arms) > 4 else arms
        shown += [name for name in self.redone if name not in arms]
        return f"Redone ({len(self.redone)} steps): {', '.join(shown)}. Fresh: {len(self.fresh)} steps."


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    key: str
    make: Callable[[], Product]


@lru_cache(maxsize=1)
def _program() -> str:
    """The identity of the program itself, so that a change in a method is a change in what depends on it."""
    root = Path(metagrove.__file__).parent
    parts = sorted(path for path in root.rglob("*") if path.suffix in (".py", ".html", ".css", ".npz"))
    return digest_of(metagrove.__version__, *(path.read_bytes() for path in parts))


class _Run:
    """One pass over the steps: made once each, kept in the store, told to `progress`."""

    def __init__(self, review: Review, progress: Progress | None, total: int) -> None:
        self.review = review
        self.store = WorkStore(review.path / _STORE)
        self.progress, self.total = progress, total
        self.redone: list[str] = []
        self.fresh: list[str] = []
        self.keys: set[str] = set()

    def product(self, step: _Step) -> Product:
        if self.progress:
            self.progress(step.name, len(self.keys), self.total)
        self.keys.add(step.key)
        kept = self.store.get(step.key)
        if kept is not None:
            try:
                product = Product.from_dict(kept)
            except (KeyError, TypeError, ValueError):
                pass  # a damaged file counts as not made
            else:
                self.fresh.append(step.name)
                return product
        made = step.make()
        self.store.put(step.key, made.to_dict())
        self.redone.append(step.name)
        return made


def _module(kind: str) -> Any:
    """The module that makes a kind of analysis, imported when something is stale or asked."""
    return import_module(f"metagrove.app.{kind}")


_KINDS: Mapping[type, str] = {
    ProportionAnalysis: "proportions",
    SurvivalAnalysis: "survival",
    HarmsAnalysis: "harms",
    ComparisonAnalysis: "comparisons",
}


def _patient_steps(review: Review) -> Iterator[_Step]:
    """One step an arm: a curve rebuilt into patients. Analyses with the same settings share them."""
    seen: set[str] = set()
    for analysis in review.spec.analysis:
        if not isinstance(analysis, SurvivalAnalysis):
            continue
        for study in arms_of(review, analysis):
            material = arm_inputs(review, analysis, study)
            # An arm without a printed number has the enrolled one of studies.csv.
            key = digest_of("patients", _program(), material, total_of(review, analysis.endpoint, study, "n"))
            if key not in seen:
                seen.add(key)
                name = arm_name(analysis, study)
                yield _Step(name, key, lambda a=analysis, s=study: _module("arms").rebuilt_arm(review, a, s))  # type: ignore[misc]


def _analysis_step(review: Review, analysis: Any, patients: Mapping[str, Product]) -> _Step:
    kind = _KINDS[type(analysis)]
    material = _material(review, analysis, patients)

    def make() -> Product:
        product: Product = _module(kind).product(review, analysis, patients)
        return product

    return _Step(f"analysis {analysis.name}", digest_of(kind, _program(), material), make)


def _about_studies(review: Review, analysis: Any, rows: Iterable[Row]) -> list[Any]:
    """What an analysis takes from studies.csv: order and names of its studies, its populations, its subgroups.

    Another column, or another study's row, makes nothing stale.
    """
    used = {row.text("study").lower() for row in rows} | {gone.study.lower() for gone in analysis.exclude}
    columns: list[str] = []
    if isinstance(analysis, ProportionAnalysis):
        columns = ["n_evaluable", "n_enrolled", "n_safety"]
    elif isinstance(analysis, SurvivalAnalysis):
        columns = ["n_enrolled"]
    columns += [analysis.subgroup] if getattr(analysis, "subgroup", "") else []
    return [
        [row.text("study"), review.label(row.text("study")), [row.text(name) for name in columns]]
        for row in review.rows("studies")
        if row.text("study").lower() in used
    ]


def _places(review: Review, endpoint: str, study: str) -> list[Any]:
    """Where the curve of an arm and what is printed with it were read, as the report tells it."""
    groups = [arm_rows(review, name, endpoint, study) for name in ("curves", "at_risk", "censor_marks")]
    return [[len(rows), rows[0].number, str(rows[0].source)] for rows in groups if rows]


def _material(review: Review, analysis: Any, patients: Mapping[str, Product]) -> list[Any]:
    """All that one analysis depends on."""
    out: list[Any] = [analysis.model_dump(mode="json"), review.spec.time_unit, list(review.spec.synthetic)]
    out.append(row_material([r for r in review.rows("published") if r.text("analysis") == analysis.name]))
    rows: Sequence[Row]
    if isinstance(analysis, ProportionAnalysis):
        wanted = analysis.outcome.lower()
        rows = [r for r in review.rows("responses") if r.text("outcome").lower() == wanted]
        out.append(_module("bias").forest_material(review, analysis.outcome))
    elif isinstance(analysis, ComparisonAnalysis):
        # The headings say on which scale an effect was printed.
        out.append(dict(review.table("comparisons").mapping))
        rows = comparison_rows_of(review, analysis.outcome)
        out.append(_module("bias").forest_material(review, analysis.outcome))
    elif isinstance(analysis, HarmsAnalysis):
        rows = review.rows("adverse_events")
    else:
        rows = [r for r in review.rows("survival") if r.text("endpoint").lower() == analysis.endpoint.lower()]
        studies = arms_of(review, analysis)
        out.append({name: patients[name].to_dict() for name in (arm_name(analysis, study) for study in studies)})
        out.append([[study, review.label(study), _places(review, analysis.endpoint, study)] for study in studies])
        figures = [s for s in review.figures if s.source.endpoint.lower() == analysis.endpoint.lower()]
        out.append([[s.source.model_dump(), s.status, s.reasons, s.by, s.edits] for s in figures])
    return [*out, row_material(rows), _about_studies(review, analysis, rows)]


@dataclass(frozen=True, slots=True)
class _Written:
    """The making of one form of the report."""

    review: Review
    parts: Mapping[str, Product]
    form: str

    def __call__(self) -> Product:
        made: Product = _module("reporting").product(self.review, self.parts, self.form)
        return made


def _checks_step(review: Review) -> _Step:
    def make() -> Product:
        found = [finding.row() for finding in findings_of(review)]
        keys = ["severity", "rule", "study", "where", "found", "expected", "message"]
        table = csv_bytes(keys, [[f[k] for k in keys] for f in found])
        return Product(files={"findings.csv": table}, carry={"findings": found})

    return _Step("checks", digest_of("checks", _program(), review.digest), make)


def _front_steps(run: _Run, review: Review) -> dict[str, Product]:
    """What comes before the numbers: the selection of the studies and the search."""
    parts: dict[str, Product] = {}
    if review.rows("flow") or (review.path / LOG).is_file():
        key = digest_of("selection", _program(), _module("selection").material(review))
        parts["selection"] = run.product(_Step("selection", key, lambda: _module("selection").product(review)))
    search = review.spec.search
    if search.date or search.databases or search.concepts:
        included = parts["selection"].carry["included"] if "selection" in parts else []
        key = digest_of("search", _program(), _module("searching").material(review, included))
        step = _Step("search", key, lambda: _module("searching").product(review, included))
        parts = {"search": run.product(step)} | parts
    if review.rows("risk_of_bias"):
        key = digest_of("bias", _program(), _module("bias").material(review))
        parts["bias"] = run.product(_Step("risk of bias", key, lambda: _module("bias").product(review)))
    return parts


def _refuse_bad_rows(review: Review) -> None:
    for fault in row_faults(review):
        raise fault


def rebuild(path: str | Path, *, formats: Sequence[str] = ("html",), progress: Progress | None = None) -> Rebuilt:
    """Everything in the folder's `out/`, made again where it is stale.

    `formats` names the forms of the report besides HTML ("docx", "pdf"). Nothing in `out/` is touched until all steps are done; a step that is done stays done if a later one fails or the run
    is interrupted.

    Raises
    ------
    DataError
        A row that cannot be meant; names file, row and column.
    SpecError
        `review.toml` asks for something unknown.
    """
    review = open_review(path)
    _refuse_bad_rows(review)
    drawn = FiguresRead()
    if review.figures:
        drawn = read_figures(review, WorkStore(review.path / _STORE), progress=progress)
    if drawn.changed:
        review = open_review(path)
        _refuse_bad_rows(review)
    patient_steps = list(_patient_steps(review))
    run = _Run(review, progress, len(patient_steps) + len(review.spec.analysis) + 6)
    run.redone += drawn.redone
    run.fresh += drawn.fresh
    run.keys |= drawn.keys
    patients = {step.name: run.product(step) for step in patient_steps}
    checks = run.product(_checks_step(review))
    parts = {"checks": checks} | _front_steps(run, review)
    for analysis in review.spec.analysis:
        try:
            parts[f"analysis {analysis.name}"] = run.product(_analysis_step(review, analysis, patients))
        except MetagroveError as error:
            raise error.within(f"analysis '{analysis.name}'") from error
    if review.spec.certainty or review.rows("certainty"):
        key = digest_of("certainty", _program(), _module("certainty").material(review, parts))
        step = _Step("certainty", key, lambda: _module("certainty").product(review, parts, patients))
        parts["certainty"] = run.product(step)
    key = digest_of("report", _program(), review.digest, sorted(run.keys))
    files: dict[str, bytes] = dict(drawn.files)
    for product in (*patients.values(), *parts.values()):
        files |= product.files
    # A form that was asked for once is kept true by every later run.
    kept = [name for name in ("docx", "pdf") if (review.path / "out" / f"report.{name}").is_file()]
    for name in dict.fromkeys(("html", *formats, *kept)):
        step = _Step(
            "report" if name == "html" else f"report {name}", digest_of(key, name), _Written(review, parts, name)
        )
        files |= run.product(step).files
    written = _commit(review, files, key)
    run.store.keep_only(frozenset(run.keys))
    found = sum(len(part.carry.get("findings", ())) for part in parts.values())
    where = (review.path / "out" / "report.html").resolve()
    budgets = tuple((a.name, parts[f"analysis {a.name}"].carry.get("budget", ())) for a in review.spec.analysis)
    told = tuple((name, tuple(lines)) for name, lines in budgets if lines)
    return Rebuilt(tuple(run.redone), tuple(run.fresh), tuple(written), where, found, doubtful_figures(review), told)


def _commit(review: Review, files: dict[str, bytes], key: str) -> list[str]:
    """The files that changed in `out/`; what an earlier run left and nobody makes any more is removed."""
    out = review.path / "out"
    try:
        names = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["files"]
        owned = frozenset(name for name in names if isinstance(name, str))
    except (OSError, ValueError, KeyError, TypeError):
        owned = frozenset()
    manifest = {
        "made_by": f"metagrove {metagrove.__version__}",
        "review": review.digest,
        "made_from": key,
        "inputs": {name: table.digest for name, table in review.tables.items()},
        "columns": {name: dict(table.mapping) for name, table in review.tables.items()},
        "files": sorted([*files, "manifest.json"]),
    }
    files["manifest.json"] = (json.dumps(manifest, indent=2, ensure_ascii=False) + "\n").encode()
    return write_folder(out, files, owned=owned)


def check_review(path: str | Path) -> list[dict[str, str]]:
    """The findings of a review folder as dicts: `rule, severity, study, where, found, expected, message`.

    Raises
    ------
    DataError, SpecError
        The folder, its protocol or a whole table cannot be read.
    """
    review = open_review(path)
    found = [*findings_of(review), *_module("selection").selection_findings(review)]
    return [finding.row() for finding in sorted_findings(found)]
