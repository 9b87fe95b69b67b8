"""Comparisons of two arms: a folder in, sections out; changed and rebuilt; and a folder made from a RevMan 5 file.

Pooled numbers are those of R's metafor 3.8 (`rma.mh`, `rma`, `rma.glmm`) on the same studies.
"""

import csv
import json
import math
import re
import shutil
from pathlib import Path

import pytest

from metagrove.app import comparisons
from metagrove.app.starting import new_review
from metagrove.app.workflow import check_review, rebuild
from metagrove.core.errors import DataError, MethodError, SpecError
from metagrove.review.folder import open_review

SAMPLE = Path(__file__).parents[1] / "review" / "data" / "aspirin.rm5"

PROTOCOL = """\
version = 1
title = "Ointment for the knee"

[[analysis]]
name = "relief"
title = "Pain relief"
kind = "comparison"
outcome = "Relief"
sm = "OR"
method_tau = "DL"
subgroup = "dose"
exclude = [{ study = "Zeta", reason = "not randomised" }]
labels = { experimental = "ointment", control = "vehicle", right = "Favours ointment" }

[[analysis]]
name = "pain"
kind = "comparison"
outcome = "Pain"
method_tau = "DL"

[[analysis]]
name = "os"
title = "Time to surgery"
kind = "comparison"
outcome = "Surgery"
sm = "HR"
common = true
random = false
"""
STUDIES = "study,year,dose\nAlpha,2001,low\nBeta,2003,low\nGamma,2006,high\nDelta,2010,high\nZeta,2011,high\n"
COMPARISONS = """\
outcome,study,treat_events,treat_n,control_events,control_n,mean_t,sd_t,mean_c,sd_c,hr,lower,upper,document,locator
Relief,Alpha,49/615,,67/624,,,,,,,,,Alpha 2001,Table 2
Relief,Beta,44,758,64,771,,,,,,,,Beta 2003,p. 4
Relief,Gamma,102,832,126,850,,,,,,,,,
Relief,Delta,32,317,38,309,,,,,,,,,
Relief,Zeta,99,100,1,100,,,,,,,,,
Pain,Alpha,,20,,21,3.1,1.2,4.0,1.4,,,,,
Pain,Beta,,30,,31,3.4,1.3,4.1,1.3,,,,,
Pain,Gamma,,25,,24,2.2,0.9,3.3,1.1,,,,,
Pain,Delta,,40,,38,4.0,1.6,4.2,1.5,,,,,
Pain,Zeta,NR,40,NR,38,,,,,,,,,
Surgery,Alpha,,,,,,,,,0.75,0.60,0.94,,
Surgery,Beta,,,,,,,,,0.90 (0.70-1.16),,,,
"""
PUBLISHED = """\
analysis,subgroup,quantity,printed,document,locator
relief,,estimate,0.76,Old 2015,Figure 2
relief,low,estimate,0.70,Old 2015,Figure 2
relief,,event_e,227,Old 2015,Figure 2
pain,,estimate,-0.74,Old 2015,Figure 3
pain,,p_effect,<0.001,Old 2015,Figure 3
pain,,I2,27%,Old 2015,Figure 3
os,,ci_high,0.96,Old 2015,text
"""


def written(folder):
    folder.mkdir()
    files = {
        "review.toml": PROTOCOL,
        "studies.csv": STUDIES,
        "comparisons.csv": COMPARISONS,
        "published.csv": PUBLISHED,
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = written(tmp_path_factory.mktemp("two-arm") / "knee")
    return folder, rebuild(folder)


@pytest.fixture(scope="module")
def sections(built):
    return {name: section(built[0], name) for name in ("relief", "pain", "os")}


@pytest.fixture
def folder(built, tmp_path):
    target = tmp_path / "knee"
    shutil.copytree(built[0], target)
    return target


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def result(folder, name):
    return json.loads((folder / "out" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def section(path, name):
    review = open_review(path)
    return comparisons.product(review, review.analysis(name), {}).section


def cells(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_everything_is_made(built):
    folder, made = built
    assert made.fresh == ()
    for name in ("relief", "relief-funnel", "pain", "pain-funnel", "os"):
        for ending in ("svg", "pdf", "png"):
            assert (folder / "out" / "figures" / f"{name}.{ending}").stat().st_size > 1000
    assert not (folder / "out" / "figures" / "os-funnel.svg").exists()
    forest = (folder / "out" / "figures" / "relief.svg").read_text(encoding="utf-8")
    for said in ("Ointment", "Vehicle", "Favours ointment", "low", "high", "Alpha 2001"):
        assert said in forest
    assert "Zeta" not in forest


def test_pooled_numbers_are_those_of_metafor(built):
    pain = result(built[0], "pain")
    assert pain["analysis_scale"]["TE_random"] == pytest.approx(-0.7449, abs=5e-5)
    assert pain["analysis_scale"]["lower_random"] == pytest.approx(-1.1337, abs=5e-5)
    assert pain["tau2"] == pytest.approx(0.0421, abs=5e-5)
    assert pain["Q"] == pytest.approx(4.0916, abs=5e-5)
    assert pain["settings"]["sm"] == "MD"
    surgery = result(built[0], "os")["analysis_scale"]
    te = [math.log(0.75), math.log(0.90)]
    se = [math.log(high / low) / (2 * 1.959963984540054) for low, high in ((0.60, 0.94), (0.70, 1.16))]
    weights = [s**-2 for s in se]
    assert surgery["TE_common"] == pytest.approx(sum(w * t for w, t in zip(weights, te, strict=True)) / sum(weights))


def test_the_headline_is_in_words(sections):
    said = sections["relief"].headline
    assert re.match(r"Odds ratio 0\.\d\d \(95% CI .*ointment against vehicle: 227 of 2522 against 295 of 2554", said[0])
    assert "4 studies" in said[0]
    assert re.match(r"The odds were \d\d% lower with ointment than with vehicle \(interval: \d\d% lower to", said[1])
    assert said[2].startswith("In a new trial the true odds ratio would lie between")
    assert "The mean was 0.74 lower" in sections["pain"].headline[1]
    assert "lower with experimental than with control" in sections["os"].headline[1]


def test_the_tables(sections):
    relief = sections["relief"]
    studies, sensitivity, tests = relief.tables
    assert [column.label for column in studies.columns][:4] == ["Study", "Dose", "Ointment", "Vehicle"]
    assert cells(studies)[0][:4] == ["Alpha 2001", "low", "49/615", "67/624"]
    assert sum(float(row[-1].rstrip("%")) for row in cells(studies)) == pytest.approx(100, abs=0.3)
    names = [row[0] for row in cells(sensitivity)]
    assert [name for name in names if name.startswith("Without")] == [
        f"Without {s}" for s in ("Alpha 2001", "Beta 2003", "Gamma 2006", "Delta 2010")
    ]
    assert {"As analysed", "With Hartung-Knapp limits", "Common effect", "As risk ratio"} <= set(names)
    assert [row[0] for row in cells(tests)] == ["Harbord", "Peters", "Egger", "Begg"]
    assert all("k = 4 below 10" in row[3] for row in cells(tests))
    assert any("fewer than 10" in caution for caution in relief.cautions)
    assert relief.excluded == (("Zeta 2011", "not randomised"),)
    reported = sections["os"].tables[0]
    assert cells(reported)[1][:2] == ["Beta 2003", "0.9 (0.7 to 1.16)"]


def test_numbers_lead_to_their_source(sections):
    relief = sections["relief"]
    keys = {source.key: source for source in relief.sources}
    assert {cell.source for row in relief.tables[0].rows for cell in row if cell.source} == set(keys)
    first = keys["relief-2"]
    assert (first.document, first.locator, first.printed, first.row) == (
        "Alpha 2001",
        "Table 2",
        "49/615 against 67/624",
        2,
    )


def test_silence_is_told_and_not_zero(sections):
    pain = sections["pain"]
    assert any("Zeta 2011 (row 11)" in caution for caution in pain.cautions)
    assert len(cells(pain.tables[0])) == 4


def test_printed_numbers_stand_beside_ours(sections):
    verdicts = [line.verdict for section in sections.values() for line in section.comparisons]
    assert verdicts == ["match"] * 7


def test_the_report_groups_them(built):
    html = built[1].report.read_text(encoding="utf-8")
    assert re.search(r"<h2[^>]*>Comparisons</h2>", html)
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html, flags=re.DOTALL)
    assert sum("Forest plot of" in caption for caption in captions) == 3
    assert "metabin(" in html
    assert "meta set es se" in html


def test_a_second_run_redoes_nothing(folder):
    assert rebuild(folder).redone == ()


def test_one_changed_cell_redoes_only_its_outcome(folder):
    before = (folder / "out" / "figures" / "pain.svg").read_bytes()
    edit(folder / "comparisons.csv", "Relief,Beta,44", "Relief,Beta,45")
    assert set(rebuild(folder).redone) == {"checks", "analysis relief", "report"}
    assert (folder / "out" / "figures" / "pain.svg").read_bytes() == before


def test_a_row_of_another_outcome_redoes_no_analysis(folder):
    with (folder / "comparisons.csv").open("a", encoding="utf-8") as stream:
        stream.write("Rash,Alpha,1,20,2,21,,,,,,,,,\n")
    assert set(rebuild(folder).redone) == {"checks", "report"}


@pytest.mark.parametrize(
    ("old", "new", "name", "said"),
    [
        ("Relief,Beta,44,758", "Relief,Beta,944,758", "", "row 3, column 'event_e': 944 events among 758"),
        ("Relief,Beta,44,758", "Relief,Beta,,758", "", "row 3, column 'event_e': is missing"),
        ("Relief,Beta,44,758", "Relief,Beta,44,0", "", "row 3, column 'event_e': 44 events among 0"),
        ("Surgery,Alpha,,,,,,,,,0.75", "Surgery,Alpha,,,,,,,,,7.5", "", "row 12, column 'te': Alpha: the interval"),
        ("Surgery,Alpha,,,,,,,,,0.75,0.60", "Surgery,Alpha,,,,,,,,,0.75,-0.60", "os", "row 12, column 'lower': Alpha: HR is -0.6"),
        ("Surgery,Alpha,,,,,,,,,0.75,0.60,0.94", "Surgery,Alpha,4,9,2,9,,,,,,,", "os", "row 12, column 'te': Alpha: sm = 'HR' needs te"),
    ],
)  # fmt: skip
def test_a_bad_row_stops_the_run_in_one_line_and_touches_nothing(folder, old, new, name, said):
    edit(folder / "comparisons.csv", old, new)
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*") if path.is_file()}
    with pytest.raises(DataError) as error:
        rebuild(folder)
    message = str(error.value)
    assert message.startswith(f"analysis '{name}': comparisons.csv, row" if name else "comparisons.csv, row")
    assert said in message
    assert "\n" not in message
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("old", "new", "kind", "said"),
    [
        ('outcome = "Pain"', 'outcome = "Pian"', SpecError, "No outcome in comparisons.csv 'Pian'; nearest: Pain"),
        ('subgroup = "dose"', 'subgroup = "dosis"', SpecError, "'dosis'; nearest: dose"),
        ('sm = "OR"', 'sm = "ORR"', SpecError, "line 9: 'sm' is 'ORR'; known:"),
        (
            'control = "vehicle"',
            'kontrol = "vehicle"',
            SpecError,
            "unknown key 'kontrol'; nearest known key: 'control'",
        ),
        ("random = false", "random = false\nprediktion = true", SpecError, "nearest known key: 'prediction'"),
        ("common = true\n", "", SpecError, "neither common nor random"),
        (
            'outcome = "Pain"',
            'outcome = "Pain"\nmethod = "MH"',
            MethodError,
            "analysis 'pain': method = 'MH' pools counts",
        ),
        (
            'sm = "OR"',
            'sm = "RR"\nmethod = "Peto"',
            MethodError,
            "analysis 'relief': method 'Peto' does not pool sm 'RR'",
        ),
    ],
)
def test_a_protocol_that_cannot_be_meant(folder, old, new, kind, said):
    edit(folder / "review.toml", old, new)
    with pytest.raises(kind) as error:
        rebuild(folder)
    assert said in str(error.value)


def test_without_the_table(folder):
    (folder / "comparisons.csv").unlink()
    with pytest.raises(DataError, match=r"comparisons\.csv: there is no such file; analysis 'relief'"):
        rebuild(folder)


def test_the_exact_model_of_counts(folder):
    edit(folder / "review.toml", 'sm = "OR"', 'sm = "OR"\nmethod = "GLMM"\nleave_one_out = false')
    edit(folder / "review.toml", 'subgroup = "dose"\n', "")
    edit(folder / "published.csv", "relief,low,estimate,0.70,Old 2015,Figure 2\n", "")
    rebuild(folder)
    assert result(folder, "relief")["reporting_scale"]["TE_random"] == pytest.approx(0.755862, abs=5e-5)
    assert [row[0] for row in cells(section(folder, "relief").tables[1])] == ["As analysed", "As risk ratio"]


def test_counts_and_reported_ratios_together(folder):
    edit(folder / "comparisons.csv", "Relief,Delta,32,317,38,309,,,,,,,", "Relief,Delta,,,,,,,,,0.801,0.486,1.320")
    relief = section(folder, "relief")
    assert any("brought to one scale" in caution for caution in relief.cautions)
    assert relief.headline[0].startswith("Odds ratio 0.76")
    assert {c.quantity: c.verdict for c in relief.comparisons}["events, first arm"] == "not computed"
    assert cells(relief.tables[0])[3][2:5] == ["", "", "0.801 (0.486 to 1.32)"]


def test_a_study_that_nobody_can_pool_is_shown(folder):
    edit(folder / "comparisons.csv", "Relief,Delta,32,317,38,309", "Relief,Delta,0,317,0,309")
    relief = section(folder, "relief")
    assert cells(relief.tables[0])[3][-1] == "not pooled"
    assert "3 studies" in relief.headline[0]
    assert any("Delta 2010 is not pooled" in note for note in relief.tables[0].notes)


def test_one_study(folder):
    text = (folder / "comparisons.csv").read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if not re.match("Relief,(Beta|Gamma|Delta)", line)]
    (folder / "comparisons.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    relief = section(folder, "relief")
    assert "in 1 study." in relief.headline[0]
    assert len(relief.figures) == 1


@pytest.mark.parametrize(
    ("old", "new", "rule", "study"),
    [
        ("0.75,0.60,0.94", "0.91,0.60,0.94", "interval-not-symmetric", "Alpha"),
        ("Pain,Gamma,,25,,24,2.2,0.9", "Pain,Gamma,,25,,24,2.2,0.26", "deviation-or-error", "Gamma"),
    ],
)
def test_contradictions_are_found(folder, old, new, rule, study):
    assert rule not in {finding["rule"] for finding in check_review(folder)}
    edit(folder / "comparisons.csv", old, new)
    assert [finding["study"] for finding in check_review(folder) if finding["rule"] == rule] == [study]


def test_more_patients_than_enrolled(folder):
    edit(folder / "studies.csv", "study,year,dose", "study,year,dose,n_enrolled")
    edit(folder / "studies.csv", "Beta,2003,low", "Beta,2003,low,1500")
    (found,) = [f for f in check_review(folder) if f["study"] == "Beta"]
    assert "758 + 771 = 1529 patients, 1500 enrolled" in found["message"]


def test_effects_that_may_not_be_logarithms(tmp_path):
    folder = written(tmp_path / "knee")
    table = "outcome,study,te,se\nSurgery,Alpha,0.75,0.1\nSurgery,Beta,0.9,0.1\nSurgery,Gamma,0.8,0.2\n"
    (folder / "comparisons.csv").write_text(table, encoding="utf-8")
    (folder / "published.csv").unlink()
    text = PROTOCOL[: PROTOCOL.index("[[analysis]]")] + PROTOCOL[PROTOCOL.rindex("[[analysis]]") :]
    (folder / "review.toml").write_text(text, encoding="utf-8")
    assert [f["rule"] for f in check_review(folder)] == ["effect-scale"]
    assert section(folder, "os").headline[0].startswith("Hazard ratio 2.")
    (folder / "review.toml").write_text(text + 'scale = "printed"\n', encoding="utf-8")
    assert check_review(folder) == []
    assert section(folder, "os").headline[0].startswith("Hazard ratio 0.8")


@pytest.fixture(scope="module")
def aspirin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("revman") / "aspirin"
    told = new_review(folder, SAMPLE)
    return folder, told, rebuild(folder)


def test_a_revman_file_becomes_a_folder_that_repeats_its_numbers(aspirin):
    folder, told, made = aspirin
    assert {Path(file).name for file in told["files"]} == {
        "review.toml", "studies.csv", "comparisons.csv", "published.csv", "risk_of_bias.csv",
    }  # fmt: skip
    html = made.report.read_text(encoding="utf-8")
    assert "16 of 16 printed numbers come out" in html
    assert check_review(folder) == []
    death = result(folder, "death-from-any-cause-aspirin-versus-placebo")
    assert death["reporting_scale"]["TE_common"] == pytest.approx(0.8968656, abs=5e-8)
    assert death["reporting_scale"]["lower_common"] == pytest.approx(0.8405144, abs=5e-8)
    hazard = result(folder, "death-from-any-cause-aspirin-versus-nothing")
    assert hazard["reporting_scale"]["upper_common"] == pytest.approx(0.884958755, rel=1e-7)
    bleeding = result(folder, "bleeding")
    assert list(bleeding["subgroups"]) == ["Low dose", "High dose"]


def test_random_effects_of_the_same_file(aspirin, tmp_path):
    folder = tmp_path / "aspirin"
    shutil.copytree(aspirin[0], folder, ignore=shutil.ignore_patterns("out", ".metagrove"))
    edit(folder / "review.toml", "common = true\nrandom = false", "common = false\nrandom = true")
    edit(folder / "review.toml", 'method = "MH"', 'method = "Inverse"')
    review = open_review(folder)
    product = comparisons.product(review, review.spec.analysis[0], {})
    (name,) = [name for name in product.files if name.startswith("results/")]
    death = json.loads(product.files[name])
    found = [death["reporting_scale"][key] for key in ("TE_random", "lower_random", "upper_random")]
    assert found == pytest.approx([0.8763, 0.7743, 0.9917], abs=5e-5)
    assert death["tau2"] == pytest.approx(0.009637293, abs=5e-9)


def test_judgements_become_a_table(aspirin):
    with (aspirin[0] / "risk_of_bias.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows[0] == {"study": "MRC-1 1974", "Random sequence generation": "Low", "Blinding (Death)": "High"}
    assert len(rows) == 3
