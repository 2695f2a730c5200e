"""The trials of a server as calls: ``nilometer.connect(url).trials``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["TrialCalls"]

_ROOT = "/api/v1/trials"


class TrialCalls:
    """Trials over the native API.

    Parameters
    ----------
    ask : callable
        Sends a request and returns its JSON.
    call : callable
        Sends a request and returns its bytes.
    """

    def __init__(self, ask: Callable[..., Any], call: Callable[..., bytes]) -> None:
        self._ask, self._call = ask, call

    def all(self, *, withdrawn: bool = False) -> list[dict[str, Any]]:
        """Return every trial in short, the newest first."""
        found: list[dict[str, Any]] = self._ask("GET", _ROOT, {"withdrawn": str(withdrawn).lower()})["trials"]
        return found

    def get(self, number: int) -> dict[str, Any]:
        """Return a trial: its ``plan``, ``history``, ``state`` and ``runs``."""
        return self._of(number)

    def create(self, plan: Mapping[str, Any] | str, by: str) -> dict[str, Any]:
        """Enter a plan, a document or the text of a TOML file, and return the trial."""
        return self._send("POST", _ROOT, {**_given(plan), "by": by})

    def change(self, number: int, plan: Mapping[str, Any] | str, by: str) -> dict[str, Any]:
        """Replace a plan that is not frozen."""
        return self._send("PUT", f"{_ROOT}/{int(number)}", {**_given(plan), "by": by})

    def freeze(self, number: int, by: str, plan_hash: str | None = None) -> dict[str, Any]:
        """Freeze a plan; with the hash of the one that was seen no other one is frozen."""
        return self._send("POST", f"{_ROOT}/{int(number)}/freeze", {"by": by, "plan_hash": plan_hash})

    def amend(self, number: int, plan: Mapping[str, Any] | str, why: str, by: str) -> dict[str, Any]:
        """Change a frozen plan, with the reason."""
        return self._send("POST", f"{_ROOT}/{int(number)}/amend", {**_given(plan), "why": why, "by": by})

    def withdraw(self, number: int, by: str, note: str = "") -> dict[str, Any]:
        """Take back a plan that was never frozen."""
        return self._send("POST", f"{_ROOT}/{int(number)}/withdraw", {"by": by, "note": note})

    def size(self, number: int, start: str, end: str, **asked: float) -> dict[str, Any]:
        """Return how long a trial has to be, from a pilot: ``sizes`` of each endpoint.

        Parameters
        ----------
        number : int
            The trial.
        start, end : str
            Of the pilot, ISO 8601 with an offset.
        **asked
            ``power``, ``difference``, ``arbiter_uncertainty``.
        """
        return self._send("POST", f"{_ROOT}/{int(number)}/size", {"start": start, "end": end, **asked})

    def run(self, number: int, by: str = "") -> dict[str, Any]:
        """Have a trial computed over the data of now; `running` says how far it is."""
        return self._send("POST", f"{_ROOT}/{int(number)}/run", {"by": by})

    def cancel(self, number: int) -> dict[str, Any]:
        """Give up a run."""
        found: dict[str, Any] = self._ask("DELETE", f"{_ROOT}/{int(number)}/run")
        return found

    def running(self) -> dict[str, Any]:
        """Return whether a trial is being run: ``running``, ``trial``, ``doing``, ``error``."""
        found: dict[str, Any] = self._ask("GET", f"{_ROOT}/running")
        return found

    def progress(self, number: int) -> dict[str, Any]:
        """Return how far a trial is: time passed, results of either arm, pairs, cleanings."""
        return self._of(number, "progress")

    def result(self, number: int) -> dict[str, Any]:
        """Return what the last run gave."""
        return self._of(number, "result")

    def plots(self, number: int) -> dict[str, Any]:
        """Return what is drawn of the last run."""
        return self._of(number, "plots")

    def history(self, number: int) -> dict[str, Any]:
        """Return the history of a frozen plan, as ``PLAN.frozen.json`` has it."""
        return self._of(number, "frozen")

    def report(self, number: int, kind: str = "pdf", language: str = "en") -> bytes:
        """Return the report of a decided trial, ``pdf`` or ``html``, in ``en`` or ``zh``."""
        return self._call("GET", f"{_ROOT}/{int(number)}/report.{kind}", {"language": language})

    def _of(self, number: int, part: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self._ask("GET", f"{_ROOT}/{int(number)}{f'/{part}' if part else ''}")
        return found

    def _send(self, method: str, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(document, ensure_ascii=False).encode()
        sent: dict[str, Any] = self._ask(method, path, body=body, kind="application/json")
        return sent


def _given(plan: Mapping[str, Any] | str) -> dict[str, Any]:
    return {"toml": plan} if isinstance(plan, str) else {"plan": dict(plan)}
