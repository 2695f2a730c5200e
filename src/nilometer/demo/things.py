"""The demo's three Things as data: names, places, what they measure, and the water each stands in.

They are modelled, and their names say so. The river and the works are invented and stand at plausible places in China;
the buoy floats where its tide is real.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from nilometer.demo.instruments import ANALYSERS, MARINE, OUTFALL, SONDE
from nilometer.demo.modelled import ModelledFeed
from nilometer.demo.probes import Probes
from nilometer.demo.river import RiverWater
from nilometer.demo.sea import SeaWater
from nilometer.demo.works import WorksWater
from nilometer.model.entities import WaterBody
from nilometer.model.properties import vocabulary

__all__ = ["BUOY", "DISCHARGE", "RIVER", "THINGS", "DemoThing", "feed_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoThing:
    """One Thing of the demo.

    Parameters
    ----------
    key : str
        In configuration and addresses.
    names, descriptions : mapping of str to str
        By language, ``en`` and ``zh``.
    location : tuple of float
        degree_east, degree_north.
    water_body : WaterBody
        The kind of water.
    target_class : str, optional
        The class to be met.
    time_zone : str
        IANA name.
    properties : tuple of str
        Vocabulary keys in the order of display; units are the vocabulary's.
    cyclic : tuple of str
        Those of them that come from analysers' cycles.
    protocol : str
        The driver it is read by: ``modbus_tcp``, ``nmea0183``, ``hj212``.
    instrument : str, optional
        The instrument file, for Modbus.
    interval_s : float
        From reading to reading, in the demo's time.
    device : str
        The station's identifier on the wire, for HJ 212.
    """

    key: str
    names: Mapping[str, str]
    descriptions: Mapping[str, str]
    location: tuple[float, float]
    water_body: WaterBody
    target_class: str | None
    time_zone: str
    properties: tuple[str, ...]
    cyclic: tuple[str, ...] = ()
    protocol: str
    instrument: str | None = None
    interval_s: float = 60.0
    device: str = ""

    def units(self) -> dict[str, str]:
        """Return the unit of each property."""
        return {key: vocabulary()[key].unit for key in self.properties}


RIVER = DemoThing(
    key="qingxi-bridge",
    names={"en": "Qingxi River at the bridge (modelled)", "zh": "清溪河大桥断面（模拟）"},
    descriptions={
        "en": "Nine-parameter automatic station on an invented lowland river; modelled water, real protocol.",
        "zh": "虚构平原河流上的九参数水质自动站；水质由模型生成，通信采用真实协议。",
    },
    location=(119.95, 30.05),
    water_body=WaterBody.RIVER,
    target_class="III",
    time_zone="Asia/Shanghai",
    properties=(
        "water_temperature", "ph", "dissolved_oxygen", "conductivity_25", "turbidity_ntu", "codmn", "nh3_n",
        "total_phosphorus", "total_nitrogen",
    ),
    cyclic=("codmn", "nh3_n", "total_phosphorus", "total_nitrogen"),
    protocol="modbus_tcp",
    instrument="river_station",
)  # fmt: skip

BUOY = DemoThing(
    key="vlissingen-buoy",
    names={"en": "Buoy off Vlissingen (modelled)", "zh": "弗利辛恩外海浮标（模拟）"},
    descriptions={
        "en": "Marine buoy in the mouth of the Westerschelde: the port's real tide, modelled weather.",
        "zh": "西斯海尔德河口海洋浮标：潮汐采用该港真实调和常数，气象由模型生成。",
    },
    location=(3.53, 51.41),
    water_body=WaterBody.SEA,
    target_class=None,
    time_zone="Europe/Amsterdam",
    properties=(
        "depth_below_transducer", "water_temperature", "salinity", "flow_velocity", "current_direction",
        "significant_wave_height", "wind_speed", "wind_direction", "air_temperature", "air_pressure",
    ),
    protocol="nmea0183",
)  # fmt: skip

DISCHARGE = DemoThing(
    key="binhe-outfall",
    names={"en": "Binhe treatment works, outfall (modelled)", "zh": "滨河污水处理厂总排口（模拟）"},
    descriptions={
        "en": "Outfall of an invented treatment works, uploading by HJ 212-2017; modelled effluent.",
        "zh": "虚构污水处理厂的总排口，按 HJ 212-2017 联网上传；出水由模型生成。",
    },
    location=(113.32, 23.08),
    water_body=WaterBody.WASTE_WATER,
    target_class=None,
    time_zone="Asia/Shanghai",
    properties=(
        "flow_rate", "ph", "water_temperature", "codcr", "nh3_n", "total_phosphorus", "total_nitrogen",
    ),
    protocol="hj212",
    device="88888880000001",
)  # fmt: skip

THINGS: tuple[DemoThing, ...] = (RIVER, BUOY, DISCHARGE)


def feed_of(thing: str | DemoThing) -> ModelledFeed:
    """Return the modelled water of a Thing, by key or itself, seen through its instruments; always the same object.

    Raises
    ------
    KeyError
        If the demo has no such Thing.
    """
    return _feed(thing if isinstance(thing, str) else thing.key)


@cache
def _feed(key: str) -> ModelledFeed:
    return _FEEDS[key]()


def _river() -> ModelledFeed:
    water = RiverWater()
    probes = Probes(
        water=water.at, probes=SONDE, seed="river", cleaned_every_days=7.0, fault_mark="fault",
        maintenance_mark="maintenance",
    )  # fmt: skip
    return ModelledFeed(water.at, probes, ANALYSERS)


def _buoy() -> ModelledFeed:
    water = SeaWater()
    return ModelledFeed(water.at, Probes(water=water.at, probes=MARINE, seed="sea"), ())


def _works() -> ModelledFeed:
    water = WorksWater()
    # HJ 212: N, works normally; B, the line to the logger is broken; M, made during maintenance.
    probes = Probes(
        water=water.at, probes=OUTFALL, seed="works", cleaned_every_days=7.0, normal_mark="N", fault_mark="B",
        maintenance_mark="M",
    )  # fmt: skip
    return ModelledFeed(water.at, probes, ())


_FEEDS = {RIVER.key: _river, BUOY.key: _buoy, DISCHARGE.key: _works}
