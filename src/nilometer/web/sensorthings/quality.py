"""``resultQuality`` of an Observation: the flag, the tests behind it, the mark, the uncertainty, where they come from.

The JSON model is drawn in ``docs/formats/result_quality.md``. Members that say nothing are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from nilometer.errors import NotFound
from nilometer.store import Catalog
from nilometer.store.review_ledger import SIGN_OFF, ReviewStep
from nilometer.web.times import format_time

__all__ = ["PARAMETER_PREFIX", "Evidence", "Provenance", "Signed", "names_of_tests", "split_extra"]

PARAMETER_PREFIX = "@"
"""Members of `extra` that begin so are not parameters: ``@result``, ``@resultQuality``, ``@validTime``."""

Signed = Mapping[int, Sequence[ReviewStep]]
"""The sign-offs that stand, by Datastream."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CENSORED = {-1: "below", 1: "above"}
_decoder = msgspec.json.Decoder()


def split_extra(extra: str | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parameters of a row and its other kept members, from its `extra` JSON."""
    if not extra:
        return {}, {}
    members = _decoder.decode(extra)
    if not isinstance(members, dict):
        return {}, {}
    parameters = {name: value for name, value in members.items() if not name.startswith(PARAMETER_PREFIX)}
    kept = {name: value for name, value in members.items() if name.startswith(PARAMETER_PREFIX)}
    return parameters, kept


class Provenance(msgspec.Struct, frozen=True):
    """What made a row: the calibration, the profile version with its tests in order, the source, the code, the review.

    `steps` are the review steps that changed it, in their order; `profile_version` is an id of the catalog.
    """

    calibration: int | None
    profile_version: int | None
    profile: str | None
    version: str | None
    tests: tuple[str, ...]
    source: str
    code_version: str
    steps: tuple[int, ...] = ()


class Evidence:
    """What provenance rows say, remembered.

    Parameters
    ----------
    catalog : Catalog
        Where they are kept; they never change.
    commit : int, optional
        As of which sign-offs are told; None: now.
    """

    def __init__(self, catalog: Catalog, commit: int | None = None) -> None:
        self._catalog, self._commit = catalog, commit
        self._known: dict[int, Provenance] = {}

    def at(self, commit: int | None) -> Evidence:
        """Return what was said as of a commit (None: now); what is remembered is shared."""
        then = Evidence(self._catalog, commit)
        then._known = self._known
        return then

    def provenance(self, number: int) -> Provenance:
        """Return what a provenance row says; nothing known of it gives an empty one."""
        known = self._known.get(number)
        if known is None:
            known = self._look_up(number)
            self._known[number] = known
        return known

    def _look_up(self, number: int) -> Provenance:
        try:
            row = self._catalog.provenance_row(number)
        except NotFound:
            return Provenance(None, None, None, None, (), "", "")
        steps = tuple(int(step) for step in (row.steps or "").split(",") if step)
        if row.profile_version is None:
            return Provenance(row.calibration, None, None, None, (), row.source, row.code_version, steps)
        version = self._catalog.profile_version_row(row.profile_version)
        return Provenance(
            row.calibration,
            row.profile_version,
            version.name,
            version.version,
            names_of_tests(version.document),
            row.source,
            row.code_version,
            steps,
        )

    def profiles(self, numbers: Iterable[int]) -> dict[str, dict[str, Any]]:
        """Return the profile versions behind provenance rows, by id: name, version and the names of the digits."""
        made = {self.provenance(int(number)) for number in numbers}
        return {
            str(one.profile_version): {"name": one.profile, "version": one.version, "tests": list(one.tests)}
            for one in sorted(made, key=lambda one: one.profile_version or 0)
            if one.profile_version is not None
        }

    def signed(self, datastreams: Iterable[int]) -> dict[int, list[ReviewStep]]:
        """Return the sign-offs that stand and speak of these Datastreams; those without one are left out."""
        standing = [step for step in self._catalog.reviews.active(self._commit) if step.action == SIGN_OFF]
        found: dict[int, list[ReviewStep]] = {}
        for number in datastreams if standing else ():
            try:
                datastream = self._catalog.datastream(number)
            except NotFound:
                continue  # it was deleted, and is read as of an earlier moment
            of = self._catalog.observed_property(datastream.observed_property).key
            mine = [step for step in standing if step.speaks_of(number, datastream.thing, of)]
            if mine:
                found[number] = mine
        return found

    def review(self, row: Mapping[str, Any], signed: Signed) -> dict[str, Any] | None:
        """Return what people said of a row: the level it has reached, and the steps that changed it.

        Parameters
        ----------
        row : mapping
            The columns of the Observation; of one that nobody signed those that `document` reads are enough.
        signed : mapping
            As `signed` gives it.
        """
        document: dict[str, Any] = {}
        spoken = signed.get(row["datastream"]) if signed else None
        reached = None
        if spoken:
            moment = (row["phenomenon_time"] - _EPOCH) // timedelta(microseconds=1)
            reached = self._catalog.reviews.level(spoken, moment, row["commit"])
        if reached is not None:
            document |= {"level": reached.parameters["level"], "by": reached.actor, "at": format_time(reached.time)}
        steps = [self._catalog.reviews.step(number) for number in self.provenance(row["provenance"]).steps]
        if steps:
            document["steps"] = [
                {
                    "id": step.id,
                    "action": step.action,
                    "reason": step.reason,
                    "by": step.actor,
                    "at": format_time(step.time),
                }
                | ({"comment": step.comment} if step.comment else {})
                for step in steps
            ]
        return document or None

    def tests(self, number: int, digits: str | None) -> dict[str, int]:
        """Return each test's outcome by name; no digits: all passed."""
        names = self.provenance(number).tests
        if digits is None:
            return dict.fromkeys(names, 1)
        return {name: int(digit) for name, digit in zip(names, digits, strict=False)}

    def document(self, row: Mapping[str, Any], supplied: Any, api: str, signed: Signed | None = None) -> Any:  # noqa: ANN401 -- any JSON
        """Return the ``resultQuality`` of one row.

        Parameters
        ----------
        row : mapping
            The columns of the Observation.
        supplied : object
            What a client gave as resultQuality; None: nothing. It is the whole answer where no profile judges.
        api : str
            Root of the native API, for links.
        signed : mapping, optional
            The sign-offs, as `signed` gives them for the Datastreams of the answer.
        """
        made = self.provenance(row["provenance"])
        review = self.review(row, signed or {})
        if made.profile is None and supplied is not None and review is None:
            return supplied
        document: dict[str, Any] = {"flag": row["result_quality"]}
        if made.profile is not None:
            document["tests"] = self.tests(row["provenance"], row["tests"])
            document["profile"] = {
                "name": made.profile,
                "version": made.version,
                "id": made.profile_version,
                "href": f"{api}/profiles/{made.profile_version}",
            }
        if made.calibration is not None:
            document["calibration"] = {"id": made.calibration, "href": f"{api}/calibrations/{made.calibration}"}
        if review is not None:
            document["review"] = review
        if row["mark"] is not None:
            document["mark"] = row["mark"]
        if row["censored"]:
            document["censoring"] = _CENSORED[row["censored"]]
        if row["result_uncertainty"] is not None:
            document["uncertainty"] = {"standard": _short(row["result_uncertainty"]), "k": 1}
        if row["raw_result"] is not None:
            document["rawResult"] = row["raw_result"]
        if supplied is not None:
            document["supplied"] = supplied
        return document


def _short(number: float) -> float:
    """Return a float32 with the digits it has, not those that float64 adds."""
    return float(f"{number:.6g}")


def names_of_tests(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a stored profile version's tests, in the order of their digits.

    A database may give the keys of an object in another order than they were stored: `slots` has theirs.
    """
    slots = document.get("slots")
    return tuple(document.get("tests", ())) if slots is None else tuple(slots)
