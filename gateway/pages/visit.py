"""The choices that stay: language, and in the demo the role."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from gateway.access import Hidden
from gateway.web import LANGUAGE_COOKIE, VISIT_COOKIE, Page, page_of, visitor_in

router = APIRouter(include_in_schema=False)
_YEAR_S: Final = 365 * 86_400
_FIRST_PAGE: Final = {"owner": "/home", "operator": "/network"}


@router.get("/language/{code}")
async def language(page: Annotated[Page, Depends(page_of)], code: str, back: str = "/") -> Response:
    """Speak this language from now on."""
    if code not in page.site.picture.registry.network.languages:
        raise Hidden(code)
    response = RedirectResponse(_local(back), 303)
    response.set_cookie(LANGUAGE_COOKIE, code, max_age=_YEAR_S, samesite="lax", httponly=True)
    return response


@router.post("/visit")
async def visit(page: Annotated[Page, Depends(page_of)], role: Annotated[str, Form(max_length=80)] = "") -> Response:
    """Take a role in the demo; an empty one lets every page open for its own audience."""
    visitor = visitor_in(role, page.site.picture.registry.members)
    if not page.site.config.demo or (role and visitor is None):
        raise Hidden(role)
    kind = str(visitor.audience) if visitor else ""
    response = RedirectResponse(_FIRST_PAGE.get(kind, "/"), 303)
    response.set_cookie(VISIT_COOKIE, role, samesite="lax", httponly=True)
    return response


def _local(back: str) -> str:
    """Only a path of our own: never another site."""
    return back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/"
