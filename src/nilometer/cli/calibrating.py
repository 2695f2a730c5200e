"""``nilometer calibrate``: records of what was done to instruments, standard solutions, and what is due."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from nilometer.cli.calibration_spelling import ALWAYS, PARTS, certificate_of, document_of, point_of
from nilometer.cli.listing import AsJson

__all__ = ["register"]

calibrate = typer.Typer(
    help="Calibration records: zero, span, check, verification, adjustment; standard solutions; due dates.\n\n"
    "Example: nilometer calibrate add verification mill/ph --data station --time 2024-05-01T08:00+08:00 "
    "--operator 'Li Na' --point standard=ph7,before=7.05,after=7.00,n=4,sd=0.01 --limit 0.1",
    no_args_is_help=True,
)
Data = Annotated[Path, typer.Option("--data", help="The data folder, held by a server or not.")]
By = Annotated[str, typer.Option(help="Who enters it.")]
Comment = Annotated[str, typer.Option(help="In words.")]
AsOf = Annotated[str | None, typer.Option(help="ISO 8601 with Z or an offset: as it was known then.")]
DatastreamOption = Annotated[str | None, typer.Option(help="Key of a Datastream.")]
ThingOption = Annotated[str | None, typer.Option(help="Key of a Thing.")]
Withdrawn = Annotated[bool, typer.Option("--withdrawn", help="Also what was withdrawn.")]
Correct = Annotated[int | None, typer.Option(help="Supersede this one: all of it is said again.")]


@calibrate.command()
def add(
    kind: Annotated[str, typer.Argument(help="zero, span, check, verification or adjustment.")],
    datastream: Annotated[str, typer.Argument(help="Key of the Datastream.")],
    *,
    data: Data,
    time: Annotated[str, typer.Option(help="When it was done: ISO 8601 with Z or an offset.")],
    operator: Annotated[str, typer.Option(help="Who did it.")],
    by: Annotated[str, typer.Option(help="Who enters it; default: the operator.")] = "",
    point: Annotated[
        list[str] | None,
        typer.Option(
            help=f"NAME=VALUE by commas, of {', '.join(PARTS)}; u with k = 1; from and to: the mean of stored samples."
        ),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Readings are raw results, in the raw unit.")] = False,
    limit: Annotated[float | None, typer.Option(help="Largest accepted deviation, in the Datastream's unit.")] = None,
    limit_percent: Annotated[float | None, typer.Option(help="The same in percent of the assigned value.")] = None,
    valid_until: Annotated[str | None, typer.Option(help="ISO 8601; default: by the Datastream's interval.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="TOML or JSON of the calibration that it puts into force.")
    ] = None,
    fit: Annotated[str | None, typer.Option(help="Fit it to the points: a form such as polynomial, nernst.")] = None,
    degree: Annotated[int, typer.Option(help="Of a fitted polynomial.")] = 1,
    use: Annotated[str, typer.Option(help="Which readings are fitted: before or after.")] = "before",
    certificate: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the fitted certificate: certificate=S-2, isopotential=7.")
    ] = None,
    accept_expired: Annotated[str, typer.Option(help="Why a standard was used that had expired.")] = "",
    attach: Annotated[list[str] | None, typer.Option(help="Where a certificate or a sheet lies.")] = None,
    comment: Comment = "",
    correct: Correct = None,
    as_json: AsJson = False,
) -> None:
    """Enter a calibration record, or correct one.

    Example: nilometer calibrate add zero mill/codmn --data d --time … --operator Li --point value=0,before=0.12
    """
    told = {
        "kind": kind,
        "datastream": datastream,
        "time": time,
        "operator": operator,
        "by": by or operator,
        "points": [point_of(text, number) for number, text in enumerate(point or ())],
        "readings": "raw" if raw else "result",
        "limit": limit,
        "limit_percent": limit_percent,
        "valid_until": valid_until,
        "calibration": None if calibration is None else document_of(calibration),
        "fit": None
        if fit is None
        else {"form": fit, "degree": degree, "use": use, "certificate": certificate_of(certificate or [])},
        "accept_expired": accept_expired,
        "attachments": attach or [],
        "comment": comment,
    }
    _say(_ask(data, lambda door: door.enter_calibration(told, correct)), as_json=as_json)


@calibrate.command("fit")
def fit_(
    form: Annotated[str, typer.Argument(help="polynomial, slope, offset, nernst, ise, stern_volmer …")],
    *,
    point: Annotated[
        list[str],
        typer.Option(help="NAME=VALUE by commas, of value, before (the reading), u, n, sd, temperature; several."),
    ],
    degree: Annotated[int, typer.Option(help="Of a polynomial.")] = 1,
    unit_in: Annotated[str, typer.Option(help="Of the readings.")] = "1",
    unit_out: Annotated[str, typer.Option(help="Of the values.")] = "1",
    certificate: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the certificate: certificate=S-2, isopotential=7.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Write the document to OUT.json.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit a calibration to points, without a data folder; its document is what `add --calibration` takes.

    Example: nilometer calibrate fit nernst --unit-in mV --point value=4.01,before=177,u=0.01 --point
    value=7,before=1.2,u=0.01 --certificate temperature=25 -o ph.json
    """
    from nilometer.errors import RequestError
    from nilometer.model.calibration_records import CalibrationPoint
    from nilometer.pipeline.calibration_fit import FitOrder, fitted

    told = [point_of(text, number) for number, text in enumerate(point)]
    for number, one in enumerate(told):
        if not {"value", "before"} <= set(one) or {"standard", "from_observations"} & set(one):
            raise RequestError(
                "give value and before; there is no folder with standards", place=f"--point {number + 1}"
            )
    points = [CalibrationPoint(**{"unit": unit_out, **one}) for one in told]
    order = FitOrder(form=form, degree=degree, certificate=certificate_of(certificate or []))
    made, report = fitted(points, [None] * len(points), order, unit_in=unit_in, unit_out=unit_out, valid_from=ALWAYS)
    document = made.to_document()
    if out is not None:
        out.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if as_json:
        typer.echo(json.dumps({"calibration": document, "fit": report}, ensure_ascii=False))
        return
    for name, value in document.items():
        typer.echo(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    for reading, value, residual in zip(report["reading"], report["quantity"], report["residuals"], strict=True):
        typer.echo(f"# {reading:g} -> {value:g}: residual {residual:+g}")
    typer.echo(f"# {_goodness(report)}")


@calibrate.command("list")
def list_(
    *,
    data: Data,
    datastream: DatastreamOption = None,
    thing: ThingOption = None,
    kind: Annotated[str | None, typer.Option(help="zero, span, check, verification, adjustment.")] = None,
    as_of: AsOf = None,
    withdrawn: Withdrawn = False,
    as_json: AsJson = False,
) -> None:
    """List calibration records, newest first.

    Example: nilometer calibrate list --data station --datastream mill/ph --as-of 2024-06-02T00:00Z
    """
    query = {"datastream": datastream, "thing": thing, "kind": kind, "as_of": as_of}
    said = {name: value for name, value in query.items() if value is not None}
    said |= {"withdrawn": "true"} if withdrawn else {}
    records = _ask(data, lambda door: door.calibrations(**said))
    rows = [
        {
            "record": one["id"],
            "kind": one["kind"],
            "of": one["datastream"],
            "when": _time(one["time"]),
            "operator": one["operator"],
            "deviation": _deviation(one),
            "passed": _passed(one),
            "due": _time(one["due"]),
        }
        for one in records
    ]
    columns = ("record", "kind", "of", "when", "operator", "deviation", "passed", "due")
    _table(rows, columns, {"records": records}, as_json=as_json)


@calibrate.command()
def show(
    record: Annotated[int, typer.Argument(help="Number of the record.")], *, data: Data, as_json: AsJson = False
) -> None:
    """Show a calibration record with its points, deviations and versions.

    Example: nilometer calibrate show 7 --data station
    """
    found = _ask(data, lambda door: door.calibration(record))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    typer.echo(f"record {found['id']}: {found['kind']} of {found['datastream']}, {_time(found['time'])}")
    typer.echo(
        f"  by {found['operator']}, entered by {found['by']} {_time(found['at'])}; {_passed(found) or 'no limit'}"
    )
    for stage in ("as_found", "as_left"):
        for point, row in zip(_read(found, stage), found["outcome"].get(stage, {}).get("points", ()), strict=False):
            standard = point["standard"]
            name = f"{standard['key']} (lot {standard['lot'] or '–'})" if standard else "reference"
            said = "" if row["uncertainty"] is None else f", u(k=1) {row['uncertainty']:g}"
            deviation = "–" if row["deviation"] is None else f"{row['deviation']:+g}"
            typer.echo(f"  {stage}: {name} {point['value']:g} {point['unit']}: deviation {deviation}{said}")
    for text in (_expired(found), found["comment"], *found["attachments"]):
        if text:
            typer.echo(f"  {text}")
    if found["fit"] is not None:
        residuals = ", ".join("–" if one is None else f"{one:+g}" for one in found["fit"]["residuals"])
        typer.echo(f"  fitted {found['fit']['form']}: residuals {residuals}; {_goodness(found['fit'])}")
    if found["calibration"] is not None:
        typer.echo(f"  puts calibration {found['calibration']} into force from {_time(found['effective'])} on")
    for version in found["versions"][:-1]:
        typer.echo(f"  superseded: version {version['version']}, entered by {version['by']} {_time(version['at'])}")
    if found["withdrawn"]:
        typer.echo("  withdrawn")


@calibrate.command()
def withdraw(
    record: Annotated[int, typer.Argument(help="Number of the record.")],
    *,
    data: Data,
    by: By,
    comment: Comment = "",
    as_json: AsJson = False,
) -> None:
    """Take a record back, and the calibration that it put into force; nothing is lost.

    Example: nilometer calibrate withdraw 7 --data station --by Li --comment 'another electrode'
    """
    _say(_ask(data, lambda door: door.withdraw_calibration(record, by, comment)), as_json=as_json)


@calibrate.command()
def due(
    *,
    data: Data,
    datastream: DatastreamOption = None,
    thing: ThingOption = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Say how calibrations stand: valid, overdue, failed, expired_standard, never; what is overdue comes first.

    Example: nilometer calibrate due --data station
    """
    query = {"datastream": datastream, "thing": thing, "as_of": as_of}
    said = {name: value for name, value in query.items() if value is not None}
    found = _ask(data, lambda door: door.calibrations_due(**said))
    rows = [
        {
            "datastream": one["datastream"],
            "sensor": one["sensor"],
            "state": one["state"],
            "due": _time(one["due"]),
            "left": "" if one["left_s"] is None else f"{one['left_s'] / 86_400:.1f} d",
            "every": one["every"] or "",
            "last": "" if one["last"] is None else f"{one['last']['kind']} {_time(one['last']['time'])}",
        }
        for one in found
    ]
    columns = ("datastream", "sensor", "state", "due", "left", "every", "last")
    _table(rows, columns, {"calibrations": found}, as_json=as_json)


@calibrate.command()
def standards(*, data: Data, as_of: AsOf = None, withdrawn: Withdrawn = False, as_json: AsJson = False) -> None:
    """List standard solutions with lot, expiry, uncertainty (k = 1) and certificate.

    Example: nilometer calibrate standards --data station
    """
    said = ({} if as_of is None else {"as_of": as_of}) | ({"withdrawn": "true"} if withdrawn else {})
    found = _ask(data, lambda door: door.standards(**said))
    rows = [
        {
            "id": one["id"],
            "key": one["key"],
            "value": f"{one['value']:g} {one['unit']}",
            "u(k=1)": "" if one["uncertainty"] is None else f"{one['uncertainty']:g}",
            "lot": one["lot"],
            "expires": _time(one["expires"]),
            "certificate": " ".join(part for part in (one["certificate"], one["issued_by"]) if part),
        }
        for one in found
    ]
    columns = ("id", "key", "value", "u(k=1)", "lot", "expires", "certificate")
    _table(rows, columns, {"standards": found}, as_json=as_json)


@calibrate.command()
def standard(
    key: Annotated[str, typer.Argument(help="Its name in records, such as ph7-a123.")],
    value: Annotated[float, typer.Argument(help="Assigned value.")],
    unit: Annotated[str, typer.Argument(help="Its unit.")],
    *,
    data: Data,
    by: By,
    name: Annotated[str, typer.Option(help="For people.")] = "",
    quantity: Annotated[str, typer.Option(help="Key of the observed property; none: it serves several.")] = "",
    uncertainty: Annotated[float | None, typer.Option(help="As the certificate states it.")] = None,
    k: Annotated[float, typer.Option("-k", "--coverage-factor", help="The k with which it is stated.")] = 1.0,
    lot: Annotated[str, typer.Option(help="Lot number.")] = "",
    certificate: Annotated[str, typer.Option(help="Number of the certificate.")] = "",
    issued_by: Annotated[str, typer.Option(help="The body that issued it.")] = "",
    opened: Annotated[str | None, typer.Option(help="ISO 8601 with Z or an offset.")] = None,
    expires: Annotated[str | None, typer.Option(help="ISO 8601 with Z or an offset.")] = None,
    comment: Comment = "",
    correct: Correct = None,
    as_json: AsJson = False,
) -> None:
    """Enter a standard solution, or correct one.

    Example: nilometer calibrate standard ph7-a1 7.00 1 --data d --uncertainty 0.02 -k 2 --expires 2025-01-01T00:00Z
    --by Li
    """
    told = {
        "key": key,
        "value": value,
        "unit": unit,
        "by": by,
        "name": name,
        "quantity": quantity,
        "uncertainty": uncertainty,
        "coverage_factor": k,
        "lot": lot,
        "certificate": certificate,
        "issued_by": issued_by,
        "opened": opened,
        "expires": expires,
        "comment": comment,
    }
    _say_standard(_ask(data, lambda door: door.enter_standard(told, correct)), as_json=as_json)


@calibrate.command("withdraw-standard")
def withdraw_standard(
    number: Annotated[int, typer.Argument(help="Number of the standard solution.")],
    *,
    data: Data,
    by: By,
    comment: Comment = "",
    as_json: AsJson = False,
) -> None:
    """Take a standard solution back; records that used it stay.

    Example: nilometer calibrate withdraw-standard 3 --data station --by Li
    """
    _say_standard(_ask(data, lambda door: door.withdraw_standard(number, by, comment)), as_json=as_json)


def _ask(data: Path, question: Any) -> Any:  # noqa: ANN401 -- JSON
    from nilometer.cli.calibration_door import ask

    return ask(data, question)


def _say(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done, ensure_ascii=False))
        return
    record, rows = done["record"], done["to_reprocess"]["rows"]
    gone = ", withdrawn" if record["withdrawn"] else ""
    deviation = f", deviation {_deviation(record)}" if _deviation(record) else ""
    typer.echo(
        f"record {record['id']}: {record['kind']} of {record['datastream']}{gone}{deviation} {_passed(record)}".rstrip()
    )
    if _expired(record):
        typer.echo(_expired(record))
    if record["calibration"] is not None and not record["withdrawn"]:
        typer.echo(f"calibration {record['calibration']} is in force from {_time(record['effective'])} on")
    if rows:
        since = _time(done["to_reprocess"]["since"])
        typer.echo(f"{rows} rows stored from {since} on keep what was known before; nilometer reprocess brings them up")


def _say_standard(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(done, ensure_ascii=False))
        return
    said = "" if done["uncertainty"] is None else f", u(k=1) {done['uncertainty']:g}"
    gone = ", withdrawn" if done["withdrawn"] else ""
    typer.echo(f"standard {done['id']}: {done['key']} {done['value']:g} {done['unit']}{said}{gone}")


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...], document: dict[str, Any], *, as_json: bool) -> None:
    from nilometer.cli.listing import show as show_table

    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    show_table(rows, columns, {}, as_json=False)


def _read(record: dict[str, Any], stage: str) -> list[dict[str, Any]]:
    """Return the points whose readings a stage's deviations are of."""
    outcome = record["outcome"].get(stage, {})
    name = "before" if stage == "as_found" or outcome.get("computed") else "after"
    return [point for point in record["points"] if point[name] is not None]


def _deviation(record: dict[str, Any]) -> str:
    parts = [
        f"{record['outcome'][stage]['largest']:+g} {stage.replace('_', ' ')}"
        for stage in ("as_found", "as_left")
        if record["outcome"].get(stage, {}).get("largest") is not None
    ]
    return ", ".join(parts)


def _passed(record: dict[str, Any]) -> str:
    if record["passed"] is None:
        return ""
    return "passed" if record["passed"] else "FAILED"


def _goodness(report: dict[str, Any]) -> str:
    names = {"residual_deviation": "s", "r_squared": "R²", "birge": "Birge ratio", "probability": "probability"}
    told = [f"{name} {report[key]:g}" for key, name in names.items() if report[key] is not None]
    return ", ".join([*told, f"{report['degrees']} degrees of freedom"])


def _expired(record: dict[str, Any]) -> str:
    if not record["expired"]:
        return ""
    return f"with expired standards ({', '.join(record['expired'])}): {record['accept_expired']}; values are SUSPECT"


def _time(milliseconds: Any) -> str:  # noqa: ANN401 -- JSON
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")


def register(app: typer.Typer) -> None:
    """Add this family's commands."""
    app.add_typer(calibrate, name="calibrate")
