"""A review that names figures: read, corrected by a person, signed, pooled, and read again only where that is due."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from known import reference
from metagrove.app.figures import replay
from metagrove.app.workflow import rebuild
from metagrove.cli.main import app
from metagrove.core.errors import DataError, SpecError
from metagrove.pooling.curves.grid import curve_grid, grid_table
from metagrove.pooling.curves.summary import CurveSettings, pooled_curve
from metagrove.review.figure_files import parse_project
from metagrove.review.folder import open_review
from metagrove.survival.kaplan_meier import survival_curve

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "atc-tki"

PROTOCOL = """version = 1
title = "Figures"

[[figure]]
file = "figures/savvides.pdf"
study = "Savvides"
endpoint = "OS"
arm = "Overall survival"

[[figure]]
file = "figures/savvides.pdf"
study = "Savvides"
endpoint = "PFS"
arm = "Progression-free"

[[analysis]]
name = "os"
kind = "survival"
endpoint = "OS"
until = 12
"""


def truth(endpoint, study):
    lines = (ROOT / "examples" / "drawn" / "patients.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines if line.startswith(f"{endpoint},{study},")]
    return np.array([float(r[2]) for r in rows]), np.array([r[3] == "1" for r in rows])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures") / "review"
    (folder / "figures").mkdir(parents=True)
    shutil.copy(EXAMPLE / "figures" / "savvides.pdf", folder / "figures")
    (folder / "review.toml").write_text(PROTOCOL)
    (folder / "studies.csv").write_text("study,year\nSavvides,2013\nOther,2015\n")
    other = "".join(f"Other,OS,{t},{s}\n" for t, s in zip(range(13), np.linspace(1, 0.2, 13), strict=True))
    (folder / "curves.csv").write_text("study,endpoint,time,survival\n" + other)
    (folder / "survival.csv").write_text("study,endpoint,statistic,value\nOther,OS,n,40\nOther,OS,events,30\n")
    return folder, rebuild(folder)


@pytest.fixture
def folder(made, tmp_path):
    shutil.copytree(made[0], tmp_path / "review")
    return tmp_path / "review"


def project(folder):
    return json.loads((folder / "figures" / "savvides.json").read_text())


def changed(folder, change):
    raw = project(folder)
    change(raw)
    (folder / "figures" / "savvides.json").write_text(json.dumps(raw))


def rules(folder):
    done = CliRunner().invoke(app, ["check", str(folder), "--json"])
    return done.exit_code, [f["rule"] for f in json.loads(done.stdout)]


def sign(raw):
    raw["confirmed"] = {"by": "A. Reader", "on": "2026-11-20"}


def test_figure_to_patients_to_pooled_curve(made):
    folder, run = made
    assert "figure figures/savvides.pdf" in run.redone
    assert (folder / "out" / "digitized" / "savvides.png").read_bytes()[:4] == b"\x89PNG"
    time, event = truth("OS", "Savvides")
    patients = (folder / "out" / "tables" / "os-patients.csv").read_text().splitlines()[1:]
    own = sorted((float(r.split(",")[1]), int(r.split(",")[2])) for r in patients if r.startswith("Savvides,"))
    assert len(own) == time.size
    rebuilt = survival_curve([t for t, _ in own], [e for _, e in own])
    grid = np.arange(0.05, 16, 0.1)
    assert np.abs(np.array(rebuilt.at(grid)) - np.array(survival_curve(time, event).at(grid))).max() < 1e-9
    assert json.loads((folder / "out" / "results" / "os.json").read_text())["error_budget"]


def test_project_file_replays_to_the_numbers_that_were_read(made):
    reading = replay(made[0] / "figures" / "savvides.json")
    kept = project(made[0])["reading"][0]["arms"]
    assert [a.name for a in reading.arms] == [a["name"] for a in kept]
    for arm, held in zip(reading.arms, kept, strict=True):
        shown = [[round(float(t), 6), round(float(s), 6)] for t, s in zip(arm.time, arm.survival, strict=True)]
        assert shown == held["curve"]


def test_a_second_run_reads_nothing_and_keeps_every_byte(folder):
    before = (folder / "figures" / "savvides.json").read_bytes()
    again = rebuild(folder)
    assert again.redone == ()
    (folder / "figures" / "savvides.json").unlink()
    assert "figure figures/savvides.pdf" in rebuild(folder).fresh
    assert (folder / "figures" / "savvides.json").read_bytes() == before


def test_an_edit_by_hand_waits_for_a_signature_and_then_counts(folder):
    def edit(raw):
        raw["reading"][0]["arms"][0]["name"] = "OS (sorafenib)"
        raw["reading"][0]["arms"][0]["at_risk"][1]["n"] = 11

    changed(folder, edit)
    assert rules(folder) == (3, ["figure-needs-review"] * 2)
    doubtful = rebuild(folder)
    assert "edited by hand and is not signed" in doubtful.doubtful[0]
    report = (folder / "out" / "report.html").read_text()
    assert "is left out: figures/savvides.pdf needs a person" in report
    changed(folder, sign)
    assert "shows no arm 'Overall survival' but OS (sorafenib)" in rebuild(folder).doubtful[0]
    text = (folder / "review.toml").read_text()
    (folder / "review.toml").write_text(text.replace('arm = "Overall survival"', 'arm = "OS (sorafenib)"'))
    assert rebuild(folder).doubtful == ()
    assert rules(folder) == (0, [])
    rows = [r for r in open_review(folder).rows("at_risk") if r.text("endpoint") == "OS"]
    assert [r["n"] for r in rows][:2] == [20, 11]
    kept = parse_project((folder / "figures" / "savvides.json").read_bytes(), "savvides.json")
    assert kept.signed
    assert [e.line() for e in kept.all_edits] == [
        'arm 1, name: "Overall survival" is now "OS (sorafenib)"',
        "arm 'OS (sorafenib)', at risk at 3: 12 is now 11",
    ]
    changed(folder, lambda raw: raw["reading"][0]["arms"][0]["at_risk"][1].update(n=12))
    assert rules(folder) == (3, ["figure-needs-review"] * 2)
    assert "changed after A. Reader confirmed it" in rebuild(folder).doubtful[0]


def test_a_moved_axis_reads_the_figure_again_and_keeps_other_corrections(folder):
    def edit(raw):
        figure = raw["reading"][0]
        figure["axes"]["x"] = [[pixel, 2 * value] for pixel, value in figure["axes"]["x"]]
        figure["arms"][1]["name"] = "PFS"

    end = project(folder)["reading"][0]["arms"][0]["curve"][-1][0]
    changed(folder, edit)
    made = rebuild(folder)
    assert "figure figures/savvides.pdf" in made.redone
    now = project(folder)
    assert now["reading"][0]["arms"][0]["curve"][-1][0] == pytest.approx(2 * end, rel=1e-3)
    assert now["reading"][0]["arms"][1]["name"] == "PFS"
    assert now["edits"][0]["what"] == "axes.x"
    assert now["hints"]["axes"]["x"][-1][1] == 48
    assert made.doubtful
    changed(folder, sign)
    assert "figure figures/savvides.pdf" not in rebuild(folder).redone
    assert project(folder)["confirmed"]["seal"]


def test_what_cannot_be_meant_is_refused_with_its_place(folder):
    kept = (folder / "figures" / "savvides.json").read_bytes()
    cases = [
        (lambda raw: raw["read"][0]["arms"][0].update(name="x"), "change 'reading' instead"),
        (lambda raw: raw["reading"][0]["arms"][0]["at_risk"][1].update(n="ten"), "at risk at 3.0: n is 'ten'"),
        (lambda raw: raw["reading"][0]["arms"][0]["curve"].append([99, 1.0]), "it never rises"),
        (lambda raw: raw["reading"][0]["arms"][1].update(name="Overall survival"), "two arms are called"),
        (lambda raw: raw.update(confirmed={"by": " "}), "confirmed"),
        (lambda raw: raw["reading"][0]["arms"][0].pop("marks"), "lacks a part"),
        (lambda raw: raw.update(format="other"), "digitize the figure again"),
    ]
    for change, said in cases:
        (folder / "figures" / "savvides.json").write_bytes(kept)
        changed(folder, change)
        with pytest.raises(DataError, match=said) as caught:
            open_review(folder)
        assert "figures/savvides.json" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('file = "figures/savvides.pdf"', 'file = "../savvides.pdf"', "lies in the review folder"),
        ('study = "Savvides"', 'study = "Savides"', "nearest: Savvides"),
        ('arm = "Overall', 'arms = "Overall', "nearest known key: 'arm'"),
        ('endpoint = "PFS"', 'endpoint = "OS"', "two figures show OS of 'Savvides'"),
        ('arm = "Overall survival"', 'unit = "moons"', "unit"),
        ('arm = "Overall survival"', "hints = { page = 0 }", "different hints"),
    ],
)
def test_protocol_of_figures_is_checked(folder, old, new, said):
    text = (folder / "review.toml").read_text()
    assert old in text
    (folder / "review.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(SpecError, match=said):
        open_review(folder)


def test_another_picture_under_the_name_keeps_the_work_of_a_person_aside(folder):
    changed(folder, sign)
    rebuild(folder)
    digest = project(folder)["digest"]
    shutil.copy(reference("figures/vector/kmv05p_nejm.pdf"), folder / "figures" / "savvides.pdf")
    assert "figure-needs-review" in rules(folder)[1]
    made = rebuild(folder)
    assert (folder / "figures" / f"savvides.{digest[:8]}.json").exists()
    assert "shows no arm 'Overall survival'" in made.doubtful[0]
    assert project(folder)["confirmed"] is None


def test_a_missing_or_unreadable_figure_says_so(folder):
    (folder / "figures" / "savvides.pdf").write_bytes(b"%PDF-1.7 broken")
    made = CliRunner().invoke(app, ["run", str(folder)])
    assert made.exit_code == 3
    assert "left out until a person has looked: figures/savvides.pdf" in made.stdout
    assert "not a readable PDF" in made.stdout
    (folder / "figures" / "savvides.pdf").unlink()
    made = CliRunner().invoke(app, ["run", str(folder)])
    assert made.exit_code == 1
    assert "figures/savvides.pdf: there is no such file" in made.stderr
    code, found = rules(folder)
    assert (code, set(found)) == (3, {"figure-needs-review"})


def test_a_curve_stands_in_one_place_only_and_typed_numbers_are_compared(folder):
    table = folder / "at_risk.csv"
    table.write_text("study,endpoint,time,n\nSavvides,OS,0,20\nSavvides,OS,3,9\n")
    assert rules(folder) == (3, ["figure-against-table"])
    assert [r["n"] for r in open_review(folder).rows("at_risk") if r.text("endpoint") == "OS"] == [20, 9]
    with (folder / "curves.csv").open("a") as stream:
        stream.write("Savvides,OS,0,1\nSavvides,OS,3,0.5\n")
    with pytest.raises(SpecError, match="keep one"):
        open_review(folder)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    pytest.importorskip("rapidocr_onnxruntime")
    folder = tmp_path_factory.mktemp("example") / "atc-tki"
    left_out = shutil.ignore_patterns("out", ".metagrove", "savvides.json", "wirth-os.json", "published.csv")
    shutil.copytree(EXAMPLE, folder, ignore=left_out)
    protocol = folder / "review.toml"
    head, *analyses = re.split(r"(?=^\[\[analysis\]\])", protocol.read_text(), flags=re.MULTILINE)
    kept = head + "".join(a for a in analyses if re.search(r'name = "(os|pfs)"', a))
    # judgements of analyses that are left out
    protocol.write_text(re.sub(r"(?ms)^\[certainty\.(?!os\]|pfs\]).*?(?=^\[)", "", kept))
    return folder, rebuild(folder)


def test_the_example_reads_its_figures(example):
    folder, made = example
    assert made.doubtful == ()
    states = {(s.source.study, s.source.endpoint): s.status for s in open_review(folder).figures}
    assert states == {("Savvides", "OS"): "ok", ("Savvides", "PFS"): "ok", ("Wirth", "OS"): "ok"}
    time, _ = truth("OS", "Wirth")
    rows = [r for r in open_review(folder).rows("curves") if r.text("study") == "Wirth" and r.file.endswith(".json")]
    assert max(r["time"] for r in rows) == pytest.approx(time.max(), abs=0.1)
    assert [name for name, _ in made.budgets] == ["os", "pfs"]


@pytest.mark.parametrize("endpoint", ["OS", "PFS"])
def test_the_budget_covers_what_figures_cost(example, endpoint):
    """Every pooled number is off from that of the true patients by less than twice what the budget states."""
    study = {}
    lines = (reference("atc/survival_synthetic/synthetic_truth_ipd.csv")).read_text().splitlines()[1:]
    for line in lines:
        kind, name, time, event = line.split(",")
        if kind == endpoint:
            study.setdefault(name, ([], []))[0].append(float(time))
            study[name][1].append(int(event))
    table = grid_table(study, 1, horizon=24)
    true = pooled_curve(
        curve_grid(table["study"], table["time"], table["n_risk"], table["survival"]), CurveSettings("random")
    )
    budget = json.loads((example[0] / "out" / "results" / f"{endpoint.lower()}.json").read_text())["error_budget"]
    assert [line["time"] for line in budget] == [None, 6, 12, 24]
    for line in budget:
        wanted = true.median if line["time"] is None else float(true.at(line["time"]))
        cost = np.hypot(line["digitizing"], line["reconstruction"])
        assert abs(line["estimate"] - wanted) < 2 * cost
        assert cost < 0.2 * line["total"] or line["time"] == 24
        parts = ("digitizing", "reconstruction", "sampling", "between", "monte_carlo")
        assert line["total"] == pytest.approx(np.sqrt(sum(line[p] ** 2 for p in parts)))
    reading = json.loads((example[0] / "out" / "results" / f"{endpoint.lower()}.json").read_text())[
        "reading_of_figures"
    ]
    assert len(reading) == len(study)
    assert sum(row["share"] for row in reading) == pytest.approx(1)
    median = next(line["estimate"] for line in budget if line["time"] is None)
    assert all(row["median_low"] - 0.5 < median < row["median_high"] + 0.5 for row in reading)
    assert "Whose figure matters" in (example[0] / "out" / "report.html").read_text()
