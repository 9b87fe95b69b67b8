"""Each verb does its job from files alone, as a new user would ask."""

import csv
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from typer.testing import CliRunner

from metagrove.app.arm_tables import ArmFacts, arm_facts, known_arm
from metagrove.app.curve_tables import ArmCurve
from metagrove.cli.main import app
from metagrove.core.errors import DataError


def metagrove(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def rows(path):
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_new_check_run_report(tmp_path):
    folder = tmp_path / "my-review"
    assert metagrove("new", folder).exit_code == 0
    assert metagrove("check", folder).exit_code == 3
    done = metagrove("run", folder)
    assert done.exit_code == 0
    assert Path(done.stdout.splitlines()[-1]) == (folder / "out" / "report.html").resolve()
    done = metagrove("report", folder, "--format", "html,docx,pdf", "--json")
    made = [Path(path) for path in json.loads(done.stdout)["reports"]]
    assert [path.suffix for path in made] == [".html", ".docx", ".pdf"]
    assert made[1].read_bytes()[:2] == b"PK"
    assert made[2].read_bytes()[:5] == b"%PDF-"
    again = json.loads(metagrove("run", folder, "--json").stdout)
    assert again["redone"] == []
    assert made[1].exists()


def test_an_unknown_format_is_refused(tmp_path):
    metagrove("new", tmp_path / "review")
    done = metagrove("report", tmp_path / "review", "--format", "odt")
    assert done.exit_code == 2
    assert "'odt' is none of html, docx, pdf" in done.stderr


def test_new_from_a_csv_of_responses(tmp_path):
    (tmp_path / "mine.csv").write_text("Author,Responders,N,Drug\nLee 2019,3,20,a\nKim 2020,5,22,b\n")
    done = metagrove("new", tmp_path / "review", "--from", tmp_path / "mine.csv")
    assert done.exit_code == 0, done.stderr
    assert "column 'Responders' read as 'events'" in done.stdout
    done = metagrove("run", tmp_path / "review")
    assert done.exit_code == 0, done.stderr
    assert rows(tmp_path / "review" / "out" / "tables" / "response.csv")[0]["events"] == "3"


def test_new_from_a_workbook_with_sheets(tmp_path):
    book = openpyxl.Workbook()
    first = book.active
    first.title = "responses"
    for line in (
        ["Outcome", "Study", "Events", "Total"],
        ["ORR", "Lee", 3, 20],
        ["ORR", "Kim", 5, 22],
        ["DCR", "Lee", 9, 20],
    ):
        first.append(line)
    second = book.create_sheet("Adverse events")
    for line in (["Study", "Adverse event", "Events", "N"], ["Lee", "Rash", 2, 20], ["Kim", "Rash", 1, 22]):
        second.append(line)
    book.save(tmp_path / "mine.xlsx")
    done = metagrove("new", tmp_path / "review", "--from", tmp_path / "mine.xlsx")
    assert done.exit_code == 0, done.stderr
    done = metagrove("run", tmp_path / "review")
    assert done.exit_code == 0, done.stderr
    assert {path.stem for path in (tmp_path / "review" / "out" / "figures").glob("*.svg")} == {"orr", "dcr", "harms"}


@pytest.mark.parametrize(
    ("header", "lines", "name", "protocol", "shown"),
    [
        ("Author,Year,treat_events,treat_n,ctrl_events,ctrl_n", ("Lee,2019,3,20,6,21", "Kim,2020,5,22,9,23"), "relief", 'sm = "RR"', "0.5603"),
        ("study,HR,lower,upper", ("Lee,0.7,0.5,0.98", "Kim,0.7,0.6,0.8167"), "relief", 'scale = "printed"', "0.7"),
        ("Endpoint,Study,mean_t,sd_t,n_t,mean_c,sd_c,n_c", ("Sleep,Lee,3,1,20,4,1,21", "Sleep,Kim,3,1,20,4,1,21"), "sleep", 'sm = "MD"', "-1"),
    ],
)  # fmt: skip
def test_new_from_a_csv_of_two_arms(tmp_path, header, lines, name, protocol, shown):
    (tmp_path / "relief.csv").write_text("\n".join((header, *lines)) + "\n")
    done = metagrove("new", tmp_path / "review", "--from", tmp_path / "relief.csv")
    assert done.exit_code == 0, done.stderr
    assert protocol in (tmp_path / "review" / "review.toml").read_text()
    done = metagrove("run", tmp_path / "review")
    assert done.exit_code == 0, done.stderr
    numbers = json.loads((tmp_path / "review" / "out" / "results" / f"{name}.json").read_text())
    assert numbers["reporting_scale"]["TE_random"] == pytest.approx(float(shown), abs=5e-5)
    assert rows(tmp_path / "review" / "studies.csv")[0].get("year", "2019") == "2019"


def test_new_from_a_workbook_of_two_arms(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Relief"
    sheets = (book.active, book.create_sheet("Rash"))
    for sheet in sheets:
        for line in (
            ["Trial", "Events 1", "Total 1", "Events 2", "Total 2"],
            ["Lee", 3, 20, 6, 21],
            ["Kim", 5, 22, 9, 23],
        ):
            sheet.append(line)
    book.save(tmp_path / "mine.xlsx")
    done = metagrove("new", tmp_path / "review", "--from", tmp_path / "mine.xlsx")
    assert done.exit_code == 0, done.stderr
    table = rows(tmp_path / "review" / "comparisons.csv")
    assert [(row["outcome"], row["study"], row["event_c"]) for row in table] == [
        ("Relief", "Lee", "6"), ("Relief", "Kim", "9"), ("Rash", "Lee", "6"), ("Rash", "Kim", "9"),
    ]  # fmt: skip
    done = metagrove("run", tmp_path / "review")
    assert done.exit_code == 0, done.stderr
    made = {path.stem for path in (tmp_path / "review" / "out" / "figures").glob("*.svg")}
    assert made == {"relief", "rash"}


def test_new_from_revman(tmp_path):
    source = Path(__file__).parents[1] / "review" / "data" / "aspirin.rm5"
    done = metagrove("new", tmp_path / "review", "--from", source)
    assert done.exit_code == 0, done.stderr
    assert "10 studies, 4 outcomes, 20 rows of data" in done.stdout
    assert len(rows(tmp_path / "review" / "comparisons.csv")) == 20
    assert metagrove("check", tmp_path / "review").exit_code == 0


def test_pool_a_table(tmp_path):
    (tmp_path / "t.csv").write_text(
        "study,event,n,subgroup\nHa,2/8,,imatinib\nBible,0,15,pazopanib\nSavvides,10%,20,sorafenib\nTahara,4,17,lenvatinib\nWirth,1,34,lenvatinib\nHigashiyama,5,42,lenvatinib\n"
    )
    done = metagrove("pool", tmp_path / "t.csv", "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result == json.loads(done.stdout)
    assert result["back"]["TE_random"] == pytest.approx(0.0873293765870738, rel=1e-7)
    assert result["tau2"] == pytest.approx(0.00916756495400305, rel=1e-6)
    assert result["Q_b_random"] == pytest.approx(4.35581879903557, rel=1e-7)
    assert len([r for r in rows(tmp_path / "out" / "studies.csv") if r["kind"] == "study"]) == 6
    assert ElementTree.parse(tmp_path / "out" / "forest.svg").getroot().tag.endswith("svg")


def test_pool_says_what_it_did(tmp_path):
    (tmp_path / "t.csv").write_text("study,event,n\nA,2,8\nB,3,15\nC,2,20\n")
    done = metagrove(
        "pool",
        tmp_path / "t.csv",
        "--out",
        tmp_path / "out",
        "--measure",
        "PLOGIT",
        "--method-tau",
        "PM",
        "--method-random-ci",
        "HK",
    )
    assert done.exit_code == 0, done.stderr
    for said in ("Paule-Mandel", "Hartung-Knapp", "logit"):
        assert said.lower() in done.stdout.lower()


@pytest.mark.parametrize("method", ["likelihood", "guyot", "bounded"])
def test_reconstruct_keeps_the_totals(tmp_path, method):
    (tmp_path / "c.csv").write_text("study,time,surv\nA,0,100\nA,1.2,90\nA,2.5,80\nA,4,60\nA,7,50\nA,9,25\nA,12,25\n")
    (tmp_path / "r.csv").write_text("study,time,n_risk\nA,0,10\nA,3,8\nA,6,5\nA,9,3\n")
    (tmp_path / "t.csv").write_text("study,n,events\nA,10,6\n")
    done = metagrove(
        "reconstruct",
        tmp_path / "c.csv",
        "--at-risk",
        tmp_path / "r.csv",
        "--totals",
        tmp_path / "t.csv",
        "--method",
        method,
        "--out",
        tmp_path / "out",
    )
    assert done.exit_code in (0, 3), done.stderr
    patients = rows(tmp_path / "out" / "patients.csv")
    assert list(patients[0]) == ["arm", "time", "event"]
    assert len(patients) == 10
    assert sum(int(row["event"]) for row in patients) == 6
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert {"fit", "contradictions", "guesses"} <= set(report)


def test_reconstruct_takes_rows_for_what_it_is_told_they_are(tmp_path):
    (tmp_path / "c.csv").write_text("0,1\n2,0.75\n5,0.5\n9,0.5\n")
    (tmp_path / "t.csv").write_text("n\n40\n")
    given = ["reconstruct", tmp_path / "c.csv", "--totals", tmp_path / "t.csv", "--out"]
    assert metagrove(*given, tmp_path / "drops", "--kind", "drops").exit_code == 0
    assert metagrove(*given, tmp_path / "places", "--kind", "places").exit_code == 0
    deaths = {
        name: [row["time"] for row in rows(tmp_path / name / "patients.csv") if row["event"] == "1"]
        for name in ("drops", "places")
    }
    assert len(set(deaths["drops"])) == 2 < len(set(deaths["places"]))


def two_arms(folder):
    """Files of two arms: their arguments for the command."""
    control = [(0, 100), (2, 80), (5, 60), (7, 40), (12, 20), (15, 20)]
    treated = [(0, 100), (3, 90), (6, 70), (9, 60), (14, 40), (18, 40)]
    lines = [f"{arm},{t},{s}" for arm, curve in (("Old", control), ("New", treated)) for t, s in curve]
    (folder / "c.csv").write_text("arm,time,survival\n" + "\n".join(lines) + "\n")
    (folder / "t.csv").write_text("arm,n,events\nOld,10,8\nNew,10,6\n")
    return [folder / "c.csv", "--totals", folder / "t.csv"]


def test_reconstruct_two_arms_shows_the_printed_hazard_ratio(tmp_path):
    given = two_arms(tmp_path)
    apart, shown, turned = tmp_path / "apart", tmp_path / "shown", tmp_path / "turned"
    assert metagrove("reconstruct", *given, "--out", apart).exit_code == 0
    done = metagrove("reconstruct", *given, "--hr", "0.46", "--draws", "30", "--out", shown)
    assert done.exit_code == 0, done.stderr
    assert "New against Old: hazard ratio 0.4" in done.stdout
    report = json.loads((shown / "report.json").read_text())
    told = report["comparison"]
    assert 0.455 <= told["hr"] <= 0.465
    pair = [line for line in report["fit"] if line["arm"] == "New against Old"]
    assert [(line["fact"], line["printed"], line["agrees"]) for line in pair] == [("hazard ratio", 0.46, True)]
    assert 0 < told["p"] < 1 and told["limits"][0] < told["hr"] < told["limits"][1]
    assert len({row["draw"] for row in rows(shown / "draws.csv")}) == 30
    assert len(rows(shown / "patients.csv")) == len(rows(apart / "patients.csv")) == 20
    assert metagrove("reconstruct", *given, "--hr", "2.19", "--control", "New", "--out", turned).exit_code == 0
    told = json.loads((turned / "report.json").read_text())["comparison"]
    assert told["control"] == "New"
    assert 2.185 <= told["hr"] <= 2.195


def test_reconstruct_replaces_what_the_call_before_wrote_and_nothing_else(tmp_path):
    (tmp_path / "c.csv").write_text("0,1\n2,0.75\n9,0.75\n")
    (tmp_path / "t.csv").write_text("n\n4\n")
    out = tmp_path / "out"
    given = ["reconstruct", tmp_path / "c.csv", "--totals", tmp_path / "t.csv", "--out", out]
    out.mkdir()
    (out / "draws.csv").write_text("a person's own")
    assert metagrove(*given).exit_code == 0
    assert (out / "draws.csv").read_text() == "a person's own"
    assert metagrove(*given, "--draws", "2").exit_code == 0
    (out / "notes.txt").write_text("kept")
    assert metagrove(*given, "--marks", tmp_path / "none.csv").exit_code == 1
    assert (out / "draws.csv").is_file()
    assert metagrove(*given).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["notes.txt", "patients.csv", "report.json"]


def test_reconstruct_says_when_no_patients_show_the_printed_hazard_ratio(tmp_path):
    done = metagrove("reconstruct", *two_arms(tmp_path), "--hr", "3.1", "--p", "<0.001", "--out", tmp_path / "out")
    assert done.exit_code == 3
    assert "contradiction" in done.stdout and "hazard ratio 3.1" in done.stdout


@pytest.mark.parametrize(
    "given, said",
    [
        (
            ("--hr", "half"),
            "metagrove: --hr: the hazard ratio is 'half'; write 0.66, or with its limits 0.66 (0.50-0.87)",
        ),
        (("--hr", "-0.5"), "the hazard ratio is '-0.5'"),
        (("--hr", "0.7, 0.5"), "the hazard ratio is '0.7, 0.5'"),
        (("--hr", "0"), "the hazard ratio is 0; it lies above 0"),
        (("--p", "1.2"), "metagrove: --p: p is 1.2; it lies between 0 and 1"),
        (("--p", "small"), "p is 'small'"),
        (("--hr", "0.5", "--control", "Od"), "arm 'Od' has no curve; nearest: 'Old'; arms: Old, New"),
        (("--hr", "0.5", "--method", "guyot"), "two arms are rebuilt together with method='likelihood'"),
    ],
)
def test_reconstruct_refuses_a_printed_difference_that_cannot_be(tmp_path, given, said):
    done = metagrove("reconstruct", *two_arms(tmp_path), *given, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_reconstruct_compares_two_arms_and_no_other_number(tmp_path):
    given = two_arms(tmp_path)
    with (tmp_path / "c.csv").open("a") as more:
        more.write("Third,0,100\nThird,4,50\nThird,9,50\n")
    with (tmp_path / "t.csv").open("a") as more:
        more.write("Third,12,\n")
    done = metagrove("reconstruct", *given, "--hr", "0.5", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "a hazard ratio or p compares two arms; the file has 3: Old, New, Third" in done.stderr


def test_reconstruct_two_bare_columns(tmp_path):
    (tmp_path / "c.csv").write_text("0,1\n2,0.75\n5,0.5\n9,0.5\n")
    (tmp_path / "t.csv").write_text("n,events\n4,2\n")
    done = metagrove(
        "reconstruct",
        tmp_path / "c.csv",
        "--totals",
        tmp_path / "t.csv",
        "--method",
        "bounded",
        "--out",
        tmp_path / "out",
    )
    assert done.exit_code == 0, done.stderr
    assert [(float(r["time"]), r["event"]) for r in rows(tmp_path / "out" / "patients.csv")] == [
        (2, "1"),
        (5, "1"),
        (9, "0"),
        (9, "0"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "time,survival\n0,100\n2,50\n5,1\n9,0.5\n15,0\n",
        "0;1\n2;0,5\n5;0,01\n9;0,005\n15;0\n",
        "0\t100%\n2\t50%\n5\t1%\n9\t0.5%\n15\t0%\n",
    ],
)
def test_curves_in_per_cent_and_of_other_digitizers(tmp_path, text):
    (tmp_path / "c.csv").write_text(text)
    (tmp_path / "t.csv").write_text("n,events\n200,200\n")
    done = metagrove(
        "reconstruct",
        tmp_path / "c.csv",
        "--totals",
        tmp_path / "t.csv",
        "--method",
        "bounded",
        "--out",
        tmp_path / "out",
    )
    assert done.exit_code == 0, done.stderr
    times = [float(row["time"]) for row in rows(tmp_path / "out" / "patients.csv")]
    assert len(times) == 200
    assert times.count(2) == 100


@pytest.mark.parametrize("heading", ["cuminc", "incidence", "Cumulative incidence", "probability", "survival", "y", ""])
@pytest.mark.parametrize("percent", [False, True])
def test_cumulative_incidence_is_survival_turned_round(tmp_path, heading, percent):
    points = [(0, 0.0), (2, 0.2), (5, 0.4), (7, 0.6), (12, 0.8), (15, 0.8)]
    lines = [f"{t},{100 * x if percent else x:g}" for t, x in points]
    (tmp_path / "c.csv").write_text("\n".join([f"time,{heading}", *lines] if heading else lines))
    (tmp_path / "t.csv").write_text("n,events\n10,8\n")
    given = ["--totals", tmp_path / "t.csv", "--method", "bounded", "--out", tmp_path / "o"]
    done = metagrove("reconstruct", tmp_path / "c.csv", *given)
    assert done.exit_code == 0, done.stderr
    made = [(float(r["time"]), r["event"]) for r in rows(tmp_path / "o" / "patients.csv")]
    assert made == [(t, e) for t, e in ((2, "1"), (5, "1"), (7, "1"), (12, "1")) for _ in range(2)] + [(15, "0")] * 2


def test_an_arm_without_events_is_incidence_where_the_other_is(tmp_path):
    (tmp_path / "c.csv").write_text("arm,time,y\nA,0,0\nA,3,0.5\nA,9,0.5\nB,0,0\nB,9,0\n")
    (tmp_path / "t.csv").write_text("arm,n,events\nA,2,1\nB,3,0\n")
    given = ["--totals", tmp_path / "t.csv", "--method", "bounded", "--out", tmp_path / "o"]
    assert metagrove("reconstruct", tmp_path / "c.csv", *given).exit_code == 0
    made = [(r["arm"], float(r["time"]), r["event"]) for r in rows(tmp_path / "o" / "patients.csv")]
    assert made == [("A", 3, "1"), ("A", 9, "0")] + [("B", 9, "0")] * 3


def test_the_report_says_how_each_arm_was_read(tmp_path):
    (tmp_path / "c.csv").write_text("arm,time,cuminc\nA,0,2%\nA,3,52%\nA,9,52%\nB,0,0\nB,0.5,0\nB,0.5,25\nB,8,25\n")
    (tmp_path / "t.csv").write_text("arm,n\nA,2\nB,4\n")
    done = metagrove("reconstruct", tmp_path / "c.csv", "--totals", tmp_path / "t.csv", "--out", tmp_path / "o")
    assert done.exit_code in (0, 3), done.stderr
    notes = json.loads((tmp_path / "o" / "report.json").read_text())["notes"]
    said = {arm: [note["message"] for note in notes if note["arm"] == arm] for arm in "AB"}
    read = [
        "cumulative incidence was read as percent",
        "the column is called 'cuminc': read as cumulative incidence, survival is 1 minus it",
    ]
    assert said["A"][:3] == [*read, "rows were read as clicks, one a drop"]
    assert "survival starts at 0.98: all values were moved by +0.02" in said["A"]
    assert said["B"][:3] == [*read, "rows were read as both corners of every step"]


@pytest.mark.parametrize("bare", [False, True])
def test_decimal_commas_with_three_digits_are_no_thousands(tmp_path, bare):
    points = ["0,000;1,000", "2,125;0,812", "5,250;0,625", "7,125;0,438", "12,500;0,250", "15,125;0,250"]
    lines = points if bare else ["arm;time;survival", *(f"A;{line}" for line in points)]
    (tmp_path / "c.csv").write_text("\n".join(lines))
    (tmp_path / "t.csv").write_text("arm;n;events\nA;16;12\n")
    (tmp_path / "r.csv").write_text("arm;time;n\nA;0;16\nA;5,5;10\n")
    given = ["--totals", tmp_path / "t.csv", "--at-risk", tmp_path / "r.csv", "--method", "bounded"]
    done = metagrove("reconstruct", tmp_path / "c.csv", *given, "--out", tmp_path / "o")
    assert done.exit_code == 0, done.stderr
    assert {float(r["time"]) for r in rows(tmp_path / "o" / "patients.csv") if r["event"] == "1"} == {
        2.125, 5.25, 7.125, 12.5
    }  # fmt: skip


def test_a_new_folder_takes_over_decimal_commas(tmp_path):
    (tmp_path / "curves.csv").write_text("study;endpoint;time;survival\nLee;OS;0;100\nLee;OS;2,125;80,250\n")
    assert metagrove("new", tmp_path / "review", "--from", tmp_path / "curves.csv").exit_code == 0
    assert [r["time"] for r in rows(tmp_path / "review" / "curves.csv")] == ["0", "2.125"]


def test_a_folder_name_and_an_outcome_with_quotes(tmp_path):
    (tmp_path / "mine.csv").write_text('study,outcome,events,n\nA,"OR ""x""",3,20\nB,"OR ""x""",4,22\n')
    folder = tmp_path / 'my "rev"'
    assert metagrove("new", folder, "--from", tmp_path / "mine.csv").exit_code == 0
    done = metagrove("run", folder)
    assert done.exit_code == 0, done.stderr


def test_summary_curve_of_ragged_studies(tmp_path):
    lines = ["study,time,n_risk,survival"]
    for study, last, n in (("A", 4, 12), ("B", 8, 20), ("C", 6, 9)):
        survival = 1.0
        for t in range(1, last + 1):
            lines.append(f"{study},{t},{max(1, round(n * survival))},{survival * 0.8:.4f}")
            survival *= 0.8
    (tmp_path / "g.csv").write_text("\n".join(lines))
    done = metagrove("summary-curve", tmp_path / "g.csv", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    table = rows(tmp_path / "out" / "summary.csv")
    assert list(table[0]) == ["time", "survival", "lower", "upper", "n_risk", "studies", "sparse"]
    assert [row["sparse"] for row in table] == [str(float(row["n_risk"]) < 10) for row in table]
    assert {row["sparse"] for row in table} == {"True", "False"}
    survival = np.array([float(row["survival"]) for row in table])
    assert len(table) == 8
    assert (np.diff(survival) <= 0).all()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert 2 < summary["median"] < 5
    assert summary["median_lower"] < summary["median"] < summary["median_upper"]
    assert (tmp_path / "out" / "curve.svg").read_text().count("<svg") == 1


def test_multiverse_of_a_table_and_of_a_review(tmp_path):
    (tmp_path / "t.csv").write_text("study,event,n\nA,2,8\nB,0,15\nC,2,20\nD,4,17\n")
    done = metagrove("multiverse", tmp_path / "t.csv", "--out", tmp_path / "a", "--reference", "0.5")
    assert done.exit_code == 0, done.stderr
    assert "below 0.5 holds in" in done.stdout
    told = json.loads((tmp_path / "a" / "multiverse.json").read_text())
    table = rows(tmp_path / "a" / "analyses.csv")
    assert len(table) == told["analyses"] > 100
    assert sum(row["holds"] == "True" for row in table) == told["holding"]
    metagrove("new", tmp_path / "review")
    done = metagrove("multiverse", tmp_path / "review", "--out", tmp_path / "b", "--json")
    assert json.loads(done.stdout)["analyses"] > 100
    assert "<svg" in (tmp_path / "b" / "curve.svg").read_text()
    refused = metagrove("multiverse", tmp_path / "review", "--out", tmp_path / "c", "--analysis", "nope")
    assert refused.exit_code == 1
    assert "objective-response" in refused.stderr


CURVES = "arm,time,survival\nA,0,1\nA,2,0.75\nA,5,0.5\nA,9,0.5\nB,0,1\nB,4,0.5\nB,20,0.5\n"


@pytest.mark.parametrize(
    ("option", "table", "said"),
    [
        ("--marks", "arm,time\nA,3\nA,30\n", "facts.csv, row 3, column 'time': a censor mark of 'A' is at 30"),
        ("--marks", "arm,time\nA,3\nB,\n", "facts.csv, row 3, column 'time'"),
        ("--at-risk", "arm,time,n\nB,0,0\n", "facts.csv, row 2, column 'n': 0 patients are at risk at time 0"),
        ("--at-risk", "arm,time,n\nB,-1,4\n", "facts.csv, row 2, column 'time': time is -1"),
        ("--totals", "arm,n\nA,4\nB,0\n", "facts.csv, row 3, column 'n': n is 0"),
        ("--totals", "arm,n\nA,4\n", "curves.csv, arm 'B': how many patients there were is not known"),
        ("--totals", "arm,n,events\nA,4,50%\nB,4,2\n", "facts.csv, row 2, column 'events': '50%' is a share"),
        ("--totals", "n\n4\n", "facts.csv, row 2, column 'arm': says no arm; the curves have 2: A, B"),
        ("--marks", "time\n3\n", "facts.csv, row 2, column 'arm': says no arm; the curves have 2: A, B"),
        ("--at-risk", "arm,time,n\nA,0,4\nC,0,9\n", "facts.csv, row 3, column 'arm': arm 'C' has no curve; arms: A, B"),
        ("--at-risk", "arm,time,n\nA,0,4\na,0,3\n", "row 3, column 'arm': 'a, 0' stands in row 2 already"),
        ("--totals", "arm,n\nA,4\n A,4\n", "row 3, column 'arm': 'A' stands in row 2 already"),
        ("--totals", "arm,n,events\nA,4,5\nB,4,2\n", "facts.csv, row 2, column 'events'"),
    ],
)
def test_reconstruct_names_the_file_that_is_wrong(tmp_path, option, table, said):
    (tmp_path / "curves.csv").write_text(CURVES)
    (tmp_path / "facts.csv").write_text(table)
    given = [] if option == "--totals" else ["--totals", tmp_path / "n.csv"]
    (tmp_path / "n.csv").write_text("arm,n\nA,4\nB,4\n")
    done = metagrove(
        "reconstruct", tmp_path / "curves.csv", *given, option, tmp_path / "facts.csv", "--out", tmp_path / "o"
    )
    assert done.exit_code == 1
    assert said in done.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("option", ["--totals", "--at-risk", "--marks"])
def test_rows_of_another_arm_than_the_only_curve_are_refused(tmp_path, option):
    (tmp_path / "c.csv").write_text("arm,time,survival\nDrug X,0,1\nDrug X,2,0.75\nDrug X,9,0.75\n")
    (tmp_path / "n.csv").write_text("arm,n\nDrug X,4\n")
    (tmp_path / "f.csv").write_text("arm,time,n\nPlacebo,3,4\n")
    given = [tmp_path / "c.csv", *([] if option == "--totals" else ["--totals", tmp_path / "n.csv"])]
    done = metagrove("reconstruct", *given, option, tmp_path / "f.csv", "--out", tmp_path / "o")
    assert done.exit_code == 1
    assert "f.csv, row 2, column 'arm': arm 'Placebo' has no curve; arms: Drug X" in done.stderr


def test_arms_are_matched_without_capitals_and_blanks(tmp_path):
    (tmp_path / "c.csv").write_text("arm,time,survival\nDrug X,0,1\nDrug X,2,0.75\nDrug x,9,0.75\n")
    (tmp_path / "n.csv").write_text("arm,n,events\ndrugx,4,1\n")
    (tmp_path / "r.csv").write_text("arm,time,n\nDRUG  X,0,4\nDrug X,5,3\n")
    given = ["--totals", tmp_path / "n.csv", "--at-risk", tmp_path / "r.csv", "--method", "bounded"]
    assert metagrove("reconstruct", tmp_path / "c.csv", *given, "--out", tmp_path / "o").exit_code == 0
    assert [r["arm"] for r in rows(tmp_path / "o" / "patients.csv")] == ["Drug X"] * 4


@pytest.mark.parametrize(
    ("name", "arms", "near"),
    [
        ("Arm C", ["Arm A", "Arm B"], ""),
        ("lenvatinb", ["Sorafenib", "Lenvatinib"], "Lenvatinib"),
        ("B", ["A", "C"], ""),
    ],
)
def test_only_a_name_plainly_nearest_is_suggested(name, arms, near):
    with pytest.raises(DataError) as caught:
        known_arm(name, arms)
    said = caught.value.message
    assert said.endswith(f"arms: {', '.join(arms)}")
    assert (f"nearest: '{near}'" in said) if near else ("nearest" not in said)


@pytest.mark.parametrize(
    "totals",
    [
        "arm,n,median,rate_6,rate_12\nA,10,5.9 (4.1-8.2),60%,0.3 (0.1-0.6)\n",
        "arm,n,median,median_ci_low,median_ci_high,rate_6,rate_12,rate_12_ci_low,rate_12_ci_high\nA,10,5.9,4.1,8.2,60,30,10,60\n",
        "arm;n;median;median_lower;median_upper;Rate 6;Rate 12;Rate 12 lower;Rate 12 upper\nA;10;5,9;4,1;8,2;0,6;0,3;0,1;0,6\n",
    ],
)
def test_totals_hold_the_printed_median_and_rates(tmp_path, totals):
    (tmp_path / "c.csv").write_text("arm,time,survival\nA,0,1\nA,2,0.8\nA,5,0.6\nA,7,0.4\nA,12,0.2\nA,15,0.2\n")
    (tmp_path / "t.csv").write_text(totals)
    given = ["--totals", tmp_path / "t.csv", "--method", "bounded", "--out", tmp_path / "o"]
    assert metagrove("reconstruct", tmp_path / "c.csv", *given).exit_code in (0, 3)
    fit = json.loads((tmp_path / "o" / "report.json").read_text())["fit"]
    printed = {line["fact"]: line["printed"] for line in fit}
    assert (printed["median"], printed["survival at 6"], printed["survival at 12"]) == (5.9, 0.6, 0.3)
    assert arm_facts({"A": ArmCurve([(0, 1)])}, at_risk=None, totals=tmp_path / "t.csv", marks=None)["A"] == ArmFacts(
        10, median=(5.9, 4.1, 8.2), rates={6.0: (0.6, None, None), 12.0: (0.3, 0.1, 0.6)}
    )


@pytest.mark.parametrize(
    ("heading", "cell", "said"),
    [
        ("median", "5.9 (6.1-8.2)", "column 'median': 6.1 to 5.9 to 8.2 is no interval around its estimate"),
        ("median", "62 d", "column 'median': '62 d' carries a unit"),
        ("median", "-2", "column 'median': '-2' is no median"),
        ("rate_6", "130%", "column 'rate_6': '130%' is no survival"),
        ("rate_6,rate_1.5,rate 1_5", "0.5,0.7,0.7", "row 1, column 'rate 1_5': two columns are 'rate_1.5'"),
    ],
)
def test_printed_medians_and_rates_that_cannot_be_are_refused(tmp_path, heading, cell, said):
    (tmp_path / "c.csv").write_text("0,1\n2,0.75\n9,0.75\n")
    (tmp_path / "t.csv").write_text(f"n,{heading}\n4,{cell}\n")
    done = metagrove("reconstruct", tmp_path / "c.csv", "--totals", tmp_path / "t.csv", "--out", tmp_path / "o")
    assert done.exit_code == 1
    assert said in done.stderr


def test_a_curve_without_a_name_is_of_one_arm(tmp_path):
    (tmp_path / "c.csv").write_text("0,1\n2,0.75\n9,0.75\n")
    (tmp_path / "n.csv").write_text("arm,n\nA,4\n")
    (tmp_path / "r.csv").write_text("arm,time,n\nB,0,4\n")
    given = [tmp_path / "c.csv", "--totals", tmp_path / "n.csv", "--method", "bounded", "--out", tmp_path / "o"]
    assert metagrove("reconstruct", *given).exit_code == 0
    done = metagrove("reconstruct", *given, "--at-risk", tmp_path / "r.csv")
    assert "r.csv, row 2, column 'arm': arm 'B' beside 'A'; the curve is that of one arm without a name" in done.stderr


def test_figure_to_patients_by_two_commands(tmp_path):
    drawn = Path(__file__).parents[2] / "examples"
    figure = drawn / "atc-tki" / "figures" / "savvides.pdf"
    assert metagrove("digitize", figure, "--out", tmp_path / "d").exit_code == 0
    made = tmp_path / "d" / "savvides"
    done = metagrove(
        "reconstruct", f"{made}.csv", "--at-risk", f"{made}.risk.csv", "--marks", f"{made}.marks.csv", "--out", tmp_path / "p"
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    names = {"Overall survival": "OS", "Progression-free": "PFS"}
    truth = [r for r in rows(drawn / "drawn" / "patients.csv") if r["study"] == "Savvides"]
    found = rows(tmp_path / "p" / "patients.csv")
    for arm, endpoint in names.items():
        wanted = sorted((float(r["time"]), r["event"]) for r in truth if r["endpoint"] == endpoint)
        got = sorted((float(r["time"]), r["event"]) for r in found if r["arm"] == arm)
        assert [e for _, e in got].count("1") == [e for _, e in wanted].count("1")
        deaths = [[t for t, e in group if e == "1"] for group in (got, wanted)]
        assert np.abs(np.subtract(*deaths)).max() < 0.02
