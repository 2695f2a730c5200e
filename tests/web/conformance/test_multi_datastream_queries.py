"""MultiDatastreams are asked for, and what hangs on them: by relation, by member, in every format."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conformance.conftest import Api, whole
from tests.web.conformance.test_multi_datastreams import make, results, rows

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_mixed_list_has_the_right_link_on_each(api: Api):
    number = await make(api, "mixed", [1, 2])
    thing = (await api.ask(f"MultiDatastreams({number})/Thing"))["@iot.id"]
    await api.make(f"Things({thing})/Datastreams", whole("mixed plain", Observations=rows(5.5)))
    (of,) = {one["@iot.id"] for one in (await api.ask("FeaturesOfInterest?$filter=name eq 'mixed'"))["value"]}
    path = f"FeaturesOfInterest({of})/Observations?$orderby=id"
    first, second = (await api.ask(path))["value"]
    assert first["result"] == [1, 2]
    assert second["result"] == 5.5
    own = first["@iot.selfLink"]
    assert first["MultiDatastream@iot.navigationLink"] == f"{own}/MultiDatastream"
    assert "Datastream@iot.navigationLink" not in first
    assert "MultiDatastream@iot.navigationLink" not in second
    assert (await api.ask(f"{own}/MultiDatastream"))["@iot.id"] == number
    await api.ask(f"{own}/Datastream", 404)
    await api.ask(f"Observations({second['@iot.id']})/MultiDatastream", 404)
    expanded = await api.ask(f"{path}&$expand=MultiDatastream($select=name),Datastream($select=name)&$select=result")
    assert expanded["value"] == [
        {"result": [1, 2], "MultiDatastream": {"name": "mixed"}},
        {"result": 5.5, "Datastream": {"name": "mixed plain"}},
    ]
    arrays = await api.ask(f"{path}&$resultFormat=dataArray&$select=result")
    groups = [(sorted(group)[0], group["dataArray"]) for group in arrays["value"]]
    assert groups == [
        ("Datastream@iot.navigationLink", [[5.5]]),
        ("MultiDatastream@iot.navigationLink", [[[1, 2]]]),
    ] or (groups == [("MultiDatastream@iot.navigationLink", [[[1, 2]]]), ("Datastream@iot.navigationLink", [[5.5]])])
    lines = (await api.client.get(f"/v1.1/{path}&$resultFormat=CSV&$select=result")).text.splitlines()
    assert lines == ["result", '"[1,2]"', "5.5"]


FILTERS = [
    ("result[0] gt 1.5", [[2, 90], [3, "x"]]),
    ("result[1] eq 'x'", [[3, "x"]]),
    ("result[0] add result[1] eq 181", [[1, 180]]),
    ("result[2] eq null", [[1, 180], [2, 90], [3, "x"]]),
    ("result[7] gt 0", []),
    ("not (result[0] gt 1.5)", [[1, 180]]),
    ("result gt 0", []),
    ("MultiDatastream/unitOfMeasurements[0]/symbol eq 'm/s'", [[1, 180], [2, 90], [3, "x"]]),
    ("MultiDatastream/ObservedProperties/name eq 'asked direction'", [[1, 180], [2, 90], [3, "x"]]),
    ("Datastream/id ne null", []),
    ("Datastream/properties/a eq null", [[1, 180], [2, 90], [3, "x"]]),
    ("Datastream/name ne 'x'", []),
    ("(Datastream/name eq 'x' or MultiDatastream/name eq 'asked') and result[0] lt 2", [[1, 180]]),
    ("MultiDatastream/name ne Datastream/name", []),
]


@pytest.mark.parametrize(("condition", "wanted"), FILTERS)
async def test_observations_are_asked_for_by_member_and_through_relations(api: Api, condition: str, wanted: Any):
    found = await api.ask("MultiDatastreams?$filter=name eq 'asked'&$select=id")
    number = found["value"][0]["@iot.id"] if found["value"] else await make(api, "asked", [1, 180], [2, 90], [3, "x"])
    path = f"MultiDatastreams({number})/Observations?$filter={condition}&$count=true".replace("+", "%2B")
    answer = await api.ask(path)
    assert [one["result"] for one in answer["value"]] == wanted
    assert answer["@iot.count"] == len(wanted)
    outside = f"MultiDatastream/id eq {number} and {condition}"
    assert await results(api, f"Observations?$filter={outside}") == wanted


async def test_sets_are_asked_for_through_multi_datastreams(api: Api):
    number = await make(api, "sought", [1, 10], [7, 20], properties={"depth": 5, "tags": ["a", "b"]})
    assert await api.names("Things?$filter=MultiDatastreams/name eq 'sought'") == ["sought"]
    assert await api.names("Things?$filter=MultiDatastreams/Observations/result[0] gt 6.5") == ["sought"]
    assert await api.names("Sensors?$filter=MultiDatastreams/properties/depth eq 5") == ["sought meter"]
    named = "ObservedProperties?$filter=MultiDatastreams/any(m: m/name eq 'sought')&$orderby=name"
    assert await api.names(named) == ["sought direction", "sought speed"]
    for condition in (
        "properties/tags[1] eq 'b'",
        "unitOfMeasurements[0]/name eq 'metre per second' and name eq 'sought'",
        "multiObservationDataTypes[1] eq observationType or properties/depth eq 5",
        "ObservedProperties/name eq 'sought speed' and Thing/name eq 'sought'",
        "name eq 'sought' and phenomenonTime ge 2021-01-01T00:00:00Z",
        "name eq 'sought' and geo.intersects(observedArea,geography'POINT(8 51)')",
        f"id eq {number}",
    ):
        assert await api.names(f"MultiDatastreams?$filter={condition}") == ["sought"], condition
    ordered = f"MultiDatastreams({number})/Observations?$orderby=result[1] desc&$top=1&$select=result"
    assert await results(api, ordered) == [[7, 20]]
    newest = "Observations($top=1;$orderby=phenomenonTime desc;$select=result)"
    found = await api.ask(f"Things?$filter=name eq 'sought'&$expand=MultiDatastreams($expand={newest})")
    assert found["value"][0]["MultiDatastreams"][0]["Observations"] == [{"result": [7, 20]}]
    for broken in ("result[x] gt 1", "result[-1] gt 1", "result[1.5] gt 1", "result[0 gt 1", "name[0] eq 'a'"):
        await api.ask(f"Observations?$filter={broken}", 400)


async def test_elements_are_asked_for_inside_expansions_and_in_other_formats(api: Api):
    number = await make(api, "inner", [1, 10], [7, 20])
    one = f"MultiDatastreams?$filter=id eq {number}"
    inner = "Observations($filter=result[0] gt 5 and result[1] le 20;$count=true;$select=result)"
    found = (await api.ask(f"{one}&$expand={inner}"))["value"][0]
    assert (found["Observations"], found["Observations@iot.count"]) == ([{"result": [7, 20]}], 1)
    for query, place in (("$select=a[0]", "$select"), ("$expand=Observations[0]", "$expand")):
        answer = await api.client.get(f"/v1.1/MultiDatastreams?{query}")
        assert answer.status_code == 400
        assert answer.json()["error"]["place"].startswith(place)
    lines = await api.client.get(
        f"/v1.1/{one}&$select=name,unitOfMeasurements&$expand=ObservedProperties($top=1;$select=name)&$resultFormat=CSV"
    )
    head, line = lines.text.splitlines()
    assert head == "name,unitOfMeasurements,ObservedProperties/name"
    assert line.startswith("inner,")
    assert line.endswith("inner speed")
    shape = (await api.client.get(f"/v1.1/{one}&$resultFormat=GeoJSON")).json()["features"][0]
    assert shape["geometry"] == {"type": "Point", "coordinates": [8.0, 51.0]}
    assert shape["properties"]["unitOfMeasurements/1/symbol"] == "deg"
    (first, _) = (await api.ask(f"MultiDatastreams({number})/Observations"))["value"]
    steps = [{"op": "replace", "path": "/result/1", "value": 99}]
    await api.patch(f"Observations({first['@iot.id']})", steps, media="application/json-patch+json")
    assert await results(api, f"MultiDatastreams({number})/Observations") == [[1, 99], [7, 20]]
    feature = (await api.ask(f"Observations({first['@iot.id']})/FeatureOfInterest"))["@iot.id"]
    await api.delete(f"FeaturesOfInterest({feature})")
    assert await results(api, f"MultiDatastreams({number})/Observations") == []
