"""Answers of public networks to rows: values a second, beside pandas, which is what a script would take.

    python benchmarks/wire_public.py [--days 30] [--rounds 3]

Documents are those of the virtual services: one station, a value every 6 min. Ours: bytes to values with units,
properties, marks and times (µs UTC). Peer: the same bytes to a DataFrame with a UTC index (json + pandas for the JSON
services, ``read_csv`` for NDBC), which knows no units, properties or marks. Best of the rounds, no network.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from collections.abc import Callable

import pandas as pd

from nilometer.acquisition.protocols import ndbc, noaa_coops, sensorthings, usgs
from nilometer.acquisition.simulators import simulators
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.web_service import Asked, VirtualService

NOW = 1_767_225_600_000_000
DAY = 86_400_000_000
WATER = ConstantFeed(
    {"water_temperature": 18.5, "ph": 7.4, "dissolved_oxygen": 8.1, "water_level": 1.25, "salinity": 31.0}
)


def asked(name: str, path: str, **query: str) -> bytes:
    service: VirtualService = simulators()[name].make(None, WATER, lambda: NOW, [])
    return service._answer(Asked(path, query), service._moments).body


def iso(time_us: int) -> str:
    return pd.Timestamp(time_us, unit="us", tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ")


def by_pandas_usgs(body: bytes) -> pd.DataFrame:
    frames = []
    for series in json.loads(body)["value"]["timeSeries"]:
        frame = pd.DataFrame(series["values"][0]["value"])
        frame["value"] = pd.to_numeric(frame["value"])
        frames.append(frame.set_index(pd.to_datetime(frame["dateTime"], utc=True)))
    return pd.concat(frames)


def by_pandas_coops(body: bytes) -> pd.DataFrame:
    frame = pd.DataFrame(json.loads(body)["data"])
    frame["v"] = pd.to_numeric(frame["v"])
    return frame.set_index(pd.to_datetime(frame["t"], utc=True))


def by_pandas_ndbc(body: bytes) -> pd.DataFrame:
    frame = pd.read_csv(io.BytesIO(body), sep=r"\s+", skiprows=[1], na_values=["MM"])
    frame.columns = ["year", "month", "day", "hour", "minute", *frame.columns[5:]]
    return frame.set_index(pd.to_datetime(frame[["year", "month", "day", "hour", "minute"]], utc=True))


def by_pandas_sensorthings(body: bytes) -> pd.DataFrame:
    frame = pd.DataFrame(json.loads(body)["value"])
    return frame.set_index(pd.to_datetime(frame["phenomenonTime"], utc=True))


def best(call: Callable[[bytes], object], body: bytes, rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        call(body)
        taken.append(time.perf_counter() - began)
    return min(taken)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--days", type=int, default=30)
    options.add_argument("--rounds", type=int, default=3)
    wanted = options.parse_args()
    since, until = NOW - wanted.days * DAY, NOW
    span = {"begin_date": iso(since)[:16].replace("-", "").replace("T", " "), "end_date": "20260101 00:00"}
    stream = sensorthings.Stream(1, "1/1", "", "degree_Celsius", "water_temperature")
    question = f"phenomenonTime ge {iso(since)} and phenomenonTime le {iso(until)}"
    pages = simulators()["sensorthings"].make(None, WATER, lambda: NOW, [], page_size=1_000_000)
    observations = pages._answer(
        Asked("/FROST-Server/v1.1/Datastreams(1)/Observations", {"$filter": question, "$top": "1000000"}),
        pages._moments,
    ).body
    cases = {
        "usgs": (
            asked("usgs", "/nwis/iv/", format="json", sites="01646500", startDT=iso(since), endDT=iso(until)),
            usgs.read_series,
            by_pandas_usgs,
        ),
        "noaa_coops": (
            asked("noaa_coops", "/api/prod/datagetter", product="water_level", station="8454000", datum="MLLW", **span),
            lambda body: noaa_coops.read(body, "water_level"),
            by_pandas_coops,
        ),
        "ndbc": (asked("ndbc", "/data/realtime2/44013.ocean"), ndbc.read, by_pandas_ndbc),
        "sensorthings": (
            observations,
            lambda body: sensorthings.read_observations(body, stream),
            by_pandas_sensorthings,
        ),
    }
    print(f"{'service':14}{'MB':>7}{'values':>9}{'ours /s':>12}{'pandas /s':>12}{'ratio':>8}")
    for name, (body, ours, peer) in cases.items():
        page = ours(body)
        count = len(page.values)
        assert count
        assert not page.problems, page.problems
        mine, theirs = best(ours, body, wanted.rounds), best(peer, body, wanted.rounds)
        line = (
            f"{name:14}{len(body) / 1e6:7.2f}{count:9,}{count / mine:12,.0f}{count / theirs:12,.0f}{theirs / mine:8.2f}"
        )
        print(line)


if __name__ == "__main__":
    main()
