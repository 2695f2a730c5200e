"""Servers that answer as two others were seen to: a socket, a few entities, and the peculiarities of each."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

GEO = "application/geo+json"
KIND = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
Json = dict[str, Any]


def sensor(number: int | str, name: str) -> Json:
    return {"@iot.id": number, "name": name, "description": "s", "encodingType": "text/html", "metadata": "m"}


def observed(number: int | str, name: str) -> Json:
    return {"@iot.id": number, "name": name, "definition": f"http://example.org/{name}", "description": "o"}


def stream(number: int | str, name: str) -> Json:
    unit = {"name": "degree", "symbol": "°C", "definition": "x"}
    return {"@iot.id": number, "name": name, "description": "d", "unitOfMeasurement": unit, "observationType": KIND}


class Peer:
    """A server whose root is `url`; `asked` are the paths with their questions, as they came.

    A subclass answers `answer(path, options)` with a status and JSON; what it does not know is 404.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                options = {name: values[0] for name, values in parse_qs(parts.query).items()}
                path = unquote(parts.path).removeprefix("/v1.1").strip("/")
                peer.asked.append(f"{path}?{unquote(parts.query.replace('+', ' '))}")
                peer.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, document = peer.answer(path, options)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1.1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, options: dict[str, str]) -> tuple[int, Json]:
        raise NotImplementedError

    @staticmethod
    def root(*names: str) -> tuple[int, Json]:
        return 200, {"value": [{"name": name, "url": name} for name in names]}


SETS = ("Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors", "ObservedProperties", "Observations",
        "FeaturesOfInterest")  # fmt: skip


class IstSos(Peer):
    """As istSOS4: data arrays without a next link and null when empty; the next link of an expansion forgets options.

    One Thing with three Datastreams, of which an expansion shows one; the first has `rows` Observations. The first
    `down` requests for Things are not answered.
    """

    def __init__(self, rows: int, down: int = 0) -> None:
        super().__init__()
        self.rows, self.down = rows, down
        self.streams = [stream(n, f"Level {n}") for n in (1, 2, 3)]
        self.place = {"name": "Weir", "description": "", "encodingType": GEO}
        self.place["feature"] = {"type": "Point", "coordinates": [8.5, 46]}

    def answer(self, path: str, options: dict[str, str]) -> tuple[int, Json]:
        if not path:
            return self.root(*SETS)
        if path == "Things" and self.down:
            self.down -= 1
            return 503, {}
        if path == "Things":
            thing = {"@iot.id": 1, "name": "Weir", "description": "", "properties": None, "Locations": []}
            cut = {"Datastreams": self.streams[:1], "HistoricalLocations": [], "HistoricalLocations@iot.nextLink": None}
            link = f"{self.url}/Things(1)/Datastreams?$top=1&$skip=1&$expand=Locations($select=id)"
            return 200, {"value": [thing | cut | {"Datastreams@iot.nextLink": link}]}
        if path == "Things(1)/Datastreams":
            # Its own link asks for what a Datastream does not have.
            return (500, {"message": "no"}) if "Locations" in options.get("$expand", "") else (200, self._all())
        if found := re.fullmatch(r"Datastreams\((\d)\)", path):
            one = {"Sensor": sensor(1, "Gauge"), "ObservedProperty": observed(1, "level")}
            return 200, self.streams[int(found[1]) - 1] | one
        if found := re.fullmatch(r"Datastreams\((\d)\)/Observations", path):
            return 200, self._observations(self.rows if found[1] == "1" else 0, options)
        if path == "FeaturesOfInterest(1)":
            return 200, {"@iot.id": 1, **self.place}
        return 200, {"value": []}

    def _all(self) -> Json:
        return {"value": self.streams}

    def _observations(self, rows: int, options: dict[str, str]) -> Json:
        after = re.search(r"id gt (\d+)", options.get("$filter", ""))
        ids = range(int(after[1]) + 1 if after else 1, rows + 1)
        if " ne " in options.get("$filter", ""):
            return {"value": []}  # all are of one FeatureOfInterest
        page = list(ids)[: int(options["$top"])]
        times = {n: f"2026-01-01T00:{n:02}:00Z" for n in page}
        if options.get("$resultFormat") == "dataArray":
            components = options["$select"].split(",")
            known = {"id": lambda n: n, "phenomenonTime": lambda n: times[n], "result": lambda n: n / 2}
            cells = [[known[name](n) if name in known else None for name in components] for n in page] or None
            return {"value": [{"components": components, "dataArray": cells}]}
        items = [
            {"@iot.id": n, "phenomenonTime": times[n], "result": n / 2, "FeatureOfInterest": {"@iot.id": 1}}
            for n in page
        ]
        link = {"@iot.nextLink": f"{self.url}/Datastreams(1)/Observations?$skip=1"}
        return {"value": items} | (link if len(page) < len(ids) else {})


class HydroServer(Peer):
    """As HydroServer: ids are texts, 1,000 rows at most are given, Locations cannot be ordered, coordinates are texts.

    No Observation has a FeatureOfInterest, and in lists each Datastream is shown with the Sensor of the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.streams = {"a-1": ("Tide 河", "s-1", "o-1"), "b-2": ("Wind", "s-2", "o-2")}
        self.sensors = {"s-1": sensor("s-1", "Tide gauge"), "s-2": sensor("s-2", "Anemometer")}
        self.properties = {"o-1": observed("o-1", "tide"), "o-2": observed("o-2", "wind")}
        point = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": ["-111.75", "41.5"]}}
        self.place = {"@iot.id": "l-1", "name": "Pier", "description": "", "encodingType": GEO, "location": point}
        self.rows = {
            "a-1": [("r-1", "2026-01-01 00:00:00+00:00", 1.5), ("r-2", "2026-01-01 00:10:00+00:00", -9999.0)],
            "b-2": [],
        }

    def _stream(self, number: str, *, of: str) -> Json:
        _, sensor_id, observed_id = self.streams[of]
        there = {"Sensor": self.sensors[sensor_id], "ObservedProperty": self.properties[observed_id]}
        return stream(number, self.streams[number][0]) | there

    def answer(self, path: str, options: dict[str, str]) -> tuple[int, Json]:
        if not path:
            return self.root(*SETS)
        if path == "Things":
            thing = {"@iot.id": "t-1", "name": "Pier", "description": "", "Locations": [self.place]}
            listed = [self._stream(number, of="a-1") for number in self.streams]
            return 200, {"value": [thing | {"HistoricalLocations": [], "Datastreams": listed}]}
        if path == "Locations":
            return (500, {"detail": "error"}) if "$orderby" in options else (200, {"value": [self.place]})
        if found := re.fullmatch(r"Datastreams\('(.*)'\)", path):
            return 200, self._stream(found[1], of=found[1])
        if found := re.fullmatch(r"Datastreams\('(.*)'\)/Observations", path):
            if int(options["$top"]) > 1000:
                return 422, {"detail": "$top must be less than or equal to 1000"}
            after = re.search(r"id gt '(.*)'", options.get("$filter", ""))
            rows = [row for row in self.rows[found[1]] if after is None or row[0] > after[1]]
            quality = {"quality_code": None, "result_qualifiers": []}
            return 200, {
                "value": [
                    {"@iot.id": number, "phenomenonTime": time, "result": result, "resultQuality": quality}
                    for number, time, result in rows
                ]
            }
        sets: dict[str, Callable[[], list[Json]]] = {
            "Sensors": lambda: list(self.sensors.values()),
            "ObservedProperties": lambda: list(self.properties.values()),
            "FeaturesOfInterest": list,
        }
        return (200, {"value": sets[path]()}) if path in sets else (404, {})
