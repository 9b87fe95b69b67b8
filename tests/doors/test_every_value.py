"""Every expected value of the 39 reference cases: compared at the README's tolerance, or listed with the reason."""

import json
from functools import cache
from pathlib import Path

import pytest

import unmatched_values
from every_value import leaves, walked
from known import reference
from reference_blocks import CASES

#: values in the files (the README counts 29,972: it leaves out 45 that are empty), and how many of them are listed
IN_ALL, LISTED = 30017, 442


@cache
def values(case):
    return tuple(walked(case))


def path(case, value):
    return (case, *(part for part in value.key if part != "alternatives"))


def test_every_case_is_here():
    folder = reference("meta")
    assert sorted(file.stem for file in folder.glob("*.json")) == sorted(CASES)
    files = (json.loads(file.read_text(encoding="utf-8"))["expected"] for file in folder.glob("*.json"))
    assert sum(1 for expected in files for _ in leaves((), expected)) == IN_ALL


@pytest.mark.parametrize("case", CASES)
def test_values(case):
    neither = [
        (" ".join(value.path), value.found, value.wanted)
        for value in values(case)
        if not value.agrees and path(case, value) not in unmatched_values.UNMATCHED
    ]
    assert neither == []


@pytest.mark.parametrize("case", CASES)
def test_the_list_holds_no_value_that_agrees(case):
    differ = {path(case, value) for value in values(case) if not value.agrees}
    needless = [where for where in unmatched_values.UNMATCHED if where[0] == case and where not in differ]
    assert needless == []


def test_the_list_only_shrinks():
    listed = sum(not value.agrees for case in CASES for value in values(case))
    assert listed <= LISTED
    page = (Path(__file__).parents[2] / "docs" / "meta-analysis.md").read_text(encoding="utf-8")
    for number in (IN_ALL, IN_ALL - listed, listed):
        assert f" {number:,} " in page.replace("\n", " ")
