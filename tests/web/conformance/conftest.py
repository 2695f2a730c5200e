"""A station without a configuration, and a client that speaks nothing but HTTP and JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from nilometer.config import parse
from nilometer.pipeline import Pipeline
from nilometer.web.app import create_app

OGC_OM = "http://www.opengis.net/def/observationType/OGC-OM/2.0/"


def point(longitude: float, latitude: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [longitude, latitude]}


def location(name: str, longitude: float = 8.0, latitude: float = 51.0, **more: Any) -> dict[str, Any]:
    place = {"encodingType": "application/geo+json", "location": point(longitude, latitude)}
    return {"name": name, "description": f"where {name} is", **place, **more}


def sensor(name: str = "probe", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "a probe", "encodingType": "text/html", "metadata": "http://probe", **more}


def observed(name: str = "temperature", **more: Any) -> dict[str, Any]:
    return {"name": name, "definition": f"http://example.org/{name}", "description": "a quantity", **more}


def datastream(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "description": f"of {name}",
        "observationType": OGC_OM + "OM_Measurement",
        "unitOfMeasurement": {"name": "degree Celsius", "symbol": "°C", "definition": "http://unit/celsius"},
        **more,
    }


def whole(name: str, **more: Any) -> dict[str, Any]:
    """Return a Datastream with all it needs but the Thing."""
    return datastream(name, Sensor=sensor(f"{name} probe"), ObservedProperty=observed(f"{name} quantity"), **more)


class Api:
    """The service by its URLs."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def ask(self, path: str, status: int = 200) -> Any:
        answer = await self.client.get(path if path.startswith("http") else f"/v1.1/{path}".rstrip("/"))
        assert answer.status_code == status, (path, answer.status_code, answer.text[:300])
        return json.loads(answer.content) if answer.content and status == 200 else None

    async def names(self, path: str, key: str = "name") -> list[Any]:
        return [item[key] for item in (await self.ask(path))["value"]]

    async def post(self, path: str, document: Any, status: int = 201) -> Any:
        answer = await self.client.post(f"/v1.1/{path}", json=document)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:300])
        if status != 201:
            return answer
        made = await self.ask(answer.headers["location"])
        assert made["@iot.selfLink"] == answer.headers["location"]
        return made

    async def make(self, path: str, document: Any) -> Any:
        return (await self.post(path, document))["@iot.id"]

    async def patch(self, path: str, document: Any, status: int = 200, media: str = "application/json") -> Any:
        headers = {"content-type": media}
        answer = await self.client.patch(f"/v1.1/{path}", content=json.dumps(document), headers=headers)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:300])
        return answer

    async def put(self, path: str, document: Any, status: int = 200) -> Any:
        answer = await self.client.put(f"/v1.1/{path}", json=document)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:300])
        return answer

    async def delete(self, path: str, status: int = 200) -> None:
        answer = await self.client.delete(f"/v1.1/{path}")
        assert answer.status_code == status, (path, answer.status_code, answer.text[:300])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    return request.getfixturevalue("postgres").database() if request.param == "postgresql" else None


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory, database: str | None) -> AsyncIterator[Api]:
    config = parse({"store": {"catalog_url": database}})
    pipeline = Pipeline(tmp_path_factory.mktemp("empty"), config)
    await pipeline.start()
    try:
        transport = httpx.ASGITransport(app=create_app(pipeline))
        async with httpx.AsyncClient(transport=transport, base_url="http://station") as client:
            yield Api(client)
    finally:
        await pipeline.close()


def water(name: str, results: list[Any], hour: int, **more: Any) -> dict[str, Any]:
    rows = [
        {
            "phenomenonTime": f"2021-03-05T{hour + n:02d}:30:15.250Z",
            "resultTime": f"2021-03-05T{hour + n:02d}:31:00Z",
            "result": result,
            "parameters": {"qc": n, "by": f"person {n}"},
        }
        for n, result in enumerate(results)
    ]
    return whole(name, Observations=rows, **more)


WORLD = [
    {
        "name": "Weir",
        "description": "a weir of stone",
        "properties": {"depth": 12.5, "built": 1901, "is_open": True, "deep": {"er": "x"}, "note": None},
        "Locations": [location("at the weir", 8.0, 51.0)],
        "Datastreams": [
            water("weir level", [1.0, 2.0, 3.0, 4.0], 6, properties={"order": 1}),
            water("weir state", ["open", "shut", "open"], 6, observationType=OGC_OM + "OM_CategoryObservation"),
        ],
    },
    {
        "name": "O'Brien 100%_\\ quay",
        "description": "Straße",
        "properties": {"depth": 9, "built": "1901", "is_open": False},
        "Locations": [location("at the quay", 9.0, 52.0)],
        "Datastreams": [water("quay level", [10.0, 20.0], 0, properties={"order": 2})],
    },
    {"name": "北京 buoy", "description": "no place", "properties": {}, "Datastreams": []},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(api: Api) -> AsyncIterator[Api]:
    for thing in WORLD:
        await api.post("Things", thing)
    yield api
