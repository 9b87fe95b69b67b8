"""Where the reference data are; tests skip with a message where they are not: `from known import reference`."""

import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SHARED = HERE.parents[1] / "shared" / "reference"
COPIED = HERE / "reference"


def reference(path):
    """A file or folder of the reference data: the shared one where it is, else the copy kept with the tests."""
    for root in (SHARED, COPIED):
        if (root / path).exists():
            return root / path
    pytest.skip(f"reference data '{path}' are not here", allow_module_level=True)


def reference_json(path):
    return json.loads(reference(path).read_text(encoding="utf-8"))
