"""A virtual SDI-12 sensor by itself, its time in our hands."""

from __future__ import annotations

from nilometer.acquisition.instrument import sdi12_instrument
from nilometer.acquisition.protocols.sdi12_command import command
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.sdi12_sensor import Said, VirtualSensor

MODEL = sdi12_instrument(
    {
        **{"name": "probe", "title": "t", "maker": "Maker", "models": ["Model"], "protocol": "sdi12"},
        **{"document": "d", "evidence": "e", "measurement": [{"command": "M", "per_page": 2, "seconds": 0}]},
        "channel": [{"key": "a", "position": 1, "unit": "1", "commands": ["M"]}],
    }
)


class Sensor:
    """One that needs a second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sensor = VirtualSensor(
            MODEL, ConstantFeed({"a": 7.0}), lambda: 0, lambda: self.now, "0", seconds=1, ready_s=1.0
        )

    def say(self, text: str) -> bytes:
        said = self.sensor.hear(command(text))
        assert said is not None
        return said.data


def test_once_its_service_request_is_said_it_is_ready_though_the_timer_rang_early() -> None:
    it = Sensor()
    asked = command("0M!")
    assert it.sensor.hear(asked) == Said(b"00011")
    measuring = it.sensor.service_request_due(asked)
    assert measuring is not None
    it.now = 0.9995
    assert it.sensor.service_request(measuring) == Said(b"0")
    assert it.say("0D0!") == b"0+7.000"


def test_a_command_before_the_service_request_ends_the_measurement() -> None:
    it = Sensor()
    asked = command("0M!")
    it.sensor.hear(asked)
    measuring = it.sensor.service_request_due(asked)
    assert measuring is not None
    it.now = 0.5
    assert it.say("0D0!") == b"0"
    assert it.sensor.service_request(measuring) is None


def test_the_end_of_a_measurement_that_was_begun_anew_is_told_once() -> None:
    it = Sensor()
    first, second = command("0M!"), command("0M!")
    it.sensor.hear(first)
    ended = it.sensor.service_request_due(first)
    it.now = 0.5
    it.sensor.hear(second)
    goes_on = it.sensor.service_request_due(second)
    assert ended is not None
    assert goes_on is not None
    it.now = 1.0
    assert it.sensor.service_request(ended) is None
    assert it.say("0D0!") == b"0", "it was to be ready at 1.5 s"


def test_what_is_ready_at_once_tells_no_end() -> None:
    it = Sensor()
    it.sensor.ready_s = 0.0
    asked = command("0M!")
    it.sensor.hear(asked)
    assert it.sensor.service_request_due(asked) is None
