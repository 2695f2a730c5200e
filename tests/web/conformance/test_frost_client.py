"""frost_sta_client, the Python client of the FROST project, used as its users do, over a real server."""

from __future__ import annotations

from collections.abc import Iterator

import frost_sta_client as fsc
import geojson
import httpx
import pytest

from tests.system.server import Server
from tests.web.conformance.test_multi_datastreams import multi

pytestmark = pytest.mark.filterwarnings("ignore:furl.pathstr:DeprecationWarning")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fsc.SensorThingsService]:
    server = Server(tmp_path_factory.mktemp("data"))
    yield fsc.SensorThingsService(f"{server.address}/v1.1")
    server.stop()


@pytest.fixture(scope="module")
def thing(service):
    place = fsc.Location(
        name="bridge",
        description="at the bridge",
        encoding_type="application/geo+json",
        location=geojson.Point((8.4, 49.0)),
    )
    thing = fsc.Thing(name="River", description="a river", properties={"reach": 5})
    thing.locations = fsc.EntityList(entity_class="frost_sta_client.model.location.Location", entities=[place])
    service.create(thing)
    return thing


@pytest.fixture(scope="module")
def stream(service, thing):
    stream = fsc.Datastream(
        name="water temperature",
        description="of the river",
        observation_type="http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement",
        unit_of_measurement=fsc.UnitOfMeasurement(name="degree Celsius", symbol="°C", definition="ucum:Cel"),
        thing=thing,
        sensor=fsc.Sensor(
            name="PT100", description="a probe", encoding_type="application/pdf", metadata="http://pt100"
        ),
        observed_property=fsc.ObservedProperty(
            name="temperature", definition="http://vocab.nerc.ac.uk/collection/P01/current/TEMPPR01/", description="T"
        ),
    )
    service.create(stream)
    return stream


def test_what_is_created_is_found_again(service, thing, stream):
    found = service.things().find(thing.id)
    assert (found.name, found.properties["reach"]) == ("River", 5)
    assert [item.name for item in found.get_locations().query().list()] == ["bridge"]
    (found,) = service.datastreams().query().filter("Thing/name eq 'River'").expand("Sensor").list()
    assert (found.id, found.sensor.name, found.unit_of_measurement.symbol) == (stream.id, "PT100", "°C")


def test_observations_are_written_and_paged_through(service, stream):
    for hour in range(5):
        observation = fsc.Observation(
            result=10.0 + hour, phenomenon_time=f"2023-01-01T0{hour}:00:00Z", datastream=stream
        )
        service.create(observation)
    query = stream.get_observations().query().orderby("phenomenonTime", "asc").top(2)
    assert [item.result for item in query.list()] == [10.0, 11.0, 12.0, 13.0, 14.0]
    assert stream.get_observations().query().filter("result gt 12.5").count().list().count == 2


def test_bulk_goes_by_data_array(service, stream):
    document = fsc.DataArrayDocument()
    values = fsc.DataArrayValue()
    values.datastream = stream
    values.components = {values.Property.PHENOMENON_TIME, values.Property.RESULT}
    for hour in range(3):
        observation = fsc.Observation(result=20.0 + hour, phenomenon_time=f"2023-02-01T0{hour}:00:00Z")
        values.add_observation(observation)
    document.add_data_array_value(values)
    links = service.observations().create(document)
    assert len(links) == 3
    found = stream.get_observations().query().filter("result ge 20").list()
    assert sorted(item.result for item in found) == [20.0, 21.0, 22.0]


def test_entities_are_updated_patched_and_deleted(service, thing):
    other = fsc.Thing(name="Other", description="to be changed")
    service.create(other)
    other.name = "Renamed"
    service.update(other)
    assert service.things().find(other.id).name == "Renamed"
    service.patch(other, [{"op": "replace", "path": "/description", "value": "patched"}])
    assert service.things().find(other.id).description == "patched"
    service.delete(other)
    assert service.things().query().filter("name eq 'Renamed'").count().list().count == 0
    assert service.things().find(thing.id).name == "River"


def test_a_multi_datastream_is_filled_and_asked(service, thing):
    # Of this version of the client the units of a MultiDatastream are sent as null: it is made without it.
    document = multi("adcp", Thing={"@iot.id": thing.id})
    answer = httpx.post(f"{service.url}/MultiDatastreams", json=document)
    assert answer.status_code == 201
    made = service.multi_datastreams().find(answer.json()["@iot.id"])
    assert [unit["symbol"] for unit in made.unit_of_measurements] == ["m/s", "deg"]
    for hour, result in enumerate([[0.5, 90], [1.5, 180]]):
        time = f"2023-01-01T0{hour}:00:00Z"
        service.create(fsc.Observation(result=result, phenomenon_time=time, multi_datastream=made))
    # Nor does it take an observedArea that is a point, as those of one place are.
    some = service.multi_datastreams().query().select("id", "name", "description", "observationType")
    (found,) = some.expand("ObservedProperties,Thing").list()
    assert [one.name for one in found.observed_properties] == ["adcp speed", "adcp direction"]
    assert found.thing.name == "River"
    chosen = service.observations().query().filter("MultiDatastream/name eq 'adcp' and result[0] gt 1").list()
    assert [one.result for one in chosen] == [[1.5, 180]]
    assert made.get_observations().query().count().list().count == 2
    service.patch(made, [{"op": "replace", "path": "/description", "value": "patched"}])
    assert [one.description for one in some.list()] == ["patched"]
    service.delete(made)
    assert not list(service.multi_datastreams().query().list())
