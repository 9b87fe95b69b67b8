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
