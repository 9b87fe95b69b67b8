"""Live searches against a server on this machine that speaks the services' wire formats, pages, throttles and fails."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest

from metagrove.app.live_search import Connection, live_search
from metagrove.core.errors import DataError, UnknownName
from metagrove.review.records.export import read_export

TOTAL = 7


def medline(i):
    return f"PMID- {1000 + i}\nOWN - NLM\nTI  - Trial number {i} of lenvatinib.\nDP  - 2020 Jan\nFAU - Ha, Huan\n"


def answer_to(path, query, state):
    if path.endswith("esearch.fcgi"):
        if query["term"] == ["bad["]:
            return {"esearchresult": {"ERROR": "bracket not closed"}}
        return {"esearchresult": {"count": str(TOTAL), "webenv": "W", "querykey": "1"}}
    if path.endswith("efetch.fcgi"):
        assert (query["WebEnv"], query["query_key"]) == (["W"], ["1"])
        start, size = int(query["retstart"][0]), int(query["retmax"][0])
        return "\n".join(medline(i) for i in range(start, min(TOTAL - state.get("lost", 0), start + size)))
    if path.endswith("search"):
        start, size = int(query["cursorMark"][0].replace("*", "0")), int(query["pageSize"][0])
        page = [
            {"id": str(i), "source": "MED", "pmid": str(1000 + i), "title": f"Paper {i}.", "pubYear": "2021", "pageInfo": "12-8",
             "authorList": {"author": [{"lastName": "Li", "firstName": "Na"}]}, "doi": f"10.5555/E{i}",
             "journalInfo": {"volume": "3", "journal": {"title": "Thyroid"}}}
            for i in range(start, min(TOTAL, start + size))
        ]  # fmt: skip
        return {"hitCount": TOTAL, "nextCursorMark": str(min(TOTAL, start + size)), "resultList": {"result": page}}
    start, size = int(query.get("pageToken", ["0"])[0]), int(query["pageSize"][0])
    studies = [
        {"protocolSection": {"identificationModule": {"nctId": f"NCT0000000{i}", "briefTitle": f"Study {i}"},
                             "statusModule": {"startDateStruct": {"date": "2019-05"}}}}
        for i in range(start, min(TOTAL, start + size))
    ]  # fmt: skip
    more = {"nextPageToken": str(start + size)} if start + size < TOTAL else {}
    return {"studies": studies, "totalCount": TOTAL, **more}


@pytest.fixture
def server():
    state = {"fail": 0, "asked": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlparse(self.path)
            state["asked"].append((parts.path, parse_qs(parts.query)))
            if state["fail"] > 0:
                state["fail"] -= 1
                self.send_response(state.get("code", 429))
                self.send_header("Retry-After", "0")
                self.end_headers()
                return
            body = answer_to(parts.path, parse_qs(parts.query), state)
            self.send_response(200)
            self.end_headers()
            self.wfile.write((body if isinstance(body, str) else json.dumps(body)).encode())

        def log_message(self, *_arguments):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    state["connection"] = Connection(
        f"http://127.0.0.1:{running.server_port}", interval=0.0, pause=0.0, page=3, api_key="K"
    )
    yield state
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.mark.parametrize("service", ["pubmed", "europepmc", "clinicaltrials"])
def test_all_pages_come_and_are_read_like_any_export(server, service):
    found = live_search(service, "lenvatinib", connection=server["connection"])
    got = read_export(found.content, found.file)
    assert (found.total, len(got.records), got.refused) == (TOTAL, TOTAL, ())
    first = got.records[0]
    if service == "pubmed":
        assert (first.pmid, first.year, first.authors) == ("1000", 2020, ("Ha, Huan",))
        assert all(query["api_key"] == ["K"] for _, query in server["asked"])
    elif service == "europepmc":
        assert (first.doi, first.pmid, first.last_page, first.title) == ("10.5555/e0", "1000", "18", "Paper 0")
    else:
        assert (first.registration, first.kind, first.year) == ("NCT00000000", "trial", 2019)


def test_a_busy_service_is_asked_again_and_not_for_ever(server):
    server["fail"] = 2
    assert live_search("pubmed", "x", connection=server["connection"]).total == TOTAL
    server["fail"] = 99
    with pytest.raises(DataError, match="answered 429"):
        live_search("pubmed", "x", connection=server["connection"])
    server.update(fail=1, code=403)
    with pytest.raises(DataError, match="answered 403"):
        live_search("pubmed", "x", connection=server["connection"])


def test_an_answer_that_is_not_whole_is_refused(server):
    server["lost"] = 2
    with pytest.raises(DataError, match="announced 7 records and sent 5"):
        live_search("pubmed", "x", connection=server["connection"])


def test_a_refused_search_says_why(server):
    with pytest.raises(DataError, match="bracket not closed"):
        live_search("pubmed", "bad[", connection=server["connection"])
    with pytest.raises(UnknownName):
        live_search("pubmet", "x")


def test_requests_keep_their_distance(server):
    import time

    server["connection"].interval = 0.05
    begun = time.monotonic()
    live_search("pubmed", "x", connection=server["connection"])
    assert time.monotonic() - begun >= 0.05 * (len(server["asked"]) - 1)


def test_no_server_is_one_clear_line():
    nowhere = Connection("http://127.0.0.1:9", attempts=2, pause=0.0, interval=0.0, timeout=2)
    with pytest.raises(DataError, match="cannot be reached"):
        live_search("pubmed", "x", connection=nowhere)


def test_the_verb_keeps_what_a_service_finds_and_writes_down_the_search(server, tmp_path):
    from typer.testing import CliRunner

    from metagrove.cli.main import app

    (tmp_path / "review.toml").write_text('version = 1\ntitle = "T"\n[search.concepts]\ndrug = ["lenvatinib"]\n')
    address = server["connection"].base

    def search(*more):
        return CliRunner().invoke(app, ["search", str(tmp_path), "--address", address, *more])

    done = search("--live", "pubmed", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["total"] == TOTAL
    export = tmp_path / "search" / "pubmed.nbib"
    assert len(read_export(export.read_bytes(), "pubmed.nbib").records) == TOTAL
    assert search("--live", "PubMed").exit_code == 0
    (first, second) = map(json.loads, (tmp_path / "search" / "searches.jsonl").read_text().splitlines())
    assert first["query"] == second["query"] == "(lenvatinib[tiab])"
    export.write_text("PMID- 1\nTI  - Mine\n")
    refused = search("--live", "pubmed")
    assert refused.exit_code == 1
    assert "--replace" in refused.stderr
    assert search("--live", "pubmed", "--replace").exit_code == 0
    assert "TITLE_ABS:lenvatinib" in json.loads(search("--live", "europepmc", "--json").stdout)["query"]
    assert search("--live", "scopus").exit_code == 1
