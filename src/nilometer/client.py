"""A running server from a notebook or from the command line: ``nilometer.connect("http://127.0.0.1:8080")``.

Rows travel as Arrow; nothing here knows how they are stored.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pyarrow as pa

from nilometer.client_frames import FrameCalls
from nilometer.client_live import LiveStream
from nilometer.client_refusals import refusal_of
from nilometer.client_trials import TrialCalls
from nilometer.errors import LinkError, RequestError

__all__ = ["Client", "connect"]

_Query = Mapping[str, Any] | Sequence[tuple[str, str]] | None
ARROW = "application/vnd.apache.arrow.stream"


def connect(url: str, *, token: str | None = None, timeout_s: float = 60.0) -> Client:
    """Return a client of the server at `url`.

    Parameters
    ----------
    url : str
        Such as ``http://127.0.0.1:8080``.
    token : str, optional
        The bearer token of a server that asks for one.
    timeout_s : float
        How long one request may take.

    Returns
    -------
    Client
        Not yet connected: the first call is.

    Raises
    ------
    RequestError
        If the URL is not an http(s) one.
    """
    return Client(url, token=token, timeout_s=timeout_s)


class Client(FrameCalls):
    """The native API as calls."""

    def __init__(self, url: str, *, token: str | None = None, timeout_s: float = 60.0) -> None:
        try:
            parts = urlsplit(url)
            is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_usable = False
        if not is_usable:
            raise RequestError(f"{url!r} is not an address such as http://127.0.0.1:8080", place="url")
        self.url = url.rstrip("/")
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port, self._root = str(parts.hostname), parts.port, parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout_s = timeout_s

    def status(self) -> dict[str, Any]:
        """Return the server's name, version, time and counts."""
        status: dict[str, Any] = self._json("GET", "/api/v1/status")
        return status

    def things(self, **query: str | int) -> list[dict[str, Any]]:
        """Return every Thing; ``as_of`` a past moment, with the values and verdicts of then."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/things", query)["things"]
        return found

    def verdict(self, thing: str | int, **query: str | int) -> dict[str, Any]:
        """Return the verdict on a Thing's water over a ``window``, or from ``start`` to ``end``; ``as_of``."""
        path = f"/api/v1/things/{quote(str(thing), safe='')}/verdict"
        found: dict[str, Any] = self._json("GET", path, query)
        return found

    def observation(self, number: int, **query: str | int) -> dict[str, Any]:
        """Return one Observation with its chain of evidence, now or ``as_of`` a past moment."""
        found: dict[str, Any] = self._json("GET", f"/api/v1/observations/{int(number)}", query)
        return found

    def datastream(self, name: str | int, **query: str | int) -> dict[str, Any]:
        """Return a Datastream by key or id, with what judges it; ``as_of`` a past moment."""
        found: dict[str, Any] = self._json("GET", f"/api/v1/datastreams/{quote(str(name), safe='')}", query)
        return found

    def profile(self, number: int) -> dict[str, Any]:
        """Return a profile version exactly as it judged; `number` is a row's ``profile_id``."""
        found: dict[str, Any] = self._json("GET", f"/api/v1/profiles/{int(number)}")
        return found

    def datastreams(self, **query: str | int) -> list[dict[str, Any]]:
        """Return Datastreams with their newest values, narrowed by ``key`` or ``thing``, as of ``as_of``."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/datastreams", query)["datastreams"]
        return found

    def configure(
        self, things: Sequence[Mapping[str, Any]], datastreams: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Make Things and Datastreams, written as in ``nilometer.toml``; known ones are brought up to date."""
        body = json.dumps({"thing": list(things), "datastream": list(datastreams)}).encode()
        made: dict[str, Any] = self._json("POST", "/api/v1/datastreams", body=body, kind="application/json")
        return made

    def write(self, rows: pa.Table) -> dict[str, Any]:
        """Send rows and return, when they are durable, how many were new, unchanged, revised and rejected.

        Parameters
        ----------
        rows : pyarrow.Table
            Columns ``datastream`` (key or id), ``phenomenon_time``, ``result``.

        Raises
        ------
        RequestError
            If no row could be taken, with the first reason.
        StoreFull, StoreUnwritable, Overloaded
            If the server takes nothing at present: the same rows may be sent again.
        LinkError
            If the server does not answer; what was stored of the rows is recognised when they are sent again.
        """
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
        outcome: dict[str, Any] = self._json(
            "POST", "/api/v1/observations", body=sink.getvalue().to_pybytes(), kind=ARROW
        )
        return outcome

    def read(self, datastream: str | int, start: str | None = None, end: str | None = None, **query: Any) -> pa.Table:  # noqa: ANN401 -- query options
        """Return the rows of a Datastream as an Arrow table.

        `tests` are digits, and `test_names` says which tests they stand for: `nilometer.model.outcomes` parts them.
        ``profile``, ``profile_version`` and ``profile_id`` say what judged each row, `profile` gives its thresholds.

        Parameters
        ----------
        datastream : str or int
            Key or id.
        start, end : str, optional
            ISO 8601; start inclusive, end exclusive.
        **query
            ``as_of``, ``max_points``, ``samples``, ``columns`` (names, separated by commas).
        """
        options = {"start": start, "end": end, **query}
        return self._table(f"/api/v1/datastreams/{quote(str(datastream), safe='')}/observations", options)

    def live(self, datastreams: Sequence[str | int]) -> LiveStream:
        """Return the stream of what is committed to Datastreams from now on, for a ``with``; see `LiveStream`.

        Parameters
        ----------
        datastreams : sequence of str or int
            Keys or ids.
        """
        query = urlencode({"datastream": ",".join(str(one) for one in datastreams)})
        connection = self._kind(self._host, self._port, timeout=self._timeout_s)
        return LiveStream(connection, f"{self._root}/api/v1/live?{query}", self._headers, self.url)

    def rollups(self, datastream: str | int, span: str = "hour", **query: Any) -> pa.Table:  # noqa: ANN401 -- query options
        """Return the hours or days of a Datastream as an Arrow table: counts by flag, means, sums, extremes.

        Parameters
        ----------
        datastream : str or int
            Key or id.
        span : {"hour", "day"}
            Hours of UTC, or days of the Thing.
        **query
            ``start``, ``end``, ``as_of``; ``mean`` (arithmetic, hydrogen_ion, circular, flow_weighted), ``below``
            (half, limit, zero), ``discharge``, ``within_s``.
        """
        path = f"/api/v1/datastreams/{quote(str(datastream), safe='')}/rollups"
        return self._table(path, {"span": span, **query})

    def latest(self, **query: str | int) -> pa.Table:
        """Return the newest row of every Datastream.

        Parameters
        ----------
        **query
            ``thing``, ``property``, ``datastream``: keys or ids, separated by commas; ``as_of``.
        """
        return self._table("/api/v1/latest", query)

    def delete(self, datastreams: Sequence[str | int], **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        """Delete the rows of Datastreams from ``start`` to ``end`` and return how many there were.

        Parameters
        ----------
        datastreams : sequence of str or int
            Keys or ids.
        **told
            ``start``, ``end``; ``by``, ``reason``, ``comment`` for the audit trail; ``force``: also what is signed.

        Raises
        ------
        NotFound
            If there is no such Datastream.
        ReviewRefused
            If somebody signed some of the rows.
        """
        options = {name: value for name, value in told.items() if value not in (None, "")}
        query = [("datastream", str(one)) for one in datastreams]
        query += [(name, str(value)) for name, value in options.items()]
        deleted: dict[str, Any] = self._json("DELETE", "/api/v1/observations", query)
        return deleted

    def review(self, action: str, datastreams: Sequence[str | int], **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        """Enter a step of the manual review and return, when it is durable, the steps and how many rows changed.

        Parameters
        ----------
        action : str
            flag, offset, drift, delete, interpolate, retime or sign_off.
        datastreams : sequence of str or int
            Keys or ids.
        **told
            ``start``, ``end``, ``by``, ``reason``, ``comment``, ``force``, and what the action is told.

        Raises
        ------
        RequestError
            If the step cannot be understood, or its span holds no row.
        NotFound
            If it speaks of what is not there.
        ReviewRefused
            If rows or history stand against it.
        """
        return self._send("POST", "/api/v1/reviews", {"action": action, "datastreams": list(datastreams), **told})

    def undo(self, step: int, by: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        """Undo a step of the manual review; later ones are applied again to what remains."""
        return self._send("POST", f"/api/v1/reviews/{step}/undo", {"by": by, **told})

    def reviews(self, datastream: str | int | None = None, **query: str | int) -> list[dict[str, Any]]:
        """Return the history of the manual review, narrowed by ``start``, ``end``, as it was ``as_of`` a moment."""
        narrowed = query if datastream is None else {"datastream": datastream, **query}
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/reviews", narrowed)["steps"]
        return found

    def review_settings(self) -> dict[str, Any]:
        """Return the levels of review, the reasons a step may have, and the kinds of events with their rules."""
        found: dict[str, Any] = self._json("GET", "/api/v1/reviews/settings")
        return found

    def review_levels(self, datastream: str | int, **query: str | int) -> dict[str, Any]:
        """Return how many rows of a span (``start``, ``end``) have which level, now or ``as_of`` a moment."""
        path = f"/api/v1/datastreams/{quote(str(datastream), safe='')}/levels"
        found: dict[str, Any] = self._json("GET", path, query)
        return found

    def enter_event(self, kind: str, start: str | int, by: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        """Enter an event of a ``thing`` or of ``datastreams``; ``end``, ``note``, ``detail``, ``force`` as needed."""
        return self._send("POST", "/api/v1/events", {"kind": kind, "start": start, "by": by, **told})

    def edit_event(self, event: int, kind: str, start: str | int, by: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        """Enter a new version of an event; all of it is said again."""
        return self._send("PUT", f"/api/v1/events/{event}", {"kind": kind, "start": start, "by": by, **told})

    def withdraw_event(self, event: int, by: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        """Take an event back; its rule is undone."""
        return self._send("POST", f"/api/v1/events/{event}/withdraw", {"by": by, **told})

    def events(self, **query: str | int) -> list[dict[str, Any]]:
        """Return events that somebody entered, by ``thing``, ``kind``, ``start``, ``end``, ``as_of``."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/events", query)["events"]
        return found

    def calibrations(self, **query: str | int) -> list[dict[str, Any]]:
        """Return calibration records, newest first, by ``datastream``, ``thing``, ``kind``, as known ``as_of``."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/calibration-records", query)["records"]
        return found

    def calibration(self, record: int) -> dict[str, Any]:
        """Return a calibration record with all of its versions."""
        found: dict[str, Any] = self._json("GET", f"/api/v1/calibration-records/{record}")
        return found

    def enter_calibration(self, record: Mapping[str, Any], correct: int | None = None) -> dict[str, Any]:
        """Enter a calibration record, or a new version of one; see docs/calibration.md for what it says."""
        way, where = ("POST", "") if correct is None else ("PUT", f"/{correct}")
        return self._send(way, f"/api/v1/calibration-records{where}", dict(record))

    def withdraw_calibration(self, record: int, by: str, comment: str = "") -> dict[str, Any]:
        """Take a calibration record back, and what it put into force."""
        return self._send("POST", f"/api/v1/calibration-records/{record}/withdraw", {"by": by, "comment": comment})

    def calibrations_due(self, **query: str | int) -> list[dict[str, Any]]:
        """Return how calibrations stand, overdue ones first, by ``datastream``, ``thing``, ``as_of``."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/calibration-records/due", query)["calibrations"]
        return found

    def standards(self, **query: str | int) -> list[dict[str, Any]]:
        """Return standard solutions by key, as known ``as_of`` a moment."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/standard-solutions", query)["standards"]
        return found

    def enter_standard(self, standard: Mapping[str, Any], correct: int | None = None) -> dict[str, Any]:
        """Enter a standard solution, or a new version of one; records keep the version that they used."""
        way, where = ("POST", "") if correct is None else ("PUT", f"/{correct}")
        return self._send(way, f"/api/v1/standard-solutions{where}", dict(standard))

    def withdraw_standard(self, standard: int, by: str, comment: str = "") -> dict[str, Any]:
        """Take a standard solution back."""
        return self._send("POST", f"/api/v1/standard-solutions/{standard}/withdraw", {"by": by, "comment": comment})

    def backup(self, to: str, *, link: bool = True) -> dict[str, Any]:
        """Copy everything acknowledged so far to a place on the server's machine; see `nilometer restore`.

        Parameters
        ----------
        to : str
            An absolute path, absent or an empty folder.
        link : bool
            Link the files of the lake where the place is on the same disk.

        Returns
        -------
        dict
            ``backup``, ``sequence``, ``files``, ``bytes``: once all of it is durable.
        """
        return self._send("POST", "/api/v1/backups", {"to": to, "link": link})

    def compact(self) -> dict[str, Any]:
        """Have the server take revised and deleted rows out of its lake and merge its files; see `compacting`."""
        return self._send("POST", "/api/v1/compact", {})

    def compacting(self) -> dict[str, Any]:
        """Return how far a compaction is.

        Returns
        -------
        dict
            ``asked``: whether `compact` is not done yet; ``stage``, ``rows`` and ``of``; then ``report`` or ``error``.
        """
        found: dict[str, Any] = self._json("GET", "/api/v1/compact")
        return found

    def derived(self) -> list[dict[str, Any]]:
        """Return what is derived, how, and what keeps it waiting."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/derived")["derived"]
        return found

    def derive(self, table: dict[str, Any], *, by: str = "") -> dict[str, Any]:
        """Declare a derived Datastream: a table ``[[derived]]`` of the configuration."""
        return self._send("POST", "/api/v1/derived", {**table, "by": by})

    def underive(self, key: str, *, by: str = "") -> dict[str, Any]:
        """Derive a Datastream no more; its rows stay."""
        gone: dict[str, Any] = self._json("DELETE", f"/api/v1/derived/{quote(key, safe='')}", {"by": by})
        return gone

    def reprocess(self, datastreams: Sequence[str | int] = (), **told: Any) -> dict[str, Any]:  # noqa: ANN401 -- JSON
        """Have the server calibrate, derive and judge stored rows again; see `reprocessing`.

        Parameters
        ----------
        datastreams : sequence of str or int
            Keys or ids; none: all.
        **told
            ``start``, ``end``, ``what``, ``dry_run``, ``force``, ``changes``, ``by``.
        """
        return self._send("POST", "/api/v1/reprocess", {"datastreams": list(datastreams), **told})

    def reprocessing(self) -> dict[str, Any]:
        """Return how far reprocessing is.

        Returns
        -------
        dict
            ``running``; ``rows`` of ``of`` that were read; then ``report``, what moved, or ``error``.
        """
        found: dict[str, Any] = self._json("GET", "/api/v1/reprocess")
        return found

    def reprocess_changes(self) -> bytes:
        """Return every row that the last run changed, as a Parquet file; it was ordered with ``changes=True``."""
        return self._call("GET", "/api/v1/reprocess/changes")

    def uplinks(self) -> list[dict[str, Any]]:
        """Return how every receiver of an uplink is doing; times in ms since 1970 UTC."""
        found: list[dict[str, Any]] = self._json("GET", "/api/v1/uplinks")["uplinks"]
        return found

    def uplink_gaps(self, name: str, start: str, end: str, *, kind: str | None = None) -> dict[str, Any]:
        """Return what a receiver did not get of the periods that start in a range (ISO 8601), and why.

        Returns
        -------
        dict
            ``counts`` of periods by state, and ``gaps``: each with ``kind``, ``start``, ``end`` (ms), ``state``.
        """
        asked = {"start": start, "end": end} | ({} if kind is None else {"kind": kind})
        found: dict[str, Any] = self._json("GET", f"/api/v1/uplinks/{quote(name)}/gaps", asked)
        return found

    def uplink_resend(self, name: str, start: str, end: str, *, kind: str | None = None) -> dict[str, Any]:
        """Have what a receiver was sent of a range (ISO 8601) sent again; return ``periods``: how many."""
        asked = {"start": start, "end": end, "kind": kind}
        return self._send("POST", f"/api/v1/uplinks/{quote(name)}/resend", asked)

    def sensorthings(self, path: str) -> dict[str, Any]:
        """Return a SensorThings answer, such as of ``Things(1)``: what follows ``/v1.1/``, percent-encoded."""
        found: dict[str, Any] = self._json("GET", f"/v1.1/{path}")
        return found

    @property
    def trials(self) -> TrialCalls:
        """The trials of the server."""
        return TrialCalls(self._json, self._call)

    def _send(self, method: str, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(document, ensure_ascii=False).encode()
        sent: dict[str, Any] = self._json(method, path, body=body, kind="application/json")
        return sent

    def _json(self, method: str, path: str, query: _Query = None, **more: Any) -> Any:  # noqa: ANN401 -- JSON
        content = self._call(method, path, query, **more)
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise self._stranger() from error
        if not isinstance(answer, dict):
            raise self._stranger()
        return answer

    def _table(self, path: str, query: Mapping[str, Any]) -> pa.Table:
        options = {"format": "arrow", **query}
        body = self._call("GET", path, {name: value for name, value in options.items() if value is not None})
        try:
            return pa.ipc.open_stream(body).read_all()
        except pa.ArrowInvalid as error:
            raise self._stranger() from error

    def _stranger(self) -> LinkError:
        return LinkError("what answers there is no nilometer server", link=self.url)

    def _call(
        self,
        method: str,
        path: str,
        query: _Query = None,
        *,
        body: bytes | None = None,
        kind: str = "",
    ) -> bytes:
        connection = self._kind(self._host, self._port, timeout=self._timeout_s)
        target = self._root + path + (f"?{urlencode(query)}" if query else "")
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise LinkError(f"the server does not answer: {error}", link=self.url) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise refusal_of(answer.status, content)
        return content
