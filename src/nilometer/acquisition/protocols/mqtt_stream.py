"""``nilometer decode mqtt``: what one side of a captured MQTT connection publishes, read by what its topics say.

The stream has no other frame than the packets' own lengths: after a byte that is none the rest cannot be read. A topic
of Sparkplug B, SensorThings, The Things Stack or ChirpStack is read as such, any other payload as free JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from nilometer.acquisition.decoding import BadFrame, DecodedValue, DecoderInfo
from nilometer.acquisition.protocols.json_mapping import JsonFormat
from nilometer.acquisition.protocols.lorawan import LorawanDecoder
from nilometer.acquisition.protocols.lpp import decode_lpp
from nilometer.acquisition.protocols.mqtt import PacketSplitter, Publish
from nilometer.acquisition.protocols.network_server import ChirpStackFormat, TheThingsStackFormat
from nilometer.acquisition.protocols.sensorthings_topics import SensorThingsFormat
from nilometer.acquisition.protocols.sparkplug import SparkplugFormat
from nilometer.acquisition.protocols.telemetry import Message
from nilometer.errors import FrameError

__all__ = ["DECODER", "MqttDecoder"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Read = Callable[[str, bytes], Message]


class MqttDecoder:
    """One direction of a connection; meets `Decoder`.

    Parameters
    ----------
    instrument : str, optional
        What decodes LoRaWAN payloads in it: ``lpp``, or a device as in ``nilometer decode lorawan``.

    Raises
    ------
    ConfigError
        If there is no such device.
    """

    def __init__(self, instrument: str | None) -> None:
        device = None if instrument in {None, "lpp"} else LorawanDecoder(instrument)

        def decode(_device: str, _profile: str, payload: bytes, _port: int) -> list[DecodedValue | BadFrame] | None:
            if device is not None:
                return device.decode(payload)
            return decode_lpp(payload) if instrument == "lpp" else None

        self._splitter = PacketSplitter(from_server=False)
        self._by_topic: tuple[tuple[Callable[[str], bool], Read], ...] = (
            (lambda topic: topic.startswith("spBv1.0/"), SparkplugFormat().read),
            (lambda topic: "/devices/" in topic, TheThingsStackFormat(decode).read),
            (lambda topic: "/event/" in topic, ChirpStackFormat(decode).read),
            (lambda topic: topic.partition("?")[0].endswith("Observations"), SensorThingsFormat().read),
            (lambda _topic: True, JsonFormat().read),
        )
        self._length = 0

    def feed(self, data: bytes) -> Iterator[DecodedValue | BadFrame]:
        """Take the next bytes and return what became whole."""
        found: list[DecodedValue | BadFrame] = []
        self._length += len(data)
        splitter = self._splitter
        was_broken = splitter.broken is not None
        if was_broken:
            return iter(found)
        try:
            packets = splitter.feed(data)
        except FrameError:
            packets = []
        for packet, offset in zip(packets, splitter.starts, strict=False):
            if isinstance(packet, Publish):
                found += self._say(packet, offset)
        if splitter.broken is not None:
            error, offset = splitter.broken, splitter.starts[-1]
            found.append(BadFrame(error=f"{error}; the rest cannot be read", offset=offset, frame=error.frame))
        return iter(found)

    def close(self) -> Iterator[DecodedValue | BadFrame]:
        """Return what is left; a packet that is not whole is a `BadFrame`."""
        left = self._splitter.pending
        if left and self._splitter.broken is None:
            return iter(
                [BadFrame(error="truncated: a packet is not whole", offset=self._length - len(left), frame=left[:256])]
            )
        return iter(())

    def _say(self, packet: Publish, offset: int) -> Iterator[DecodedValue | BadFrame]:
        read = next(read for fits, read in self._by_topic if fits(packet.topic))
        try:
            message = read(packet.topic, packet.payload)
        except FrameError as error:
            yield BadFrame(error=f"{packet.topic}: {error}", offset=offset, frame=packet.payload[:256])
            return
        for said in message.values:
            more = {"topic": packet.topic, "device": message.device, "retain": packet.retain}
            time = said.time if said.time is not None else message.received
            yield DecodedValue(
                parameter=said.key, value=said.value, unit=said.unit, flag=said.mark, time=_iso(time), more=more
            )
        for problem in message.problems:
            yield BadFrame(error=problem, offset=offset, frame=packet.payload[:256])


def _iso(time: int | None) -> str | None:
    if time is None:
        return None
    try:
        return (_EPOCH + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return None


DECODER = DecoderInfo(name="mqtt", title="MQTT 3.1.1 and 5, one direction of a connection", make=MqttDecoder)
