"""What a server refuses, as the errors of this package."""

from __future__ import annotations

import json

from nilometer.errors import (
    CalibrationError,
    NilometerError,
    NotAuthorized,
    NotFound,
    NotSupported,
    Overloaded,
    RateLimited,
    RequestError,
    ReviewRefused,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreUnwritable,
    TooLarge,
    TrialError,
    WrongMediaType,
)

__all__ = ["refusal_of"]

_ERRORS: dict[int, type[NilometerError]] = {
    401: NotAuthorized,
    404: NotFound,
    413: TooLarge,
    415: WrongMediaType,
    429: RateLimited,
    501: NotSupported,
    503: Overloaded,
    507: StoreFull,
}
_BY_CODE: dict[str, type[NilometerError]] = {
    "calibration_error": CalibrationError,
    "trial_error": TrialError,
    "store_unwritable": StoreUnwritable,
    "store_locked": StoreLocked,
}


def refusal_of(status: int, content: bytes) -> NilometerError:
    """Return the error of an answer that is none.

    Parameters
    ----------
    status : int
        Of HTTP.
    content : bytes
        The body: ``{"error": {"code", "message", "place"}}``, or whatever a stranger says.
    """
    try:
        answer = json.loads(content)
    except ValueError:
        answer = {}
    if not isinstance(answer, dict):
        answer = {}
    if status == 400 and "rejected" in answer:
        first = answer["errors"][0] if answer.get("errors") else {"row": 0, "reason": "unknown"}
        return RequestError(
            f"{answer['rejected']} rows rejected; first: {first['reason']}", place=f"row {first['row']}"
        )
    error = answer.get("error")
    error = error if isinstance(error, dict) else {}
    place = error.get("place") or ""
    message = error.get("message") or content[:200].decode("utf-8", "replace") or f"HTTP {status}"
    kind = _BY_CODE.get(str(error.get("code"))) or _ERRORS.get(status, RequestError if status < 500 else StoreError)
    if error.get("code") == "review_refused":
        return ReviewRefused(message, place="" if place in message else place)
    if not issubclass(kind, RequestError):
        return kind(message)
    refused = kind(message, place="" if place in message else place)
    refused.place = place
    return refused
