"""Errors as a person reads them on a page, and as ``application/problem+json`` in the API."""

import logging
import secrets
import traceback
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleet.edit import EditRefused
from gateway.access import Hidden
from gateway.catalog import LANGUAGES, choose, later, translations
from gateway.web import page_of, told_causes
from store.base import StoreError

log: Final = logging.getLogger(__name__)
_TITLES: Final = {
    400: later("Demande illisible"),
    403: later("Demande refusée"),
    404: later("Cette page n'existe pas, ou n'est pas pour vous"),
    405: later("Cette page ne se demande pas ainsi"),
    422: later("Une valeur ne convient pas"),
    500: later("Quelque chose s'est mal passé ici"),
    503: later("La base de données ne répond pas"),
}
_HIDDEN: Final = later("L'adresse est peut-être incomplète, ou la page a changé depuis. Revenez et recommencez.")
_OURS: Final = later(
    "La faute n'est pas la vôtre, et rien de ce qui arrive des machines n'est perdu. "
    "Réessayez ; si cela dure, donnez la référence %(reference)s à l'exploitant."
)
_PLAIN: Final = """<!doctype html><html lang="{language}"><meta charset="utf-8"><title>500</title>
<h1>{title}</h1><p>{text}</p><p><a href="/">Résilian</a></p></html>"""
_AGAIN: Final = later("Rien n'a été changé. Réessayez dans un instant.")
_JSON_PATHS: Final = ("/api/", "/events", "/healthz", "/readyz", "/metrics", "/openapi.json")


STORE_AWAY: Final = "it does not answer; the operator's page says why"
_PLACES: Final = 4
_CAUSE: Final = 400


class Problem(BaseModel):
    """What went wrong (RFC 9457): ``errors`` names each field, its value and the rule."""

    model_config = ConfigDict(extra="forbid")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] = []


def install(app: FastAPI) -> None:
    """Answer every error of the application with one of the two forms."""

    @app.exception_handler(Hidden)
    async def hidden(request: Request, error: Hidden) -> Response:
        del error  # never told: what may not be seen and what is not there answer alike
        return answer(request, 404, "no such thing, or not for you", _HIDDEN)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        text = _HIDDEN if error.status_code == 404 else str(error.detail)
        response = answer(request, error.status_code, str(error.detail), text)
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [
            {
                "field": ".".join(str(part) for part in each["loc"][1:]),
                "value": str(each.get("input"))[:80],
                "rule": each["msg"],
            }
            for each in error.errors()
        ]
        text = "; ".join(f"{each['field']} = {each['value']!r}: {each['rule']}" for each in errors)
        return answer(request, 422, text, text, errors)

    @app.exception_handler(EditRefused)
    async def refused(request: Request, error: EditRefused) -> Response:
        return answer(request, 422, str(error), str(error))

    @app.exception_handler(StoreError)
    async def store(request: Request, error: StoreError) -> Response:
        told = str(error)[:_CAUSE] if told_causes(request) else STORE_AWAY
        log.warning("503 %.200r: the store does not answer: %s", request.url.path, str(error)[:_CAUSE])
        return answer(request, 503, f"store: {told}", _AGAIN)


class Calm:
    """Answers what no one foresaw with a designed page: the log has the cause, the visitor its reference."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI request; once an answer has begun, an exception can only break it off."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:  # noqa: BLE001 - whatever it is, a person waits for a page
            reference = secrets.token_hex(4)
            log.error("reference %s: %s %.200r: %s", reference, scope.get("method"), scope.get("path"), _cause(error))
            if begun or scope["type"] != "http":
                return
            await _unforeseen(Request(scope), reference)(scope, receive, send)


def _unforeseen(request: Request, reference: str) -> Response:
    try:
        words = page_of(request).words
        return answer(request, 500, f"unforeseen; reference {reference}", words.say(_OURS, reference=reference))
    except Exception as error:  # noqa: BLE001 - the page's own frame may be what fails
        log.error("reference %s: not even the page of errors can be drawn: %s", reference, _cause(error))
        spoken = choose(None, request.headers.get("accept-language", ""), LANGUAGES)
        said = translations(spoken)
        text = said.gettext(_OURS) % {"reference": reference}
        html = _PLAIN.format(language=spoken, title=said.gettext(_TITLES[500]), text=text)
        return HTMLResponse(html, status_code=500)


def _cause(error: Exception) -> str:
    """What failed and where, innermost place first: one line, so that a flood of requests is no flood of log."""
    places = traceback.extract_tb(error.__traceback__)[-_PLACES:]
    where = " < ".join(f"{Path(place.filename).name}:{place.lineno} {place.name}" for place in reversed(places))
    return f"{type(error).__name__}: {str(error)[:_CAUSE]!r} at {where}"


def answer(
    request: Request, status: int, detail: str, text: str, errors: list[dict[str, str]] | None = None
) -> Response:
    """The error in the form that the path speaks; ``text`` is translated, ``detail`` is for programs."""
    if request.url.path.startswith(_JSON_PATHS):
        title = {404: "not found", 422: "invalid value", 500: "unforeseen", 503: "store away"}.get(status, "refused")
        body = Problem(title=title, status=status, detail=detail, errors=errors or [])
        return JSONResponse(body.model_dump(), status_code=status, media_type="application/problem+json")
    page = page_of(request)
    title = page.words.say(_TITLES.get(status, _TITLES[400]))
    return page.render("error.html", status_code=status, title=title, text=page.words.say(text), back_to="/")
