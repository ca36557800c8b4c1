"""Errors as a person reads them on a page, and as ``application/problem+json`` in the API."""

from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from fleet.edit import EditRefused
from gateway.access import Hidden
from gateway.catalog import later
from gateway.web import page_of
from store.base import StoreError

_TITLES: Final = {
    400: later("Demande illisible"),
    403: later("Demande refusée"),
    404: later("Cette page n'existe pas, ou n'est pas pour vous"),
    405: later("Cette page ne se demande pas ainsi"),
    422: later("Une valeur ne convient pas"),
    503: later("La base de données ne répond pas"),
}
_HIDDEN: Final = later("L'adresse est peut-être incomplète, ou la page a changé depuis. Revenez et recommencez.")
_AGAIN: Final = later("Rien n'a été changé. Réessayez dans un instant.")
_JSON_PATHS: Final = ("/api/", "/events", "/healthz", "/readyz", "/metrics", "/openapi.json")


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
        return answer(request, 503, f"store: {error}", _AGAIN)


def answer(
    request: Request, status: int, detail: str, text: str, errors: list[dict[str, str]] | None = None
) -> Response:
    """The error in the form that the path speaks; ``text`` is translated, ``detail`` is for programs."""
    if request.url.path.startswith(_JSON_PATHS):
        title = {404: "not found", 422: "invalid value", 503: "store away"}.get(status, "refused")
        body = Problem(title=title, status=status, detail=detail, errors=errors or [])
        return JSONResponse(body.model_dump(), status_code=status, media_type="application/problem+json")
    page = page_of(request)
    title = page.words.say(_TITLES.get(status, _TITLES[400]))
    return page.render("error.html", status_code=status, title=title, text=page.words.say(text), back_to="/")
