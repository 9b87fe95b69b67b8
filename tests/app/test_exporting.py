"""A review for other programs: R comes to the same numbers, RevMan reads what we wrote, records survive the round trip."""

import csv
import io
import json
import shutil
import subprocess
import zipfile

import pytest
from typer.testing import CliRunner

from known import reference
from metagrove.app.exporting import export_review, r_files
from metagrove.cli.main import app
from metagrove.core.errors import DataError, UnknownName
from metagrove.review.exports import bibtex_text, written_records
from metagrove.review.folder import open_review
from metagrove.review.records.export import read_export
from metagrove.review.revman import read_revman
from metagrove.review.storage import write_atomically

RESPONSES = "outcome,study,events,n\n" + "".join(
    f"Cure,{name},{events},{n}\n" for name, events, n in (("A", 2, 8), ("B", 0, 15), ("C", 2, 20), ("D", 4, 17), ("E", 1, 34))
)  # fmt: skip
COMPARISONS = """\
outcome,study,event_e,n_e,event_c,n_c,mean_e,sd_e,mean_c,sd_c,te,lower,upper
Relief,A,49,615,67,624,,,,,,,
Relief,B,44,758,64,771,,,,,,,
Relief,C,0,120,6,119,,,,,,,
Relief,D,32,317,38,309,,,,,,,
Pain,A,,20,,21,3.1,1.2,4.0,1.4,,,
Pain,B,,44,,41,2.9,1.1,3.2,1.3,,,
Pain,C,,30,,33,2.0,0.9,3.5,1.6,,,
Death,A,,,,,,,,,0.75,0.60,0.94
Death,B,,,,,,,,,0.91,0.70,1.18
Death,C,,,,,,,,,0.55,0.31,0.98
"""


def block(name, **keys):
    lines = [f'name = "{name}"', *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    return "\n[[analysis]]\n" + "\n".join(lines) + "\n"


def cure(name, **keys):
    return block(name, kind="proportion", outcome="Cure", **keys)


def two(name, outcome, **keys):
    return block(name, kind="comparison", outcome=outcome, **keys)


ANALYSES = (
    *(cure(f"cure-{sm.lower()}", sm=sm, common=True) for sm in ("PFT", "PLOGIT", "PLN", "PRAW", "PAS")),
    cure("cure-hk", sm="PLOGIT", method_random_ci="HK", method_tau="PM", subgroup="class"),
    cure("cure-one-tau", sm="PFT", tau_common=True, subgroup="class"),
    cure("cure-glmm", sm="PLOGIT", method="GLMM"),
    two("relief-or", "Relief", sm="OR", method="MH", common=True, subgroup="class"),
    two("relief-rr", "Relief", sm="RR", method="MH", common=True, method_tau="DL"),
    two("relief-rd", "Relief", sm="RD", method="Inverse", common=True, method_tau="SJ"),
    two("relief-peto", "Relief", sm="OR", method="Peto", common=True),
    two("pain-md", "Pain", sm="MD", method_random_ci="HK"),
    two("pain-smd", "Pain", sm="SMD", method_tau="EB"),
    two("death", "Death", sm="HR", random=False, common=True),
)


def written(folder, analyses):
    folder.mkdir()
    (folder / "review.toml").write_text('version = 1\ntitle = "Many ways"\n' + "".join(analyses))
    (folder / "responses.csv").write_text(RESPONSES)
    (folder / "comparisons.csv").write_text(COMPARISONS)
    (folder / "studies.csv").write_text("study,year,class\nA,2001,x\nB,2002,y\nC,2003,x\nD,2004,y\nE,2005,y\n")
    bias = "".join(f"{study},RoB2,{','.join(['Low'] * 4)},Some concerns\n" for study in "ABCDE")
    (folder / "risk_of_bias.csv").write_text(f"study,tool,D1,D2,D3,D4,D5\n{bias}")
    return folder


@pytest.fixture(scope="module")
def review(tmp_path_factory):
    few = [cure("cure-pft", sm="PFT"), two("relief-rr", "Relief", sm="RR", method="MH"), ANALYSES[-1]]
    return written(tmp_path_factory.mktemp("export") / "review", few)


@pytest.fixture(scope="module")
def exported(review, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, export_review(review, ["r", "stata", "revman", "zip"], out=out)


def test_r_comes_to_every_number(tmp_path):
    for name, content in r_files(open_review(written(tmp_path / "review", ANALYSES))).items():
        write_atomically(tmp_path / name, content)
    if shutil.which("Rscript") is None:
        pytest.skip("R is not here")
    if subprocess.run(
        ["Rscript", "-e", "library(metafor);library(lme4)"], check=False, capture_output=True, timeout=120
    ).returncode:
        pytest.skip("R has no metafor or no lme4 here")
    done = subprocess.run(
        ["Rscript", "all.R"], cwd=tmp_path / "r", check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-600:]
    assert "All numbers of metagrove come out in R." in done.stdout
    compared = [line for line in done.stdout.splitlines() if "   R " in line]
    assert len(compared) > 90
    for line in compared:
        ours, theirs = (float(part.split()[0]) for part in line.split(" metagrove ")[1].split("   R "))
        assert ours == pytest.approx(theirs, abs=6e-3 * max(1, abs(ours)))


def test_each_analysis_has_its_files_for_r_and_stata(exported):
    names = {path.relative_to(exported[0]).as_posix() for path in exported[1]}
    assert {
        "r/cure-pft.R",
        "r/cure-pft.csv",
        "r/cure-pft-with-meta.R",
        "r/all.R",
        "stata/death.do",
        "review.rm5",
    } <= names
    assert "meta summarize" in (exported[0] / "stata" / "death.do").read_text()
    assert "metaprop(" in (exported[0] / "r" / "cure-pft-with-meta.R").read_text()


def test_our_own_reader_reads_the_revman_file(exported):
    read = read_revman((exported[0] / "review.rm5").read_bytes())
    by_name = {outcome.name: outcome for outcome in read.outcomes}
    relief = next(outcome for name, outcome in by_name.items() if name.startswith("Relief") and outcome.measure == "RR")
    assert (relief.method, relief.random) == ("MH", True)
    assert [row["event_e"] for row in relief.rows] == ["49", "44", "0", "32"]
    death = next(outcome for name, outcome in by_name.items() if name.startswith("Death"))
    assert (death.measure, death.random) == ("HR", False)
    assert float(death.rows[0]["te"]) == pytest.approx(-0.28768, abs=1e-4)
    assert {study for study, _ in read.studies} == set("ABCDE")
    assert read.bias["A", "Bias due to missing outcome data"] == "Low"
    assert read.bias["A", "Bias in selection of the reported result"] == "Unclear"


def test_the_archive_is_whole_and_the_same_every_time(review, exported, tmp_path):
    archive = zipfile.ZipFile(exported[0] / "review.zip")
    names = set(archive.namelist())
    assert {"review.toml", "risk_of_bias.csv", "out/report.html", "export/r/all.R", "SHA256SUMS"} <= names
    assert not any(name.startswith((".metagrove", "out/export")) for name in names)
    (again,) = export_review(review, ["zip"], out=tmp_path)
    listed = zipfile.ZipFile(again).read("SHA256SUMS").decode()
    assert len(listed.splitlines()) == len(zipfile.ZipFile(again).namelist()) - 1
    (third,) = export_review(review, ["zip"], out=tmp_path / "b")
    assert again.read_bytes() == third.read_bytes()


@pytest.fixture(scope="module")
def works():
    return read_export((reference("records/samples") / "pubmed.nbib").read_bytes(), "pubmed.nbib").records


@pytest.mark.parametrize(
    ("form", "file"), [("ris", "a.ris"), ("bibtex", "a.bib"), ("csv", "a.csv"), ("rayyan", "b.csv")]
)
def test_records_survive_the_round_trip(works, form, file):
    read = read_export(written_records(works, form), file).records
    assert len(read) == len(works)
    for ours, theirs in zip(works, read, strict=True):
        assert theirs.title.rstrip(".") == ours.title.rstrip(".")
        assert theirs.year == ours.year
        assert theirs.doi == ours.doi
        assert theirs.volume == ours.volume
        assert theirs.first_page == ours.first_page
        assert [a.split(",")[0] for a in theirs.authors] == [a.split(",")[0] for a in ours.authors]
        assert " ".join(theirs.abstract.split()) == " ".join(ours.abstract.split())


def test_braces_and_keys_of_bibtex_are_safe(works):
    from dataclasses import replace

    odd = [replace(works[0], title="100 {percent} & 5% of $ #1", abstract="a } b { c \\ d"), works[0]]
    text = bibtex_text(odd)
    assert text.count("{") == text.count("}")
    assert len(read_export(text.encode(), "a.bib").records) == 2


def test_cells_that_a_spreadsheet_would_run_are_quoted(works):
    from dataclasses import replace

    odd = [replace(works[0], title='=HYPERLINK("x")', abstract="+1", journal="@x")]
    for form in ("csv", "rayyan"):
        for row in csv.reader(io.StringIO(written_records(odd, form).decode())):
            assert not any(cell.startswith(("=", "+", "@")) for cell in row)


def test_screening_exports_hold_one_record_a_work(tmp_path):
    folder = tmp_path / "review"
    (folder / "search").mkdir(parents=True)
    for name in ("pubmed.nbib", "wos.ciw", "embase.ris", "central.ris"):
        shutil.copy(reference("records/flow_seed_shaped") / name, folder / "search" / name)
    (path,) = export_review(folder, ["ris"], out=tmp_path / "out")
    assert len(read_export(path.read_bytes(), "records.ris").records) == 780
    with pytest.raises(DataError, match="no record is 'included'"):
        export_review(folder, ["ris"], out=tmp_path / "out", which="included")
    with pytest.raises(UnknownName):
        export_review(folder, ["ris"], which="best")


def test_the_verb_refuses_unknown_forms_and_writes_by_default_inside_out(review):
    assert CliRunner().invoke(app, ["export", str(review), "--to", "spss"]).exit_code == 2
    done = CliRunner().invoke(app, ["export", str(review), "--to", "stata", "--json"])
    assert done.exit_code == 0
    assert all("/out/export/stata/" in path for path in json.loads(done.stdout)["files"])
