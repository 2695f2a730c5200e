"""``resultQuality`` of an Observation: the flag, the tests behind it, the mark, the uncertainty, where they come from.

The JSON model is drawn in ``docs/formats/result_quality.md``. Members that say nothing are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from nilometer.errors import NotFound
from nilometer.store import Catalog

__all__ = ["PARAMETER_PREFIX", "Evidence", "Provenance", "split_extra"]

PARAMETER_PREFIX = "@"
"""Members of `extra` that begin so are not parameters: ``@result``, ``@resultQuality``, ``@validTime``."""

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
    """What made a row: the calibration, the profile version with its tests in order, the source, the code."""

    calibration: int | None
    profile_version: int | None
    profile: str | None
    version: str | None
    tests: tuple[str, ...]
    source: str
    code_version: str


class Evidence:
    """What provenance rows say, remembered.

    Parameters
    ----------
    catalog : Catalog
        Where they are kept; they never change.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[int, Provenance] = {}

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
        if row.profile_version is None:
            return Provenance(row.calibration, None, None, None, (), row.source, row.code_version)
        version = self._catalog.profile_version_row(row.profile_version)
        return Provenance(
            row.calibration,
            row.profile_version,
            version.name,
            version.version,
            names_of_tests(version.document),
            row.source,
            row.code_version,
        )

    def tests(self, number: int, digits: str | None) -> dict[str, int]:
        """Return each test's outcome by name; no digits: all passed."""
        names = self.provenance(number).tests
        if digits is None:
            return dict.fromkeys(names, 1)
        return {name: int(digit) for name, digit in zip(names, digits, strict=False)}

    def document(self, row: Mapping[str, Any], supplied: Any, api: str) -> Any:  # noqa: ANN401 -- any JSON
        """Return the ``resultQuality`` of one row.

        Parameters
        ----------
        row : mapping
            The columns of the Observation.
        supplied : object
            What a client gave as resultQuality; None: nothing. It is the whole answer where no profile judges.
        api : str
            Root of the native API, for links.
        """
        made = self.provenance(row["provenance"])
        if made.profile is None and supplied is not None:
            return supplied
        document: dict[str, Any] = {"flag": row["result_quality"]}
        if made.profile is not None:
            document["tests"] = self.tests(row["provenance"], row["tests"])
            document["profile"] = {
                "name": made.profile,
                "version": made.version,
                "href": f"{api}/profiles/{made.profile_version}",
            }
        if made.calibration is not None:
            document["calibration"] = {"id": made.calibration, "href": f"{api}/calibrations/{made.calibration}"}
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
    """Return the names of a profile document's tests, in the order of their digits."""
    tests = document.get("tests", ())
    if isinstance(tests, Mapping):
        return tuple(tests)
    return tuple(test["name"] if isinstance(test, Mapping) else str(test) for test in tests)
