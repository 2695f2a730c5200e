"""Lines of a text stream in any cut, bounded; does no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from nilometer.acquisition.decoding import BadFrame

__all__ = ["Lines"]

LONGEST = 4096


class Lines:
    r"""Cuts a stream at CR and LF; a prompt ``>`` (ELM327) ends a line too where asked for.

    Parameters
    ----------
    prompt : bool
        Whether ``>`` ends a line.
    """

    def __init__(self, *, prompt: bool = False) -> None:
        self._buffer = bytearray()
        self._offset = 0
        self._prompt = prompt
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[tuple[int, str] | BadFrame]:
        """Take the next bytes; return each whole line that is not empty with its offset in the stream."""
        self._buffer += data.replace(b">", b"\n") if self._prompt else data
        pieces = bytes(self._buffer).replace(b"\r", b"\n").split(b"\n")
        self._buffer = bytearray(pieces.pop())
        found: list[tuple[int, str] | BadFrame] = []
        for piece in pieces:
            found += self._line(piece)
            self._offset += len(piece) + 1
        if len(self._buffer) > LONGEST:
            if not self._skipping:
                found.append(
                    BadFrame(
                        error=f"a line of more than {LONGEST} bytes",
                        offset=self._offset,
                        frame=bytes(self._buffer[:64]),
                    )
                )
            self._offset += len(self._buffer)
            self._buffer.clear()
            self._skipping = True
        return iter(found)

    def close(self) -> Iterator[tuple[int, str] | BadFrame]:
        """Return what is left as a line."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        return iter(self._line(rest))

    def _line(self, piece: bytes) -> list[tuple[int, str] | BadFrame]:
        if self._skipping:  # the end of a line that was too long
            self._skipping = False
            return []
        if not piece.strip(b"\0 \t"):
            return []
        if len(piece) > LONGEST:
            return [BadFrame(error=f"a line of {len(piece)} bytes", offset=self._offset, frame=piece[:64])]
        return [(self._offset, piece.decode("latin-1").strip("\0 \t"))]
