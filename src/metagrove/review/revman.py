"""Reviews written with Review Manager 5 (`.rm5`): studies, data of every comparison, and risk of bias, as plain values.

The file is XML. Documents that declare entities are refused and nothing outside the file is ever read; text in another
encoding than the one declared, bare ampersands and names such as `&nbsp;` are put right, and that is told.
"""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from xml.etree import ElementTree

from metagrove.core.errors import DataError
from metagrove.core.scales import scale

__all__ = ["RevManOutcome", "RevManReview", "read_revman"]

_KINDS = ("DICH", "CONT", "IV", "IPD")
_MEASURES = (
    (r"peto", "OR"), (r"hazard|^hr$", "HR"), (r"odds|^or$", "OR"), (r"(risk|relative) (ratio|risk)|^rr$", "RR"),
    (r"rate ratio|incidence|^irr$", "IRR"), (r"risk difference|^rd$", "RD"), (r"st.*mean diff|^smd$", "SMD"),
    (r"mean diff|^md$|^wmd$", "MD"), (r"ratio of means|^rom$", "ROM"),
)  # fmt: skip
_METHODS = {"MH": "MH", "IV": "Inverse", "PETO": "Peto", "EXP_O_E_VAR": "Inverse"}
_JUDGEMENTS = {"YES": "Low", "NO": "High", "UNKNOWN": "Unclear"}
_XML_NAMES = frozenset(["amp", "lt", "gt", "quot", "apos"])


@dataclass(frozen=True, slots=True)
class RevManOutcome:
    """One outcome of one comparison: what it is called, how RevMan pooled it, and what RevMan printed.

    `measure` and `method` are the field's codes, `random` the model, `level` the confidence level, `labels` the two arms and
    what the left and right side of the plot favour, `printed` quantities of published.csv as RevMan shows them.
    """

    name: str
    comparison: str
    measure: str
    method: str
    random: bool
    level: float
    labels: tuple[str, str, str, str]
    subgroups: bool
    rows: tuple[Mapping[str, str], ...]
    printed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RevManReview:
    """A review: its title, its studies with their years, its outcomes, judgements by (study, domain), and what was told."""

    title: str
    studies: tuple[tuple[str, str], ...]
    outcomes: tuple[RevManOutcome, ...]
    bias: Mapping[tuple[str, str], str]
    told: tuple[str, ...]


def _decoded(content: bytes) -> tuple[str, list[str]]:
    """The text of the file, by its byte-order mark, its declaration, or what it can be."""
    for mark, codec in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(codec, "replace"), []
    found = re.match(rb"\s*<\?xml[^>]*encoding\s*=\s*[\"']([A-Za-z0-9._-]+)", content[:300])
    said = found[1].decode("ascii") if found else "utf-8"
    for codec in (said, "utf-8", "cp1252"):
        try:
            text = content.decode(codec)
        except (UnicodeDecodeError, LookupError):
            continue
        return text, [] if codec == said else [f"the file says {said} but is not; it was read as {codec}"]
    return content.decode("latin-1"), [f"the file says {said} but is not; it was read as latin-1"]


def _mended(text: str) -> str:
    """The text with HTML's names as characters and bare ampersands escaped."""

    def character(found: re.Match[str]) -> str:
        name = found[1]
        plain = html.unescape(found[0])
        return found[0] if name in _XML_NAMES or plain == found[0] else html.escape(plain)

    text = re.sub(r"&([A-Za-z][A-Za-z0-9]*);", character, text)
    text = re.sub(r"&(?!#\d+;|#x[0-9A-Fa-f]+;|(?:amp|lt|gt|quot|apos);)", "&amp;", text)
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", text)


def _root(content: bytes, file: str) -> tuple[ElementTree.Element, list[str]]:
    if content[:2] == b"PK":
        raise DataError("this is a compressed package, not RevMan 5 XML; export the review as .rm5", file=file)
    if not content.strip():
        raise DataError("the file is empty; a RevMan 5 review is XML", file=file)
    text, told = _decoded(content)
    if re.search(r"<!ENTITY|<!DOCTYPE[^>]*\[", text):
        raise DataError("declares entities of its own, which no RevMan file does; it was not read", file=file)
    text = re.sub(r"^\ufeff?\s*<\?xml[^>]*\?>", "", text)
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as first:
        try:
            root = ElementTree.fromstring(_mended(text))
        except ElementTree.ParseError:
            line, column = first.position
            reason = str(first).partition(":")[0]
            raise DataError(
                f"is not well-formed XML: {reason} at line {line}, column {column + 1}; export it from RevMan again",
                file=file,
            ) from None
        told.append("bare ampersands, named characters or control characters were put right")
    if root.tag != "COCHRANE_REVIEW":
        found = root.find(".//COCHRANE_REVIEW")
        if found is None:
            raise DataError(
                f"is XML but no RevMan review: it begins with <{root.tag}>, not <COCHRANE_REVIEW>", file=file
            )
        root = found
    return root, told


def _text(element: ElementTree.Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _child(element: ElementTree.Element, name: str) -> str:
    return _text(element.find(name))


def _study_names(root: ElementTree.Element) -> tuple[dict[str, str], dict[str, str]]:
    """Name and year of each study by its identifier; names made different where two studies share one."""
    names, years = {}, {}
    taken: Counter[str] = Counter()
    for study in root.iter("STUDY"):
        key = study.get("ID", "")
        name = " ".join(study.get("NAME", "").split()) or _name_of(key)
        taken[name.lower()] += 1
        names[key] = name if taken[name.lower()] == 1 else f"{name} ({taken[name.lower()]})"
        year = re.search(r"\d{4}", study.get("YEAR", "")) or re.search(r"\b(?:19|20)\d{2}", name)
        years[names[key]] = year[0] if year else ""
    return names, years


def _name_of(key: str) -> str:
    """A study's name from its identifier, which RevMan makes from the name."""
    spelled = re.sub(r"_x([0-9a-fA-F]{4})_", lambda found: chr(int(found[1], 16)), re.sub(r"^STD-", "", key))
    return spelled.replace("-", " ").replace("_", " ").strip() or key


def _number(element: ElementTree.Element, name: str) -> float:
    try:
        value = float(element.get(name, ""))
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _plain(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.12g}"


def _arms(data: ElementTree.Element, pairs: Mapping[str, str]) -> dict[str, str]:
    """Cells of both arms; none where an arm has nobody, which is how RevMan keeps a study without data."""
    cells = {
        f"{ours}_{arm}": _plain(_number(data, f"{theirs}_{i}"))
        for arm, i in (("e", 1), ("c", 2))
        for ours, theirs in pairs.items()
    }
    empty = cells["n_e"] in ("", "0") or cells["n_c"] in ("", "0")
    return dict.fromkeys(cells, "") if empty else cells


def _effect(data: ElementTree.Element, kind: str, *, ratio: bool) -> dict[str, str]:
    """Effect and standard error on the analysis scale, with the sizes of the arms where they are known.

    ESTIMATE is what was entered (a logarithm for ratios), EFFECT_SIZE what is shown.
    """
    te, se = _number(data, "ESTIMATE"), _number(data, "SE")
    if kind == "IPD" and _number(data, "VAR") > 0:
        te, se = _number(data, "O_E") / _number(data, "VAR"), _number(data, "VAR") ** -0.5
    if math.isnan(te):
        te = _number(data, "EFFECT_SIZE")
        if ratio:
            te = math.log(te) if te > 0 else math.nan
    sizes = {f"n_{arm}": _plain(_number(data, f"TOTAL_{i}")) for arm, i in (("e", 1), ("c", 2))}
    sizes = {name: "" if size == "0" else size for name, size in sizes.items()}
    return sizes | ({"te": _plain(te), "se": _plain(se)} if se > 0 and not math.isnan(te) else {})


def _cells(data: ElementTree.Element, kind: str, *, ratio: bool) -> dict[str, str]:
    if kind == "DICH":
        return _arms(data, {"event": "EVENTS", "n": "TOTAL"})
    if kind == "CONT":
        return _arms(data, {"mean": "MEAN", "sd": "SD", "n": "TOTAL"})
    return _effect(data, kind, ratio=ratio)


def _data_of(outcome: ElementTree.Element, kind: str) -> Iterator[tuple[str, ElementTree.Element]]:
    """Each study's data with the name of its subgroup (empty without)."""
    for data in outcome.findall(f"{kind}_DATA"):
        yield "", data
    for group in outcome.findall(f"{kind}_SUBGROUP"):
        for data in group.findall(f"{kind}_DATA"):
            yield _child(group, "NAME"), data


def _measure(outcome: ElementTree.Element) -> tuple[str, str]:
    """The code of the effect measure (empty where it has none) and its text."""
    said = outcome.get("EFFECT_MEASURE", "") or _child(outcome, "EFFECT_MEASURE")
    text = said.replace("_", " ").strip().lower()
    return next((code for pattern, code in _MEASURES if re.search(pattern, text)), ""), said


def _printed(element: ElementTree.Element) -> dict[str, str]:
    """What RevMan shows of a pooled result, at the digits at which it shows it."""
    if element.get("ESTIMABLE", "YES") != "YES" or not _number(element, "CI_START") < _number(element, "CI_END"):
        return {}
    found = {
        "estimate": f"{_number(element, 'EFFECT_SIZE'):.2f}",
        "ci_low": f"{_number(element, 'CI_START'):.2f}",
        "ci_high": f"{_number(element, 'CI_END'):.2f}",
    }
    if _number(element, "DF") >= 1:
        found["Q"] = f"{_number(element, 'CHI2'):.2f}"
        found["I2"] = f"{_number(element, 'I2'):.0f}%"
        if element.get("RANDOM") == "YES" and not math.isnan(_number(element, "TAU2")):
            found["tau2"] = f"{_number(element, 'TAU2'):.2f}"
    return {name: text for name, text in found.items() if "nan" not in text}


def _outcome(
    comparison: str, outcome: ElementTree.Element, kind: str, names: Mapping[str, str], told: list[str]
) -> RevManOutcome | None:
    name = _child(outcome, "NAME") or f"Outcome {outcome.get('NO', '')}".strip()
    measure, said = _measure(outcome)
    rows = []
    for group, data in _data_of(outcome, kind):
        key = data.get("STUDY_ID", "")
        note = _child(data, "FOOTNOTE")
        cells = _cells(data, kind, ratio=scale(measure).ratio)
        rows.append({"study": names.get(key) or _name_of(key), "subgroup": group, **cells, "note": note})
    if not rows:
        told.append(f"'{name}' has no data; left out")
        return None
    if not measure:
        told.append(f"'{name}': the effect measure '{said}' is not known here; effects are pooled as they are")
    if outcome.get("SWAP_EVENTS") == "YES":
        told.append(f"'{name}': RevMan counts non-events here (events swapped); the events stand as entered")
    if any(not _has_data(row) for row in rows):
        silent = ", ".join(dict.fromkeys(row["study"] for row in rows if not _has_data(row)))
        told.append(f"'{name}': no data of {silent}; their cells are empty")
    level = _number(outcome, "CI_TOTAL")
    level = level / 100 if level > 1 else level
    labels = ("GROUP_LABEL_1", "GROUP_LABEL_2", "GRAPH_LABEL_1", "GRAPH_LABEL_2")
    method = "Peto" if outcome.get("EFFECT_MEASURE") == "PETO_OR" else _METHODS.get(outcome.get("METHOD", ""), "")
    if kind == "IV" and scale(measure).ratio and outcome.get("LOG_DATA") == "NO":
        told.append(f"'{name}': RevMan pooled the {said} without logarithms; effects are pooled as they are")
        measure = ""
    return RevManOutcome(
        name=name,
        comparison=comparison,
        measure=measure,
        method=method if kind == "DICH" else "Inverse",
        random=outcome.get("RANDOM", "NO") == "YES",
        level=level if 0.5 < level < 1 else 0.95,
        labels=tuple(_child(outcome, label) for label in labels),  # type: ignore[arg-type]
        subgroups=len({row["subgroup"] for row in rows}) > 1,
        rows=tuple(rows),
        printed=_printed(outcome) if outcome.get("TOTALS", "YES") == "YES" else {},
    )


def _has_data(row: Mapping[str, str]) -> bool:
    return any(row.get(name) for name in ("event_e", "mean_e", "te"))


def _bias(root: ElementTree.Element, names: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Judgements by study and domain, in RevMan's order; domains judged for groups of outcomes carry the group's name."""
    found: dict[tuple[str, str], str] = {}
    for item in root.iter("QUALITY_ITEM"):
        domain = _child(item, "NAME")
        groups = {group.get("ID", ""): _child(group, "NAME") for group in item.iter("QUALITY_ITEM_DATA_ENTRY_GROUP")}
        for entry in item.iter("QUALITY_ITEM_DATA_ENTRY"):
            key, group = entry.get("STUDY_ID", ""), groups.get(entry.get("GROUP_ID", ""), "")
            judged = _JUDGEMENTS.get(entry.get("RESULT", ""), "")
            if domain and judged:
                found[(names.get(key) or _name_of(key), f"{domain} ({group})" if group else domain)] = judged
    return found


def _named_apart(outcomes: list[RevManOutcome]) -> list[RevManOutcome]:
    """The outcomes with names that differ: the comparison's name is added where two share one, then a number."""
    often = Counter(outcome.name.lower() for outcome in outcomes)
    longer = [
        replace(o, name=f"{o.name}: {o.comparison}") if often[o.name.lower()] > 1 and o.comparison else o
        for o in outcomes
    ]
    seen: Counter[str] = Counter()
    apart = []
    for outcome in longer:
        seen[outcome.name.lower()] += 1
        count = seen[outcome.name.lower()]
        apart.append(outcome if count == 1 else replace(outcome, name=f"{outcome.name} ({count})"))
    return apart


def read_revman(content: bytes, file: str = "review.rm5") -> RevManReview:
    """The review in a RevMan 5 file.

    Raises
    ------
    DataError
        Not XML, XML of something else, a document that declares entities, or a review without data of two arms.
    """
    root, told = _root(content, file)
    names, years = _study_names(root)
    outcomes: list[RevManOutcome] = []
    for comparison in root.iter("COMPARISON"):
        title = _child(comparison, "NAME")
        for element in comparison:
            kind = element.tag.removesuffix("_OUTCOME")
            if kind in _KINDS and element.tag.endswith("_OUTCOME"):
                made = _outcome(title, element, kind, names, told)
                outcomes += [made] if made else []
            elif element.tag == "OTHER_OUTCOME":
                told.append(f"'{_child(element, 'NAME')}' is a table of text; left out")
    if not outcomes:
        raise DataError("holds no data of two arms (DICH_DATA, CONT_DATA, IV_DATA)", file=file)
    used = dict.fromkeys(row["study"] for outcome in outcomes for row in outcome.rows)
    included = [names[s.get("ID", "")] for group in root.iter("INCLUDED_STUDIES") for s in group.iter("STUDY")]
    studies = tuple((name, years.get(name, "")) for name in dict.fromkeys([*included, *used]))
    title = _child(root, "COVER_SHEET/TITLE") or _text(root.find(".//TITLE"))
    return RevManReview(title, studies, tuple(_named_apart(outcomes)), _bias(root, names), tuple(told))
