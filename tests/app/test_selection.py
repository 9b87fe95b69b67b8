"""Search, screening and selection in a review folder: counts of records that nobody has, and what the report says of them."""

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from known import reference_json
from metagrove.app.searching import product as search_section
from metagrove.app.selection import product as selection
from metagrove.app.selection import selection_findings
from metagrove.cli.main import app
from metagrove.review.folder import open_review
from metagrove.review.inclusion import included_studies
from metagrove.review.log import Tally, append_log, read_log
from metagrove.review.records.reading import Record
from metagrove.review.screened_flow import screened_flow
from metagrove.review.screening import fold_screening

EXAMPLE = Path(__file__).parents[2] / "examples" / "atc-tki"


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "atc-tki"
    shutil.copytree(EXAMPLE, target, ignore=shutil.ignore_patterns("out", ".metagrove", "figures"))
    return target


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_example_s_log_gives_the_published_flow(folder):
    (folder / "flow.csv").unlink()
    boxes = json.loads(run("flow", folder, "--json").stdout)
    wanted = reference_json("records/flow_seed_shaped/expected_flow.json")
    assert sum(boxes["identified"].values()) == 1171
    assert [boxes[name] for name in ("screened", "excluded", "sought", "assessed")] == [780, 589, 191, 191]
    assert sorted(boxes["reports_excluded"].values()) == [1, 1, 1, 10, 17, 18, 42, 95]
    assert boxes["included"] == {"studies": 6, "reports": 6}
    assert str(sum(boxes["reports_excluded"].values())) in json.dumps(wanted)


def test_the_report_says_what_is_known_by_number_alone(folder):
    made = selection(open_review(folder))
    assert "1165 of the 1171 records are known by their number alone (Cao 2024)" in made.section.cautions[0]
    assert "6 studies included" in made.section.headline[0]
    assert b"n = 1171" in made.files["figures/flow.svg"]
    assert made.carry["findings"] == []
    assert {work["study"] for work in made.carry["included"]} == {
        "Ha",
        "Bible",
        "Savvides",
        "Tahara",
        "Wirth",
        "Higashiyama",
    }


def test_one_drug_of_the_example_could_not_be_found(folder):
    review = open_review(folder)
    section = search_section(review, selection(review).carry["included"]).section
    table = next(t for t in section.tables if t.caption.startswith("Which terms"))
    column = [c.label for c in table.columns].index("intervention")
    cells = {row[0].text: row[column].text for row in table.rows}
    assert [study for study, cell in cells.items() if cell == "nothing finds it"] == ["Bible 2012"]
    assert cells["Tahara 2017"] == "lenvatinib"
    assert "Bible 2012 (pazopanib)" in section.cautions[-1]
    assert [name for name, _ in section.code] == ["PubMed", "Web of Science", "Embase", "CENTRAL"]
    gaps = [f for f in json.loads(run("check", folder, "--json").stdout) if f["rule"] == "search-gap"]
    assert [gap["found"] for gap in gaps] == ["pazopanib"]


def test_a_number_that_flow_csv_tells_otherwise_is_a_finding(folder):
    edit(folder / "flow.csv", "reports_excluded,basic research,95", "reports_excluded,basic research,96")
    edit(folder / "flow.csv", "assessed,,191", "assessed,,192")
    edit(folder / "flow.csv", "sought,,191", "sought,,192")
    edit(folder / "flow.csv", "excluded,,589", "excluded,,588")
    done = run("flow", folder)
    assert done.exit_code == 3
    assert "flow.csv says excluded 588; the decisions give 589" in done.stderr
    assert "flow-differs" in {finding.rule for finding in selection_findings(open_review(folder))}


def test_a_changed_export_and_a_lost_study_are_findings(folder):
    edit(folder / "search" / "included.ris", "SP  - 600", "SP  - 601")
    text = (folder / "studies.csv").read_text(encoding="utf-8")
    (folder / "studies.csv").write_text(text.replace("Tahara,", "Tanaka,"), encoding="utf-8")
    review = open_review(folder)
    found = {(f.rule, f.study) for f in selection_findings(review)}
    assert ("included-without-study", "") in found
    assert ("study-without-record", "Tanaka") in found
    assert any("included.ris has changed" in f.message for f in selection_findings(review))


def test_tallies_are_taken_in_once_and_the_later_one_holds(folder, tmp_path):
    table = tmp_path / "counts.csv"
    table.write_text("stage,decision,n,reason,document\nidentification,duplicates,391,,X\ntitle,exclude,600,,X\n")
    before = len(read_log(folder))
    # The first is another source than the log's, the second too: they are further records.
    assert run("screen", folder, "--counts", table).exit_code == 0
    assert run("screen", folder, "--counts", table).exit_code == 0
    assert len(read_log(folder)) == before + 2
    boxes = json.loads(run("flow", folder, "--json").stdout)
    assert boxes["identified"]["source not stated"] == 991
    table.write_text("stage,decision,n\nidentification,duplicate,0\ntitle,exclude,0\n")
    run("screen", folder, "--counts", table)
    assert sum(json.loads(run("flow", folder, "--json").stdout)["identified"].values()) == 1171


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("full_text,exclude,3,", "counts.csv, row 2, column 'reason': an exclusion at full text needs its reason"),
        (
            "full_text,duplicate,3,x",
            "counts.csv, row 2, column 'decision': 'duplicate' at full_text; known there: exclude",
        ),
        ("nowhere,exclude,3,", "counts.csv, row 2, column 'stage': 'nowhere' is no stage"),
        ("title_abstract,exclude,-3,", "counts.csv, row 2, column 'n': '-3' is negative"),
        ("title_abstract,exclude,many,", "counts.csv, row 2, column 'n': 'many' is not a number"),
    ],
)
def test_a_tally_that_cannot_be_meant_is_refused_with_its_row(folder, tmp_path, row, message):
    table = tmp_path / "counts.csv"
    table.write_text(f"stage,decision,n,reason\n{row}\n")
    before = (folder / "screening.jsonl").read_bytes()
    done = run("screen", folder, "--counts", table)
    assert done.exit_code == 1
    assert message in done.stderr
    assert (folder / "screening.jsonl").read_bytes() == before


def test_a_search_known_by_numbers_alone_needs_no_export(tmp_path):
    tallies = [
        Tally("t", "identification", "duplicate", 4),
        Tally("t", "title_abstract", "exclude", 3),
        Tally("t", "retrieval", "not_retrieved", 2),
        Tally("t", "full_text", "include", 1, source="PubMed"),
    ]
    append_log(tmp_path, tallies)
    assert read_log(tmp_path) == tallies
    boxes = screened_flow(fold_screening((), tallies))
    assert boxes["identified"] == {"source not stated": 9, "PubMed": 1}
    assert [boxes[name] for name in ("screened", "excluded", "sought", "not_retrieved", "assessed")] == [6, 3, 3, 2, 1]
    assert json.loads(run("flow", tmp_path, "--json").stdout)["included"] == {"studies": 1, "reports": 1}


def test_included_works_find_their_studies(folder):
    rows = open_review(folder).rows("studies")
    ha = Record("a:1", "a", 1, 1, title="x", authors=("Ha, H.T.",), year=2010)
    late = Record("a:2", "a", 2, 1, title="y", authors=("Tahara, M",), year=2019)
    found = included_studies([[ha], [late]], rows)
    assert found.works["Ha"] == (ha,)
    assert found.strangers == (late,)
    assert "Tahara" in found.bare
    assert "Ha" not in found.bare


def test_search_writes_each_database_s_syntax(folder):
    texts = json.loads(run("search", folder, "--json").stdout)
    assert list(texts) == ["PubMed", "Web of Science", "Embase", "CENTRAL"]
    assert texts["Embase"].startswith("('anaplastic thyroid cancer':ti,ab,kw OR")
    scopus = run("search", folder, "--database", "scopus")
    assert "TITLE-ABS-KEY(trial OR study)" in scopus.stdout
    assert run("search", folder, "--database", "LILACS").exit_code == 1
    text = (folder / "review.toml").read_text(encoding="utf-8")
    bare = re.sub(r"\[search\.concepts\].*?(?=\n\[)", "", text, flags=re.DOTALL)
    (folder / "review.toml").write_text(bare, encoding="utf-8")
    done = run("search", folder)
    assert done.exit_code == 1
    assert "names no concepts" in done.stderr


@pytest.mark.parametrize(
    ("concept", "message"),
    [
        ("study = 3", "search concept 'study': 3 is no list of terms"),
        ('study = ["a (b"]', "'a (b' is no plain term"),
        ("study = []", "concept 'study' has neither a term nor a heading"),
        ("study = { terms = ['x'], mehs = ['y'] }", "nearest: mesh"),
    ],
)
def test_a_concept_that_cannot_be_meant_is_refused(folder, concept, message):
    edit(folder / "review.toml", 'study = ["trial", "study"]', concept)
    done = run("check", folder)
    assert done.exit_code == 1
    assert message in done.stderr


def test_order_needs_a_reviewer_and_leaves_nobody_out(folder, tmp_path):
    assert run("screen", folder, "--order").exit_code == 2
    lines = []
    for i, title in enumerate(["Lenvatinib for thyroid cancer", "Mouse model of thyroid cells"] * 6):
        lines += ["TY  - JOUR", f"TI  - {title} number {i}", f"AU  - A{i}, B", f"PY  - {1990 + 2 * i}", "ER  - ", ""]
    (folder / "search" / "more.ris").write_text("\n".join(lines))
    table = tmp_path / "d.csv"
    rows = [f"more.ris:{i},title_abstract,AB,{'include' if i % 2 else 'exclude'}," for i in range(1, 5)]
    table.write_text("record_id,stage,reviewer,decision,reason\n" + "\n".join(rows))
    assert run("screen", folder, "--import", table).exit_code == 0
    plain, ordered = (
        json.loads(run("screen", folder, "--reviewer", "AB", "--json", *more).stdout)["stages"]["title_abstract"][
            "queue"
        ]
        for more in ((), ("--order",))
    )
    assert sorted(plain) == sorted(ordered)
    assert [int(name.split(":")[1]) % 2 for name in ordered] == [1, 1, 1, 1, 0, 0, 0, 0]
