"""Run the benchmarks one after the other: ``make bench``, or ``make bench ARGS='store_read web_ingest'`` for some.

Each is a script of its own, with options of its own; the figures belong into docs/benchmarks.md with their command.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    scripts = {path.stem: path for path in sorted(HERE.glob("*.py")) if path.stem not in {"run"}}
    wanted = sys.argv[1:] or list(scripts)
    unknown = [name for name in wanted if name not in scripts]
    if unknown:
        print(f"no such benchmark: {', '.join(unknown)} (there are {', '.join(scripts)})")
        return 2
    failed = []
    for name in wanted:
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, scripts[name]], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
