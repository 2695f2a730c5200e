"""``nilometer review`` and ``nilometer event``: correct, sign and undo; note what was done at a station."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from nilometer.cli.listing import AsJson

__all__ = ["register"]

review = typer.Typer(
    help="Manual review: set flags, correct spans, sign levels, undo; nothing is ever lost.\n\n"
    "Example: nilometer review drift mill/ph --data station --start 2024-05-01T00:00Z --end 2024-06-01T00:00Z "
    "--gap -0.12 --by 'Li Na' --reason drift",
    no_args_is_help=True,
)
event = typer.Typer(
    help="Events: maintenance, cleaning, check sample, calibration; the rule of the kind is applied to the flags.\n\n"
    "Example: nilometer event add cleaning --thing mill --data station --start 2024-05-01T08:00+08:00 "
    "--end 2024-05-01T08:40+08:00 --by 'Li Na'",
    no_args_is_help=True,
)

Data = Annotated[Path, typer.Option("--data", help="The data folder, held by a server or not.")]
Datastreams = Annotated[list[str], typer.Argument(help="Keys of Datastreams.")]
Start = Annotated[str, typer.Option(help="ISO 8601 with Z or an offset; inclusive.")]
End = Annotated[str, typer.Option(help="ISO 8601 with Z or an offset; exclusive.")]
By = Annotated[str, typer.Option(help="Who does it.")]
Reason = Annotated[str, typer.Option(help="Why: a code such as drift, fouling, spike, clock, other.")]
Comment = Annotated[str, typer.Option(help="Why, in words.")]
Force = Annotated[bool, typer.Option("--force", help="Also where somebody has signed.")]
Where = Annotated[str | None, typer.Option(help='Only rows that meet it, as JSON: {"flag": ["fail"], "above": 14}.')]
Observation = Annotated[list[int] | None, typer.Option(help="Only these Observations, by id.")]
Uncertainty = Annotated[float | None, typer.Option(help="Standard uncertainty (k = 1) of the correction.")]


@review.command()
def flag(
    datastreams: Datastreams,
    *,
    data: Data,
    start: Start,
    end: End,
    by: By,
    reason: Reason,
    to: Annotated[str, typer.Option("--to", help="pass, not_evaluated, suspect, fail or missing.")],
    where: Where = None,
    observation: Observation = None,
    comment: Comment = "",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Set the flag of a span.

    Example: nilometer review flag mill/ph --data d --start … --end … --to fail --by Li --reason out_of_water
    """
    told = {"flag": to, "where": _json(where), "observations": observation}
    _review(data, "flag", datastreams, told, (start, end, by, reason, comment, force), as_json=as_json)


@review.command()
def offset(
    datastreams: Datastreams,
    *,
    data: Data,
    start: Start,
    end: End,
    by: By,
    reason: Reason,
    add: Annotated[float, typer.Option("--add", help="What is added to the result, in its unit.")],
    where: Where = None,
    observation: Observation = None,
    flag_too: Annotated[str | None, typer.Option("--flag", help="Set this flag too.")] = None,
    uncertainty: Uncertainty = None,
    comment: Comment = "",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Add a number to the results of a span.

    Example: nilometer review offset mill/level --data d --start … --end … --add 0.12 --by Li --reason calibration
    """
    told = {
        "offset": add,
        "where": _json(where),
        "observations": observation,
        "flag": flag_too,
        "uncertainty": uncertainty,
    }
    _review(data, "offset", datastreams, told, (start, end, by, reason, comment, force), as_json=as_json)


@review.command()
def drift(
    datastreams: Datastreams,
    *,
    data: Data,
    start: Start,
    end: End,
    by: By,
    reason: Reason = "drift",
    gap: Annotated[float | None, typer.Option(help="Standard minus reading, found at the end.")] = None,
    gap_percent: Annotated[float | None, typer.Option(help="The same in percent of the reading.")] = None,
    point: Annotated[list[str] | None, typer.Option(help="TIME=GAP, several times.")] = None,
    standards: Annotated[str | None, typer.Option(help="LOW,READ,HIGH,READ of two standards at the end.")] = None,
    flag_too: Annotated[str | None, typer.Option("--flag", help="Set this flag too.")] = None,
    uncertainty: Uncertainty = None,
    comment: Comment = "",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Take out a drift that grew from one calibration (start) to the next (end).

    Example: nilometer review drift mill/ph --data d --start … --end … --gap -0.12 --by Li
    """
    told = {
        "gap": gap,
        "gap_percent": gap_percent,
        "points": None if not point else [_point(text) for text in point],
        "standards": None if standards is None else _standards(standards),
        "flag": flag_too,
        "uncertainty": uncertainty,
    }
    _review(data, "drift", datastreams, told, (start, end, by, reason, comment, force), as_json=as_json)


@review.command()
def delete(
    datastreams: Datastreams,
    *,
    data: Data,
    start: Start,
    end: End,
    by: By,
    reason: Reason,
    where: Where = None,
    observation: Observation = None,
    comment: Comment = "",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Take the results of a span away; the raw results stay, and undo brings all back.

    Example: nilometer review delete mill/do --data d --start … --end … --by Li --reason out_of_water
    """
    told = {"where": _json(where), "observations": observation}
    _review(data, "delete", datastreams, told, (start, end, by, reason, comment, force), as_json=as_json)


@review.command()
def interpolate(
    datastreams: Datastreams,
    *,
    data: Data,
    start: Start,
    end: End,
    by: By,
    reason: Reason,
    greatest_gap: Annotated[str, typer.Option(help="Between the good values on both sides, at most: 2 h.")],
    where: Where = None,
    to: Annotated[str, typer.Option("--to", help="The flag of what is filled in.")] = "suspect",
    comment: Comment = "",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Fill what is absent or bad along a straight line.

    Example: nilometer review interpolate mill/do --data d --start … --end … --greatest-gap '2 h' --by Li --reason spike
    """
    told = {"greatest_gap": greatest_gap, "flag": to, "where": _json(where)}
    _review(data, "interpolate", datastreams, told, (start, end, by, reason, comment, force), as_json=as_json)


@review.command()
def retime(
    datastreams: Datastreams,
    *,
    data: Data,
    start: Start,
    end: End,
    by: By,
    shift: Annotated[str, typer.Option(help="What is added to the times: '-1 h'; with --shift-end: at the start.")],
    shift_end: Annotated[str | None, typer.Option(help="What is added at the end of the span.")] = None,
    reason: Reason = "clock",
    comment: Comment = "",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Move rows in time, after a clock was wrong.

    Example: nilometer review retime mill/ph mill/do --data d --start … --end … --shift '-1 h' --by Li
    """
    told = {"shift": shift, "shift_end": shift_end}
    _review(data, "retime", datastreams, told, (start, end, by, reason, comment, force), as_json=as_json)


@review.command("sign-off")
def sign_off(
    datastreams: Datastreams,
    *,
    data: Data,
    start: Start,
    end: End,
    by: By,
    level: Annotated[str, typer.Option(help="The level that is signed: first, second, or as configured.")],
    reason: Reason = "approval",
    comment: Comment = "",
    as_json: AsJson = False,
) -> None:
    """Sign that the rows of a span have been reviewed.

    Example: nilometer review sign-off mill/ph --data d --start … --end … --level first --by Li
    """
    _review(data, "sign_off", datastreams, {"level": level}, (start, end, by, reason, comment, False), as_json=as_json)


@review.command()
def undo(
    step: Annotated[int, typer.Argument(help="The step's number.")],
    *,
    data: Data,
    by: By,
    reason: Reason = "mistake",
    comment: Comment = "",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Undo a step; later ones are applied again to what remains.

    Example: nilometer review undo 17 --data d --by Li
    """
    from nilometer.cli.review_door import ask

    told = {"reason": reason, "comment": comment, "force": force}
    _say(ask(data, lambda door: door.undo(step, by, **told)), as_json=as_json)


@review.command("list")
def history(
    *,
    data: Data,
    datastream: Annotated[str | None, typer.Option(help="A key; default: all.")] = None,
    as_of: Annotated[str | None, typer.Option(help="ISO 8601: as it was then.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the history.

    Example: nilometer review list --data d --datastream mill/ph
    """
    from nilometer.cli.listing import show
    from nilometer.cli.review_door import ask

    query = {} if as_of is None else {"as_of": as_of}
    steps = ask(data, lambda door: door.reviews(datastream, **query))
    rows = [
        {
            "step": step["id"],
            "action": step["action"] + (f" {step['undoes']}" if step["undoes"] else ""),
            "of": ", ".join(step["datastreams"]) or step["thing"],
            "start": _time(step["start"]),
            "end": _time(step["end"]),
            "by": step["by"],
            "when": _time(step["at"]),
            "reason": step["reason"],
            "rows": step["rows"],
            "undone by": step["undone_by"] or "",
        }
        for step in steps
    ]
    if as_json:
        typer.echo(json.dumps({"steps": steps}, ensure_ascii=False))
    else:
        show(rows, list(rows[0]) if rows else ["step"], {}, as_json=False)


Kind = Annotated[str, typer.Argument(help="maintenance, cleaning, check_sample, calibration, or as configured.")]
OfThing = Annotated[str | None, typer.Option(help="Key of the Thing; or --datastream.")]
OfDatastream = Annotated[list[str] | None, typer.Option(help="Keys of Datastreams of one Thing.")]
MaybeEnd = Annotated[str | None, typer.Option(help="ISO 8601, exclusive; without it the event goes on.")]
Note = Annotated[str, typer.Option(help="In words.")]
Detail = Annotated[str | None, typer.Option(help="Anything else, as a JSON object.")]


@event.command()
def add(
    kind: Kind,
    *,
    data: Data,
    start: Start,
    by: By,
    end: MaybeEnd = None,
    thing: OfThing = None,
    datastream: OfDatastream = None,
    note: Note = "",
    detail: Detail = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Enter an event.

    Example: nilometer event add cleaning --thing mill --data d --start … --end … --by Li
    """
    from nilometer.cli.review_door import ask

    told = _told(thing, datastream, end, note, detail, force=force)
    _say(ask(data, lambda door: door.enter_event(kind, start, by, **told)), as_json=as_json)


@event.command()
def edit(
    number: Annotated[int, typer.Argument(help="The event's number.")],
    kind: Kind,
    *,
    data: Data,
    start: Start,
    by: By,
    end: MaybeEnd = None,
    thing: OfThing = None,
    datastream: OfDatastream = None,
    note: Note = "",
    detail: Detail = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Enter a new version of an event; all of it is said again.

    Example: nilometer event edit 12 cleaning --thing mill --data d --start … --end … --by Li
    """
    from nilometer.cli.review_door import ask

    told = _told(thing, datastream, end, note, detail, force=force)
    _say(ask(data, lambda door: door.edit_event(number, kind, start, by, **told)), as_json=as_json)


@event.command()
def withdraw(
    number: Annotated[int, typer.Argument(help="The event's number.")],
    *,
    data: Data,
    by: By,
    note: Note = "",
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Take an event back; what its rule did to flags is undone.

    Example: nilometer event withdraw 12 --data d --by Li --note 'wrong station'
    """
    from nilometer.cli.review_door import ask

    _say(ask(data, lambda door: door.withdraw_event(number, by, note=note, force=force)), as_json=as_json)


@event.command("list")
def listed(
    *,
    data: Data,
    thing: OfThing = None,
    kind: Annotated[str | None, typer.Option(help="Of this kind only.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the events that somebody entered, newest first.

    Example: nilometer event list --data d --thing mill
    """
    from nilometer.cli.listing import show
    from nilometer.cli.review_door import ask

    query = {name: value for name, value in (("thing", thing), ("kind", kind)) if value is not None}
    events = ask(data, lambda door: door.events(**query))
    rows = [
        {
            "event": one["id"],
            "kind": one["kind"],
            "of": ", ".join(one["datastreams"]) or one["thing"],
            "start": _time(one["start"]),
            "end": _time(one["end"]),
            "by": one["by"],
            "note": one["note"],
        }
        for one in events
    ]
    if as_json:
        typer.echo(json.dumps({"events": events}, ensure_ascii=False))
    else:
        show(rows, list(rows[0]) if rows else ["event"], {}, as_json=False)


def _review(
    data: Path,
    action: str,
    datastreams: list[str],
    told: dict[str, Any],
    common: tuple[str, str, str, str, str, bool],
    *,
    as_json: bool,
) -> None:
    from nilometer.cli.review_door import ask

    names = ("start", "end", "by", "reason", "comment", "force")
    said = {name: value for name, value in told.items() if value is not None} | dict(zip(names, common, strict=True))
    _say(ask(data, lambda door: door.review(action, datastreams, **said)), as_json=as_json)


def _told(
    thing: str | None, datastreams: list[str] | None, end: str | None, note: str, detail: str | None, *, force: bool
) -> dict[str, Any]:
    told = {"thing": thing, "end": end, "detail": _json(detail)}
    said = {name: value for name, value in told.items() if value is not None}
    return said | {"datastreams": datastreams or [], "note": note, "force": force}


def _say(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done, ensure_ascii=False))
        return
    made = done.get("event")
    if made is not None:
        typer.echo(f"event {made['id']}: {made['kind']}{', withdrawn' if made['withdrawn'] else ''}")
    for step in done["steps"]:
        of = ", ".join(step["datastreams"]) or step["thing"]
        typer.echo(f"step {step['id']}: {step['action']} of {of}, by {step['by']}")
    typer.echo(f"{done['rows']} rows changed")


def _json(text: str | None) -> Any:  # noqa: ANN401 -- JSON
    from nilometer.errors import RequestError

    try:
        return None if text is None else json.loads(text, parse_constant=_no_number)
    except ValueError as error:
        raise RequestError(f"{text[:60] if text else ''!r} is no JSON: {error}") from error


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no JSON")


def _point(text: str) -> list[Any]:
    from nilometer.errors import RequestError

    time, _, gap = text.rpartition("=")
    try:
        return [time, float(gap)]
    except ValueError as error:
        raise RequestError(f"{text!r} is not TIME=GAP", place="--point") from error


def _standards(text: str) -> list[list[float]]:
    from nilometer.errors import RequestError

    try:
        low, low_read, high, high_read = (float(part) for part in text.split(","))
    except ValueError as error:
        raise RequestError(f"{text!r} is not LOW,READ,HIGH,READ: four numbers", place="--standards") from error
    return [[low, low_read], [high, high_read]]


def _time(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "…"
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.add_typer(review, name="review")
    app.add_typer(event, name="event")
