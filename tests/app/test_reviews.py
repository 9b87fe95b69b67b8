"""The front door's functions on reviews and records, and every defensible analysis of two arms."""

import csv
import io
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import metagrove as mg
from known import reference
from metagrove.cli.main import app

EXAMPLE = Path(__file__).parents[2] / "examples" / "atc-tki"
FLOW = ("pubmed.nbib", "wos.ciw", "embase.ris", "central.ris")


def test_records_in_works_out_and_written_again(tmp_path):
    read = mg.read_records(*(str(reference("records/flow_seed_shaped") / name) for name in FLOW))
    assert (len(read.records), read.refused) == (1171, ())
    found = mg.deduplicate(read)
    assert len(found.works) == 780
    first = [records[0] for records in found.works.values()]
    mg.write_records(first, tmp_path / "works.bib", form="bibtex")
    assert len(mg.read_records(tmp_path / "works.bib").records) == 780


def test_a_review_folder_from_python(tmp_path):
    folder = tmp_path / "atc-tki"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("out", ".metagrove", "figures"))
    assert mg.review_flow(str(folder)).boxes["screened"] == 780
    assert len(mg.screening_state(folder).works("full_text", "include")) == 6
    assert "TITLE-ABS-KEY" in mg.search_strategies(folder, database="Scopus")["Scopus"]
    assert any(finding["rule"] == "search-gap" for finding in mg.check_review(folder))
    (path,) = mg.export_review(folder, ["ris"], out=tmp_path / "out")
    assert path.is_file()


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("study,event_e,n_e,event_c,n_c\nA,3,20,9,21\nB,5,30,12,31\nC,2,22,8,21\n", (), "the risk ratio is below 1"),
        ("study,event_e,n_e,event_c,n_c\nA,3,20,9,21\nB,5,30,12,31\nC,2,22,8,21\n", ("--sm", "OR"), "the odds ratio is below 1"),
        ("study,n1i,m1i,sd1i,n2i,m2i,sd2i\nA,20,3.1,1.0,20,4.4,1.1\nB,33,2.9,1.0,30,4.0,1.2\nC,25,3.0,1,24,4.1,1\n", (), "is below 0"),
        ("study,te,se\nA,-0.5,0.2\nB,-0.4,0.15\nC,-0.6,0.3\n", ("--sm", "HR"), "the hazard ratio is below 1"),
    ],
)  # fmt: skip
def test_every_analysis_of_a_table_of_two_arms(tmp_path, text, more, said):
    source = tmp_path / "t.csv"
    source.write_text(text)
    done = CliRunner().invoke(app, ["multiverse", str(source), "--out", str(tmp_path / "out"), *more])
    assert done.exit_code == 0, done.output
    assert said in done.stdout
    rows = table(tmp_path / "out" / "analyses.csv")
    assert len(rows) > 30
    assert {"CE", "DL", "PM", "REML", "SJ"} <= {row["model"] for row in rows}


def test_every_analysis_of_a_comparison_of_a_review(tmp_path):
    folder = tmp_path / "review"
    folder.mkdir()
    analysis = '[[analysis]]\nname = "relief"\nkind = "comparison"\noutcome = "Relief"\nsm = "RR"\nmethod = "MH"\n'
    (folder / "review.toml").write_text(f'version = 1\ntitle = "T"\n{analysis}')
    (folder / "comparisons.csv").write_text(
        "outcome,study,event_e,n_e,event_c,n_c\nRelief,A,3,20,9,21\nRelief,B,5,30,12,31\nRelief,C,2,22,8,21\n"
    )
    done = CliRunner().invoke(app, ["multiverse", str(folder), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    (main,) = (row for row in table(tmp_path / "out" / "analyses.csv") if row["main"] == "True")
    main_rr = mg.metabin([3, 5, 2], [20, 30, 22], [9, 12, 8], [21, 31, 21], sm="RR", method="Inverse").back.TE_random
    assert float(main["estimate"]) == pytest.approx(main_rr, rel=1e-9)
    refused = CliRunner().invoke(app, ["multiverse", str(folder), "--out", str(tmp_path / "o"), "--analysis", "relif"])
    assert refused.exit_code == 1
    assert "relief" in refused.stderr
