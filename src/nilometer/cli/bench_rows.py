"""Rows of one Datastream as they are committed: the live stream says when, the native API gives them, none is lost.

The stream breaks off and its server sheds what a slow reader leaves; so it is only what wakes the reader, and every row
is read from the store since the last one that was taken. A stream that says nothing does not keep rows back either.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Final

import numpy as np

from nilometer.errors import LinkError, NilometerError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nilometer.client import Client
    from nilometer.client_live import LiveStream

__all__ = ["CommittedRows"]

_LOOK_S: Final = 15.0
"""How often the store is asked although the stream is silent."""
_RETRY_S: Final = (0.2, 1.0, 2.0, 5.0)


class CommittedRows:
    """Follows one Datastream of a server; a context manager.

    Parameters
    ----------
    client : Client
        Of the server.
    datastream : str
        Key or id.
    """

    def __init__(self, client: Client, datastream: str) -> None:
        self._client, self._datastream = client, datastream
        self._told: queue.Queue[int | NilometerError] = queue.Queue()
        self._stream: LiveStream | None = None
        self._ends = threading.Event()
        self._owes_us: int | None = None
        self._looked = time.monotonic()
        self._thread = threading.Thread(target=self._follow, name="live stream", daemon=True)

    def __enter__(self) -> CommittedRows:
        self._thread.start()
        return self

    def __exit__(self, *told: object) -> None:
        self._ends.set()
        if self._stream is not None:
            self._stream.hang_up()
        self._thread.join(5.0)

    def wait(self, since_us: int, timeout_s: float) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
        """Return rows from a moment on, once there are some; None: nothing was committed in that time.

        Raises
        ------
        LinkError
            Once, when the server is lost; later calls wait for it.
        NotFound, NotAuthorized
            As the server refuses.
        """
        try:
            self._take(self._told.get(timeout=timeout_s))
            while True:  # what was committed meanwhile is read at once
                self._take(self._told.get_nowait())
        except queue.Empty:
            pass
        if self._owes_us is None and time.monotonic() - self._looked < _LOOK_S:
            return None
        self._looked = time.monotonic()
        start_us = since_us if self._owes_us is None else min(since_us, self._owes_us)
        table = self._client.read(self._datastream, start=f"{np.datetime64(start_us, 'us')}Z")
        self._owes_us = None
        times = table["phenomenon_time"].cast("int64").to_numpy()
        order = np.argsort(times, kind="stable")
        return times[order], table["result"].to_numpy().astype(np.float64)[order]

    def _take(self, told: int | NilometerError) -> None:
        if isinstance(told, NilometerError):
            raise told
        self._owes_us = told if self._owes_us is None else min(self._owes_us, told)

    def _follow(self) -> None:
        """Tell from when on there are rows to be read, until the end (in a thread of its own)."""
        failures = 0
        while not self._ends.is_set():
            try:
                with self._client.live([self._datastream]) as self._stream:
                    self._told.put(_EVERYTHING)  # and what was committed before it was heard
                    failures = 0
                    for event in self._stream:
                        if event.name == "observations":
                            for columns in event.data["rows"].values():
                                # Its times are in ms, and may be rounded.
                                self._told.put((min(columns["time"]) - 1) * 1000)
                        elif event.name == "shed":
                            self._told.put(_EVERYTHING)
            except LinkError as error:
                if not failures and not self._ends.is_set():
                    self._told.put(error)
                failures += 1
                self._ends.wait(_RETRY_S[min(failures, len(_RETRY_S)) - 1])
            except NilometerError as error:  # it is there, and refuses
                self._told.put(error)
                return


_EVERYTHING: Final = 1 << 62  # later than any moment: since the last row that was taken
