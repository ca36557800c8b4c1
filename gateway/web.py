"""What every page shares: who looks, in which language, and the frame around it."""

import asyncio
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fleet.batch import MachineKey
from gateway import catalog, status
from gateway.access import Audience, Scope, Visitor, scope_of
from gateway.config import GatewayConfig
from gateway.draw.strip import swatch
from gateway.live import Live
from gateway.looked import Looks, What
from gateway.messages import Device
from gateway.metrics import Metrics
from gateway.picture import Picture
from gateway.present import told
from gateway.words import Words, words

HERE: Final = Path(__file__).parent
LANGUAGE_COOKIE: Final = "resilian_language"
VISIT_COOKIE: Final = "resilian_visit"


@dataclass
class Site:
    """What one running gateway has; ``request.app.state.site``.

    Attributes:
        claimed: the device that a machine was made of, as it spoke before: what it sent becomes readings.
    """

    config: GatewayConfig
    picture: Picture
    live: Live
    metrics: Metrics
    looks: Looks
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    version: str = "0"
    connected: bool = False
    broker_reason: str = ""
    claimed: dict[MachineKey, Device] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """One request for a page."""

    request: Request
    site: Site
    visitor: Visitor
    words: Words

    @property
    def now(self) -> datetime:
        """The instant that the whole page holds for."""
        return self.site.picture.now()

    def scope(self, audience: Audience, member: str = "") -> Scope:
        """The data of a page made for that audience.

        Raises:
            gateway.access.Hidden: not for this visitor.
        """
        return scope_of(self.visitor, audience, self.site.picture, self.site.live, member)

    def offers_scope(self) -> Scope:
        """What this visitor reads of offers: a member what others show it; the coordinator, and on request the
        network's edition.

        Raises:
            gateway.access.Hidden: a start-up or the operator asks.
        """
        if self.visitor.audience is Audience.OWNER:
            return self.scope(Audience.OWNER, self.visitor.member)
        if self.request.query_params.get("audience") == Audience.NETWORK:
            return self.scope(Audience.NETWORK)
        return self.scope(Audience.COORDINATOR)

    def looked(self, scope: Scope, keys: Iterable[MachineKey], what: What) -> None:
        """Keep for the owners that this visitor looks at their machines, or at their offers."""
        role = str(self.visitor.audience or scope.audience)
        if scope.audience is Audience.OWNER and what == "offer":
            role = f"member:{scope.member}"
        self.site.looks.note(keys, role, what, free=self.visitor.audience is None)

    def render(self, template: str, *, status_code: int = 200, **context: Any) -> HTMLResponse:
        """The page as HTML, never kept by any cache."""
        name = self.words.language
        frame: Mapping[str, Any] = {
            "w": self.words,
            "page": self,
            "now": self.now,
            "network": self.site.picture.registry.network,
            "members": self.site.picture.registry.members,
            "languages": [(code, catalog.NAMES[code]) for code in self.site.picture.registry.network.languages],
            "path": self.request.url.path,
            "back": _back(self.request),
            "demo": self.site.config.demo,
            "visitor": self.visitor,
            "banners": status.banners(self.site.picture, self.site.live, self.site.connected, self.words),
            "swatch": swatch,
            "state_told": lambda now: told(now, self.words),
        }
        html = environment(name).get_template(template).render({**frame, **context})
        return HTMLResponse(html, status_code=status_code, headers={"Content-Language": name})


@cache
def environment(language: str) -> Environment:
    """Templates speaking one language; every variable is escaped."""
    loader = FileSystemLoader(HERE / "templates")
    made = Environment(
        loader=loader,
        autoescape=True,
        auto_reload=False,  # a version installed beneath this process must not mix with it
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    spoken = catalog.translations(language)
    made.install_gettext_callables(  # type: ignore[attr-defined]  # added by the i18n extension
        spoken.gettext, spoken.ngettext, newstyle=True
    )
    return made


def warm(languages: Iterable[str]) -> None:
    """Compile the templates, so that the first visitor does not wait for it: 0.15 s a language."""
    for language in languages:
        spoken = environment(language)
        for name in spoken.list_templates(extensions=["html"]):
            spoken.get_template(name)


def site_of(request: Request) -> Site:
    """The running gateway that the request came to."""
    site: Site = request.app.state.site
    return site


def page_of(request: Request) -> Page:
    """The request as a page: FastAPI's dependency of every page."""
    site = site_of(request)
    network = site.picture.registry.network
    language = catalog.choose(
        request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language", ""), network.languages
    )
    return Page(request, site, visitor_of(request, site), words(language, network.timezone))


def visitor_of(request: Request, site: Site) -> Visitor:
    """The role that the visitor of a demo took; outside a demo, whoever sits at the server."""
    if not site.config.demo:
        return Visitor()
    return visitor_in(request.cookies.get(VISIT_COOKIE, ""), site.picture.registry.members) or Visitor()


def visitor_in(role: str, members: Container[str]) -> Visitor | None:
    """The visitor of a role of the demo: exactly ``coordinator``, ``operator``, ``startup`` or ``owner:<member>``."""
    if role in (Audience.COORDINATOR, Audience.OPERATOR, Audience.STARTUP):
        return Visitor(Audience(role))
    owner, colon, member = role.partition(":")
    return Visitor(Audience.OWNER, member) if owner == Audience.OWNER and colon and member in members else None


def told_causes(request: Request) -> bool:
    """Whether texts of errors of the store and the broker may be told: to whoever took the operator's role."""
    return visitor_of(request, site_of(request)).audience is Audience.OPERATOR


def _back(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")
