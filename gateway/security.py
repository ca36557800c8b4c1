"""What every answer carries, and which requests are not answered at all."""

import re
import time
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.config import LOOPBACK
from gateway.metrics import Metrics

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_NAMES: Final = "|".join(re.escape(f"[{name}]" if ":" in name else name) for name in LOOPBACK)
_OURS: Final = re.compile(rf"(?:{_NAMES})(?::\d{{1,5}})?", re.ASCII | re.IGNORECASE)
_SHOWN: Final = 80
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Refuses foreign hosts (a name rebound to this machine) and forms from elsewhere; adds headers and metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def decorated(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if not scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        refusal = _refusal(Request(scope))
        try:
            if refusal is not None:
                await PlainTextResponse(refusal, status_code=403)(scope, receive, decorated)
            else:
                await self.app(scope, receive, decorated)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(route, status).inc()
            if route != "/events":
                self.metrics.seconds.labels(route).observe(time.perf_counter() - began)


def _refusal(request: Request) -> str | None:
    """Why the request is not answered, or None."""
    host = request.headers.get("host", "")
    if not _OURS.fullmatch(host):
        return f"Host {host[:_SHOWN]!r}: this gateway answers to {', '.join(LOOPBACK)} alone until there are accounts\n"
    if request.method not in _SAFE and not _same_origin(request.headers):
        return "Origin: this form was sent from another site\n"
    return None


def _same_origin(headers: Headers) -> bool:
    """By what browsers always send with a form; a program that sends neither carries no cookie of a visitor."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host")
    except ValueError:  # what cannot be read is not ours
        return False
