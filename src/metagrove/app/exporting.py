"""A review for other programs: scripts for R and Stata, a RevMan file, an archive of everything, records for screening tools."""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from metagrove.app import r_scripts
from metagrove.app.contrasts import Compared, compared_studies, forms_of, pooled_contrast
from metagrove.app.harms import reported_events
from metagrove.app.products import csv_bytes
from metagrove.app.proportions import arms_of_analysis, pooled_arms
from metagrove.app.screening import screening_of
from metagrove.app.workflow import Progress, rebuild
from metagrove.core.errors import DataError, SpecError, UnknownName
from metagrove.review.assessments import bias_groups
from metagrove.review.duplicates.clusters import merged_record
from metagrove.review.exports import EXPORTS, written_records
from metagrove.review.folder import Review, open_review
from metagrove.review.records.reading import Record
from metagrove.review.revman_file import RevManData, revman_file
from metagrove.review.screening import Screening
from metagrove.review.spec import Analysis, ComparisonAnalysis, HarmsAnalysis, ProportionAnalysis, SurvivalAnalysis
from metagrove.review.storage import write_folder

__all__ = ["FORMS", "WHICH", "export_review", "r_files"]

_FILES = {
    "ris": "records.ris", "csv": "records.csv", "bibtex": "records.bib", "zotero": "zotero.ris", "covidence": "covidence.ris",
    "endnote": "endnote.ris", "rayyan": "rayyan.csv",
}  # fmt: skip
#: Which works a screening export holds.
WHICH = ("all", "open", "full-text", "included", "excluded")


def _title(analysis: Analysis) -> str:
    named = analysis.title or getattr(analysis, "outcome", "") or getattr(analysis, "endpoint", "")
    return str(named or analysis.name)


def _pooled(review: Review, analysis: ProportionAnalysis | ComparisonAnalysis) -> Any:
    if isinstance(analysis, ProportionAnalysis):
        return pooled_arms(analysis, arms_of_analysis(review, analysis))
    settled, studies, _ = compared_studies(review, analysis)
    return pooled_contrast(settled, studies)


def _table(columns: Mapping[str, Sequence[Any]]) -> bytes:
    names = list(columns)
    return csv_bytes(names, list(zip(*(columns[name] for name in names), strict=True)))


def _made(folder: Path, name: str) -> bytes:
    return (folder / "out" / name).read_bytes()


def _events(review: Review, analysis: HarmsAnalysis) -> bytes:
    rows = [[row.text("study"), term, row["events"], row["n"]] for term, row in reported_events(review, analysis)]
    return csv_bytes(["study", "term", "events", "n"], rows)


def _medians(patients: bytes) -> dict[str, float]:
    """The Kaplan-Meier median of each study of a table of patients, as far as it is reached."""
    import csv

    from metagrove.survival.kaplan_meier import survival_curve

    arms: dict[str, tuple[list[float], list[int]]] = {}
    for row in csv.DictReader(io.StringIO(patients.decode())):
        times, events = arms.setdefault(row["study"], ([], []))
        times.append(float(row["time"]))
        events.append(int(row["event"]))
    found = {study: float(survival_curve(times, events).median) for study, (times, events) in arms.items()}
    return {study: value for study, value in found.items() if math.isfinite(value)}


def r_files(review: Review) -> dict[str, bytes]:
    """One script and its data for each analysis, and one that runs them all; curves and harms come from a finished run."""
    files: dict[str, bytes] = {"check.R": r_scripts.HEAD.encode()}
    done = []
    for analysis in review.spec.analysis:
        name, title = analysis.name, _title(analysis)
        if isinstance(analysis, SurvivalAnalysis):
            patients = _made(review.path, f"tables/{name}-patients.csv")
            files |= {
                f"{name}-patients.csv": patients,
                f"{name}-curve.csv": _made(review.path, f"tables/{name}-curve.csv"),
            }
            script = r_scripts.patients_script(title, name, _medians(patients))
        elif isinstance(analysis, HarmsAnalysis):
            files[f"{name}.csv"] = _events(review, analysis)
            terms = json.loads(_made(review.path, f"results/{name}.json"))
            script = r_scripts.harms_script(title, name, analysis.sm, analysis.method_tau, terms)
        else:
            pooled = _pooled(review, analysis)
            files[f"{name}.csv"] = _table(r_scripts.study_columns(pooled))
            proportion = isinstance(analysis, ProportionAnalysis)
            if pooled.method == "GLMM":
                script = r_scripts.glmm_script(title, name, pooled) if proportion else r_scripts.no_script(title, name)
            else:
                script = r_scripts.effects_script(title, name, pooled, sm=analysis.sm if proportion else "")
            files[f"{name}-with-meta.R"] = pooled.to_r().encode()
        files[f"{name}.R"] = script.encode()
        done.append(name)
    files["all.R"] = r_scripts.all_script(done).encode()
    return {f"r/{name}": content for name, content in files.items()}


def _stata_files(review: Review) -> dict[str, bytes]:
    files = {}
    for analysis in review.spec.analysis:
        if isinstance(analysis, SurvivalAnalysis):
            name = f"{analysis.name}-patients.csv"
            files[f"stata/{name}"] = _made(review.path, f"tables/{name}")
            files[f"stata/{analysis.name}.do"] = (
                f'* {_title(analysis)}: patients rebuilt from the curves\nimport delimited "{name}", clear varnames(1)\n'
                "stset time, failure(event)\nsts graph, by(study)\nstsum, by(study)\n"
            ).encode()
        elif isinstance(analysis, ProportionAnalysis | ComparisonAnalysis):
            pooled = _pooled(review, analysis)
            files[f"stata/{analysis.name}.do"] = f"* {_title(analysis)}\n{pooled.to_stata()}".encode()
            files[f"stata/{analysis.name}.csv"] = _table(r_scripts.study_columns(pooled))
        else:
            files[f"stata/{analysis.name}.csv"] = _events(review, analysis)
    return files


def _revman_rows(pooled: Any, studies: Sequence[Compared], kind: str) -> tuple[Mapping[str, object], ...]:
    names = {"DICH": ("event_e", "n_e", "event_c", "n_c"), "CONT": ("mean_e", "sd_e", "n_e", "mean_c", "sd_c", "n_c")}
    rows: list[dict[str, object]] = []
    for i, study in enumerate(studies):
        cells = {name: study.row[name] for name in names.get(kind, ())}
        effect = {"te": float(pooled.TE[i]), "se": float(pooled.seTE[i])} if kind == "IV" else {}
        rows.append({"study": study.study, "subgroup": study.subgroup, **cells, **effect})
    return tuple(rows)


def _outcome(review: Review, analysis: ProportionAnalysis | ComparisonAnalysis) -> RevManData:
    pooled = _pooled(review, analysis)
    title = _title(analysis)
    if isinstance(analysis, ProportionAnalysis):
        arms = arms_of_analysis(review, analysis)
        rows = tuple(
            {"study": arm.study, "subgroup": arm.subgroup, "te": float(pooled.TE[i]), "se": float(pooled.seTE[i])}
            for i, arm in enumerate(arms)
        )
        told = f"{title} ({analysis.sm} scale)"
        return RevManData(told, "IV", "", "Inverse", analysis.random, analysis.level, ("treated", "none"), rows)
    settled, studies, _ = compared_studies(review, analysis)
    forms = forms_of(studies)
    kind = "DICH" if forms == {"counts"} else "CONT" if forms == {"means"} else "IV"
    if kind == "DICH" and settled.sm not in ("OR", "RR", "RD"):
        kind = "IV"
    if kind == "CONT" and settled.sm not in ("MD", "SMD"):
        kind = "IV"
    names = (settled.labels.experimental, settled.labels.control)
    rows_of = _revman_rows(pooled, studies, kind)
    return RevManData(title, kind, settled.sm, pooled.method, settled.random, settled.level, names, rows_of)


def _revman_files(review: Review) -> dict[str, bytes]:
    outcomes = [
        _outcome(review, analysis)
        for analysis in review.spec.analysis
        if isinstance(analysis, ProportionAnalysis | ComparisonAnalysis)
    ]
    if not outcomes:
        raise DataError("no analysis of proportions or of two arms; RevMan takes no others", file="review.toml")
    studies = [(row.text("study"), row.text("year")) for row in review.rows("studies")]
    known = {name for name, _ in studies}
    extra = dict.fromkeys(str(row["study"]) for one in outcomes for row in one.rows)
    studies += [(name, "") for name in extra if name not in known]
    bias = {}
    for group in bias_groups(review.rows("risk_of_bias"), tool=review.spec.risk_of_bias.tool)[0]:
        for one in group.assessments:
            for judged in one.judgements:
                domain = f"{judged.domain} ({group.outcome})" if group.outcome else judged.domain
                bias[(one.study, domain)] = (judged.level, judged.support)
    return {"review.rm5": revman_file(review.spec.title, studies, outcomes, bias)}


def _wanted(screening: Screening, which: str) -> list[str]:
    works = list(screening.duplicates.works)
    if which == "open":
        return [work for work in works if screening.outcomes["title_abstract"][work].verdict in ("pending", "conflict")]
    if which == "full-text":
        return list(screening.outcomes["full_text"])
    if which == "included":
        return screening.works("full_text", "include")
    if which == "excluded":
        gone = {*screening.works("title_abstract", "exclude"), *screening.works("full_text", "exclude")}
        return [work for work in works if work in gone]
    return works


def _records(folder: Path, which: str) -> list[Record]:
    """One record for each work, the best value of each field."""
    screening = screening_of(folder)
    groups = screening.duplicates.works
    chosen = [merged_record(groups[work])[0] for work in _wanted(screening, which)]
    if not chosen:
        raise DataError(f"no record is '{which}' here", file=str(folder))
    return chosen


_OWN = (".metagrove", "out", "__pycache__")


def _zipped(review: Review, others: Mapping[str, bytes]) -> dict[str, bytes]:
    """Everything in one archive: the folder as people keep it, what was derived, the scripts; the same bytes every time."""
    inside: dict[str, bytes] = {}
    root = review.path
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        place = path.relative_to(root)
        if place.parts[0] not in _OWN and not path.name.startswith("."):
            inside[place.as_posix()] = path.read_bytes()
    for name in json.loads(_made(root, "manifest.json"))["files"]:
        inside[f"out/{name}"] = _made(root, name)
    inside |= {f"export/{name}": content for name, content in others.items()}
    listed = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(inside.items()))
    inside["SHA256SUMS"] = listed.encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(inside):
            # A fixed time, so that an unchanged review gives an unchanged archive.
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, inside[name])
    return {"review.zip": stream.getvalue()}


_MAKERS: Mapping[str, Callable[[Review], dict[str, bytes]]] = MappingProxyType(
    {"r": r_files, "stata": _stata_files, "revman": _revman_files}
)
#: The forms that a review can be exported to.
FORMS = (*_MAKERS, "zip", *EXPORTS)


def export_review(
    path: str | Path,
    forms: Sequence[str],
    *,
    out: str | Path | None = None,
    which: str = "all",
    progress: Progress | None = None,
) -> list[Path]:
    """The files written, after what is stale in the review was made again; all or, where something is refused, none.

    Parameters
    ----------
    path : the review folder.
    forms : names of FORMS.
    out : the folder to write; `out/export` of the review by default.
    which : the works of a screening export, a name of WHICH.

    Raises
    ------
    UnknownName
        A form, or a choice of records, that is not known.
    DataError
        Something in the review cannot be read, or there is nothing to export in a form.
    """
    path = Path(path)
    wanted = list(dict.fromkeys(form.strip().lower() for form in forms if form.strip()))
    if not wanted:
        raise SpecError(f"no form to export to; one of {', '.join(FORMS)}")
    for form in wanted:
        if form not in FORMS:
            raise UnknownName("form to export to", form, FORMS)
    if which not in WHICH:
        raise UnknownName("choice of records", which, WHICH)
    files: dict[str, bytes] = {}
    numbers = [form for form in wanted if form not in EXPORTS]
    if numbers:
        rebuild(path, progress=progress)
        review = open_review(path)
        for form in numbers:
            files |= _MAKERS[form](review) if form in _MAKERS else {}
        if "zip" in numbers:
            scripts = files or r_files(review) | _stata_files(review)
            files |= _zipped(review, scripts)
    if set(wanted) & set(EXPORTS):
        records = _records(path, which)
        files |= {_FILES[form]: written_records(records, form) for form in wanted if form in EXPORTS}
    place = path / "out" / "export" if out is None else Path(out)
    write_folder(place, files)
    return [place / name for name in files]
