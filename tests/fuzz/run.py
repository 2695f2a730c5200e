"""``make fuzz``: coverage-guided bytes (atheris, libFuzzer) into every reader and decoder; not part of the suite.

    python -m tests.fuzz.run [--seconds N] [NAME…]

Each target runs in a process of its own, for libFuzzer never comes back. A finding is a file in ``fuzz-findings/``:
give it to the target by hand, and make a test of it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

FINDINGS = Path("fuzz-findings")
MOST_BYTES = 4096


def seeds(name: str, folder: Path) -> None:
    """Begin from sound files, where the name says what kind."""
    from tests.acquisition.formats.made_up import files

    for at, (kind, content) in enumerate(files().values()):
        if name in {"read", f"read {kind}"}:
            (folder / f"seed{at}").write_bytes(content[:MOST_BYTES])


def one(name: str, seconds: int) -> None:
    """Fuzz one target; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["nilometer.acquisition"]):
        from tests.fuzz.targets import targets

        target = targets()[name]  # which imports every plug-in, under the fuzzer's eyes
    corpus = tempfile.mkdtemp(prefix="nilometer-corpus-")
    seeds(name, Path(corpus))
    options = [f"-max_total_time={seconds}", f"-max_len={MOST_BYTES}", "-rss_limit_mb=2048", "-timeout=20"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={FINDINGS}/", corpus], target)
    atheris.Fuzz()


def main() -> None:
    """Fuzz the targets that are named, or all."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("names", nargs="*", help="such as 'decode hj212'; all by default")
    asked.add_argument("--seconds", type=int, default=20)
    asked.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    wanted = asked.parse_args()
    try:
        import atheris  # noqa: F401 -- to say it before anything is begun
    except ImportError:
        sys.exit("atheris is not installed here: pip install atheris (Linux and macOS, CPython with a wheel)")
    if wanted.one:
        one(wanted.names[0], wanted.seconds)
        return
    from tests.fuzz.targets import targets

    known = targets()
    strange = set(wanted.names) - set(known)
    if strange:
        sys.exit(f"no target {', '.join(sorted(strange))}; there are: {', '.join(known)}")
    FINDINGS.mkdir(exist_ok=True)
    failed = []
    for name in wanted.names or known:
        command = [sys.executable, "-m", "tests.fuzz.run", "--one", "--seconds", str(wanted.seconds), name]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)
        done = next((line for line in reversed(ended.stderr.splitlines()) if line.startswith("Done ")), "")
        said = f"BAD {name}: {ended.stdout[-1500:]}{ended.stderr[-500:]}" if ended.returncode else f"ok  {name}: {done}"
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()
        if ended.returncode:
            failed.append(name)
    if failed:
        sys.exit(f"{len(failed)} targets failed: {', '.join(failed)}; what broke them lies in {FINDINGS}/")


if __name__ == "__main__":
    main()
