"""Codecs: bytes in, measurements out, and back. No socket, no file, no clock."""
