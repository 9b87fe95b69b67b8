"""Searches put to a database over the network, saved as exports like any other; never needed.

PubMed E-utilities (Sayers EW, NCBI 2010, NBK25499), Europe PMC's REST service (Rosonovski S et al., Nucleic Acids Res
2024;52:D1668-D1676, doi:10.1093/nar/gkad1085), ClinicalTrials.gov API version 2.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from metagrove.core.errors import DataError, UnknownName

__all__ = ["SERVICES", "Connection", "Found", "live_search"]

_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))


@dataclass(slots=True)
class Connection:
    """How a service is asked: its address, a key, the least time between requests, and how often one is tried.

    `interval` is in seconds (NCBI allows three requests a second, ten with a key); a server that answers "too many
    requests" is asked again after the time it names, else after 1, 2, 4 … times `pause`.
    """

    base: str
    api_key: str = ""
    email: str = ""
    interval: float = 0.34
    attempts: int = 5
    pause: float = 1.0
    timeout: float = 60.0
    page: int = 500
    _last: float = field(default=0.0, repr=False)

    def get(self, path: str, parameters: Mapping[str, Any]) -> bytes:
        """The answer's bytes; raises DataError where the service cannot be reached or refuses."""
        address = f"{self.base.rstrip('/')}/{path}?{urlencode(parameters)}"
        if not address.startswith(("http://", "https://")):
            raise DataError(f"'{self.base}' is no http address")
        for attempt in range(1, self.attempts + 1):
            wait = self._last + self.interval - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            self._last = time.monotonic()
            try:
                with urlopen(Request(address, headers={"User-Agent": "metagrove"}), timeout=self.timeout) as answer:
                    content: bytes = answer.read()
                return content
            except HTTPError as error:
                with error:
                    told = error.headers.get("Retry-After", "")
                if error.code not in _AGAIN or attempt == self.attempts:
                    raise DataError(f"the service answered {error.code} {error.reason}", file=self.base) from None
                rest = float(told) if told.isdigit() else self.pause * 2 ** (attempt - 1)
            except (URLError, TimeoutError, ConnectionError) as error:
                if attempt == self.attempts:
                    raise DataError(
                        f"the service cannot be reached: {getattr(error, 'reason', error)}", file=self.base
                    ) from None
                rest = self.pause * 2 ** (attempt - 1)
            time.sleep(min(rest, 60.0))
        raise DataError("the service was not asked: attempts must be at least 1", file=self.base)

    def json(self, path: str, parameters: Mapping[str, Any]) -> Any:
        """The answer read as JSON."""
        content = self.get(path, parameters)
        try:
            return json.loads(content)
        except ValueError:
            shown = content[:60].decode("utf-8", "replace")
            raise DataError(f"the answer is not JSON but '{shown}'", file=self.base) from None


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a search: `total` records, and the export (`content`, to be saved under `file`)."""

    total: int
    file: str
    content: bytes


def _complete(total: int, got: int, service: str) -> None:
    if got != total:
        raise DataError(f"{service} announced {total} records and sent {got}; nothing was kept, search again")


def _pubmed(query: str, connection: Connection) -> Found:
    identity = {k: v for k, v in (("api_key", connection.api_key), ("email", connection.email)) if v}
    common = {"db": "pubmed", "tool": "metagrove", **identity}
    asked = connection.json(
        "esearch.fcgi", {**common, "term": query, "retmode": "json", "usehistory": "y", "retmax": 0}
    )
    found = asked.get("esearchresult", {})
    if "ERROR" in found or "count" not in found:
        raise DataError(f"PubMed refused the search: {found.get('ERROR', 'no count in its answer')}")
    total = int(found["count"])
    if total > 9999:
        raise DataError(f"PubMed gives at most 9,999 records a search and this one has {total}; split it by year")
    parts = []
    for start in range(0, total, connection.page):
        part = connection.get(
            "efetch.fcgi",
            {
                **common, "WebEnv": found["webenv"], "query_key": found["querykey"], "retstart": start,
                "retmax": connection.page, "rettype": "medline", "retmode": "text",
            },
        )  # fmt: skip
        parts.append(part.strip(b"\n"))
    content = b"\n\n".join(parts) + b"\n"
    _complete(total, content.count(b"\nPMID-") + content.startswith(b"PMID-"), "PubMed")
    return Found(total, "pubmed.nbib", content)


def _ris(pairs: list[tuple[str, Any]]) -> str:
    lines = [f"{tag}  - {' '.join(str(text).split())}" for tag, text in pairs if text]
    return "\r\n".join([*lines, "ER  - ", "", ""])


def _europe_pmc_record(raw: Mapping[str, Any]) -> str:
    issue = raw.get("journalInfo") or {}
    journal = issue.get("journal") or {}
    people = (raw.get("authorList") or {}).get("author") or []
    authors = [f"{a['lastName']}, {a.get('firstName', '')}".rstrip(", ") for a in people if a.get("lastName")]
    kind = "UNPB" if raw.get("source") == "PPR" else "JOUR"
    return _ris(
        [("TY", kind), *(("AU", author) for author in authors), ("TI", raw.get("title")), ("T2", journal.get("title")),
         ("J2", journal.get("isoabbreviation")), ("PY", raw.get("pubYear")), ("VL", issue.get("volume")),
         ("IS", issue.get("issue")), ("SP", raw.get("pageInfo")), ("DO", raw.get("doi")), ("LA", raw.get("language")),
         ("AB", raw.get("abstractText")), ("C5", raw.get("pmid")), ("ID", f"{raw.get('source', '')}:{raw.get('id', '')}"),
         ("DB", "Europe PMC")]
    )  # fmt: skip


def _europe_pmc(query: str, connection: Connection) -> Found:
    mark, records, total = "*", [], None
    while True:
        answer = connection.json(
            "search",
            {"query": query, "format": "json", "resultType": "core", "pageSize": connection.page, "cursorMark": mark},
        )
        if "hitCount" not in answer:
            raise DataError(f"Europe PMC refused the search: {answer.get('errMsg', 'no count in its answer')}")
        total = int(answer["hitCount"])
        page = (answer.get("resultList") or {}).get("result") or []
        records += [_europe_pmc_record(raw) for raw in page]
        after = answer.get("nextCursorMark", "")
        if not page or not after or after == mark:
            break
        mark = after
    _complete(total, len(records), "Europe PMC")
    return Found(total, "europepmc.ris", "".join(records).encode())


def _trial_record(raw: Mapping[str, Any]) -> str:
    protocol = raw.get("protocolSection") or {}
    names = protocol.get("identificationModule") or {}
    status = protocol.get("statusModule") or {}
    date = (status.get("startDateStruct") or {}).get("date", "")
    words = (protocol.get("conditionsModule") or {}).get("conditions") or []
    number = names.get("nctId", "")
    return _ris(
        [("TY", "DBASE"), ("M3", "Trial registry record"), ("TI", names.get("officialTitle") or names.get("briefTitle")),
         ("PY", date[:4]), ("AN", number), ("AB", (protocol.get("descriptionModule") or {}).get("briefSummary")),
         *(("KW", word) for word in words), ("UR", f"https://clinicaltrials.gov/study/{number}"), ("C3", f"CTgov {number}"),
         ("DB", "ClinicalTrials.gov")]
    )  # fmt: skip


def _clinical_trials(query: str, connection: Connection) -> Found:
    records: list[str] = []
    total, token = 0, ""
    while True:
        asked: dict[str, Any] = {
            "query.term": query,
            "pageSize": min(connection.page, 1000),
            "countTotal": "true",
            "format": "json",
        }
        answer = connection.json("studies", {**asked, "pageToken": token} if token else asked)
        total = int(answer.get("totalCount", total))
        records += [_trial_record(raw) for raw in answer.get("studies") or []]
        token = answer.get("nextPageToken", "")
        if not token:
            break
    _complete(total, len(records), "ClinicalTrials.gov")
    return Found(total, "clinicaltrials.ris", "".join(records).encode())


#: The services by name: where they are, and how they are asked.
SERVICES: Mapping[str, tuple[str, Callable[[str, Connection], Found]]] = MappingProxyType(
    {
        "pubmed": ("https://eutils.ncbi.nlm.nih.gov/entrez/eutils", _pubmed),
        "europepmc": ("https://www.ebi.ac.uk/europepmc/webservices/rest", _europe_pmc),
        "clinicaltrials": ("https://clinicaltrials.gov/api/v2", _clinical_trials),
    }
)


def live_search(service: str, query: str, *, connection: Connection | None = None) -> Found:
    """All records that a service finds, page by page; an answer that is not whole is refused.

    Parameters
    ----------
    service : pubmed, europepmc or clinicaltrials.
    query : the search in the service's own syntax.
    connection : another address, a key, other limits; the service's own by default.

    Raises
    ------
    DataError
        The service cannot be reached, refuses the search, or sends fewer records than it announced.
    """
    if service not in SERVICES:
        raise UnknownName("search service", service, SERVICES)
    base, ask = SERVICES[service]
    return ask(query, connection or Connection(base))
