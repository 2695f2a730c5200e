"""What the stages would refuse, found before anything is started: profiles, units, calibrations, instruments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from nilometer import plugins, units
from nilometer.acquisition.current_loop import expanded
from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions
from nilometer.calibration.certificate import Calibration
from nilometer.config import ChannelConfig, Config, DatastreamConfig, SourceConfig, ThingConfig, config_error
from nilometer.errors import CalibrationError, ConfigError, UnitError
from nilometer.model.properties import vocabulary
from nilometer.pipeline.choosing import default_profile
from nilometer.pipeline.derived_plan import check_derived, datastream_of
from nilometer.pipeline.log import Log
from nilometer.qc.marks import schemes
from nilometer.qc.shelf import Shelf
from nilometer.qc.thresholds import Place

__all__ = ["check_config", "check_datastream", "check_derived_of", "check_source", "drivers"]

_log = Log(__name__)


def drivers() -> plugins.Found[DriverInfo]:
    """Return every driver that is installed, by name."""
    return plugins.constants("nilometer.drivers", "DRIVER", DriverInfo)


def check_config(
    config: Config, clock: Clock, *, file: Path | None = None, shelf: Shelf | None = None
) -> list[tuple[SourceConfig, DriverInfo, DriverOptions]]:
    """Return every source with its driver and options, or refuse the configuration; see `check_source`."""
    shelf = Shelf.beside(file) if shelf is None else shelf
    things = {thing.key: thing for thing in config.things}
    checked = [
        (source, *check_source(source, f"source[{index}]", clock, file=file, shelf=shelf, things=things))
        for index, source in enumerate(config.sources)
    ]
    for index, datastream in enumerate(config.datastreams):
        thing = things.get(datastream.thing)
        check_datastream(datastream, f"datastream[{index}]", file=file, shelf=shelf, thing=thing)
    check_derived_of(config, file=file)
    _check_computed(config, file)
    for index, derived in enumerate(config.derived):
        at, thing = f"derived[{index}]", things.get(derived.thing)
        check_datastream(datastream_of(derived, at, file=file), at, file=file, shelf=shelf, thing=thing)
    return checked


def check_derived_of(config: Config, *, file: Path | None = None) -> None:
    """Refuse derived Datastreams that cannot be, as far as the configuration tells; see `check_derived`."""
    check_derived(config.derived, _known_units(config).get, file=file)


def _check_computed(config: Config, file: Path | None) -> None:
    """Refuse keys that somebody sends rows for and that are derived as well."""
    sent = [(f"datastream[{index}].key", one.key) for index, one in enumerate(config.datastreams)]
    for index, source in enumerate(config.sources):
        at = f"source[{index}].channels"
        sent += [(f"{at}.{name}.datastream", one.datastream) for name, one in source.channels.items() if one.datastream]
    derived = {one.key for one in config.derived}
    for at, key in sent:
        if key in derived:
            reason = "it is derived, so its rows are computed; give one of the two another key"
            raise ConfigError(at, seen=key, file=file, reason=reason)


def _known_units(config: Config) -> dict[str, str]:
    """Return the units of those Datastreams by key of which the configuration alone says them."""
    parts: list[tuple[str, ChannelConfig | DatastreamConfig]] = [(one.key, one) for one in config.datastreams]
    for source in config.sources:
        parts += [(one.datastream, one) for one in source.channels.values() if one.datastream is not None]
    terms = vocabulary()
    found: dict[str, str] = {}
    for key, part in parts:
        term = terms.get(part.property or "")
        unit = part.unit or (term.unit if term is not None and part.raw_unit is None else None)
        if unit is not None:
            found[key] = unit
    return found


def check_source(
    source: SourceConfig,
    at: str,
    clock: Clock,
    *,
    file: Path | None = None,
    shelf: Shelf | None = None,
    things: Mapping[str, ThingConfig] = MappingProxyType({}),
) -> tuple[DriverInfo, DriverOptions]:
    """Return the driver of a source and its options.

    Parameters
    ----------
    source : SourceConfig
        As configured.
    at : str
        Where it stands, such as ``source[0]``.
    clock : callable
        Given to a driver that is made for a try, and let go.
    file : path, optional
        Named in messages.
    shelf : Shelf, optional
        The profiles there are; None: the installed ones.
    things : mapping of str to ThingConfig
        The Things of the configuration by key.

    Raises
    ------
    ConfigError
        For an unknown driver, option, instrument, profile or unit, or a calibration that cannot be read.
    """
    found = drivers()
    if source.driver not in found.items:
        reason = found.broken.get(source.driver, "no such driver")
        raise ConfigError(f"{at}.driver", seen=source.driver, allowed=found.items, file=file, reason=reason)
    info = found.items[source.driver]
    try:
        options = info.options.model_validate(source.options)
    except ValidationError as error:
        raise config_error(error, info.options, file=file, at=f"{at}.options") from error
    try:
        info.make(options, clock)
    except ConfigError as error:
        raise _placed(error, f"{at}.options.{error.key}", file) from error
    except Exception as error:  # noqa: BLE001 -- a stranger's driver; as a source it will be seen as broken
        _log.warning("driver cannot be made", source=source.name, driver=info.name, error=str(error))
    scheme = info.mark_scheme(options) if info.mark_scheme is not None else None
    if scheme is not None and scheme not in schemes():
        raise ConfigError(f"{at}.options.mark_scheme", seen=scheme, allowed=schemes(), file=file)
    shelf = Shelf() if shelf is None else shelf
    folders = {name.partition("/")[0] for name in shelf.profiles.items}
    if source.profiles is not None and source.profiles not in folders:
        raise ConfigError(f"{at}.profiles", seen=source.profiles, allowed=folders, file=file, reason="no such folder")
    for key, configured in source.channels.items():
        channel = expanded(configured)
        thing = things.get(source.thing)
        profile = channel.profile
        if profile is None and channel.property is not None and thing is not None:
            named = channel.datastream or f"{thing.key}/{channel.property}"
            profile = _default(shelf, thing, named, channel.property, source.profiles)
        _check(channel, channel.property, f"{at}.channels.{key}", file, shelf, profile)
    return info, options


def check_datastream(
    datastream: DatastreamConfig,
    at: str,
    *,
    file: Path | None = None,
    shelf: Shelf | None = None,
    thing: ThingConfig | None = None,
) -> None:
    """Refuse a Datastream whose profile, units, marks or calibrations cannot be; see `check_source`."""
    if datastream.mark_scheme is not None and datastream.mark_scheme not in schemes():
        raise ConfigError(f"{at}.mark_scheme", seen=datastream.mark_scheme, allowed=schemes(), file=file)
    shelf = Shelf() if shelf is None else shelf
    profile = datastream.profile
    if profile is None and thing is not None:
        profile = _default(shelf, thing, datastream.key, datastream.property, None)
    _check(datastream, datastream.property, at, file, shelf, profile)


def _default(shelf: Shelf, thing: ThingConfig, datastream: str, property_key: str, folder: str | None) -> str:
    """Return the profile that a part gets when it names none, or nothing."""
    names = {"datastream": datastream, "thing": thing.key, "property_key": property_key}
    return default_profile(shelf, water_body=thing.water_body, folder=folder, **names) or ""


def _check(
    part: ChannelConfig | DatastreamConfig,
    property_key: str | None,
    at: str,
    file: Path | None,
    shelf: Shelf,
    profile: str | None,
) -> None:
    term = vocabulary().get(property_key or "")
    unit = _unit(part.unit, f"{at}.unit", file)
    raw_unit = _unit(part.raw_unit, f"{at}.raw_unit", file) or unit
    if unit is None and term is not None and (raw_unit is None or units.same_dimension(raw_unit, term.unit)):
        unit = term.unit
    leads = bool(part.calibrations)  # A calibration may lead from mV to mg/L; no unit conversion does.
    if unit is not None and raw_unit is not None and not leads and not units.same_dimension(raw_unit, unit):
        reason = f"raw results in {raw_unit} cannot become {unit}"
        raise ConfigError(f"{at}.unit", seen=part.unit, file=file, reason=reason)
    _check_profile(part.profile, unit, f"{at}.profile", file, shelf)
    if part.profile is None and profile in shelf.local:
        # A site's own profile that is broken stops the start; the water's would judge by what the site did not mean.
        _check_profile(profile, unit, f"{at}.profile", file, shelf)
    if part.qc and profile is not None:
        _check_changes(profile, part, at, file, shelf)
    _check_calibrations(part.calibrations, f"{at}.calibrations", file)


def _unit(text: str | None, at: str, file: Path | None) -> str | None:
    try:
        return None if text is None else units.canonical(text)
    except UnitError as error:
        raise ConfigError(at, seen=text, file=file, reason=str(error)) from error


def _check_changes(
    profile: str, part: ChannelConfig | DatastreamConfig, at: str, file: Path | None, shelf: Shelf
) -> None:
    """Refuse changes of a profile that cannot be, or that have no profile to change."""
    place = Place("" if file is None else str(file), f"{at}.qc")
    if not profile:
        raise ConfigError(f"{at}.qc", file=file, reason="no profile judges this Datastream; name the one to change")
    shelf.effective(profile, part.qc, place)


def _check_profile(name: str | None, unit: str | None, at: str, file: Path | None, shelf: Shelf) -> None:
    if not name:
        return
    try:
        profile = shelf[name]
    except ConfigError as error:
        raise _placed(error, at, file, seen=name) from error
    if profile.unit and unit is not None and not units.same_dimension(profile.unit, unit):
        reason = f"this profile judges {profile.unit}, and the results are in {unit}"
        raise ConfigError(at, seen=name, file=file, reason=reason)


def _check_calibrations(documents: Iterable[dict[str, Any]], at: str, file: Path | None) -> None:
    for index, document in enumerate(documents):
        try:
            Calibration.from_document(document)
        except CalibrationError as error:
            raise ConfigError(f"{at}[{index}]", file=file, reason=str(error)) from error


def _placed(error: ConfigError, at: str, file: Path | None, *, seen: object = None) -> ConfigError:
    """Return a stage's error with the place in the configuration that led to it."""
    allowed = error.near or error.allowed
    inner = f"{error.file}: {error.key}: " if error.file else ""
    return ConfigError(
        at,
        seen=error.seen if seen is None else seen,
        allowed=allowed,
        file=file,
        reason=f"{inner}{error.reason}".removesuffix(": "),
    )
