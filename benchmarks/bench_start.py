"""Start-up: `import metagrove` and `metagrove --help`, beside bare Python and `import numpy`."""

import subprocess
import sys
import time
from pathlib import Path

COMMAND = Path(sys.executable).parent / "metagrove"
CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import metagrove": [sys.executable, "-c", "import metagrove"],
    "metagrove --help": [str(COMMAND), "--help"],
}


def seconds(command, runs=15):
    """Median wall seconds over `runs`, the first run not counted."""
    times = []
    for i in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        if i:
            times.append(time.perf_counter() - start)
    return sorted(times)[runs // 2]


def main():
    base = seconds(CASES["python -c pass"])
    print(f"{'':<20} {'median s':>9} {'x bare Python':>14}")
    for name, command in CASES.items():
        took = seconds(command)
        print(f"{name:<20} {took:>9.3f} {took / base:>14.1f}")
    print("aim on an idle machine: import metagrove < 0.2 s, metagrove --help < 0.4 s")
