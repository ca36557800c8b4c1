"""The application: routes, pages, static files, in one place."""

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from gateway import api, events, plumbing, problems
from gateway.pages import (
    calibration,
    capacity,
    connect,
    connect_after,
    connect_new,
    home,
    machine,
    machine_findings,
    network,
    requests,
    visit,
)
from gateway.security import Guard
from gateway.web import HERE, Site

ROUTERS = (
    capacity.router,
    requests.router,
    home.router,
    machine.router,
    machine_findings.router,
    calibration.router,
    connect.router,
    connect_after.router,
    connect_new.router,
    network.router,
    visit.router,
    api.router,
    events.router,
    plumbing.router,
)


def create_app(site: Site) -> FastAPI:
    """The ASGI application of a site. Its OpenAPI is at ``/openapi.json``; no page of it needs a third party."""
    app = FastAPI(
        title="Résilian",
        summary="Shareable capacity of a network of manufacturers",
        version=site.version,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    app.state.site = site
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    problems.install(app)
    app.add_middleware(problems.Calm)
    app.add_middleware(Guard, metrics=site.metrics)
    return app
