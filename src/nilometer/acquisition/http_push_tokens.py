"""Whose token is it? Compared in constant time with each that is known, and shown nowhere."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from nilometer.acquisition.driver import DriverOptions
from nilometer.acquisition.secret import secret
from nilometer.errors import ConfigError

__all__ = ["SHORTEST", "PushDeviceOptions", "Tokens"]

SHORTEST = 16


class PushDeviceOptions(DriverOptions):
    """Where a device's token is; at least 16 characters."""

    token: str | None = Field(None, min_length=SHORTEST, repr=False)
    token_env: str | None = None
    token_file: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(one is not None for one in (self.token, self.token_env, self.token_file)) != 1:
            raise ValueError("a device has one of token, token_env and token_file")
        return self


class Tokens:
    """The tokens of a source's devices.

    Parameters
    ----------
    devices : mapping of str to PushDeviceOptions
        By the device's name.

    Raises
    ------
    ConfigError
        If a token cannot be had, is too short, or is that of two devices.
    """

    def __init__(self, devices: Mapping[str, PushDeviceOptions]) -> None:
        # Digests are of one length, so that the comparison tells nothing of the tokens'.
        self._digests = {name: _digest(_secret(name, option)) for name, option in devices.items()}
        if len(set(self._digests.values())) < len(self._digests):
            raise ConfigError("devices", reason="two of them have the same token")

    def owner(self, headers: Mapping[str, str]) -> str | None:
        """Return the device whose token a request bears, None for nobody's.

        It stands in ``Authorization: Bearer TOKEN``, as the password of ``Authorization: Basic``, or in ``X-Api-Key``.
        """
        given = _digest(_borne(headers))
        found = None
        # All are compared, whichever it is.
        for name, digest in self._digests.items():
            if hmac.compare_digest(digest, given):
                found = name
        return found


def _borne(headers: Mapping[str, str]) -> str:
    kind, _, rest = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return rest.strip()
    if kind.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return headers.get("x-api-key", "").strip()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _secret(name: str, option: PushDeviceOptions) -> str:
    at = f"devices.{name}"
    if option.token is not None:
        return option.token
    found = secret(f"{at}.token", env=option.token_env, file=option.token_file) or ""
    if len(found) < SHORTEST:
        raise ConfigError(
            at,
            seen=option.token_env or option.token_file,
            reason=f"the token there has fewer than {SHORTEST} characters",
        )
    return found
