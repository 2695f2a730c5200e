"""``/metrics``: figures of this server in the Prometheus text format, in a registry of its own."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from nilometer.pipeline import Pipeline
from nilometer.uplink.receiver import UplinkState, UplinkStatus
from nilometer.web.api.live import Live
from nilometer.web.mqtt.listener import MqttFigures

__all__ = ["MEDIA_TYPE", "Metrics"]

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_IN_BACKGROUND = (
    ("nilometer_seal_failed", "the last seal"),
    ("nilometer_compaction_failed", "the last compaction in the background"),
)
_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0)


class Metrics:
    """Counts requests, and reads the pipeline when asked.

    Parameters
    ----------
    pipeline : Pipeline
        Whose figures are shown.
    live : Live
        For the clients of the live stream.
    """

    def __init__(self, pipeline: Pipeline, live: Live) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "nilometer_http_requests", "Requests by room and status.", ("room", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "nilometer_http_seconds", "Time to the last byte.", ("room",), registry=self._registry, buckets=_BUCKETS
        )
        self._registry.register(_OfPipeline(pipeline, live))
        self._kept: dict[tuple[str, int], tuple[Counter, Histogram | None]] = {}

    def watch(self, figures: Callable[[], MqttFigures]) -> None:
        """Show what an MQTT listener says of itself."""
        self._registry.register(_OfMqtt(figures))

    def count(self, room: str, status: int, seconds: float) -> None:
        """Count one request; a stream is counted when it ends, without its time."""
        kept = self._kept.get((room, status))
        if kept is None:
            times = None if room == "live" else self._seconds.labels(room)
            kept = self._kept[room, status] = self._requests.labels(room, str(status)), times
        requests, times = kept
        requests.inc()
        if times is not None:
            times.observe(seconds)

    def text(self) -> bytes:
        """Return everything in the text format."""
        return generate_latest(self._registry)


class _OfMqtt(Collector):
    def __init__(self, figures: Callable[[], MqttFigures]) -> None:
        self._figures = figures

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        told = self._figures()
        yield GaugeMetricFamily("nilometer_mqtt_clients", "MQTT clients that are connected.", value=told.clients)
        yield CounterMetricFamily("nilometer_mqtt_stored", "MQTT messages that were stored.", value=told.stored)
        yield CounterMetricFamily("nilometer_mqtt_refused", "MQTT messages that were refused.", value=told.refused)
        yield CounterMetricFamily("nilometer_mqtt_shed", "MQTT messages lost to slow clients.", value=told.shed)


class _OfPipeline(Collector):
    def __init__(self, pipeline: Pipeline, live: Live) -> None:
        self._pipeline, self._live = pipeline, live

    def describe(self) -> Iterable[Metric]:
        return []

    def collect(self) -> Iterable[Metric]:
        pipeline = self._pipeline
        yield CounterMetricFamily("nilometer_committed_rows", "Rows made durable.", value=pipeline.committed_rows)
        yield CounterMetricFamily(
            "nilometer_shed_rows", "Rows refused because the queue was full.", value=pipeline.shed
        )
        yield GaugeMetricFamily("nilometer_queued_rows", "Rows that wait to be made durable.", value=pipeline.queued)
        yield GaugeMetricFamily(
            "nilometer_refusing", "1 while the store accepts nothing.", value=float(pipeline.refusing is not None)
        )
        yield GaugeMetricFamily("nilometer_sequence", "The last journal sequence.", value=pipeline.store.sequence())
        yield GaugeMetricFamily(
            "nilometer_journal_bytes", "Bytes that wait in the journal.", value=pipeline.store.journal_bytes
        )
        yield GaugeMetricFamily(
            "nilometer_store_damage", "Parts of the store found damaged.", value=len(pipeline.store.damage)
        )
        for (name, what), error in zip(_IN_BACKGROUND, pipeline.store.errors, strict=True):
            yield GaugeMetricFamily(name, f"1 while {what} failed.", value=float(bool(error)))
        yield GaugeMetricFamily("nilometer_live_clients", "Clients of the live stream.", value=self._live.clients)
        states = GaugeMetricFamily("nilometer_sources", "Sources by state.", labels=("state",))
        for state, n in Tally(str(status.state) for status in pipeline.sources()).items():
            states.add_metric([state], n)
        yield states
        received = CounterMetricFamily("nilometer_received_rows", "Rows received by source.", labels=("source",))
        bad = CounterMetricFamily("nilometer_bad_frames", "Frames refused by source.", labels=("source",))
        for status in pipeline.sources():
            received.add_metric([status.name], status.received)
            bad.add_metric([status.name], status.bad_frames)
        yield received
        yield bad
        yield from _of_uplinks(pipeline.uplinks.statuses())
        yield from _of_calibrations(pipeline)


def _of_calibrations(pipeline: Pipeline) -> Iterable[Metric]:
    states = GaugeMetricFamily(
        "nilometer_calibrations", "Datastreams by the state of their calibration.", labels=("state",)
    )
    due = GaugeMetricFamily(
        "nilometer_calibration_due_timestamp_seconds", "When the next calibration is due.", labels=("datastream",)
    )
    tally: Tally[str] = Tally()
    for datastream in pipeline.store.catalog.datastreams():
        stands = pipeline.calibrations.standing(datastream)
        if stands is not None:
            tally[stands.state] += 1
            if stands.due is not None:
                due.add_metric([datastream.key], stands.due / 1e6)
    for state in ("valid", "overdue", "failed", "expired_standard", "never"):
        states.add_metric([state], tally[state])
    yield from (states, due)


def _of_uplinks(statuses: Iterable[UplinkStatus]) -> Iterable[Metric]:
    live = GaugeMetricFamily("nilometer_uplink_live", "1 while a receiver answers.", labels=("uplink",))
    waiting = GaugeMetricFamily(
        "nilometer_uplink_waiting", "Periods or rows that are due and not answered.", labels=("uplink",)
    )
    sent = CounterMetricFamily("nilometer_uplink_sent", "Messages sent, repeated ones once.", labels=("uplink",))
    repeated = CounterMetricFamily("nilometer_uplink_repeated", "Messages sent again.", labels=("uplink",))
    refused = CounterMetricFamily(
        "nilometer_uplink_refused_rows", "Rows that may not be sent, by reason.", labels=("uplink", "reason")
    )
    for status in statuses:
        live.add_metric([status.name], float(status.state is UplinkState.LIVE))
        waiting.add_metric([status.name], status.waiting)
        sent.add_metric([status.name], status.sent)
        repeated.add_metric([status.name], status.repeated)
        for reason, rows in status.refused.items():
            refused.add_metric([status.name, reason], rows)
    yield from (live, waiting, sent, repeated, refused)
