"""Bad input gives one line that names the place, exit code 1, and leaves the output folder as it was."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from metagrove.cli.main import app

EXAMPLE = Path(__file__).parents[2] / "examples" / "atc-tki"


def metagrove(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(*arguments):
    done = metagrove(*arguments)
    assert done.exit_code == 1, done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def seal(folder):
    return {
        str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns)
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "review"
    shutil.copytree(EXAMPLE, target, ignore=shutil.ignore_patterns("out", ".metagrove"))
    (target / "out").mkdir()
    (target / "out" / "report.html").write_text("an earlier report")
    return target


def edit(path, old, new):
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("responses.csv", "ORR,Ha,2,8", "ORR,Ha,9,8", "responses.csv, row 2, column 'events': 9 events among 8"),
        ("responses.csv", "ORR,Ha,2,8", "ORR,Ha,-2,8", "responses.csv, row 2, column 'events': '-2' is negative"),
        ("responses.csv", "ORR,Ha,2,8", "ORR,Ha,2.5,8", "responses.csv, row 2, column 'events': '2.5' is a fraction"),
        ("adverse_events.csv", "5,11,", "12,11,", "adverse_events.csv, row 2, column 'events': 12 events among 11"),
        ("studies.csv", "Bible,2012", "Ha,2012", "studies.csv, row 3, column 'study': 'Ha' stands in row 2"),
        ("review.toml", 'sm = "PFT"', 'smm = "PFT"', "unknown key 'smm'; nearest known key: 'sm'"),
        ("review.toml", 'outcome = "ORR"', 'outcome = "OR"', "No outcome in responses.csv 'OR'; nearest: ORR"),
        ("curves.csv", "OS,Ha,0.0578,1,", "OS,Ha,0.0578,1.2,", "curves.csv, row 3, column 'survival': survival is 1.2"),
        ("curves.csv", "OS,Ha,0.8089,0.91,", "OS,Ha,0.8089,0.51,", "curves.csv, row 30, column 'survival': Ha: survival rises from 0.51"),
        ("at_risk.csv", "OS,Ha,6,5", "OS,Ha,6,9", "at_risk.csv, row 4, column 'n': Ha: numbers at risk rise from 7 to 9"),
    ],
)  # fmt: skip
def test_a_bad_cell_stops_the_run_and_touches_nothing(folder, file, old, new, said):
    edit(folder / file, old, new)
    before = seal(folder)
    assert said in refused("run", folder)
    assert seal(folder) == before


def test_an_empty_table(folder):
    (folder / "responses.csv").write_text("outcome,study,events,n\n")
    before = seal(folder)
    assert "responses.csv: the table is empty" in refused("run", folder)
    assert seal(folder) == before


def test_a_missing_table(folder):
    (folder / "responses.csv").unlink()
    assert "responses.csv: there is no such file; analysis 'orr'" in refused("run", folder)


def test_a_wrong_encoding(folder):
    text = (folder / "studies.csv").read_text(encoding="utf-8").replace("Ha,2010", "Hä,2010")
    (folder / "studies.csv").write_bytes(text.encode("cp1252"))
    assert "studies.csv, row 2, column 'study': byte 0xe4" in refused("run", folder)


def test_a_missing_folder_is_refused_by_every_verb(tmp_path):
    for verb in ("check", "run", "report"):
        assert "there is no such folder" in refused(verb, tmp_path / "nowhere")


def test_check_lists_bad_cells_and_exits_3(folder):
    edit(folder / "responses.csv", "ORR,Ha,2,8", "ORR,Ha,9,8")
    done = metagrove("check", folder, "--json")
    assert done.exit_code == 3
    findings = json.loads(done.stdout)
    assert set(findings[0]) == {"rule", "severity", "study", "where", "found", "expected", "message"}
    assert findings[0]["rule"] == "events-above-n"
    assert findings[0]["where"] == "responses.csv, row 2, column 'events'"


def test_new_refuses_a_folder_that_is_not_empty(folder):
    before = seal(folder)
    assert "not empty" in refused("new", folder)
    assert seal(folder) == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"<COCHRANE_REVIEW><COMPARISON></COCHRANE_REVIEW>",
            "mine.rm5: is not well-formed XML: mismatched tag at line 1",
        ),
        (b"<review/>", "mine.rm5: is XML but no RevMan review"),
        (b"\xff\xfe\x00", "mine.rm5: is not well-formed XML"),
        (b"", "mine.rm5: the file is empty"),
    ],
)
def test_new_refuses_a_broken_revman_file(tmp_path, content, said):
    (tmp_path / "mine.rm5").write_bytes(content)
    assert said in refused("new", tmp_path / "review", "--from", tmp_path / "mine.rm5")
    assert not (tmp_path / "review").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("study,event,n\nA,9,8\n", "table.csv, row 2, column 'events': 9 events among 8"),
        ("study,event,n\nA,-1,8\n", "row 2, column 'events': '-1' is negative"),
        ("study,event,n\nA,1.5,8\n", "row 2, column 'events': '1.5' is a fraction"),
        ("study,event,n\nA,1,8\nA,2,9\n", "row 3, column 'study': 'A' stands in row 2"),
        ("study,event,n\n", "the table is empty"),
        ("study,n\nA,8\n", "no column 'events'"),
        ("study,event,n\nA,,8\n", "row 2, column 'events': is empty"),
        ("study,event,n\nA,1,\n", "row 2, column 'n': is missing"),
        ("study,event,n\nA,0,0\n", "row 2, column 'n': is 0"),
    ],
)
def test_pool_refuses_a_bad_table(tmp_path, content, said):
    table, out = tmp_path / "table.csv", tmp_path / "out"
    table.write_text(content)
    assert said in refused("pool", table, "--out", out)
    assert not out.exists()


def test_pool_refuses_unknown_names_with_the_known(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("study,event,n\nA,1,8\nB,2,9\n")
    for option, value, known in (
        ("--measure", "PFTT", "PLOGIT"),
        ("--method-tau", "REM", "REML"),
        ("--method-ci", "C", "NAsm"),
    ):
        done = metagrove("pool", table, "--out", tmp_path / "out", option, value)
        assert done.exit_code == 2
        assert known in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("arm,time,survival\nA,0,1\nA,2,1.2\n", "curves.csv, row 3, column 'survival': survival is 1.2"),
        ("arm,time,survival\nA,0,1\nA,2,0.4\nA,3,0.7\n", "row 4, column 'survival': A: survival rises from 0.4 to 0.7"),
        (
            "time,cuminc\n0,0\n3,0.7\n9,0.4\n",
            "row 4, column 'survival': cumulative incidence falls from 0.7 to 0.4 at 9",
        ),
        (
            "arm,time,survival\nA,0,1\nA,2,80\nA,5,60\n",
            "row 3, column 'survival': survival is 80; it lies between 0 and 1",
        ),
        ("arm,time,incidence\nA,0,0\nA,2,1.3\n", "row 3, column 'survival': cumulative incidence is 1.3"),
        ("arm,time,survival\nA,-1,1\nA,2,0.4\n", "row 2, column 'time': time is '-1'"),
        ("arm,time,survival\n", "the table is empty"),
        ("arm,time\nA,1\n", "no column 'survival'"),
    ],
)
def test_reconstruct_refuses_a_bad_curve(tmp_path, content, said):
    curves, out = tmp_path / "curves.csv", tmp_path / "out"
    curves.write_text(content)
    assert said in refused("reconstruct", curves, "--out", out)
    assert not out.exists()


def test_reconstruct_refuses_facts_of_an_arm_without_a_curve(tmp_path):
    (tmp_path / "curves.csv").write_text("arm,time,survival\nLow,0,1\nLow,2,0.5\nHigh,0,1\nHigh,2,0.4\n")
    (tmp_path / "totals.csv").write_text("arm,n,events\nLow,10,5\nHihg,10,6\n")
    said = refused(
        "reconstruct", tmp_path / "curves.csv", "--totals", tmp_path / "totals.csv", "--out", tmp_path / "out"
    )
    assert "arm 'Hihg' has no curve; nearest: 'High'" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("study,time,n_risk,survival\nA,1,10,1.3\n", "grid.csv, row 2, column 'survival': survival is 1.3"),
        (
            "study,time,n_risk,survival\nA,1,10,0.5\nA,2,5,0.6\n",
            "row 3, column 'survival': A: survival rises from 0.5 to 0.6",
        ),
        (
            "study,time,n_risk,survival\nA,1,10,0.8\nB,1,9,0.9\nA,2,0,0.5\n",
            "grid.csv, row 4, column 'n_risk': survival falls to 0.5 at 2 with nobody at risk",
        ),
        ("study,time,n_risk,survival\nA,0,10,0.9\nA,2,9,0.5\n", "row 2, column 'survival': survival is 0.9 at time 0"),
        ("study,time,n_risk,survival\nA,,10,0.9\n", "row 2, column 'time': time is ''"),
        ("study,time,n_risk,survival\nA,1,10,0\nA,2,0,0\nB,2,0,1\n", "grid.csv: B: no row with a time above 0"),
        ("study,time,n_risk,survival\nA,1,,0.5\n", "row 2, column 'n_risk': is empty"),
        ("study,time,n_risk,survival\nA,1,10,0.5\nA,1,10,0.5\n", "row 3, column 'study': 'A, 1' stands in row 2"),
    ],
)
def test_summary_curve_refuses_a_bad_grid(tmp_path, content, said):
    grid, out = tmp_path / "grid.csv", tmp_path / "out"
    grid.write_text(content)
    assert said in refused("summary-curve", grid, "--out", out)
    assert not out.exists()


def test_wrong_usage_exits_2(tmp_path):
    assert metagrove("pool").exit_code == 2
    assert metagrove("no-such-verb").exit_code == 2
    assert metagrove("reconstruct", tmp_path / "x.csv", "--out", tmp_path, "--draws", "many").exit_code == 2


def test_an_output_that_cannot_be_written_is_one_line_and_changes_nothing(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("study,event,n\nA,1,8\nB,2,9\nC,3,9\n")
    (tmp_path / "file").write_text("kept")
    assert "cannot be written" in refused("pool", table, "--out", tmp_path / "file" / "out")
    (tmp_path / "out" / "forest.svg").mkdir(parents=True)
    assert "is a folder" in refused("pool", table, "--out", tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["forest.svg"]
    assert (tmp_path / "file").read_text() == "kept"


def test_a_cell_without_end_is_one_line(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text('study,event,n\nA,1,8\n"' + "x" * 200_000)
    assert "t.csv" in refused("pool", table, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('synthetic = ["curves"', 'synthetic = ["curvess"', "No table 'curvess'; nearest: curves"),
        ("draws = 20", "draws = 20\nseed = -5", "'seed' is -5"),
        ('correction = "none"', 'correction = "non"', "'correction' is 'non'; known: 'none'"),
    ],
)
def test_the_protocol_is_held_to_what_exists(folder, old, new, said):
    edit(folder / "review.toml", old, new)
    before = seal(folder)
    assert said in refused("run", folder)
    assert seal(folder) == before


def test_a_unit_that_is_none_names_its_row(folder):
    edit(folder / "survival.csv", "Bible,OS,median,,111,d", "Bible,OS,median,,111,fortnights")
    assert "survival.csv, row 5, column 'unit': No unit of time 'fortnights'" in refused("run", folder)


def test_errors_as_json(tmp_path):
    done = metagrove("run", tmp_path / "nowhere", "--json")
    assert done.exit_code == 1
    assert "no such folder" in json.loads(done.stdout)["error"]
