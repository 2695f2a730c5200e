"""One `sh` for a page, as its reader has one: what a block sets, the next one knows."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

LIMIT_S = 30
# The status of each request is told beside its answer, not in it.
CURLRC = f'silent\nshow-error\nmax-time = {LIMIT_S}\nwrite-out = "%{{stderr}}status %{{http_code}}\\n"\n'


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a block came to."""

    exit_status: int
    output: str
    errors: str = ""

    @property
    def statuses(self) -> list[int]:
        """Those of the requests that curl sent, in their order."""
        return [int(line.split()[1]) for line in self.errors.splitlines() if line.startswith("status ")]


class Shell:
    """It works in `folder` and ends at the first command that fails."""

    def __init__(self, folder: Path, settings: Path, mqtt_port: int) -> None:
        settings.mkdir(exist_ok=True)
        (settings / ".curlrc").write_text(CURLRC)
        mqtt = f"-h 127.0.0.1\n-p {mqtt_port}\n"
        (settings / "mosquitto_pub").write_text(mqtt)
        (settings / "mosquitto_sub").write_text(f"{mqtt}-W {LIMIT_S}\n")
        self._output, self._errors = settings / "output", settings / "errors"
        self._process = subprocess.Popen(
            ["sh", "-eu"],
            cwd=folder,
            env=os.environ | {"CURL_HOME": str(settings), "XDG_CONFIG_HOME": str(settings), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, commands: str) -> Outcome:
        """Run what stands in a block, and wait for its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        block = f"{{\n{commands}\n}} </dev/null >'{self._output}' 2>'{self._errors}'\necho done\n"
        try:
            self._process.stdin.write(block)
            self._process.stdin.flush()
        except BrokenPipeError:
            return Outcome(1, "", "a block before it ended the shell")
        is_done = self._process.stdout.readline() == "done\n"
        status = 0 if is_done else self._process.wait(LIMIT_S)
        return Outcome(status or int(not is_done), self._output.read_text(), self._errors.read_text())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()
