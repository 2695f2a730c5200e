"""A virtual Modbus device and the time its sensor takes."""

from __future__ import annotations

from nilometer.acquisition.instrument import instrument
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.modbus_device import VirtualDevice


def test_a_sensor_is_ready_when_its_time_is_over_by_a_clock_that_counts_milliseconds() -> None:
    """It once was not, where 73000.002 + 0.1 came out above 73000.102: a driver that waited as told read zero."""
    known = instrument("yosemitech_y520")
    step = known.start[0].model_copy(update={"wait_s": 0.1})
    model = known.model_copy(update={"start": (step,)})
    now_ms = 0
    device = VirtualDevice(
        model, ConstantFeed({"temperature": 23.0, "conductivity": 1.388}), lambda: 0, lambda: now_ms / 1000
    )
    for began_ms in range(73_000_000, 73_000_100):
        now_ms = began_ms
        device.write(16, step.address, [])
        now_ms += round(step.wait_s * 1000) - 1
        assert device.read(3, 0x2602, 2) == [0, 0]
        now_ms += 1
        assert device.read(3, 0x2602, 2) != [0, 0]
