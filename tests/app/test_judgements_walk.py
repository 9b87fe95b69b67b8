"""Judgements of bias and certainty on their way into the report: lights beside the forest plot, a table, footnotes."""

import shutil

import pytest

from metagrove.app.absolute import risk_with
from metagrove.app.workflow import rebuild
from metagrove.core.errors import DataError

PROTOCOL = """\
version = 1
title = "Relief"

[[analysis]]
name = "relief"
kind = "comparison"
outcome = "Relief"
sm = "RR"

[certainty.relief]
studies = "randomised trials"
imprecision = { steps = -1, why = "few events" }
risk_of_bias = { steps = -1, why = "open label" }
comment = "mind the doses"
"""
COMPARISONS = "outcome,study,event_e,n_e,event_c,n_c\nRelief,Alpha,10,100,20,100\nRelief,Beta,15,150,30,150\n"
BIAS = "study,tool,D1,D2,D3,D4,D5,document,locator\nAlpha,RoB2,Low,Low,Low,High,Low,A 2001,p. 3\nBeta,RoB2,Low,Low,Low,Low,Low,B 2002,p. 9\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged") / "relief"
    folder.mkdir()
    (folder / "review.toml").write_text(PROTOCOL)
    (folder / "comparisons.csv").write_text(COMPARISONS)
    (folder / "studies.csv").write_text("study,year\nAlpha,2001\nBeta,2002\n")
    (folder / "risk_of_bias.csv").write_text(BIAS)
    return folder, rebuild(folder, formats=("html", "docx", "pdf"))


def test_lights_stand_beside_the_forest_plot_and_alone(made):
    out = made[0] / "out"
    forest = (out / "figures" / "relief.svg").read_text()
    assert forest.count("#BF0000") >= 2  # one domain and the overall judgement of one study
    assert "Risk of bias" in forest
    assert (out / "figures" / "bias-rob2.svg").is_file()
    assert (out / "figures" / "bias-rob2-summary.png").stat().st_size > 1000


def test_the_report_has_both_sections_in_every_form(made):
    import docx

    page = made[1].report.read_text(encoding="utf-8")
    for text in (
        "Summary of findings",
        "Lowered by 1 for imprecision (serious): few events",
        "Judgements with RoB2",
        "A 2001, p. 3",
    ):
        assert text in page
    assert "200 per 1000" in page
    assert "100 per 1000" in page
    word = docx.Document(made[0] / "out" / "report.docx")
    cells = [cell.text for table in word.tables for row in table.rows for cell in row.cells]
    assert "⨁⨁◯◯ Low a b" in cells
    assert (made[0] / "out" / "report.pdf").read_bytes().startswith(b"%PDF")


def test_a_changed_judgement_redoes_what_shows_it(made, tmp_path):
    folder = tmp_path / "relief"
    shutil.copytree(made[0], folder)
    (folder / "risk_of_bias.csv").write_text(BIAS.replace("Alpha,RoB2,Low,Low,Low,High", "Alpha,RoB2,Low,Low,Low,Low"))
    again = rebuild(folder)
    assert {"risk of bias", "analysis relief", "report"} <= set(again.redone)
    (folder / "risk_of_bias.csv").write_text(
        BIAS.replace("Alpha,RoB2,Low,Low,Low,High", "Alpha,RoB2,Low,Low,Low,Low").replace("p. 9", "p. 10")
    )
    again = rebuild(folder)
    assert "risk of bias" in again.redone
    assert "analysis relief" not in again.redone


def test_a_wrong_level_stops_the_run_and_leaves_out_alone(made, tmp_path):
    folder = tmp_path / "relief"
    shutil.copytree(made[0], folder)
    before = (folder / "out" / "report.html").read_bytes()
    (folder / "risk_of_bias.csv").write_text(BIAS.replace("High", "Bad"))
    with pytest.raises(DataError, match=r"risk_of_bias\.csv, row 2, column 'D4'"):
        rebuild(folder)
    assert (folder / "out" / "report.html").read_bytes() == before


@pytest.mark.parametrize("measure", ["RR", "OR", "HR"])
def test_no_effect_leaves_the_risk_and_more_effect_moves_it_further(measure):
    assert risk_with(measure, 1.0, 0.3) == pytest.approx(0.3)
    assert risk_with(measure, 0.2, 0.3) < risk_with(measure, 0.5, 0.3) < 0.3 < risk_with(measure, 2.0, 0.3) <= 1
    assert risk_with("RD", -0.5, 0.3) == 0.0
