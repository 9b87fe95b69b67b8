"""Every check of a reading says what it looks for, and says nothing else."""

import re

import pytest

from metagrove.figures.doubts.checks import READING_CHECKS, TRACE_CHECKS

CHECKS = (*TRACE_CHECKS, *READING_CHECKS)


def test_each_check_has_its_own_name():
    assert len({c.name for c in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_no_sentence_is_two_checks(check):
    for sentence in check.says:
        example = re.sub(r"\{\w*\}", "7", sentence)
        assert [c.name for c in CHECKS if c.said(example)] == [check.name]
    assert check.looks_for


def test_a_name_with_signs_in_it_is_still_that_sentence():
    assert [c.name for c in CHECKS if c.said("'A (n=3).*' is faint along its own line")] == ["own ink"]
