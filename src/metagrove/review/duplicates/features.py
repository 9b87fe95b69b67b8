"""What two records are compared by: titles, names, places in a journal, brought to one form."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from metagrove.review.records.reading import Record

__all__ = ["Features", "features_of"]

_SPECIAL = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "α": " alpha ",
     "β": " beta ", "γ": " gamma ", "δ": " delta ", "κ": " kappa ", "μ": " mu ", "µ": " mu ", "ω": " omega ", "&": " and "}
)  # fmt: skip
_LANGUAGE_NOTE = re.compile(
    r"[\[(](?:article in )?(?:chinese|japanese|german|french|spanish|italian|russian|portuguese|polish|korean|dutch|"
    r"turkish|czech|hungarian|swedish|norwegian|danish|hebrew|persian|ukrainian|romanian|croatian|serbian|greek|bulgarian|"
    r"slovak|finnish|english|arabic|multiple languages|[a-z]+[,;] ?(?:english|[a-z]+))[\])]\.?\s*\Z"
)
_WORD = re.compile(r"[^\W_]+")
#: Letters of which one says as much as two or three of an alphabet: Chinese, Japanese, Korean.
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_REGISTRY = re.compile(
    r"clinicaltrials|trialsearch|\bwho ictrp\b|who\.int|\bisrctn|\beuctr|\bchictr|\bctri\b|trial regist|\bnct0\d"
)
_PREPRINT = re.compile(
    r"\b(?:medrxiv|biorxiv|arxiv|chemrxiv|psyarxiv|ssrn|research square|preprints?)\b|preprints with"
)
#: Notes in brackets that a database adds to the title of the paper itself.
_NOTE = re.compile(
    r"\[(?:erratum|see comment|retract|republish|comment|corrected|summary for|published erratum|original)[^\]]*\]?"
)
#: How Web of Science and Embase mark an erratum: where the paper stood, after its title.
_ERRATUM_NOTE = re.compile(
    r"\((?:vol|volume) \d+[^()]*\)|\([^()]{3,120}\((?:[a-z]+ )?(?:19|20)\d\d\)[^)]*\d.*\Z|"
    r"\((?:doi|[a-z .]+ \d{4};)[^()]*\d+[^()]*\)\Z"
)
_MEETING_NUMBER = re.compile(
    r"\A(?:abstract )?(?:[A-Z]{1,3}[-.]?)?\d{1,5}(?:[-.]\d+)?[A-Z]{0,3}(?:[-.]\d+)?[:.]?\s+(?=[A-Z])"
)
_ERRATUM = re.compile(
    r"\A\W*(?:published |author |publisher )?(?:erratum|errata|corrigend\w+|correction|retraction note|retraction notice|"
    r"expression of concern)\b|\A\W*retraction:|\berratum\W*\Z|\bcorrection\W*\Z"
)
_ERRATUM_WORDS = re.compile(
    r"\A\W*(?:(?:published |author |publisher )?(?:erratum|errata|corrigend\w+|correction|retraction)(?: (?:to|for|notice|note|of))?)\b\W*"
    r"|\W*\b(?:erratum|correction)\W*\Z"
)
_REPLY = re.compile(
    r"\breply\b|\bin response\b|\A\W*re:|\bcomments? (?:on|to)\b|\bauthors?.? (?:reply|response)|\bresponse to\b|"
    r"\bletter to\b|\bin reply\b|\bcommentary\b|\beditorial comment\b|\bdiscussion of\b"
)
_MEETING = re.compile(
    r"conference|meeting|congress|symposium|proceedings of|annual session|abstracts? of|scientific sessions"
)
_PART = re.compile(r"\b(?:part|pt|chapter|paper|communication|study)\.? (\d+|[ivx]+|one|two|three|four|[abc])\b")
_ROMAN_END = re.compile(r"(?:[:.,]| -) ?([ivx]{1,4})\b(?:[.:]|\Z)|\b(i{1,3}|iv|vi{0,3})\.? ?\Z")
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "one": "1",
          "two": "2", "three": "3", "four": "4", "a": "1", "b": "2", "c": "3"}  # fmt: skip
_JOURNAL_STOPS = frozenset("the of and in for on a an de la le les der die das und et y e j jnl".split())


@dataclass(frozen=True, slots=True)
class Features:
    """A record in the form that is compared: plain letters, full first page, bare identifiers.

    `title` are the plain words joined by blanks, `key` the same without blanks; `families` the plain family names; `lead` the first author's whole name;
    `size` is the length of `key`, letters of dense scripts counted for more; `part` is the number of a part ("part II" gives 2); `erratum`, `reply`, `meeting`, `registry`, `preprint` say what it shows itself to be.
    """

    title: str
    key: str
    numbers: tuple[str, ...]
    families: tuple[str, ...]
    lead: str
    year: int | None
    journal: tuple[str, ...]
    volume: str
    issue: str
    first: str
    last: str
    doi: str
    pmid: str
    trial: str
    accession: str
    part: str
    erratum: bool
    reply: bool
    meeting: bool
    registry: bool
    preprint: bool
    translated: bool
    size: int


@lru_cache(maxsize=65536)
def _plain(text: str) -> str:
    text = text.lower().translate(_SPECIAL)
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return text


@lru_cache(maxsize=32768)
def _journal_words(name: str) -> tuple[str, ...]:
    plain = _plain(name)
    plain = re.split(r"\.\s*conference:|conference:| : |\(|=|/", plain)[0] or plain
    return tuple(word for word in re.findall(r"[^\W_]+", plain) if word not in _JOURNAL_STOPS)


@lru_cache(maxsize=8192)
def _first_number(text: str) -> str:
    found = re.search(r"\d+", text)
    return str(int(found.group())) if found else ""


@lru_cache(maxsize=65536)
def _page(text: str) -> str:
    bare = re.sub(r"(?<![0-9])0+(?=\d)", "", re.sub(r"[^a-z0-9]", "", text.lower()))
    # "N.PAG" and its like are no page; Roman numerals are.
    return bare if re.search(r"\d", bare) or re.fullmatch(r"[ivxlc]+", bare) else ""


def _part(plain: str) -> str:
    found = _PART.search(plain)
    if not found:
        found = _ROMAN_END.search(plain)
        if not found:
            return ""
    word = next(group for group in found.groups() if group)
    return _ROMAN.get(word, word)


def _shows_meeting(record: Record, numbered: bool) -> bool:
    pages = record.first_page.lower()
    supplement = "suppl" in record.issue.lower() or "suppl" in record.volume.lower() or bool(re.match(r"s\d", pages))
    return (
        numbered
        or record.kind == "conference"
        or bool(_MEETING.search(_plain(record.journal)))
        or (supplement and bool(re.match(r"[a-z]", pages)) and record.last_page.lower() in ("", pages))
    )


def features_of(record: Record) -> Features:
    """The record brought to the form that is compared."""
    bare = record.title.strip()
    numbered = _MEETING_NUMBER.match(bare)
    number_shown = bool(numbered) and bool(re.search(r"\d", numbered.group())) and (
        record.kind == "conference" or bool(re.match(r"[A-Z]+[-.]?\d|\d+[A-Z]", numbered.group()))
    ) if numbered else False  # fmt: skip
    if numbered and number_shown:
        bare = bare[numbered.end() :]
    plain = _plain(bare)
    plain = re.sub(r"\A\W*(?:retracted(?: article)?|withdrawn)\b\W*", "", plain)
    plain = _NOTE.sub("", plain)
    marked = bool(_ERRATUM_NOTE.search(plain))
    named = bool(_ERRATUM.search(plain))
    plain = _ERRATUM_NOTE.sub("", plain) if marked else plain
    plain = re.sub(_ERRATUM_WORDS, "", plain) if named else plain
    noted = _LANGUAGE_NOTE.sub("", plain)
    translated = noted != plain or plain.startswith("[")
    words = _WORD.findall(noted)
    key = "".join(words)
    people = [author for author in record.authors if author.strip()]
    return Features(
        title=" ".join(words),
        key=key,
        numbers=tuple(sorted(re.findall(r"\d+", noted))),
        families=tuple("".join(re.findall(r"[^\W\d_]+", _plain(author.partition(",")[0]))) for author in people),
        lead=_plain(people[0]) if people else "",
        year=record.year,
        journal=_journal_words(record.journal or record.journal_abbreviation),
        volume=_first_number(record.volume),
        issue=_first_number(record.issue),
        first=_page(record.first_page),
        last=_page(record.last_page),
        doi=record.doi,
        pmid=record.pmid,
        trial=record.registration if record.kind == "trial" else "",
        accession=record.accession,
        part=_part(noted),
        erratum=record.kind == "erratum" or named or marked,
        reply=bool(_REPLY.search(plain)),
        meeting=_shows_meeting(record, number_shown),
        registry=record.kind == "trial" or bool(_REGISTRY.search(_plain(record.journal))),
        preprint=record.kind == "preprint" or bool(_PREPRINT.search(_plain(record.journal))),
        translated=translated,
        size=len(key) if key.isascii() else len(key) + int(1.5 * len(_DENSE.findall(key))),
    )
