"""risk_of_bias.csv and certainty.csv as people write them: long, wide, robvis, RevMan; refused with row and column."""

import shutil
from pathlib import Path

import pytest

from metagrove.core.errors import SpecError
from metagrove.review.assessments import OWN_DOMAINS, bias_groups
from metagrove.review.bias_tools import TOOLS, domain_of, tool_named
from metagrove.review.certainties import certainties
from metagrove.review.checks import findings_of, row_faults
from metagrove.review.columns import TABLES
from metagrove.review.folder import open_review
from metagrove.review.tables import parse_table

EXAMPLE = Path(__file__).parents[2] / "examples" / "atc-tki"


def read(text, tool=""):
    return bias_groups(parse_table(TABLES["risk_of_bias"], text.encode()).rows, tool=tool)


ROB2 = ("Low", "Low", "Some concerns", "Low", "Low")


@pytest.mark.parametrize(
    "text",
    [
        "Study,D1,D2,D3,D4,D5,Overall\nA,Low,Low,Some concerns,Low,Low,Some concerns\n",
        "study,tool,domain,judgement\n" + "".join(f"A,RoB 2,{i},{x}\n" for i, x in enumerate(ROB2, 1)),
        "study,Randomisation process,Deviations from intended interventions,Missing outcome data,Measurement of the outcome,"
        "Selection of the reported result\nA,+,L,S,low risk,Low risk of bias\n",
        "study,domain,judgement\n" + "".join(f"A,{d},{x}\n" for d, x in zip(TOOLS["RoB2"].domains, ROB2, strict=True)),
    ],
)
def test_one_assessment_in_four_spellings(text):
    (group,), faults = read(text, tool="RoB2" if "D1" in text else "")
    assert faults == []
    assert group.tool_name == "RoB2"
    (one,) = group.assessments
    assert tuple(j.level for j in one.judgements) == ROB2
    assert one.overall == "Some concerns"


def test_minors_adds_up_and_stars_are_read():
    text = "study,tool,1,2,3,4,5,6,7,8\nA,MINORS,2,2,2,1,0,2,2,0\nB,MINORS,2,2,2,2,2,2,2,2\n"
    (group,), faults = read(text)
    assert [one.overall for one in group.assessments] == ["11/16", "16/16"]
    (group,), faults = read("study,tool,1,2,3,4,5,6,7,8\nA,Newcastle-Ottawa,*,*,★,0,**,1,1,1\n")
    assert (group.tool_name, group.assessments[0].overall, faults) == ("NOS-cohort", "8/9", [])


def test_tools_of_one_table_and_outcomes_stand_apart():
    rows = "".join(
        f"{s},{t},{o},D{i},Low\n" for s, t, o in (("A", "RoB2", "Pain"), ("A", "RoB2", "Death")) for i in range(1, 6)
    )
    groups, _ = read(f"study,tool,outcome,domain,judgement\n{rows}")
    assert [(g.tool_name, g.outcome) for g in groups] == [("RoB2", "Pain"), ("RoB2", "Death")]


def test_own_domains_keep_their_names_and_have_no_rule():
    (group,), faults = read("study,Funding,Blinding\nA,Low,High\nB,Unclear,NI\n")
    assert (group.tool_name, group.tool.domains, faults) == (OWN_DOMAINS, ("Funding", "Blinding"), [])
    assert [one.overall for one in group.assessments] == ["", ""]
    assert group.assessments[1].judgements[1].level == "No information"


def test_revman_s_seven_domains_are_the_tool_of_2011():
    names = (
        "Random sequence generation (selection bias)", "Allocation concealment (selection bias)",
        "Blinding of participants and personnel (performance bias)", "Blinding of outcome assessment (detection bias)",
        "Incomplete outcome data (attrition bias)", "Selective reporting (reporting bias)", "Other bias",
    )  # fmt: skip
    (group,), _ = read(f"study,{','.join(names)}\nA,{','.join(['Low', 'Unclear', 'High'] * 2)},Low\n")
    assert group.tool_name == "RoB1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("study,tool,D1,D2,D3,D4,D5\nA,RoB2,Low,Low,Medium,Low,Low\n", "row 2, column 'D3': A, 'Bias due to missing outcome data': 'Medium' is no level"),
        ("study,tool,D1,D2,D3,D4,D5\nA,RoB2,Low,Low,,Low,Low\n", "row 2, column 'study': A: RoB2 lacks a judgement of 'Bias due to missing"),
        ("study,tool,D1,D2,D3,D4,D5,overall\nA,RoB2,Low,Low,High,Low,Low,Low\n", "column 'overall': A: the rule of RoB2 gives High"),
        ("study,tool,domain,judgement\nA,RoB2,Bias due to confounding,Low\n", "row 2, column 'domain': A: RoB2 has no domain"),
        ("study,tool,domain,judgement\nA,RoB2,D1,Low\nA,RoB2,Randomization process,Low\n", "row 3, column 'domain': A: 'Bias arising"),
        ("study,tool,domain,judgement\nA,RoB2,D1,\n", "row 2, column 'judgement': A: 'Bias arising from the randomization process' has no"),
        ("study,tool,D1\nA,RoB7,Low\n", "row 2, column 'tool': No risk-of-bias tool 'RoB7'"),
        ("study,D1,D2\nA,Low,Low\n", "domains by number need their tool"),
        ("study,tool,1,2,3,4,5,6,7,8\nA,MINORS,2,2,2,1,0,2,2,3\n", "row 2, column '8': A, 'Prospective calculation of the study size': '3'"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_names_row_and_column(text, said):
    _, faults = read(text)
    assert len(faults) == 1
    assert said in str(faults[0])
    assert str(faults[0]).startswith("risk_of_bias.csv")


def test_a_number_or_a_short_form_finds_its_domain():
    tool = TOOLS["ROBINS-I-V2"]
    assert len(tool.domains) == 6
    assert domain_of(tool, "D3") == "Bias in selection of participants into the study (or into the analysis)"
    assert domain_of(tool, "Missing data") == "Bias due to missing data"
    assert domain_of(tool, "7") is None
    assert domain_of(tool, "bias") is None
    assert tool_named("ROBINS-I V2") == "ROBINS-I-V2"


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "atc-tki"
    shutil.copytree(EXAMPLE, target, ignore=shutil.ignore_patterns("out", ".metagrove", "figures"))
    return target


def test_the_example_is_judged_whole(folder):
    review = open_review(folder)
    assert row_faults(review) == []
    (group,), _ = bias_groups(review.rows("risk_of_bias"))
    assert (group.tool_name, len(group.assessments)) == ("JBI-case-series", 6)
    assert {f.rule for f in findings_of(review) if f.rule.startswith("bias")} == set()
    text = (folder / "risk_of_bias.csv").read_text()
    (folder / "risk_of_bias.csv").write_text(
        "".join(x for x in text.splitlines(keepends=True) if not x.startswith("Wirth"))
    )
    assert [(f.rule, f.study) for f in findings_of(open_review(folder)) if f.rule.startswith("bias")] == [("bias-not-judged", "Wirth")]  # fmt: skip


def test_a_tool_for_two_arms_is_remarked_on_and_bare_judgements_too(folder):
    rows = "".join(f"{s},ROBINS-I,D{i},Low\n" for s in ("Ha", "Bible", "Savvides", "Tahara") for i in range(1, 8))
    (folder / "risk_of_bias.csv").write_text(f"study,tool,domain,judgement,support\n{rows}")
    rules = {f.rule: f for f in findings_of(open_review(folder)) if f.rule.startswith("bias")}
    assert set(rules) == {"bias-not-judged", "bias-tool", "bias-without-support"}
    assert rules["bias-without-support"].found == "28"


def test_certainty_from_both_places(folder):
    levels = {name: held.level for name, (held, _) in certainties(open_review(folder)).items()}
    assert levels == {"orr": "Very low", "dcr": "Very low", "os": "Very low"}
    table = "analysis,domain,steps,why,studies\npfs,Imprecision,-1,few events,randomised trials\npfs,risk of bias,0,,\n"
    (folder / "certainty.csv").write_text(table)
    review = open_review(folder)
    assert row_faults(review) == []
    assert certainties(review)["pfs"][0].level == "Moderate"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("pfs,Imprecison,-1,x,other observational", "row 2, column 'domain': 'Imprecison' is no GRADE domain; nearest: 'Imprecision'"),
        ("pfs,Imprecision,-1,,other observational", "row 2, column 'why': 'Imprecision' moves the certainty by -1; a footnote"),
        ("pfs,Imprecision,-9,x,other observational", "row 2, column 'steps': 'Imprecision' moves the certainty by -3 to 0, not -9"),
        ("pfs,Imprecision,-1,x,cohort", "row 2, column 'studies': 'cohort' says what the studies are; one of"),
        ("pfx,Imprecision,-1,x,other observational", "row 2, column 'analysis': 'pfx' is no analysis"),
        ("orr,Imprecision,-1,x,other observational", "'orr' is judged in review.toml already"),
    ],
)  # fmt: skip
def test_a_certainty_that_cannot_be_meant_names_its_row(folder, row, said):
    (folder / "certainty.csv").write_text(f"analysis,domain,steps,why,studies\n{row}\n")
    (fault,) = row_faults(open_review(folder))
    assert said in str(fault)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[certainty.orr]", "[certainty.or]", "certainty: No analysis 'or'; nearest: orr"),
        ('imprecision = { steps = -1, why = "136', 'imprecison = { steps = -1, why = "136', "nearest known key: 'imprecision'"),
        ('[certainty.orr]\n', '[risk_of_bias]\ntool = "RoB9"\n[certainty.orr]\n', "No risk-of-bias tool 'RoB9'"),
    ],
)  # fmt: skip
def test_a_wrong_key_is_named(folder, old, new, said):
    text = (folder / "review.toml").read_text(encoding="utf-8")
    assert old in text
    (folder / "review.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SpecError) as refused:
        open_review(folder)
    assert said in str(refused.value)
