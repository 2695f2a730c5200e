"""Another SensorThings server beside ours: the same requests with the same rows to both, in one run.

    python benchmarks/sensorthings_peers.py http://127.0.0.1:8018/istsos4/v1.1 --bulk BulkObservations

The peer runs already, over an empty database (docs/benchmarks.md says how two of them are started); ours is started
here, over a fresh data folder, and waits while the peer is asked. Both get Things with a Location and Datastreams,
made over SensorThings; a peer that makes none (HydroServer) must have them: ``--there``. Then: single Observations by
many clients at once, data arrays through ``CreateObservations``, one long Datastream in pages by its next links, the
newest Observation of each Datastream expanded, and filters over relations. What took a request is the median of
several. The peer gets fewer rows where it would take minutes; rates are what is compared. An answer that is not what
was asked for ends the run, or stands in the table where the peer refuses.
``python benchmarks/sensorthings_peers.py --help`` shows the sizes.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import multiprocessing
import os
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec
import numpy as np
from web_ingest import START_MS, STEP_MS, syncs_a_second

from nilometer.acquisition.protocols.sensorthings import written_id
from nilometer.config import Config
from nilometer.pipeline import Pipeline
from nilometer.web.app import create_app
from nilometer.web.serving import bind, run, serve

KIND = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
UNIT = {"name": "pH", "symbol": "pH", "definition": "https://qudt.org/vocab/unit/PH"}
NEWEST = "Things?$top={things}&$expand=Datastreams($expand=Observations($top=1;$orderby=phenomenonTime desc))"
TIMES = 7
MOST_FAILED = 100
SAFE = "$()=;,?&/'"


class Wrong(Exception):  # noqa: N818 -- it says what happened, as those of nilometer.errors
    """A server refused, or answered something else than what it was asked for."""


def run_server(folder: str, told) -> None:
    async def main() -> None:
        pipeline = Pipeline(Path(folder), Config())
        await pipeline.start()
        listener = bind("127.0.0.1", 0)
        try:
            await serve(create_app(pipeline), listener, ready=lambda: told.put(listener.getsockname()[1]))
        finally:
            await pipeline.close()

    run(main())


@dataclass
class Side:
    """A server under measurement; `streams` are its Datastreams as they stand between brackets."""

    url: str
    headers: dict[str, str]
    streams: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self.host, self.port, self.path = parts.hostname or "", parts.port or 80, parts.path.rstrip("/")
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=900)

    def ask(self, method: str, path: str, body: object = None) -> tuple[bytes, str]:
        """Return the body of the answer and its Location."""
        whole = path if path.startswith("/") else f"{self.path}/{quote(path, safe=SAFE)}"
        sent = body if isinstance(body, bytes | None) else msgspec.json.encode(body)
        headers = self.headers | ({"Content-Type": "application/json"} if sent is not None else {})
        for is_last in (False, True):
            try:
                self._connection.request(method, whole, sent, headers)
                answer = self._connection.getresponse()
                break
            except (http.client.RemoteDisconnected, ConnectionError):  # it hung up while nobody asked
                self._connection.close()
                if is_last:
                    raise
        said = answer.read()
        if answer.status >= 300:
            raise Wrong(f"{answer.status} {said[:120].decode(errors='replace')}")
        return said, answer.headers.get("Location", "")

    def get(self, path: str):
        return msgspec.json.decode(self.ask("GET", path)[0])

    def make(self, path: str, document: dict) -> int:
        place = self.ask("POST", path, document)[1]
        return int(place.rpartition("(")[2].rstrip(")"))

    def build(self, things: int, each: int, mark: str) -> None:
        """Make Things with a Location and so many Datastreams each, of five ObservedProperties."""
        point = {"type": "Point", "coordinates": [8.5, 46.0]}
        sensor = self.make("Sensors", {"name": f"{mark} meter", "description": "m", "encodingType": "application/pdf",
                                       "metadata": "https://example.org/m.pdf"})  # fmt: skip
        about = {"definition": "https://example.org/p", "description": "p"}
        of = [self.make("ObservedProperties", {"name": f"{mark} property {n}"} | about) for n in range(5)]
        for n in range(things):
            place = {"name": f"{mark} place {n}", "description": "p", "encodingType": "application/geo+json",
                     "location": point}  # fmt: skip
            thing = self.make("Things", {"name": f"{mark} station {n}", "description": "s", "Locations": [place]})
            for m in range(each):
                made = self.make(
                    "Datastreams",
                    {"name": f"{mark} stream {n} {m}", "description": "d", "unitOfMeasurement": UNIT,
                     "observationType": KIND, "Thing": {"@iot.id": thing}, "Sensor": {"@iot.id": sensor},
                     "ObservedProperty": {"@iot.id": of[m % 5]}},
                )  # fmt: skip
                self.streams.append(str(made))

    def find(self, wanted: int) -> None:
        """Take the Datastreams that are there."""
        url = "Datastreams?$select=id&$orderby=id&$top=1000"
        while url and len(self.streams) < wanted:
            page = self.get(url)
            self.streams += [written_id(one["@iot.id"]) for one in page["value"]]
            url = next_path(page)
        if len(self.streams) < wanted:
            raise Wrong(f"it has {len(self.streams)} Datastreams; {wanted} are asked for")
        del self.streams[wanted:]


def next_path(page: dict) -> str:
    parts = urlsplit(page.get("@iot.nextLink") or "")
    return f"{parts.path}?{quote(parts.query, safe=SAFE + '%+:')}" if parts.path else ""


def moments(first: int, n: int) -> list[str]:
    """Return n times, ten minutes apart, from the `first` on."""
    at = START_MS + STEP_MS * np.arange(first, first + n)
    return np.datetime_as_string(at.astype("datetime64[ms]"), unit="s", timezone="UTC").tolist()


def levels(first: int, n: int) -> list[float]:
    """Return what a river's pH was then: a day, and noise in steps of 0.01."""
    place = np.arange(first, first + n)
    noise = np.random.default_rng(abs(first)).normal(0, 0.015, n)
    return np.round(7.2 + 0.25 * np.sin(2 * np.pi * place / 144) + noise, 2).tolist()


def id_of(stream: str) -> str:
    """Return an id that stands between brackets as JSON has it."""
    return stream if stream.isdigit() else f'"{stream[1:-1]}"'


def groups(streams: list[str], first: int, rows: int) -> list[dict]:
    """Return a body of data arrays: so many rows of each Datastream."""
    cells = [list(pair) for pair in zip(moments(first, rows), levels(first, rows), strict=True)]
    return [
        {"Datastream": {"@iot.id": msgspec.json.decode(id_of(one))},
         "components": ["phenomenonTime", "result"], "dataArray": cells}
        for one in streams
    ]  # fmt: skip


class Poster(asyncio.Protocol):
    """A client that posts as soon as it was answered: nothing between it and the socket, or it would be measured.

    What the server failed at (5xx) is posted again, and counted in `failed`.
    """

    def __init__(self, waiting: Iterator[bytes], failed: list[bytes]) -> None:
        self._waiting, self._failed, self._read = waiting, failed, b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._post(next(self._waiting, None))

    def _post(self, request: bytes | None) -> None:
        self._request = request
        if request is None:
            self._transport.close()
            self.ended.set_result(None)
        else:
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, blank, body = self._read.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if not blank or (len(body) < int(length[1]) if length else not body.endswith(b"0\r\n\r\n")):
            return
        self._read = b""
        if head.startswith(b"HTTP/1.1 201 "):
            self._post(next(self._waiting, None))
        elif head.startswith(b"HTTP/1.1 5") and len(self._failed) < MOST_FAILED:
            self._failed.append(head)
            self._post(self._request)
        else:
            self.ended.set_exception(Wrong(f"{head[9:60]!r} {body[:200]!r}"))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or Wrong("the server hung up"))


def single(side: Side, clients: int, posts: int, first: int) -> float:
    """Return how many Observations a second are taken one by one, from so many clients with a connection each."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in side.headers.items())

    def requests() -> Iterator[bytes]:
        rounds = -(-posts // len(side.streams))
        times, values = moments(first, rounds), levels(first, rounds)
        for n in range(posts):
            stream, turn = side.streams[n % len(side.streams)], n // len(side.streams)
            body = (
                f'{{"phenomenonTime":"{times[turn]}","result":{values[turn]},'
                f'"Datastream":{{"@iot.id":{id_of(stream)}}}}}'
            )
            yield (
                f"POST {side.path}/Observations HTTP/1.1\r\nHost: {side.host}\r\n{extra}"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            ).encode()

    async def act() -> None:
        waiting, loop = requests(), asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda: Poster(waiting, failed), side.host, side.port) for _ in range(clients)
        ]
        await asyncio.gather(*(poster.ended for _, poster in made))

    failed: list[bytes] = []
    began = time.perf_counter()
    run(act())
    took = time.perf_counter() - began
    if failed:
        print(f"  {len(failed)} of {posts:,} posts failed and were posted again: {failed[0][:60]!r}")
    return posts / took


def arrays(side: Side, path: str, bodies: int, rows: int, first: int) -> float:
    """Return how many Observations a second are taken in data arrays of ten Datastreams, `rows` of each."""
    made = [msgspec.json.encode(groups(side.streams[:10], first + n * rows, rows)) for n in range(bodies)]
    began = time.perf_counter()
    for body in made:
        said, _ = side.ask("POST", path, body)
        if b"error" in said:
            raise Wrong(said[:200].decode(errors="replace"))
    return bodies * rows * 10 / (time.perf_counter() - began)


def fill(side: Side, path: str, rows: int, at_once: int) -> None:
    """Give the first Datastream so many rows, long before all others."""
    for start in range(0, rows, at_once):
        n = min(at_once, rows - start)
        said, _ = side.ask("POST", path, groups(side.streams[:1], start - 2 * rows, n))
        if b"error" in said:
            raise Wrong(said[:200].decode(errors="replace"))


def pages(side: Side, rows: int) -> float:
    """Return how many rows a second come of the long Datastream in pages of 1,000, by the next links."""
    path, got = f"Datastreams({side.streams[0]})/Observations?$top=1000", 0
    began = time.perf_counter()
    while path and got < rows:
        page = side.get(path)
        got += len(page["value"])
        path = next_path(page)
    took = time.perf_counter() - began
    if got < rows:
        raise Wrong(f"{got} of {rows} rows came")
    return rows / took


def request(side: Side, path: str, expected: int) -> float:
    """Return how many times a second it is answered, with so many Datastreams or, if expanded, newest Observations."""
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        answer = side.get(path)
        taken.append(time.perf_counter() - began)
        streams = [one for thing in answer["value"] for one in thing.get("Datastreams", [thing])]
        found = sum(len(one.get("Observations", [one])) for one in streams)
        if found != expected:
            raise Wrong(f"{found} of {expected} came")
    return 1 / statistics.median(taken)


def plans(side: Side, given: argparse.Namespace, *, is_ours: bool) -> dict[str, Callable[[], float]]:
    """Return what is measured, by name: each returns a rate."""
    bulk = given.bulk if given.bulk and not is_ours else "CreateObservations"
    share = 1 if is_ours else given.share
    posts, bodies = given.posts // share, given.bodies // share
    one = side.get(f"Datastreams({side.streams[-1]})?$select=id&$expand=Thing,ObservedProperty")
    of_thing = f"Thing/name eq '{one['Thing']['name']}'"
    of_property = f"ObservedProperty/name eq '{one['ObservedProperty']['name']}'"
    each = given.streams // given.things

    def long_one() -> float:
        fill(side, bulk, given.rows, given.fill)
        return pages(side, given.rows)

    def own_path() -> float:
        return arrays(side, bulk, bodies, given.group, 100_000)

    rows = f"{given.group * 10:,} rows a body"
    found: dict[str, Callable[[], float]] = {
        f"single POSTs, {given.clients} clients: Observations/s": lambda: single(side, given.clients, posts, 0),
        f"CreateObservations, {rows}: Observations/s": lambda: arrays(
            side, "CreateObservations", bodies, given.group, 10_000
        ),
        **({f"{given.bulk} (ours: CreateObservations), {rows}: Observations/s": own_path} if given.bulk else {}),
        f"{given.rows:,} Observations in pages of 1,000: rows/s": long_one,
        f"newest Observation of {given.streams:,} Datastreams of {given.things} Things: answers/s": lambda: request(
            side, NEWEST.format(things=given.things), given.streams
        ),
        "Datastreams of a Thing by its name: answers/s": lambda: request(side, f"Datastreams?$filter={of_thing}", each),
        "and of an ObservedProperty by its name, with Sensor: answers/s": lambda: request(
            side, f"Datastreams?$filter={of_thing} and {of_property}&$expand=Sensor", each // 5
        ),
    }
    return found


def compare(ours: Side, peer: Side, given: argparse.Namespace) -> None:
    """Measure one after the other, plan by plan, so that other work on the machine troubles both."""
    theirs = plans(peer, given, is_ours=False)
    print(f"{'':82} {'ours':>10} {'peer':>10} {'ours / peer':>12}  load")
    for name, act in plans(ours, given, is_ours=True).items():
        rate = act()
        try:
            other = theirs[name]()
            shown = f"{other:10,.1f} {rate / other:12,.1f}"
        except Wrong as wrong:
            shown = f"{'–':>10} {wrong}"
        print(f"{name:82} {rate:10,.1f} {shown}  {os.getloadavg()[0]:.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "peer", nargs="?", help="root of the peer's service, such as http://127.0.0.1:8018/istsos4/v1.1"
    )
    parser.add_argument("--header", action="append", default=[], metavar="'NAME: VALUE'", help="the peer wants it")
    parser.add_argument("--there", action="store_true", help="the peer makes no entities: use those it has")
    parser.add_argument("--bulk", help="the peer's own path that takes data arrays faster, such as BulkObservations")
    parser.add_argument("--share", type=int, default=20, help="the peer is sent one of so many Observations")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--posts", type=int, default=40_000)
    parser.add_argument("--bodies", type=int, default=100)
    parser.add_argument("--group", type=int, default=100, help="rows of a Datastream in a body")
    parser.add_argument("--rows", type=int, default=100_000, help="of the Datastream that is read in pages")
    parser.add_argument("--fill", type=int, default=2_000, help="rows a body when it is filled")
    parser.add_argument("--things", type=int, default=100)
    parser.add_argument("--streams", type=int, default=1_000, help="Datastreams of all Things")
    given = parser.parse_args()
    if given.peer is None:
        print("no peer: give the address of one that runs (docs/benchmarks.md says how two are started)")
        return
    assert given.streams >= 10, "ten Datastreams are in each body"
    given.header = dict([part.strip() for part in one.split(":", 1)] for one in given.header)
    mark = f"bench {secrets.token_hex(3)}"
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        print(f"the disk syncs {syncs_a_second(folder):,.0f} times a second", flush=True)
        told = context.Queue()
        process = context.Process(target=run_server, args=(folder, told), daemon=True)
        process.start()
        try:
            ours = Side(f"http://127.0.0.1:{told.get(timeout=300)}/v1.1", {})
            ours.build(given.things, given.streams // given.things, mark)
            peer = Side(given.peer.rstrip("/"), given.header)
            if given.there:
                peer.find(given.streams)
            else:
                peer.build(given.things, given.streams // given.things, mark)
            compare(ours, peer, given)
        finally:
            process.terminate()
            process.join(60)


if __name__ == "__main__":
    main()
