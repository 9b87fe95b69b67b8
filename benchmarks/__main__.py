"""Run every benchmark, or those named: `./run bench [NAME ...]`."""

import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def main(wanted):
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        sys.exit(f"bench: no benchmark {unknown[0]!r}; known: {', '.join(NAMES)}")
    for name in wanted or NAMES:
        print(f"\n== {name}", flush=True)
        import_module(f"benchmarks.bench_{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
