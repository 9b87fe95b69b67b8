"""Vendors' names for languages and kinds of publication, in ours."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["kind_of", "language_code"]

_LANGUAGES = {
    "english": "eng", "german": "ger", "french": "fre", "spanish": "spa", "italian": "ita", "japanese": "jpn",
    "chinese": "chi", "russian": "rus", "portuguese": "por", "korean": "kor", "polish": "pol", "turkish": "tur",
    "dutch": "dut", "czech": "cze", "hungarian": "hun", "swedish": "swe", "norwegian": "nor", "danish": "dan",
    "persian": "per", "arabic": "ara", "hebrew": "heb", "ukrainian": "ukr", "greek": "gre", "romanian": "rum",
    "croatian": "hrv", "serbian": "srp", "finnish": "fin", "bulgarian": "bul", "slovak": "slo", "slovenian": "slv",
}  # fmt: skip
_SHORT = {
    "en": "eng", "de": "ger", "deu": "ger", "fr": "fre", "fra": "fre", "es": "spa", "it": "ita", "ja": "jpn",
    "zh": "chi", "zho": "chi", "ru": "rus", "pt": "por", "ko": "kor", "pl": "pol", "tr": "tur", "nl": "dut", "nld": "dut",
}  # fmt: skip

#: From the most telling to the least: the first pattern found in any of the vendor's words decides.
_KINDS = (
    ("erratum", r"errat|corrigend|\bcorrection\b|retraction(?! of)|retraction of publication|expression of concern"),
    ("trial", r"trial registr|registry record|clinical trial registration|trial protocol registr"),
    ("conference", r"meeting|conference|proceeding|^conf$|^cpaper$|^cpr?oc$|poster|congress abstract"),
    ("comment", r"letter|editorial|comment|\bnote\b|reply"),
    ("review", r"review|meta-analysis"),
    ("preprint", r"preprint"),
    ("book", r"^book|^chap|chapter|^thes|thesis|dissertation|^rprt|report$"),
)


def language_code(text: str) -> str:
    """The language as a code of three letters (MEDLINE's); a name that is not known stays as it is.

    >>> language_code("German"), language_code("eng"), language_code("English; French")
    ('ger', 'eng', 'eng')
    """
    first = re.split(r"[;,/(]", text.strip().lower())[0].strip()
    return _LANGUAGES.get(first) or _SHORT.get(first) or first


def kind_of(words: Sequence[str], title: str, journal: str) -> str:
    """What kind of publication this is, from the vendor's words, else from what the title says."""
    lower = [word.lower() for word in words]
    for kind, pattern in _KINDS:
        if any(re.search(pattern, word) for word in lower):
            return kind
    if re.match(
        r"(?i)\W*(?:erratum|corrigendum|correction|retraction|author correction)\b(?: (?:to|for|notice)\b|\s*[:.]|$)",
        title,
    ):
        return "erratum"
    if re.search(r"(?i)clinicaltrials\.gov|ictrp|isrctn|trialsearch\.who", journal):
        return "trial"
    return "article"
