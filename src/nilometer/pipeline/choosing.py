"""Which profile judges a Datastream: the configuration's, else the site's, else the one of its water.

What the configuration changes of a profile (``qc = {...}``) is kept with the Datastream, and the profile is then called
after both (``river/ph@mill-race/ph``): that name and its digest are in the provenance of every row.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from nilometer.config import ChannelConfig, DatastreamConfig
from nilometer.model import Datastream, WaterBody
from nilometer.model.retention import FOREVER
from nilometer.qc.profile import Profile, SlottedTest
from nilometer.qc.shelf import Shelf

__all__ = ["changes_of", "chosen", "default_profile", "with_inputs", "with_inputs_name"]


INPUTS = frozenset({"inputs"})


def default_profile(
    shelf: Shelf, *, datastream: str, thing: str, water_body: WaterBody | str, property_key: str, folder: str | None
) -> str | None:
    """Return the profile of a Datastream that names none, or None when there is none.

    Parameters
    ----------
    shelf : Shelf
        The profiles there are.
    datastream, thing, property_key : str
        Keys.
    water_body : WaterBody
        Of the Thing.
    folder : str or None
        Where its source wants profiles to be taken from.
    """
    site = shelf.site(datastream, thing, property_key)
    if site is not None:
        return site
    names = [f"{place}/{property_key}" for place in (folder, str(water_body), "river") if place]
    return next((name for name in names if name in shelf.profiles.items), None)


def changes_of(datastream: Datastream) -> dict[str, Any]:
    """Return what is changed of the Datastream's profile for it alone."""
    return dict(datastream.properties.get("nilometer", {}).get("qc", {}))


def with_inputs_name(profile: str | None) -> str:
    """Return what the profile of a derived Datastream is called; None: it has no tests of its own."""
    return f"{profile}+inputs" if profile else "inputs"


def with_inputs(profile: Profile | None) -> Profile:
    """Return what judges a derived Datastream: first what its inputs were flagged, then its own profile.

    The test is required, so that no value is PASS of which an input is not; it takes the first digit of `tests`.
    """
    inputs = SlottedTest("inputs", "inputs", {})
    if profile is None:
        return Profile(
            name=with_inputs_name(None), title="What the inputs were flagged", required=INPUTS, tests=(inputs,)
        )
    own = tuple(test for test in profile.tests if test.name != inputs.name)
    tests, required = (inputs, *own), profile.required | INPUTS
    return replace(profile, name=with_inputs_name(profile.name), required=required, tests=tests)


def chosen(datastream: Datastream, part: ChannelConfig | DatastreamConfig, thing: str, shelf: Shelf) -> Datastream:
    """Return a Datastream with the profile that its configuration and its site say, and how long its rows are kept.

    What the configuration leaves unsaid stays: changes are taken back by an empty ``qc``, a retention by ``forever``,
    an interval of calibration by an empty ``calibration``.
    """
    ours = dict(datastream.properties.get("nilometer", {}))
    profile = Shelf.unchanged_name(datastream.profile or "")
    site = shelf.site(datastream.key, thing, str(ours.get("property", "")))
    if part.profile is not None:
        profile = part.profile
    elif site is not None:
        profile = site
    _take_over(ours, part)
    if ours.get("qc") and profile:
        profile = Shelf.changed_name(profile, datastream.key)
    return replace(datastream, profile=profile or None, properties={**datastream.properties, "nilometer": ours})


def _take_over(ours: dict[str, Any], part: ChannelConfig | DatastreamConfig) -> None:
    """Note what a configuration says of changes of the profile, of retention, and of calibration."""
    said = part.model_fields_set
    if "qc" in said:
        ours["qc"] = part.qc
    for name in ("retention", "retention_signed"):
        if name in said:
            ours[name] = getattr(part, name)
    if "calibration" in said:
        ours["calibration"] = part.calibration.model_dump(mode="json", exclude_unset=True)
    if ours.get("retention") == FOREVER:
        ours.pop("retention")
        ours.pop("retention_signed", None)
    for name in ("qc", "calibration"):
        if not ours.get(name):
            ours.pop(name, None)
