"""File drop: reads the logger files that appear or grow in a folder, and lets go of them when they are stored."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions, Sink, SourceReport, SourceState
from nilometer.acquisition.file_drop_folder import SIDECAR, Complete, DropFolder, FoundFile, Refusals, destination
from nilometer.acquisition.file_drop_rows import DeviceFrom, Reading, batches, device_of, read_whole_lines
from nilometer.acquisition.formats.reading import formats
from nilometer.acquisition.formats.recording import Recording
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US, ChannelTable
from nilometer.errors import ConfigError, ReadError

__all__ = ["DRIVER", "FileDrop", "FileDropOptions"]

Seconds = Annotated[float, Field(gt=0)]
MOST_NOTED = 1000


class FileDropOptions(DriverOptions):
    """Settings of a watched folder; docs/drivers/file_drop.md explains each."""

    path: Annotated[str, Field(min_length=1)]
    patterns: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)
    recursive: bool = False
    complete: Complete = "stable"
    stable_s: Annotated[float, Field(ge=0)] = 10.0
    marker: Annotated[str, Field(min_length=1)] = ".done"
    poll_interval_s: Seconds = 10.0
    after: Annotated[str, Field(pattern="^(keep|move|delete)$")] = "keep"
    done_folder: str = "done"
    refused: Refusals = "sidecar"
    refused_folder: str = "refused"
    longest_file_bytes: Annotated[int, Field(ge=1024)] = 1 << 30
    device: DeviceFrom = "none"
    mark_scheme: str | None = None
    format: str | None = None
    time: str | tuple[str, ...] | None = None
    time_zone: str | None = None
    day_first: bool | None = None
    columns: tuple[str, ...] | None = None
    missing: tuple[str, ...] = ()
    date: str | None = None
    silent_after_s: Seconds | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.format is not None and self.format not in formats().items:
            raise ConfigError("format", seen=self.format, allowed=formats().items)
        if self.complete == "grows" and self.after != "keep":
            raise ValueError("a file that grows is never finished: complete = 'grows' needs after = 'keep'")
        return self


class FileDrop:
    """A folder that is watched; meets `Driver`."""

    def __init__(self, options: FileDropOptions, _clock: Clock) -> None:
        self._options = options
        root = Path(options.path)
        self._done_folder, self._refused_folder = root / options.done_folder, root / options.refused_folder
        self._folder = DropFolder(
            root,
            options.patterns,
            recursive=options.recursive,
            complete=options.complete,
            stable_s=options.stable_s,
            marker=options.marker,
            aside=(self._done_folder, self._refused_folder),
        )
        self._reading = Reading(
            format=options.format,
            time=options.time,
            time_zone=options.time_zone,
            day_first=options.day_first,
            columns=options.columns,
            missing=options.missing,
            date=options.date,
        )
        self._table = ChannelTable()
        self._refused: dict[Path, str] = {}
        self._noted: set[str] = set()
        self._said: tuple[SourceState, str] | None = None

    async def run(self, sink: Sink) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        self._tell(sink, SourceState.STARTING)
        heard = loop.time()
        while True:
            try:
                ready = await asyncio.to_thread(self._folder.ready, loop.time())
            except OSError as error:
                self._tell(sink, SourceState.DISCONNECTED, f"{self._options.path}: {error.strerror or error}")
                await asyncio.sleep(self._options.poll_interval_s)
                continue
            for file in ready:
                if await self._take(file, sink):
                    heard = loop.time()
            limit_s = self._options.silent_after_s
            if limit_s is not None and loop.time() - heard >= limit_s:
                self._tell(sink, SourceState.SILENT, f"nothing new in {self._options.path} for {limit_s:g} s")
            else:
                self._tell(sink, SourceState.LIVE, self._summary())
            await asyncio.sleep(self._options.poll_interval_s)

    async def _take(self, file: FoundFile, sink: Sink) -> bool:
        """Read a file and deliver it; return whether it was read."""
        try:
            recording = await asyncio.to_thread(self._read, file)
        except (ReadError, ConfigError) as error:
            if self._folder.is_unchanged(file) and "no whole line yet" not in str(error):
                await self._refuse(file, str(error), sink)
            return False
        except OSError as error:
            self._note(sink, f"{file.path.name}: {error.strerror or error}; it is tried again")
            return False
        for note in recording.notes:
            self._note(sink, f"{file.path.name}: {note}")
        self._refused.pop(file.path, None)
        self._tell(sink, SourceState.LIVE, self._summary())
        await self._deliver(recording, file, sink)
        # What was written while it was read is read next time; admission knows the rows that were there before.
        if self._folder.is_unchanged(file) or self._options.complete == "grows":
            self._folder.take(file)
            await self._let_go(file, sink)
        return True

    def _read(self, file: FoundFile) -> Recording:
        if file.stamp[0] > self._options.longest_file_bytes:
            raise ReadError(f"{file.stamp[0]} bytes are more than longest_file_bytes", path=file.path)
        if self._options.complete == "grows":
            return read_whole_lines(file.path, self._reading)
        return self._reading.read(file.path)

    async def _deliver(self, recording: Recording, file: FoundFile, sink: Sink) -> None:
        """Hand the rows over, and wait until all are durable."""
        loop = asyncio.get_running_loop()
        durable = asyncio.Semaphore(0)
        device = device_of(recording, file.path, self._options.device)
        sent = 0
        for batch in batches(recording, self._table, device, CLOCK_RESOLUTION_US):
            batch.acknowledge = _releasing(loop, durable)
            await sink.emit(batch)
            sent += 1
        for _ in range(sent):
            await durable.acquire()

    async def _let_go(self, file: FoundFile, sink: Sink) -> None:
        try:
            if self._options.after == "delete":
                await asyncio.to_thread(file.path.unlink)
            elif self._options.after == "move":
                await asyncio.to_thread(destination, file.path, self._done_folder)
            else:
                return
            if self._options.complete == "marker":
                await asyncio.to_thread(
                    file.path.with_name(file.path.name + self._options.marker).unlink, missing_ok=True
                )
        except OSError as error:
            self._note(sink, f"{file.path.name} is stored, and cannot be moved or deleted: {error.strerror or error}")

    async def _refuse(self, file: FoundFile, reason: str, sink: Sink) -> None:
        """Keep a file that cannot be read from being tried again until it changes, and say why where people look."""
        self._folder.take(file)
        self._refused[file.path] = reason
        sink.report(SourceReport(state=SourceState.LIVE, detail=self._summary(), bad_frames=1))
        self._said = (SourceState.LIVE, self._summary())
        if self._options.refused == "state":
            return
        path = file.path
        try:
            if self._options.refused == "move":
                path = await asyncio.to_thread(destination, file.path, self._refused_folder)
            path.with_name(path.name + SIDECAR).write_text(f"{reason}\n", encoding="utf-8")
        except OSError as error:
            self._note(sink, f"{file.path.name}: its refusal cannot be written: {error.strerror or error}")

    def _summary(self) -> str:
        if not self._refused:
            return ""
        last = [
            f"{path.name} ({reason.removeprefix(f'{path}: ')[:160]})"
            for path, reason in list(self._refused.items())[-3:]
        ]
        return f"{len(self._refused)} refused, the last: {'; '.join(last)}"

    def _note(self, sink: Sink, text: str) -> None:
        if len(self._noted) > MOST_NOTED:
            self._noted.clear()
        if text not in self._noted:
            self._noted.add(text)
            sink.report(SourceReport(state=self._said[0] if self._said else SourceState.LIVE, detail=text))

    def _tell(self, sink: Sink, state: SourceState, detail: str = "") -> None:
        if self._said != (state, detail):
            self._said = (state, detail)
            sink.report(SourceReport(state=state, detail=detail))


def _releasing(loop: asyncio.AbstractEventLoop, durable: asyncio.Semaphore) -> Callable[[], None]:
    def done() -> None:
        # From any thread, and perhaps long after the loop is gone.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(durable.release)

    return done


DRIVER = DriverInfo(
    name="file_drop",
    title="Files in a watched folder",
    protocol="file_drop",
    options=FileDropOptions,
    make=FileDrop,
    manual="docs/drivers/file_drop.md; the formats of `nilometer formats`",
    maintainer="The nilometer developers",
    maturity="usable",
    simulator="file_drop",
    clock_resolution_us=CLOCK_RESOLUTION_US,
    mark_scheme=lambda options: options.mark_scheme,
)
