"""Send a server requests that nobody would send, over HTTP: what is no 2xx or 4xx, hangs, or is half done is told.

    python benchmarks/sensorthings_fuzz.py [--requests 5000] [--seed 1] [--postgresql]

The grammar is that of the tests (`random_urls.py` and `random_bodies.py` in `tests/web/sensorthings`): paths, options
and expressions, bodies of every entity with what may come beside it, sound or spoilt, JSON patches, links, data arrays,
batches, bytes. A round is a hundred requests, drawn from its own seed; ``--seed N --requests 100`` sends one again.
After each refusal everything is counted: a refusal that made or took anything is half done. Nothing is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.postgres import PASSWORD, cluster
from tests.system.server import Server
from tests.web.sensorthings.random_bodies import COUNTING, WRITES, counted, encoded
from tests.web.sensorthings.random_urls import EXPRESSIONS, URLS, sound

ROUND = 100
HANG_S = 30.0
ANY = st.one_of(URLS, EXPRESSIONS, sound(), sound()).map(lambda url: ("GET", url, None)) | WRITES
NOT_SERVED, GIVEN_UP = 501, 503


class Fuzzer:
    """Sends requests to a server and judges what it says."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=HANG_S)
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.findings = 0
        self.given_up = 0
        self._counts = self._count()

    def send(self, number: int, method: str, url: str, body: object) -> None:
        """Send one request of the round with this seed."""
        content, media_type = encoded(method, body)
        about = f"seed {number}: {method} {url} {content[:2000]!r}"
        try:
            answer = self._client.request(method, f"/v1.1/{url}", content=content, headers={"content-type": media_type})
        except httpx.HTTPError as error:
            self.statuses[method, 0] += 1
            self._found(f"no answer ({error!r}): {about}")
            return
        self.statuses[method, answer.status_code] += 1
        if answer.status_code == GIVEN_UP:
            self.given_up += 1
            print(
                f"given up within its limits: {answer.elapsed.total_seconds():.1f} s, {answer.text[:200]}: {about}",
                flush=True,
            )
        elif answer.status_code >= 500 and answer.status_code != NOT_SERVED:
            self._found(f"{answer.status_code} {answer.text[:300]}: {about}")
        if method == "GET":
            return
        counts = self._count()
        if answer.status_code >= 400 and counts != self._counts:
            moved = {name: counts[name] - self._counts[name] for name in counts if counts[name] != self._counts[name]}
            self._found(f"{answer.status_code} and half done {moved}: {about}")
        self._counts = counts

    def _found(self, finding: str) -> None:
        self.findings += 1
        print(finding, flush=True)

    def _count(self) -> dict[str, int]:
        answer = self._client.post("/v1.1/$batch", json=COUNTING)
        answer.raise_for_status()
        return counted(answer.json())


def play(fuzzer: Fuzzer, number: int, requests: int) -> None:
    """Send a round."""

    @seed(number)
    @settings(
        max_examples=requests, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(ANY)
    def one(request: tuple[str, str, object]) -> None:
        fuzzer.send(number, *request)

    one()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgresql", action="store_true", help="the catalog on a PostgreSQL server of its own")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        catalog = (
            f'store = {{ catalog_url = "{stack.enter_context(cluster()).database()}" }}' if options.postgresql else ""
        )
        (folder / "nilometer.toml").write_text(catalog, encoding="utf-8")
        os.environ["PGPASSWORD"] = PASSWORD
        server = Server(folder, is_new=True)
        stack.callback(server.kill)
        fuzzer = Fuzzer(server.address)
        for start in range(0, options.requests, ROUND):
            play(fuzzer, options.seed + start // ROUND, min(ROUND, options.requests - start))
    for (method, status), count in sorted(fuzzer.statuses.items()):
        print(f"{method:6} {status or 'none':4} {count:7,}")
    print(f"{sum(fuzzer.statuses.values()):,} requests, {fuzzer.given_up} given up, {fuzzer.findings} findings")
    return bool(fuzzer.findings)


if __name__ == "__main__":
    sys.exit(main())
