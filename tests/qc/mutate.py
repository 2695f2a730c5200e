"""Change every comparison of the kernel, one at a time, and see that a test fails: ``python tests/qc/mutate.py``.

The sources are copied to a temporary folder and run there without compiling (``NUMBA_DISABLE_JIT=1``): the same code,
slower, but without a minute of compilation a change. What survives the fast tests is tried again, compiled, with the
whole of them. `EQUIVALENT` names the changes that no test can tell, with the reason. See docs/qc_tests.md.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
SOURCES = "src/nilometer/qc"
FILES = ("entering.py", "groups.py", "joint.py", "rollup.py", "runs.py", "window.py", "qartod/*.py")
MARKS = ("compiled", "inlined")
PLAIN = ("joint.py",)
"""Where thresholds are compared by NumPy: all functions count, not only those that are compiled."""
NEAR = {ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt}
OTHER = {ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
SIGN = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}
STAND_INS = (
    # Uncompiled, NumPy's scalars keep their narrow types where Numba widens them, and nothing can be fetched ahead.
    ("rollup.py", "summary = 1 << flag", "summary = 1 << int(flag)"),
    ("kernel.py", "length = spans[i]", "length = int(spans[i])"),
    ("prefetch.py", None, "def prefetch(words, place):\n    pass\n"),
)
FAST = (
    "tests/qc/qartod",
    "tests/qc/test_engine.py",
    "tests/qc/test_window.py",
    "tests/qc/test_kernel.py",
    "tests/qc/test_runs.py",
    "tests/qc/test_rollup.py",
    "tests/qc/test_arithmetic.py",
    "tests/qc/test_joint.py",
)
SLOW = "not cut_anywhere and not in_disorder and not more_extremes and not memory"
"""Uncompiled, these are left to the second look."""
WHOLE = (*FAST, "tests/qc/test_many_datastreams.py", "tests/qc/test_agreement.py", "tests/qc/test_checking.py")
PLUGIN = """
from hypothesis import Phase, settings

def pytest_collection_modifyitems(items):
    for item in items:
        chosen = getattr(item.function, "_hypothesis_internal_use_settings", None)
        if chosen is not None:
            item.function._hypothesis_internal_use_settings = settings(
                chosen, max_examples=min(chosen.max_examples, {examples}), derandomize=True, database=None,
                phases=[Phase.explicit, Phase.generate],
            )
"""
EQUIVALENT: dict[str, str] = {
    "qartod/climatology.py _part: code > _DAY_OF_WEEK  ->  code >= _DAY_OF_WEEK": "days of the week are answered above",
    "qartod/climatology.py _ask: edge <= t  ->  edge > t": (
        "in or between spans the stretch ends before it begins; before or after them all it holds rows outside of all"
    ),
    "qartod/climatology.py _ask: edge < end  ->  edge <= end": "an end is set to what it is",
    "qartod/climatology.py flag_climatology: begin <= t[stop] < end  ->  begin < t[stop] < end": (
        "a row at the very begin is asked for anew, with the same answer"
    ),
    "qartod/rate_of_change.py _flag_stretch: abs(x[k] - last[k]) < surely * (t[k] - last_t[k])"
    "  ->  abs(x[k] - last[k]) <= surely * (t[k] - last_t[k])": "it lies 1e-12 of itself below the threshold",
    "qartod/spike.py flag_spike: rise * fall >= 0.0  ->  rise * fall > 0.0": "of a step of 0 the departure is 0",
    "joint.py _partners: after < n  ->  after <= n": "with nothing later no partner is known yet",
    "joint.py _partners: came & (chosen >= 0)  ->  came | (chosen >= 0)": (
        "a row that waits keeps its partner from being forgotten; without a partner nothing is taken away"
    ),
    "joint.py _forget: waits != _NEVER  ->  waits == _NEVER": (
        "nothing waits once the other is `within` past it, and it is remembered for twice as long at least"
    ),
}
"""Why no test can tell a change, by its name as the table prints it without its line."""


@dataclass(frozen=True)
class Mutant:
    """One change of one source."""

    file: str
    line: int
    function: str
    before: str
    after: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.file} {self.function}: {self.before}  ->  {self.after}"


def mutants_of(path: Path, file: str) -> list[Mutant]:
    """Every change of the compiled functions of a source, or of all functions where nothing is compiled."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    made = []
    for function in ast.walk(tree) if file in PLAIN else tree.body:
        if isinstance(function, ast.FunctionDef) and (
            file in PLAIN or any(ast.unparse(d) in MARKS for d in function.decorator_list)
        ):
            for node in ast.walk(function):
                made.extend(applied(tree, function.name, node, change, file) for change in changes(node))
    return made


def changes(node):
    """The nodes that may stand for one."""
    found = []
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            for table in (NEAR, OTHER):
                if type(op) in table:
                    other = copy.deepcopy(node)
                    other.ops[place] = table[type(op)]()
                    found.append(other)
        for place, side in enumerate(node.comparators):
            if isinstance(side, ast.BinOp) and isinstance(side.op, ast.Add | ast.Sub):  # a horizon, one off
                other = copy.deepcopy(node)
                other.comparators[place] = ast.BinOp(copy.deepcopy(side), ast.Add(), ast.Constant(1))
                found.append(other)
    elif isinstance(node, ast.BoolOp):
        other = copy.deepcopy(node)
        other.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        found.append(other)
    elif (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.BitAnd | ast.BitOr)
        and any(isinstance(side, ast.Compare) for side in (node.left, node.right))
    ):
        other = copy.deepcopy(node)
        other.op = ast.BitOr() if isinstance(node.op, ast.BitAnd) else ast.BitAnd()
        found.append(other)
    return found


def applied(tree, function, node, change, file):
    """The source with one node changed."""

    class Swap(ast.NodeTransformer):
        def visit(self, here):
            return ast.copy_location(change, here) if here is node else self.generic_visit_copy(here)

        def generic_visit_copy(self, here):
            fields = {}
            for name, value in ast.iter_fields(here):
                if isinstance(value, list):
                    fields[name] = [self.visit(item) if isinstance(item, ast.AST) else item for item in value]
                else:
                    fields[name] = self.visit(value) if isinstance(value, ast.AST) else value
            return ast.copy_location(type(here)(**fields), here)

    text = ast.unparse(ast.fix_missing_locations(Swap().visit(tree)))
    return Mutant(file, node.lineno, function, ast.unparse(node), ast.unparse(change), text)


def prepared(folder: Path, *, compiled: bool, examples: int) -> Path:
    """A copy of the sources and tests that may be changed."""
    for part in ("src", "tests"):
        shutil.copytree(HERE / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "static", "vectors"))
    shutil.copy(HERE / "pyproject.toml", folder)
    (folder / "fewer.py").write_text(PLUGIN.replace("{examples}", str(examples)))
    if not compiled:
        for name, old, new in STAND_INS:
            path = folder / SOURCES / name
            text = path.read_text(encoding="utf-8")
            if old is not None and old not in text:
                raise SystemExit(f"{name} has no {old!r} any more: change STAND_INS")
            path.write_text(new if old is None else text.replace(old, new), encoding="utf-8")
    return folder


def tried(folder: Path, mutant: Mutant | None, tests, *, compiled: bool, seconds: int) -> tuple[str, str]:
    """Run tests over a copy with one change: "killed" or "survived", and by which test."""
    path = original = None
    if mutant is not None:
        path = folder / SOURCES / mutant.file
        original = path.read_text(encoding="utf-8")
        text = mutant.text
        for name, old, new in STAND_INS:
            if name == mutant.file and old is not None and not compiled:
                text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
    environment = os.environ | {
        "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}",
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "NUMBA_DISABLE_JIT": "0" if compiled else "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "CI": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-W", "ignore", "-p", "no:cacheprovider", "-p", "fewer"]
    command += [] if compiled else ["-k", SLOW]
    try:
        run = subprocess.run(
            [*command, "--tb=no", *tests],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        lines = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        by = lines[0].split(" - ")[0].split("::")[-1].removeprefix("ERROR ") if lines else ""
        answer = ("survived" if run.returncode == 0 else "killed", by or run.stdout[-300:])
    except subprocess.TimeoutExpired:
        answer = ("killed", "it never ended")
    if path is not None:
        path.write_text(original, encoding="utf-8")
    return answer


def relevant(mutant: Mutant) -> list[str]:
    """The fast tests, those of the changed module first."""
    own = f"tests/qc/{Path(mutant.file).parent / ('test_' + Path(mutant.file).name)}"
    first = [own] if (HERE / own).exists() else []
    return [*first, *FAST]


def all_mutants(only: list[str]) -> list[Mutant]:
    """Every change, or those whose name has one of some texts."""
    mutants = []
    for pattern in FILES:
        for path in sorted((HERE / SOURCES).glob(pattern)):
            mutants += mutants_of(path, path.relative_to(HERE / SOURCES).as_posix())
    return [mutant for mutant in mutants if not only or any(text in mutant.name for text in only)]


def survivors(mutants: list[Mutant], workers: int, top: Path) -> list[Mutant]:
    """The changes that no fast test notices."""
    folders = [prepared(top / str(k), compiled=False, examples=15) for k in range(workers)]
    answer, by = tried(folders[0], None, FAST, compiled=False, seconds=900)
    if answer != "survived":
        raise SystemExit(f"the tests fail without any change: {by}")

    def one(mutant):
        folder = folders.pop()
        try:
            answer, by = tried(folder, mutant, relevant(mutant), compiled=False, seconds=300)
        finally:
            folders.append(folder)
        say(f"{answer:8} {mutant.line:4} {mutant.name}   [{by if answer == 'killed' else ''}]")
        return answer

    with ThreadPoolExecutor(workers) as pool:
        answers = list(pool.map(one, mutants))
    return [mutant for mutant, answer in zip(mutants, answers, strict=True) if answer == "survived"]


def still_alive(mutants: list[Mutant], top: Path) -> list[Mutant]:
    """The changes that no test notices, compiled."""
    folder = prepared(top / "compiled", compiled=True, examples=1000)
    alive = []
    for mutant in mutants:
        answer, by = tried(folder, mutant, WHOLE, compiled=True, seconds=600)
        say(f"again {answer:8} {mutant.line:4} {mutant.name}   [{by if answer == 'killed' else ''}]")
        alive += [mutant] if answer == "survived" else []
    return alive


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("only", nargs="*", help="only changes whose name has one of these texts")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--again", action="store_true", help="try what survives compiled, with every test: minutes each"
    )
    parser.add_argument("--list", action="store_true", help="say which changes there are")
    asked = parser.parse_args()
    mutants = all_mutants(asked.only)
    if asked.list:
        for mutant in mutants:
            say(f"{mutant.line:4} {mutant.name}")
        return 0
    with tempfile.TemporaryDirectory() as top:
        left = survivors(mutants, asked.workers, Path(top))
        known = [mutant for mutant in left if mutant.name in EQUIVALENT]
        left = [mutant for mutant in left if mutant.name not in EQUIVALENT]
        if asked.again:
            left = still_alive(left, Path(top))
    killed = len(mutants) - len(known) - len(left)
    say(f"\n{len(mutants)} changes: {killed} killed, {len(known)} equivalent, {len(left)} survived")
    for mutant in known:
        say(f"equivalent: {mutant.name}\n            {EQUIVALENT[mutant.name]}")
    for mutant in left:
        say(f"survived: {mutant.line:4} {mutant.name}")
    return len(left)


if __name__ == "__main__":
    sys.exit(main())
