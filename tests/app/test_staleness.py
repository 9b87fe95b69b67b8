"""What a change makes stale: never less than it touches, and not much more."""

import shutil

import pytest

from metagrove.app.products import row_material
from metagrove.app.workflow import rebuild
from metagrove.review import columns
from metagrove.review.tables import parse_table

PROTOCOL = """\
version = 1
title = "Small"
[[analysis]]
name = "cure"
kind = "proportion"
outcome = "Cure"
leave_one_out = false
subgroup = "drug"
denominators = ["enrolled"]
exclude = [{ study = "E", reason = "another disease" }]
[[analysis]]
name = "relief"
kind = "comparison"
outcome = "Relief"
leave_one_out = false
sm = "RR"
[[analysis]]
name = "harm"
kind = "harms"
[[analysis]]
name = "os"
kind = "survival"
endpoint = "OS"
until = 4
"""
STUDIES = """\
study,year,label,drug,dose,n_enrolled,n_evaluable,design,mine
A,2001,,x,1 mg,30,20,open,p
B,2002,,y,2 mg,31,21,blind,q
C,2003,,x,3 mg,32,22,open,p
D,2004,,y,4 mg,33,23,blind,q
E,2005,,y,5 mg,34,24,blind,q
"""
TABLES = {
    "responses.csv": "outcome,study,events,n\nCure,A,3,\nCure,B,4,\nCure,C,5,\nCure,E,5,\n",
    "comparisons.csv": "outcome,study,event_e,n_e,event_c,n_c\nRelief,A,3,20,6,20\nRelief,B,4,30,9,31\nRelief,D,2,22,8,21\n",
    "adverse_events.csv": "study,term,grade,events,n\nA,rash,>=3,2,20\nB,rash,>=3,3,21\n",
    "curves.csv": "study,endpoint,time,survival\n"
    + "".join(f"{s},OS,{t},{1 - t * d}\n" for s, d in (("A", 0.15), ("B", 0.12)) for t in range(5)),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stale") / "review"
    folder.mkdir()
    (folder / "review.toml").write_text(PROTOCOL)
    (folder / "studies.csv").write_text(STUDIES)
    for name, text in TABLES.items():
        (folder / name).write_text(text)
    rebuild(folder)
    return folder


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(
    ("file", "old", "new", "redone"),
    [
        ("studies.csv", "1 mg", "7 mg", set()),
        ("studies.csv", "D,2004", "D,2014", {"analysis relief"}),
        ("studies.csv", "A,2001,,x,1 mg,30,20", "A,2001,,y,1 mg,40,21", {"analysis cure", "analysis os"}),
        ("studies.csv", "E,2005", "E,2015", {"analysis cure"}),
        ("curves.csv", "A,OS,0", "\nA,OS,0", {"analysis os"}),
    ],
)  # fmt: skip
def test_a_change_redoes_what_it_touches_and_leaves_what_a_new_build_would_make(made, tmp_path, file, old, new, redone):
    folder = tmp_path / "review"
    shutil.copytree(made, folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    again = rebuild(folder)
    assert {name for name in again.redone if name.startswith("analysis")} == redone
    if file != "curves.csv" and "2014" not in new:
        return
    before = contents(folder / "out")
    shutil.rmtree(folder / ".metagrove")
    assert rebuild(folder).fresh == ()
    assert contents(folder / "out") == before


def test_a_decimal_sign_shown_elsewhere_in_the_file_makes_rows_stale():
    header, row = b"study;endpoint;time;n\n", b"Lee;OS;2,125;40\n"
    tables = [
        parse_table(columns.TABLES["at_risk"], header + row + more) for more in (b"Kim;OS;0,5;9\n", b"Kim;OS;0.5;9\n")
    ]
    assert [len(table.rows) for table in tables] == [2, 2]
    assert tables[0].rows[0]["time"] == 2.125
    assert tables[1].rows[0]["time"] == 2125
    first, second = (row_material(table.rows[:1]) for table in tables)
    assert first != second
