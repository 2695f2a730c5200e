"""The embedded runner: sources → admission → calibration → qc → store → listeners, in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from nilometer.acquisition.driver import Clock, RawBatch, SourceReport
from nilometer.config import Config, DatastreamConfig, ThingConfig
from nilometer.config_derived import DerivedConfig
from nilometer.errors import ConfigError, NilometerError, Overloaded, StoreError
from nilometer.model import Datastream, ObservationBatch, Settlements
from nilometer.pipeline.answers import asked, call, settle
from nilometer.pipeline.calibrating import CalibrationBook, Calibrations
from nilometer.pipeline.changing import Changing
from nilometer.pipeline.channels import Channels, SourceWiring
from nilometer.pipeline.checking import check_config
from nilometer.pipeline.computed import why_computed
from nilometer.pipeline.defining import Defining
from nilometer.pipeline.deleting import Deleted, DeleteOrder, Deleting
from nilometer.pipeline.delivery import Delivery, IngestOutcome
from nilometer.pipeline.derived import newest_only
from nilometer.pipeline.deriving import Deriving
from nilometer.pipeline.event_book import EventBook, EventOrder
from nilometer.pipeline.judging import Judging
from nilometer.pipeline.live import LiveRows, Subscription
from nilometer.pipeline.log import Log
from nilometer.pipeline.pump import Pump
from nilometer.pipeline.reprocess import Reprocessing
from nilometer.pipeline.reprocess_pass import Hands
from nilometer.pipeline.retaining import Retaining
from nilometer.pipeline.review_orders import Entered, Order, Orders
from nilometer.pipeline.reviewing import Reviewing
from nilometer.pipeline.sealing import Sealing
from nilometer.pipeline.singles import Single, Singles
from nilometer.pipeline.sources import RunningSource, SourceStatus
from nilometer.pipeline.trial_running import TrialRunner
from nilometer.pipeline.uplinks import Uplinks, check_uplinks
from nilometer.pipeline.verdicts import NotApplicable, daily_verdicts, verdict_of
from nilometer.pipeline.wiring import Wiring
from nilometer.qc.shelf import Shelf
from nilometer.store import Store
from nilometer.verdict import Verdict

__all__ = ["Pipeline", "wall_clock"]

ROOM_TIMEOUT_S = 10.0
"""How long an HTTP delivery waits for room before it is refused."""

MOST_REVISED_TOLD = 10_000
"""Rows of one step of a review that live listeners are told of."""

T = TypeVar("T")
_log = Log(__name__)


def wall_clock() -> int:
    """Return the present, µs since 1970 UTC."""
    return time.time_ns() // 1000


class Pipeline:
    """A data folder at work.

    Parameters
    ----------
    folder : path
        The data folder; made when absent.
    config : Config
        Things, sources, Datastreams.
    clock : callable
        The present, µs since 1970 UTC; a demo gives its own.
    address : str
        The server's address, told to others who find the folder locked.
    config_file : path, optional
        Named in messages about the configuration.

    Raises
    ------
    ConfigError
        For an unknown driver, profile, instrument or unit, before anything is started.
    StoreLocked, SchemaMismatch
        From the store.
    """

    def __init__(
        self,
        folder: Path,
        config: Config,
        *,
        clock: Clock = wall_clock,
        address: str = "",
        config_file: Path | None = None,
    ) -> None:
        self.config, self.clock = config, clock
        self.started = clock()
        shelf = Shelf.beside(folder, config_file)
        checked = check_config(config, clock, file=config_file, shelf=shelf)
        receivers = check_uplinks(config, file=config_file)
        self.store = Store.open(
            folder,
            catalog_url=config.store.catalog_url,
            lake_url=config.store.lake_url,
            lake_options=config.store.lake_options,
            address=address,
        )
        try:
            self._wiring = Wiring(self.store, config, self.started, shelf)
            self._judging = Judging(self.store, shelf)
            # Both are made below.
            self._deriving = Deriving(self.store, self._judging, lambda: self._reviewing, self._finish_writing)
            self._judging.beside = lambda rows, done: self._pump.patiently(lambda: self._deriving.beside(rows, done))
            self.derived = Defining(self.store, self._wiring, self._deriving, self._judging.set)
            self.derived.configure(config.derived, self.started, file=config_file)
            self._judging.recover()
            self._channels = Channels(self.store, self._wiring, clock, self._judging.set)
            self._wired = {
                source.name: SourceWiring(source, info, options, self._wiring.sensor(source, info, options))
                for source, info, options in checked
            }
        except BaseException:
            self.store.close()
            raise
        for damage in self.store.damage:
            _log.error("part of the store is damaged", damage=damage)
        self.store.hold(self._judging.pending)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._subscriptions: set[Subscription] = set()
        self._reviewing = Reviewing(
            self.store,
            self._revised,
            lambda rows: self._deriving.over(rows, Settlements.none(), clock(), only_revisions=True),
            self._deriving.give_up,
        )
        self._pump = Pump(
            admit=self.store.admit,
            finish=lambda rows: self._judging.finish(rows, clock()),
            review=self._reviewing.over,
            looks_back=lambda: bool(self._reviewing.plans),
            derive=lambda rows, settled, patient: self._deriving.over(rows, settled, clock(), patient),
            is_due=lambda: self._deriving.is_due(clock()),
            commit=self.store.commit,
            publish=self._publish_from_pump,
            abandon=self._abandon,
            between=lambda: self._sealing.when_due(),  # noqa: PLW0108 -- it is made below, of the pump's counters
            held=lambda: self._sealing.make_room(),  # noqa: PLW0108
        )
        self._sealing = Sealing(
            self.store, config.store, committed=lambda: self._pump.committed_rows, keep=self._keep_state
        )
        self.store.on_full = self._sealing.make_room
        self._singles = Singles(self._pump.deliver, self._call_loop)
        try:
            self.orders = Orders(self.store, config.review, self._reviewing, clock)
            self._deleting = Deleting(self.store, self.orders, self._deriving, self._revised, clock)
            self.event_book = EventBook(self.store, config.events, self.orders, clock)
            book = CalibrationBook(self.store, self.orders, clock, self._judging.set)
            self.calibrations = Calibrations(book, self._in_pump)
            self._deriving.recover(clock())
            self._reviewing.recover()
            self._deleting.follow()
            self.changes = Changing(
                self.store, self._wiring, self._judging.set, self._in_pump, self.ingest, clock, self._deleting
            )
            self.changes.recover()
        except BaseException:
            self.store.close()
            raise
        self._retaining = Retaining(self.store, self.delete, clock)
        hands = Hands(
            self.store, shelf, self._judging, self._reviewing, self._pump.ask, self._deriving, self._save_state
        )
        self.reprocessing = Reprocessing(hands)
        self.trials = TrialRunner(self.store, clock)
        self.uplinks = Uplinks(self.store, receivers, clock)
        self._running, self._room = list[RunningSource](), asyncio.Event()
        self._is_state_ahead = self._has_ended = False
        self.shed = 0

    async def start(self) -> None:
        """Begin to take rows; sources begin with `start_sources`."""
        self._loop = loop = asyncio.get_running_loop()
        self._pump.start(room=lambda: call(loop, self._room.set))
        self.store.forgetting.files_s = self.config.store.keep_files
        self.store.forgetting.revisions_s = self.config.store.keep_revisions
        self.store.start_compacting()
        self._retaining.start()

    async def start_sources(self) -> None:
        """Begin every source, and every uplink."""
        self.uplinks.start()
        for wiring in self._wired.values():
            make = partial(wiring.info.make, wiring.options, self.clock)
            source = RunningSource(
                wiring.config, wiring.info, make, self.clock, self._take, self._source_changed, self._newest
            )
            self._running.append(source)
            source.start()

    def _newest(self, source: RunningSource, beginning: str) -> dict[str, int]:
        """Return the newest phenomenon_time of channels of a source; of none while the lake cannot be read."""
        keys = self._channels.datastreams_of(source.config.name, beginning)
        try:
            rows = self.store.snapshot().latest(sorted(keys)) if keys else None
        except StoreError as error:
            _log.warning("nobody can say how far a source has come", source=source.config.name, reason=str(error))
            rows = None
        if rows is None:
            return {}
        times = rows["phenomenon_time"].cast(pa.int64()).to_pylist()
        return {keys[number]: time for number, time in zip(rows["datastream"].to_pylist(), times, strict=True)}

    async def close(self) -> None:
        """End: sources first, then what is queued, then a last state snapshot and the store; once is enough."""
        if self._has_ended:
            return
        self._has_ended = True
        await asyncio.gather(self._retaining.stop(), self.uplinks.stop(), *(source.stop() for source in self._running))
        for subscription in list(self._subscriptions):
            subscription.close()
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        self.reprocessing.stop()
        self.trials.stop()
        self._pump.stop()
        self._sealing.end()
        try:
            self._save_state()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the folder must be let go; the journal has the rows
            _log.error("the state of the tests was not kept; the next start rebuilds it", error=str(error))
        finally:
            self.store.close()

    async def ingest(self, batch: ObservationBatch) -> IngestOutcome:
        """Take rows and return when they are durable.

        Raises
        ------
        Overloaded, StoreError
            As `queue`.
        """
        return await (await self.queue(batch))

    async def queue(self, batch: ObservationBatch) -> asyncio.Future[IngestOutcome]:
        """Take rows, and return what will be known once they are durable: what is queued next comes after them.

        Raises
        ------
        Overloaded
            When the queue stays full for `ROOM_TIMEOUT_S`.
        StoreError
            When the store refuses; the Future raises it too.
        """
        await self._wait_for_room(len(batch), ROOM_TIMEOUT_S)
        return self._queued(len(batch), lambda: batch, wait=False)

    def _queued(
        self, rows: int, prepare: Callable[[], ObservationBatch], *, wait: bool
    ) -> asyncio.Future[IngestOutcome]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[IngestOutcome] = loop.create_future()

        def done(outcome: IngestOutcome | NilometerError) -> None:
            call(loop, settle, answer, outcome)

        self._pump.deliver(Delivery(rows, prepare, done), wait=wait)
        return answer

    async def ingest_one(
        self, datastream: int, time: int, result: float, *, duration: int = 0, always_new: bool = False
    ) -> Single:
        """Take one row and return when it is durable; those of many requests share a commit. See `Singles.take`.

        Raises
        ------
        Overloaded, StoreError
            As `ingest`.
        """
        refusing = self._pump.refusing
        if refusing is not None:
            raise type(refusing)(str(refusing))
        if not self._pump.has_room(1):
            await self._wait_for_room(1, ROOM_TIMEOUT_S)
        return await self._singles.take(datastream, time, result, duration=duration, always_new=always_new)

    def subscribe(self, datastreams: Iterable[int] | None = None) -> Subscription:
        """Return a listener to live rows; close it with `unsubscribe`."""
        subscription = Subscription(datastreams, asyncio.get_running_loop())
        self._subscriptions.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a listener."""
        self._subscriptions.discard(subscription)
        subscription.close()

    def sources(self) -> list[SourceStatus]:
        """Return how every source is doing."""
        return [source.status for source in self._running]

    def verdict(self, thing_id: int, start: int, end: int) -> Verdict | NotApplicable:
        """Return the verdict on a Thing's water from `start` to `end` (µs since 1970 UTC); reads: not in the loop."""
        return verdict_of(self.store, self.store.catalog.thing(thing_id), start, end)

    def daily_verdicts(self, thing_id: int, start: int, end: int) -> list[tuple[int, int, Verdict]]:
        """Return the verdict of every local day of a Thing that holds any of [start, end), with its edges."""
        return daily_verdicts(self.store, self.store.catalog.thing(thing_id), start, end)

    @property
    def queued(self) -> int:
        """Rows that wait to be made durable."""
        return self._pump.queued

    @property
    def committed_rows(self) -> int:
        """Rows made durable since the start."""
        return self._pump.committed_rows

    @property
    def refusing(self) -> NilometerError | None:
        """Why nothing is accepted at present, or None."""
        return self._pump.refusing

    async def configure(
        self, things: Sequence[ThingConfig], datastreams: Sequence[DatastreamConfig]
    ) -> list[Datastream]:
        """Make Things and Datastreams, or bring known ones up to date.

        Raises
        ------
        ConfigError
            If a Datastream names no known Thing, or a unit that does not fit, or is derived.
        """

        def act() -> list[Datastream]:
            for index, one in enumerate(datastreams):
                known = self.store.catalog.datastream_by_key(one.key)
                if known is not None and (reason := why_computed(known.id, self.store.catalog)):
                    raise ConfigError(f"datastream[{index}].key", seen=one.key, reason=reason)
            made = self._wiring.configure(things, datastreams, self.clock())
            for datastream in made:
                self._judging.set(datastream)
            return made

        return await self._in_pump(act)

    async def define(self, config: DerivedConfig, *, by: str = "") -> Datastream:
        """Declare a derived Datastream; see `Defining.add`."""
        return await self._in_pump(lambda: self.derived.add(config, self.clock(), by=by))

    async def undefine(self, key: str, *, by: str = "") -> Datastream:
        """Derive a Datastream no more; see `Defining.remove`."""
        return await self._in_pump(lambda: self.derived.remove(key, self.clock(), by=by))

    async def review(self, order: Order) -> Entered:
        """Enter a step of the manual review and return when its rows are durable.

        Raises
        ------
        RequestError, NotFound, ReviewRefused, StoreError
            As `Orders.enter`.
        """
        return await self._in_pump(lambda: self.orders.enter(order))

    async def undo(self, number: int, *, by: str, reason: str = "mistake", comment: str = "", force: bool) -> Entered:
        """Undo a step of the manual review; see `Orders.undo`."""
        return await self._in_pump(lambda: self.orders.undo(number, by=by, reason=reason, comment=comment, force=force))

    async def delete(self, order: DeleteOrder) -> Deleted:
        """Delete rows, in the order of commits: what is on its way comes after it; see `Deleting`."""
        return await self._in_pump(lambda: self._deleting.delete(order))

    async def note(self, order: EventOrder, number: int | None = None) -> Entered:
        """Enter an event, or a new version of one; see `EventBook`."""
        if number is None:
            return await self._in_pump(lambda: self.event_book.enter(order))
        return await self._in_pump(lambda: self.event_book.edit(number, order))

    async def withdraw(self, number: int, *, by: str, note: str = "", force: bool = False) -> Entered:
        """Take an event back; see `EventBook.withdraw`."""
        return await self._in_pump(lambda: self.event_book.withdraw(number, by=by, note=note, force=force))

    def profile_version(self, datastream_id: int) -> int | None:
        """Return the version of the profile that judges a Datastream's rows at present."""
        return self._judging.versions.get(datastream_id)

    async def _in_pump(self, action: Callable[[], T]) -> T:
        """Do something in the pump's thread, where no row is in flight, and return what it gives."""
        return await asked(self._pump.call, action)

    def entity_changed(self, datastream_id: int) -> None:
        """Take a Datastream's changed profile, unit or calibrations from the next commit on."""
        self._pump.call(lambda: self._judging.set(self.store.catalog.streams.get(datastream_id)))

    async def _wait_for_room(self, rows: int, timeout_s: float | None) -> None:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._pump.has_room(rows):
            self._room.clear()
            if self._pump.has_room(rows):
                return
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise Overloaded(f"{self._pump.queued} rows wait to be made durable; send again later")
            try:
                await asyncio.wait_for(self._room.wait(), left)
            except TimeoutError:
                continue

    async def deliver(self, source: str, raw: RawBatch) -> IngestOutcome:
        """Take rows in the name of a source (what its instrument kept while nobody listened) until they are durable.

        Raises
        ------
        ConfigError
            If no source has that name.
        Overloaded, StoreError
            As `ingest`.
        """
        if source not in self._wired:
            raise ConfigError("source", seen=source, allowed=self._wired)
        await self._wait_for_room(len(raw), None)
        return await self._queued(len(raw), lambda: self._channels.batch(self._wired[source], raw), wait=True)

    async def _take(self, source: RunningSource, raw: RawBatch) -> None:
        """Queue what a driver delivers, and acknowledge it when it is durable."""
        await self._wait_for_room(len(raw), None)
        name = source.config.name

        def done(outcome: IngestOutcome | NilometerError) -> None:
            if isinstance(outcome, NilometerError):
                _log.error("rows of a source were not stored", source=name, error=str(outcome))
                return
            if outcome.rejected:
                _log.warning("rows rejected", source=name, rejected=outcome.rejected, why=outcome.errors[:3])
            raw.acknowledge()

        self._pump.deliver(Delivery(len(raw), lambda: self._channels.batch(self._wired[name], raw), done), wait=True)

    def _source_changed(self, source: RunningSource, report: SourceReport) -> None:
        state = report.state.value
        _log.info("source", name=source.config.name, device=report.device, state=state, detail=report.detail)
        thing = self.store.catalog.thing_by_key(source.config.thing)
        detail = {"source": source.config.name, "device": report.device, "state": state, "detail": report.detail}
        if thing is not None:
            now = self.clock()

            def note() -> None:
                self.store.catalog.add_event(thing.id, None, now, "source", detail)

            self._pump.call(note)

    def _finish_writing(self) -> None:
        self._pump.finish_writing()

    def _abandon(self, lost: list[ObservationBatch]) -> None:
        """Take back rows that were admitted and judged, and cannot be stored."""
        for rows in lost:
            self.store.abandon(rows)
        self._is_state_ahead = True
        self._judging.recover()
        self._deriving.recover(self.clock())
        self._is_state_ahead = False

    def _call_loop(self, function: Callable[[], None]) -> None:
        if self._loop is not None:
            call(self._loop, function)

    def _publish_from_pump(self, rows: ObservationBatch, settled: Settlements, sequence: int) -> None:
        if self._loop is not None and self.uplinks.are_running:
            call(self._loop, self.uplinks.wake)
        if self._subscriptions and self._loop is not None:
            call(self._loop, self._publish, LiveRows(newest_only(rows), settled, sequence))

    def _revised(self, rows: ObservationBatch, sequence: int) -> None:
        """Tell listeners of rows that a step of the review changed: of the last ones, where there are very many."""
        self._pump.note_revised(len(rows))
        self._publish_from_pump(rows.take(slice(-MOST_REVISED_TOLD, None)), Settlements.none(), sequence)

    def _publish(self, live: LiveRows) -> None:
        for subscription in self._subscriptions:
            self.shed += subscription.put(live)

    def _keep_state(self) -> None:
        self._pump.rest()
        self._save_state()

    def _save_state(self) -> None:
        """Keep the state of the tests, which must never be ahead of the journal."""
        if self._is_state_ahead:
            self._abandon([])
        self._judging.save(sequence := self.store.sequence())
        self._deriving.save(sequence)
