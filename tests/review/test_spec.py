import typing

import pytest

from metagrove.core.errors import SpecError
from metagrove.review import spec

GOOD = """version = 1
title = "A review"

[published]
document = "Paper 2020"

[[analysis]]
name = "orr"
kind = "proportion"
outcome = "ORR"
sm = "PFT"

[[analysis]]
name = "os"
kind = "survival"
endpoint = "OS"
correction = [0.25, 0.5]
"""


def test_a_protocol_is_read():
    review = spec.parse_review(GOOD)
    assert [a.kind for a in review.analysis] == ["proportion", "survival"]
    assert review.analysis[0].method_tau == "REML"
    assert review.analysis[1].correction == (0.25, 0.5)
    assert review.time_unit == "months"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('sm = "PFT"', 'smm = "PFT"', r"line 11: unknown key 'smm'; nearest known key: 'sm'"),
        ('title = "A review"', 'titel = "A review"', r"line 2: unknown key 'titel'; nearest known key: 'title'"),
        ('sm = "PFT"', 'sm = "PFTT"', r"line 11: 'sm' is 'PFTT'; known: 'PRAW'"),
        ('endpoint = "OS"', 'endpont = "OS"', r"line 16: unknown key 'endpont'; nearest known key: 'endpoint'"),
        (
            'document = "Paper 2020"',
            'documnt = "Paper 2020"',
            r"line 5: unknown key 'documnt'; nearest known key: 'document'",
        ),
        ('kind = "survival"', 'kind = "survivall"', r"needs kind = one of proportion, survival, harms"),
        ('name = "os"', 'name = "orr"', r"two analyses are called 'orr'"),
        (
            "[published]",
            '[search]\ndatabsaes = ["PubMed"]\n[published]',
            r"line 5: unknown key 'databsaes'; nearest known key: 'databases'",
        ),
        ("[published]", "[search]\ndatabases = 3\n[published]", r"line 5: 'databases' is 3"),
        ("version = 1", "version = 1 1", r"not valid TOML"),
        ('kind = "proportion"\noutcome = "ORR"', 'kind = "proportion"', r"line 7: 'outcome' is missing"),
    ],
)
def test_a_fault_names_its_line_and_the_nearest_key(old, new, message):
    assert old in GOOD
    with pytest.raises(SpecError, match=message):
        spec.parse_review(GOOD.replace(old, new))


def test_choices_are_those_of_the_registries():
    from metagrove.pooling.tau2 import TAU2

    assert set(typing.get_args(spec.Tau2)) == set(TAU2)
