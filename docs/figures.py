"""The figures of the README, made again by the program: `./run python docs/figures.py`."""

import shutil
from pathlib import Path

from metagrove.app.workflow import rebuild

ROOT = Path(__file__).parents[1]
SHOWN = {"dcr": "forest", "os": "curve"}

made = rebuild(ROOT / "examples" / "atc-tki")
for analysis, name in SHOWN.items():
    shutil.copyfile(made.report.parent / "figures" / f"{analysis}.svg", ROOT / "docs" / "img" / f"{name}.svg")
