"""Start-up: import and command line, the first analysis of a fresh process, and what compiled kernels cost to have."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = Path(sys.executable).parent / "metagrove"
FIRST = "import metagrove as mg; mg.metagen([0.1, 0.2, 0.4], [0.1, 0.2, 0.3]).I2"
KERNELS = "import metagrove as mg; mg.pool_many([[0.1, 0.2, 0.4]], [[0.01, 0.04, 0.09]])"
CASES = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import numpy": [sys.executable, "-c", "import numpy"],
    "import scipy.special": [sys.executable, "-c", "import scipy.special"],
    "import metagrove": [sys.executable, "-c", "import metagrove"],
    "metagrove --help": [str(COMMAND), "--help"],
    "first metagen": [sys.executable, "-c", FIRST],
    "first mixed model": [sys.executable, "-c", "import metagrove as mg; mg.metaprop([2, 4, 5], [8, 17, 42]).tau2"],
    "first pool_many": [sys.executable, "-c", KERNELS],
}


def seconds(command, runs=15, env=None):
    """Median wall seconds over `runs`, the first run not counted."""
    times = []
    for i in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=env)
        if i:
            times.append(time.perf_counter() - start)
    return sorted(times)[runs // 2]


def compiling():
    """Seconds of the first pool_many where no compiled kernel is on disk."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        subprocess.run(CASES["first pool_many"], check=True, env=os.environ | {"NUMBA_CACHE_DIR": folder})
        return time.perf_counter() - start


def main():
    took = {}
    with tempfile.TemporaryDirectory() as folder:
        # as installed: with byte code, which some machines are told not to write
        env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        env["PYTHONPYCACHEPREFIX"] = folder
        print(f"{'':<22} {'median s':>9} {'x bare Python':>14}")
        for name, command in CASES.items():
            took[name] = seconds(command, 15 if "first" not in name else 7, env)
            print(f"{name:<22} {took[name]:>9.3f} {took[name] / took['python -c pass']:>14.1f}")
    print("aim on an idle machine: import metagrove < 0.2 s, metagrove --help < 0.4 s")
    load = took["first pool_many"] - took["first metagen"]
    print(f"compiled kernels: {load:.2f} s more than a first metagen to load from disk (numba included),")
    print(f"  {compiling():.1f} s for a process that must compile them, once per installation;")
    print("  so a single fit runs as plain arithmetic, and uses them only where pool_many has loaded them already")


if __name__ == "__main__":
    main()
