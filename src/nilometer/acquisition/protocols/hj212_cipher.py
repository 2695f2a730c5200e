"""The data area of HJ 212-2025 under SM4, there and back: whole groups of 16 bytes are encrypted, the rest stays plain.

::

    ## length | QN=…;ST=…;CN=…;MN=…;Flag=…;CP=&& | groups of 16 bytes under SM4, then at most 15 as they are | && | CRC

What lies between ``CP=&&`` and the last ``&&`` is encrypted; the frame is made and its CRC computed before, so both
hold for the plain text. Data of a station (CN 2000 to 2999), 1014 and 3020 are to be encrypted on the internet. Keys
are configured: how they are exchanged (1014) is not read.

Public code differs in how the groups stand on the wire. The length of the standard's own examples (0295 for 295 plain
characters) fits bytes; text as it is printed there, ``{0xE4,0x3E,…}g=N``, is read too, where its own length is given.

References
----------
HJ 212-2025 sections 6.4.2, 6.4.4, Appendix A.2, as three independent programs quote them: an SM4 and packet codec in
Python with the examples of A.2, a crate in Rust, and the guide of a Node-RED flow (found by their text, see
docs/drivers/hj212.md). SM4: GB/T 32907-2016.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from nilometer.acquisition.protocols.hj212_crc import crc16
from nilometer.errors import ConfigError

__all__ = ["ANY_DEVICE", "Cipher", "encrypted_frame"]

ANY_DEVICE = "*"
"""Stands for every MN in a table of keys."""

_OPENED = re.compile(rb"^(?P<head>.*?CP=&&)(?P<area>.*)(?P<end>&&)\Z", re.DOTALL)
_COMMAND = re.compile(rb"(?:^|;)CN=(?:2\d{3}|1014|3020);")
_DEVICE = re.compile(rb"(?:^|;)MN=([^;]*);")
_PRINTED = re.compile(rb"\{((?:0[xX][0-9A-Fa-f]{2},?)+)\}")
_GROUP = 16


class _Sm4(Protocol):
    def encrypt(self, groups: bytes) -> bytes: ...

    def decrypt(self, groups: bytes) -> bytes: ...


class _Blocks:
    """SM4 in ECB mode by the cryptography package."""

    def __init__(self, key: bytes) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers import Cipher as Ecb  # noqa: PLC0415 -- an extra
            from cryptography.hazmat.primitives.ciphers import algorithms, modes  # noqa: PLC0415
        except ImportError as error:
            reason = "SM4 needs the cryptography package: pip install 'nilometer[hj212]'"
            raise ConfigError("keys", reason=reason) from error
        self._ecb = Ecb(algorithms.SM4(key), modes.ECB())  # noqa: S305 -- as the standard has it

    def encrypt(self, groups: bytes) -> bytes:
        step = self._ecb.encryptor()
        return step.update(groups) + step.finalize()

    def decrypt(self, groups: bytes) -> bytes:
        step = self._ecb.decryptor()
        return step.update(groups) + step.finalize()


class Cipher:
    """The keys of the stations of a source.

    Parameters
    ----------
    keys : mapping of str to bytes
        16 bytes by MN, or by `ANY_DEVICE`.

    Raises
    ------
    ConfigError
        If SM4 is not installed.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys: Mapping[str, _Sm4] = {device: _Blocks(key) for device, key in keys.items()}

    def plain(self, segment: bytes, is_right: Callable[[bytes], bool]) -> bytes:
        """Return a data segment as it was before it was encrypted, or as it is.

        Parameters
        ----------
        segment : bytes
            From the first name to the closing ``&&``.
        is_right : callable
            Says whether the frame's CRC fits a text.
        """
        opened = _OPENED.match(segment)
        if opened is None or not _COMMAND.search(opened["head"]):
            return segment
        device = _DEVICE.search(opened["head"])
        name = device[1].decode("utf-8", "replace") if device else ""
        key = self._keys.get(name) or self._keys.get(ANY_DEVICE)
        if key is None:
            return segment
        area = _PRINTED.sub(lambda match: bytes.fromhex(re.sub("0[xX]|,", "", match[1].decode())), opened["area"])
        whole = len(area) - len(area) % _GROUP
        plain = opened["head"] + key.decrypt(area[:whole]) + area[whole:] + opened["end"]
        # The CRC alone takes one wrong text in 256 for right.
        return plain if is_right(plain) and _is_text(plain) else segment


def encrypted_frame(segment: bytes, key: bytes) -> bytes:
    """Return a plain data segment as a frame with its data area encrypted; the inverse of `Cipher.plain`.

    Raises
    ------
    ValueError
        If it has no data area, or is longer than four digits can say.
    """
    opened = _OPENED.match(segment)
    if opened is None or len(segment) > 9999:
        raise ValueError(f"a data segment of {len(segment)} bytes is not encrypted: no CP=&& … &&, or too long")
    area = opened["area"]
    whole = len(area) - len(area) % _GROUP
    hidden = opened["head"] + _Blocks(key).encrypt(area[:whole]) + area[whole:] + opened["end"]
    return b"##%04d%s%04X\r\n" % (len(hidden), hidden, crc16(segment))


def _is_text(data: bytes) -> bool:
    try:
        return data.decode("utf-8").replace("\r", "").replace("\n", "").isprintable()
    except UnicodeDecodeError:
        return False
