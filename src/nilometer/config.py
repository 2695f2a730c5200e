"""``nilometer.toml``: what to listen to, which Things there are, and how their Datastreams are judged.

Reading it never touches a wire or a database. Every mistake is a `ConfigError` that names the file, the key, the value
seen and what would work.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from nilometer.config_derived import DefinitionConfig, DerivedConfig, InputConfig
from nilometer.config_fields import KEY_PATTERN, Key, Length, Seconds
from nilometer.errors import ConfigError
from nilometer.model.calibration_records import COMPANION_TOLERANCE_S, RENEWING, RecordKind, parse_every
from nilometer.model.entities import Origin, WaterBody

__all__ = [
    "EVENT_RULES",
    "CalibrationConfig",
    "ChannelConfig",
    "Config",
    "DatastreamConfig",
    "DefinitionConfig",
    "DerivedConfig",
    "EventRuleConfig",
    "InputConfig",
    "LoopConfig",
    "RateLimitConfig",
    "ReviewConfig",
    "ReviewLevelConfig",
    "ServerConfig",
    "SourceConfig",
    "StoreConfig",
    "ThingConfig",
    "UplinkConfig",
    "config_error",
    "load",
    "parse",
]


def _is_interval(text: str) -> str:
    parse_every(text)
    return text


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RateLimitConfig(_Section):
    """What each client, an address, may ask for; what is not given is not limited.

    `requests_per_s` are requests and MQTT messages, `bytes_per_s` bodies and answers together, `heavy_queries` those of
    many Observations at a time.
    """

    requests_per_s: float | None = Field(None, gt=0)
    bytes_per_s: float | None = Field(None, gt=0)
    heavy_queries: int | None = Field(None, ge=1)


class ServerConfig(_Section):
    """Where the server listens. Another address than loopback needs a token.

    `mqtt_port` is that of MQTT over TCP, 0: a free one; not given: 1883 where nobody has it (a free one where `port` is
    0). `origins` are those of other servers' pages that may use this one from a browser. `public_url` is how clients
    reach the server, for links in what MQTT tells. `rate_limit` is what one client may ask for.
    With `delete_by_filter`, ``DELETE /v1.1/Observations?$filter=…`` deletes what the filter chooses.
    """

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    token: str | None = Field(None, min_length=16)
    mqtt_port: Annotated[int, Field(ge=0, le=65535)] | Literal["off"] | None = None
    origins: list[Annotated[str, Field(pattern=r"^(\*|https?://[^\s/?#]+)$")]] = []
    public_url: str | None = Field(None, pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")
    delete_by_filter: bool = False
    rate_limit: RateLimitConfig = RateLimitConfig()


def _revisions_s_of(value: object) -> float | None:
    """Return how long revisions are kept, s; None: for ever."""
    if value == "forever":
        return None
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(d|y)", value) if isinstance(value, str) else None
    days = float(found[1]) * (365.25 if found[2] == "y" else 1.0) if found else 0.0
    if not 1 <= days <= 36_525:
        raise ValueError('"forever", or a time from "1 d" on, such as "90 d", "2 y"')
    return days * 86_400.0


class StoreConfig(_Section):
    """Where catalog and lake are, how the journal is sealed, and how long files are kept that left the lake."""

    catalog_url: str | None = None
    lake_url: str | None = None
    lake_options: dict[str, str] = {}
    keep_files: Seconds = 3600.0
    keep_revisions: Annotated[float | None, BeforeValidator(_revisions_s_of)] = None
    seal_every_s: float = Field(30.0, gt=0)
    seal_rows: int = Field(1_000_000, ge=1000)


class ThingConfig(_Section):
    """A station: its `location` is longitude and latitude in degrees; `names` are for screens, by language."""

    key: Key
    name: str
    names: dict[str, str] = {}
    description: str = ""
    water_body: WaterBody = WaterBody.OTHER
    target_class: str | None = None
    time_zone: str = "UTC"
    location: tuple[float, float] | None = None
    properties: dict[str, Any] = {}

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ConfigError("time_zone", seen=zone, allowed=available_timezones()) from None
        return zone

    @field_validator("location")
    @classmethod
    def _on_earth(cls, location: tuple[float, float] | None) -> tuple[float, float] | None:
        if location is not None and not (-180 <= location[0] <= 180 and -90 <= location[1] <= 90):
            raise ConfigError("location", seen=location, allowed="[longitude −180…180, latitude −90…90]")
        return location


class LoopConfig(_Section):
    """The range of a transmitter on a current loop: `lower` at 4 mA (or 0 mA, 1 V), `upper` at 20 mA (5 V), in `unit`.

    With `shunt_ohm` the channel is the voltage across so many ohm (``1-5V``: across 250). `valid_from` dates a range.
    """

    signal: Literal["4-20mA", "0-20mA", "1-5V"] = "4-20mA"
    lower: float
    upper: float
    unit: str
    shunt_ohm: Annotated[float, Field(gt=0)] | None = None
    valid_from: str | None = None

    @field_validator("upper")
    @classmethod
    def _spans(cls, upper: float, info: ValidationInfo) -> float:
        if upper == info.data.get("lower"):
            raise ConfigError("upper", seen=upper, allowed="a value other than `lower`")
        return upper


class CalibrationConfig(_Section):
    """How often it is calibrated, and what is accepted (docs/calibration.md); empty: no longer.

    `every`, such as "30 d", counts from the last sound record of a kind in `renewed_by`. `limit` is the largest
    accepted deviation in the Datastream's unit, `limit_percent` in percent of the assigned value: of both the larger.
    `companion_tolerance`: how old the value of another Datastream may be that a certificate asks for.
    """

    every: Annotated[str, AfterValidator(_is_interval)] | None = None
    renewed_by: tuple[RecordKind, ...] = Field(RENEWING, min_length=1)
    limit: float | None = Field(None, gt=0, allow_inf_nan=False)
    limit_percent: float | None = Field(None, gt=0, allow_inf_nan=False)
    companion_tolerance: Seconds = COMPANION_TOLERANCE_S


class ChannelConfig(_Section):
    """What one channel of a source becomes; all is optional where the driver or the instrument file already knows.

    `qc` changes single thresholds of the profile, in the spelling of a profile's file. `retention` (such as ``5 y``,
    ``18 months``, ``90 d``; ``forever`` takes it back) says how long rows are kept; signed ones only go with
    `retention_signed`. `calibration` says how often it is calibrated. `loop`: its raw result is the current of a
    transmitter (docs/current_loop.md).
    """

    property: str | None = None
    datastream: Key | None = None
    unit: str | None = None
    raw_unit: str | None = None
    profile: str | None = None
    qc: dict[str, Any] = {}
    name: str | None = None
    ignore: bool = False
    loop: LoopConfig | None = None
    calibrations: tuple[dict[str, Any], ...] = ()
    calibration: CalibrationConfig = CalibrationConfig()
    retention: Length | None = None
    retention_signed: bool = False


class SourceConfig(_Section):
    """One instrument, bus or listener: a driver with its options, and the Thing its channels belong to.

    `things` gives the Thing by device where one source carries several (HJ 212: the MN). `profiles` names the folder of
    QC profiles to take by property (default: the water body of the Thing). `calibration` holds for every channel that
    has none of its own. `discover` lets channels that no table names
    become Datastreams of their own.
    """

    name: Key
    driver: str
    thing: Key
    things: dict[str, Key] = {}
    options: dict[str, Any] = {}
    origin: Origin = Origin.INSTRUMENT
    profiles: str | None = None
    discover: bool = True
    channels: dict[str, ChannelConfig] = {}
    calibration: CalibrationConfig | None = None
    sensor: dict[str, Any] = {}


class DatastreamConfig(_Section):
    """A Datastream that no source feeds: filled by HTTP, by files, by hand; the rest as in `ChannelConfig`."""

    key: Key
    thing: Key
    property: str
    name: str | None = None
    unit: str | None = None
    raw_unit: str | None = None
    profile: str | None = None
    qc: dict[str, Any] = {}
    origin: Origin = Origin.INSTRUMENT
    mark_scheme: str | None = None
    identity: str = Field("time", pattern="^(time|always_new)$")
    calibrations: tuple[dict[str, Any], ...] = ()
    calibration: CalibrationConfig = CalibrationConfig()
    retention: Length | None = None
    retention_signed: bool = False


class UplinkConfig(_Section):
    """One receiver of what is measured: its kind with its options, and the Things it gets (none: all)."""

    name: Key
    receiver: str
    things: tuple[Key, ...] = ()
    options: dict[str, Any] = {}


class ReviewLevelConfig(_Section):
    """One level of review, lowest first; `names` are for screens, by language."""

    key: Key
    names: dict[str, str] = {}


class ReviewConfig(_Section):
    """Manual review: its levels, the reasons that a step may have, and whether two people must sign.

    `reasons` adds to those that are always there. With `four_eyes` nobody signs a level who signed the one before.
    """

    levels: tuple[ReviewLevelConfig, ...] = (
        ReviewLevelConfig(key="raw", names={"en": "raw", "zh": "原始"}),
        ReviewLevelConfig(key="first", names={"en": "first review", "zh": "初审"}),
        ReviewLevelConfig(key="second", names={"en": "second review", "zh": "复审"}),
    )
    reasons: dict[Key, str] = {}
    four_eyes: bool = False

    @field_validator("levels", mode="before")
    @classmethod
    def _bare_keys(cls, levels: Any) -> Any:  # noqa: ANN401 -- as read
        return [{"key": one} if isinstance(one, str) else one for one in levels] if isinstance(levels, list) else levels

    @field_validator("levels")
    @classmethod
    def _distinct(cls, levels: tuple[ReviewLevelConfig, ...]) -> tuple[ReviewLevelConfig, ...]:
        keys = [level.key for level in levels]
        if len(keys) < 2 or len(set(keys)) < len(keys):
            raise ConfigError("levels", seen=keys, allowed="two or more different keys, the lowest level first")
        return levels


class EventRuleConfig(_Section):
    """What events of one kind do to flags.

    `flag` is given to the rows of the span and of `margin` (such as "30 min") after it, where it is worse than what
    they have; none: the event is only noted. `properties` narrows it to these observed properties.
    """

    flag: Literal["none", "not_evaluated", "suspect", "fail", "missing"] = "none"
    margin: str | float = 0
    properties: tuple[str, ...] = ()
    names: dict[str, str] = {}


EVENT_RULES: dict[str, EventRuleConfig] = {
    "maintenance": EventRuleConfig(flag="fail", names={"en": "maintenance", "zh": "维护"}),
    "cleaning": EventRuleConfig(flag="fail", names={"en": "cleaning", "zh": "清洗"}),
    "check_sample": EventRuleConfig(flag="fail", names={"en": "check sample", "zh": "标样核查"}),
    "calibration": EventRuleConfig(flag="fail", names={"en": "calibration", "zh": "校准"}),
}
"""The kinds of events that are always there; ``[events.KIND]`` changes one or adds another."""


class Config(_Section):
    """The whole of ``nilometer.toml``."""

    server: ServerConfig = ServerConfig()
    store: StoreConfig = StoreConfig()
    things: tuple[ThingConfig, ...] = Field((), alias="thing")
    sources: tuple[SourceConfig, ...] = Field((), alias="source")
    datastreams: tuple[DatastreamConfig, ...] = Field((), alias="datastream")
    derived: tuple[DerivedConfig, ...] = ()
    review: ReviewConfig = ReviewConfig()
    events: dict[Key, EventRuleConfig] = {}
    uplinks: tuple[UplinkConfig, ...] = Field((), alias="uplink")


def load(path: Path) -> Config:
    """Read a configuration file.

    Parameters
    ----------
    path : path
        ``nilometer.toml``.

    Returns
    -------
    Config
        As written, checked.

    Raises
    ------
    ConfigError
        If the file is absent, is not TOML, or says what cannot be.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError("file", seen=str(path), reason="there is no such file") from None
    except OSError as error:
        raise ConfigError("file", seen=str(path), reason=error.strerror or str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("TOML", file=path, reason=str(error)) from error
    return parse(content, file=path)


def parse(content: Mapping[str, Any], *, file: Path | None = None) -> Config:
    """Check a configuration that was already read; see `load`."""
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise config_error(error, Config, file=file) from error
    _check_references(config, file)
    return config


def config_error(
    error: ValidationError, model: type[BaseModel], *, file: Path | None = None, at: str = ""
) -> ConfigError:
    """Return the first complaint of pydantic as a `ConfigError`.

    Parameters
    ----------
    error : ValidationError
        What pydantic says.
    model : type of BaseModel
        What was validated: its field names are the near names of an unknown key.
    file : path, optional
        Where it was read.
    at : str
        The key under which the model stands, such as ``source[0].options``.

    Returns
    -------
    ConfigError
        To be raised.
    """
    # A misspelt key is both unknown and missing: the unknown one is what its writer looks for.
    first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    place = at
    for step in first["loc"]:
        place += f"[{step}]" if isinstance(step, int) else f"{'.' if place else ''}{step}"
    if first["type"] == "extra_forbidden":
        return ConfigError(
            place, allowed=_fields_at(model, first["loc"]), file=file, reason="unknown key", seen=first["loc"][-1]
        )
    cause = (first.get("ctx") or {}).get("error")
    if isinstance(cause, ConfigError):
        return ConfigError(
            place or cause.key, seen=cause.seen, allowed=cause.near or cause.allowed, file=file, reason=cause.reason
        )
    seen = None if first["type"] == "missing" or isinstance(first["input"], BaseModel) else first["input"]
    if first["type"] == "string_pattern_mismatch" and first["ctx"]["pattern"] == KEY_PATTERN:
        return ConfigError(place, seen=seen, file=file, allowed="a letter first, then letters, digits and _ . - /")
    if first["type"] == "enum":
        names = [name.strip("'") for name in first["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        return ConfigError(place, seen=seen, file=file, allowed=names)
    reason = first["msg"].removeprefix("Value error, ").replace("a valid tuple", "an array")
    # What is wrong between the settings of a section is told by the reason; the whole section says nothing more.
    if "token" in first["loc"] or (first["type"] == "value_error" and isinstance(seen, dict)):
        seen = None
    return ConfigError(place, seen=seen, file=file, reason=reason[0].lower() + reason[1:])


def _fields_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    here: Any = model
    for step in location[:-1]:
        if isinstance(step, int):
            continue
        field = next((f for name, f in here.model_fields.items() if step in {name, f.alias}), None)
        if field is None:
            continue
        inner = _models_in(field.annotation)
        here = inner[0] if inner else here
    return [field.alias or name for name, field in here.model_fields.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:  # noqa: ANN401 -- any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _models_in(part)]


def _check_references(config: Config, file: Path | None) -> None:
    things = [thing.key for thing in config.things]
    _unique("thing", things, file)
    _unique("source", [source.name for source in config.sources], file)
    _unique("datastream", [datastream.key for datastream in config.datastreams], file)
    _unique("derived", [derived.key for derived in config.derived], file)
    _unique("uplink", [uplink.name for uplink in config.uplinks], file)
    for index, uplink in enumerate(config.uplinks):
        for key in uplink.things:
            if key not in things:
                raise ConfigError(
                    f"uplink[{index}].things", seen=key, allowed=things, file=file, reason="no such thing"
                )
    for index, source in enumerate(config.sources):
        for place, key in [
            ("thing", source.thing),
            *((f"things.{device}", key) for device, key in source.things.items()),
        ]:
            if key not in things:
                raise ConfigError(
                    f"source[{index}].{place}", seen=key, allowed=things, file=file, reason="no such thing"
                )
    filled = [(f"datastream[{index}].thing", one.thing) for index, one in enumerate(config.datastreams)]
    filled += [(f"derived[{index}].thing", one.thing) for index, one in enumerate(config.derived)]
    for place, key in filled:
        if key not in things:
            raise ConfigError(place, seen=key, allowed=things, file=file, reason="no such thing")


def _unique(kind: str, names: Sequence[str], file: Path | None) -> None:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError(f"{kind}[{index}]", seen=name, file=file, reason="this name is taken twice")
