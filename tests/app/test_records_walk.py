"""From the command line: exports in, records and questions out."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from known import reference
from metagrove.cli.main import app

FLOW = ("pubmed.nbib", "wos.ciw", "embase.ris", "central.ris")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_dedupe_writes_what_the_interface_says(tmp_path):
    files = [reference("records/flow_seed_shaped") / name for name in FLOW]
    done = run("dedupe", *files, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    rows = table(tmp_path / "out" / "records.csv")
    assert list(rows[0])[:12] == (
        "record_id cluster_id title authors year journal volume issue first_page last_page doi pmid".split()
    )
    assert (len(rows), len({row["cluster_id"] for row in rows})) == (1171, 780)
    assert rows[0]["record_id"] == "pubmed.nbib:1"
    report = json.loads((tmp_path / "out" / "import.json").read_text())
    assert report == {"read": 1171, "refused": [], "warnings": []}
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    run("dedupe", *files, "--out", tmp_path / "out")
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}


def test_a_csv_with_its_own_ids_and_dangerous_cells(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text('record_id,title,authors,year\nr1,=HYPERLINK(1),"Ha, H; Li, N",2010\nr2,Plain,,2011\n')
    done = run("dedupe", source, "--out", tmp_path / "out", "--json")
    assert json.loads(done.stdout)["works"] == 2
    rows = table(tmp_path / "out" / "records.csv")
    assert [row["record_id"] for row in rows] == ["r1", "r2"]
    assert rows[0]["title"] == "'=HYPERLINK(1)"
    assert rows[0]["authors"] == "Ha, H; Li, N"


@pytest.mark.parametrize("name", ["empty.ris", "html_login_page.ris", "not_wellformed.xml"])
def test_a_file_without_records_is_no_silent_success(tmp_path, name):
    done = run("dedupe", reference("records/malformed") / name, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_refused_records_need_a_person(tmp_path):
    done = run("dedupe", reference("records/malformed/unbalanced.bib"), "--out", tmp_path / "out", "--json")
    assert done.exit_code == 3
    assert json.loads(done.stdout)["refused"][0]["line"] == 5


def test_answers_settle_the_questions(tmp_path):
    source = tmp_path / "in.csv"
    row = '{},Phase II trial of sorafenib in anaplastic carcinoma,"Ha, H; Li, N",2013,Thyroid,23,{},{}\n'
    source.write_text(
        "record_id,title,authors,year,journal,volume,issue,pages\n"
        + row.format("a", 5, "600-604")
        + row.format("b", 9, "2205")
    )
    assert run("dedupe", source, "--out", tmp_path / "out").exit_code == 3
    (question,) = table(tmp_path / "out" / "questions.csv")
    answers = tmp_path / "answers.csv"
    answers.write_text(f"record_a,record_b,same\n{question['record_a']},{question['record_b']},yes\n")
    assert run("dedupe", source, "--out", tmp_path / "out", "--answers", answers).exit_code == 0
    assert {r["cluster_id"] for r in table(tmp_path / "out" / "records.csv")} == {"a"}
    answers.write_text("record_a,record_b,same\na,b,perhaps\n")
    assert run("dedupe", source, "--out", tmp_path / "out", "--answers", answers).exit_code == 1


@pytest.fixture
def review(tmp_path):
    source = reference("records/flow_seed_shaped")
    (tmp_path / "review" / "search").mkdir(parents=True)
    for name in FLOW:
        (tmp_path / "review" / "search" / name).write_bytes((source / name).read_bytes())
    ends = {name.split(".")[0]: name for name in FLOW}
    lines = ["record_id,stage,reviewer,decision,reason"]
    for row in table(source / "truth.csv"):
        stage, reason = row["stage"], row["exclusion_reason"]
        lines.append(f"{ends[row['file']]}:{row['position']},{stage},AB,{row['decision']},{reason}")
    (tmp_path / "decisions.csv").write_text("\n".join(lines))
    return tmp_path / "review"


def test_the_flow_is_computed_from_exports_and_decisions(review):
    decisions = review.parent / "decisions.csv"
    assert run("flow", review).exit_code == 1
    done = run("screen", review, "--import", decisions, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["added"] == 1171
    boxes = json.loads(run("flow", review, "--json").stdout)
    expected = json.loads((reference("records/flow_seed_shaped") / "expected_flow.json").read_text())
    assert sum(boxes["identified"].values()) == 1171
    assert boxes["identified"]["Embase"] == expected["records_identified"]["embase"]
    assert boxes["removed_before"] == {"Duplicate records": 391}
    assert boxes["screened"] == 780
    assert boxes["sought"] == boxes["assessed"] == 191
    assert boxes["reports_excluded"] == expected["reports_excluded"]
    assert boxes["included"] == {"studies": 6, "reports": 6}
    log = (review / "screening.jsonl").read_bytes()
    assert json.loads(run("screen", review, "--import", decisions, "--json").stdout)["added"] == 0
    assert (review / "screening.jsonl").read_bytes() == log
    assert run("flow", review, "--out", review / "a.svg").exit_code == 0
    run("flow", review, "--out", review / "b.svg")
    assert (review / "a.svg").read_bytes() == (review / "b.svg").read_bytes()
    # A changed export is noticed, and the records it adds keep the flow from closing.
    export = review / "search" / "central.ris"
    export.write_text(export.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    changed = run("flow", review)
    assert changed.exit_code == 3
    assert "central.ris has changed" in changed.stderr
    export.write_text(export.read_text(encoding="utf-8") + "TY  - JOUR\nTI  - New\nER  - \n", encoding="utf-8")
    refused = run("flow", review)
    assert refused.exit_code == 1
    assert "central.ris:38" in refused.stderr


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("pubmed.nbib:999999,title_abstract,A,include,", "is no record of the search"),
        ("pubmed.nbib:1,somewhere,A,include,", "is no stage"),
        ("pubmed.nbib:1,full_text,A,exclude,", "needs its reason"),
        ("pubmed.nbib:1,title_abstract,,include,", "belongs to a reviewer"),
        ("pubmed.nbib:1,title_abstract,A,perhaps,", "is no decision"),
    ],
)
def test_a_bad_decision_is_refused_with_its_row_and_nothing_is_logged(review, row, message):
    table = review.parent / "bad.csv"
    table.write_text(f"record_id,stage,reviewer,decision,reason\npubmed.nbib:2,title_abstract,A,exclude,\n{row}\n")
    done = run("screen", review, "--import", table)
    assert done.exit_code == 1
    assert "bad.csv, row 3" in done.stderr
    assert message in done.stderr
    assert not (review / "screening.jsonl").exists()


def test_a_folder_with_typed_counts_alone_shows_them(tmp_path):
    (tmp_path / "flow.csv").write_text(
        "box,reason,n\nidentified,PubMed,5\nscreened,,5\nexcluded,,4\nsought,,1\nincluded,,1\n"
    )
    assert json.loads(run("flow", tmp_path, "--json").stdout)["screened"] == 5
    (tmp_path / "flow.csv").write_text(
        "box,reason,n\nidentified,PubMed,5\nscreened,,5\nexcluded,,3\nsought,,1\nincluded,,1\n"
    )
    done = run("flow", tmp_path)
    assert done.exit_code == 1
    assert "does not close" in done.stderr


def test_the_report_draws_the_computed_flow_and_says_where_it_is_open(review):
    from metagrove.app.selection import product
    from metagrove.review.folder import open_review

    made = review.parent / "made"
    assert run("new", made).exit_code == 0
    (review / "review.toml").write_bytes((made / "review.toml").read_bytes())
    for path in made.glob("*.csv"):
        (review / path.name).write_bytes(path.read_bytes())
    run("screen", review, "--import", review.parent / "decisions.csv")
    drawn = product(open_review(review))
    assert drawn.carry["boxes"]["screened"] == 780
    assert b"n = 780" in drawn.files["figures/flow.svg"]
    log = (review / "screening.jsonl").read_bytes().splitlines(keepends=True)
    (review / "screening.jsonl").write_bytes(b"".join(log[:600]))
    assert "lack a decision at title and abstract" in product(open_review(review)).carry["problem"]


def test_a_whole_review_from_exports_to_report_stays_as_it_is_and_notices_a_changed_export(review):
    (review / "review.toml").write_text(
        'version = 1\ntitle = "Whole"\n[search]\ndate = "2023-09-03"\ndatabases = ["PubMed", "Embase"]\n'
        '[search.concepts]\ndisease = ["thyroid"]\ndrug = ["lenvatinib", "sorafenib", "imatinib"]\n'
    )
    (review / "studies.csv").write_text(
        "study,year,drug\nHa,2010,imatinib\nBible,2012,pazopanib\nSavvides,2013,sorafenib\nTahara,2017,lenvatinib\n"
        "Wirth,2021,lenvatinib\nHigashiyama,2022,lenvatinib\n"
    )
    run("screen", review, "--import", review.parent / "decisions.csv")
    done = run("run", review)
    assert done.exit_code == 0, done.output
    page = (review / "out" / "report.html").read_text(encoding="utf-8")
    assert (
        "1171 records identified, 391 removed before screening, 780 screened, 191 reports assessed, 6 studies included"
        in page
    )
    assert "Reports excluded at full text" in page
    assert "No term of the search finds Bible 2012 (pazopanib)" in page
    excluded = table(review / "out" / "tables" / "excluded_reports.csv")
    assert len(excluded) == 185
    assert all(row["reason"] for row in excluded)
    rules = [finding["rule"] for finding in json.loads(run("check", review, "--json").stdout)]
    assert rules == ["search-gap"]
    before = {path: path.read_bytes() for path in sorted((review / "out").rglob("*")) if path.is_file()}
    assert run("run", review).stdout.startswith("Nothing to redo")
    assert before == {path: path.read_bytes() for path in sorted((review / "out").rglob("*")) if path.is_file()}
    export = review / "search" / "embase.ris"
    export.write_bytes(
        export.read_bytes() + b"\r\nTY  - JOUR\r\nTI  - A late record of something else\r\nPY  - 2023\r\nER  - \r\n"
    )
    again = run("run", review)
    assert "selection" in again.stdout
    page = (review / "out" / "report.html").read_text(encoding="utf-8")
    assert "1 record lacks a decision at title and abstract" in page
    assert run("flow", review).exit_code == 1
