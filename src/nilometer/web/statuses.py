"""The one table from error class to HTTP status, and the document that carries an error."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from nilometer.errors import (
    CalibrationError,
    ConfigError,
    Conflict,
    LinkError,
    MethodNotAllowed,
    NilometerError,
    NotAuthorized,
    NotFound,
    NotSupported,
    Overloaded,
    RateLimited,
    ReadError,
    RequestError,
    ReviewRefused,
    StandardNotApplicable,
    StoreFull,
    StoreLocked,
    StoreUnwritable,
    TooLarge,
    TrialError,
    UnitError,
    WrongMediaType,
)

__all__ = ["RETRY_AFTER_S", "STATUS", "error_document", "sensorthings_error", "status_of"]

STATUS: dict[type[NilometerError], HTTPStatus] = {
    RequestError: HTTPStatus.BAD_REQUEST,
    ConfigError: HTTPStatus.BAD_REQUEST,
    UnitError: HTTPStatus.BAD_REQUEST,
    ReadError: HTTPStatus.BAD_REQUEST,
    NotAuthorized: HTTPStatus.UNAUTHORIZED,
    NotFound: HTTPStatus.NOT_FOUND,
    StandardNotApplicable: HTTPStatus.CONFLICT,
    TrialError: HTTPStatus.CONFLICT,
    CalibrationError: HTTPStatus.CONFLICT,
    ReviewRefused: HTTPStatus.CONFLICT,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    WrongMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    Conflict: HTTPStatus.CONFLICT,
    MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    NotSupported: HTTPStatus.NOT_IMPLEMENTED,
    RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    LinkError: HTTPStatus.BAD_GATEWAY,
    Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreLocked: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreUnwritable: HTTPStatus.SERVICE_UNAVAILABLE,
    StoreFull: HTTPStatus.INSUFFICIENT_STORAGE,
    NilometerError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
RETRY_AFTER_S = 5


def status_of(error: NilometerError) -> HTTPStatus:
    """Return the status of an error: that of the nearest class in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def error_document(error: NilometerError) -> dict[str, Any]:
    """Return ``{"error": {"code", "message", "place"}}``; the code is the class in snake case."""
    code = re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()
    place = getattr(error, "place", "")
    message = str(error)
    if place:
        message = message.removeprefix(f"{place}: ")
    elif isinstance(error, ConfigError):
        place = getattr(error, "key", "")
    return {"error": {"code": code, "message": message, "place": place}}


def sensorthings_error(error: NilometerError) -> dict[str, Any]:
    """Return an error as clients of SensorThings know it, ``{"code", "type", "message"}``, with ours beside it.

    The standard fixes no form; the open servers that clients were written against have this one.
    """
    return {
        "code": int(status_of(error)),
        "type": "error",
        "message": str(error),
        **error_document(error),
    }
