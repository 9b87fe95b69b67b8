"""The examples of docs/survival.md run as they stand."""

import doctest
from pathlib import Path


def test_examples_run():
    page = Path(__file__).parents[2] / "docs" / "survival.md"
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 20
    assert found.failed == 0
