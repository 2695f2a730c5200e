"""Who may ask: a bearer token where one is set, and never a page of another origin that writes."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie

from nilometer.errors import NotAuthorized
from nilometer.web.exchange import Exchange, Headers
from nilometer.web.origins import Origins
from nilometer.web.sensorthings.options import decode_query, encode_query

__all__ = ["Guard"]

COOKIE = "nilometer_token"
OPEN = frozenset({"/health"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Checks every request.

    Parameters
    ----------
    token : str, optional
        What a request must carry, as ``Authorization: Bearer …`` or as the cookie that ``/?token=…`` leaves. None:
        the server listens on loopback only, and everybody there may ask.
    origins : Origins
        Whose pages may write.
    """

    def __init__(self, token: str | None, origins: Origins) -> None:
        self._token = None if token is None else token.encode()
        self._origins = origins

    def check(self, exchange: Exchange) -> None:
        """Let a request pass.

        Raises
        ------
        NotAuthorized
            If it carries no token or a wrong one, or a page of another origin tries to write.
        """
        origin = exchange.header(b"origin")
        if exchange.method not in _SAFE and not self._origins.may_write(origin, exchange.header(b"host")):
            raise NotAuthorized(
                f"a page of {origin[:100]} may not write here, unless server.origins names it", place="origin"
            )
        if self._token is None or exchange.path in OPEN or self._carried(exchange):
            return
        raise NotAuthorized(
            "send the server's token as 'Authorization: Bearer …', or open /?token=…", place="authorization"
        )

    def admission(self, exchange: Exchange) -> Headers | None:
        """Return the redirect that turns ``?token=…`` of a page into a cookie, or None."""
        if self._token is None or exchange.method != "GET" or b"token=" not in exchange.query:
            return None
        pairs = decode_query(exchange.query)
        given = dict(pairs).get("token", "")
        if not self._is_right(given):
            return None
        rest = encode_query((name, value) for name, value in pairs if name != "token")
        target = "/" + exchange.path.lstrip("/") + (f"?{rest}" if rest else "")
        cookie = f"{COOKIE}={given}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
        return [("location", target), ("set-cookie", cookie), ("cache-control", "no-store")]

    def _carried(self, exchange: Exchange) -> bool:
        scheme, _, given = exchange.header(b"authorization").partition(" ")
        if scheme.lower() == "bearer":
            return self._is_right(given.strip())
        try:
            cookie = SimpleCookie(exchange.header(b"cookie")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self._is_right(cookie.value)

    def _is_right(self, given: str) -> bool:
        return self._token is not None and hmac.compare_digest(given.encode("utf-8", "replace"), self._token)
