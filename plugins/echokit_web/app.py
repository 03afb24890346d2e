"""The application: pages, the REST interface, and the guard before both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import JSONResponse
from starlette.staticfiles import StaticFiles

from echokit import __version__
from echokit_web import api, downloads, pages, watching
from echokit_web.guard import Guard
from echokit_web.site import Site

STATIC = Path(__file__).parent / "static"


def make_app(
    site: Site, hosts: frozenset[str], entered: Callable[[str], None] = lambda user: None
) -> Guard:
    """Make the application of a page.

    Args:
        site: what it is made of.
        hosts: values of the header Host that are the page's own.
        entered: called with the name of each user who was let in.
    """

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        if site.worker is not None:
            site.worker.start()
        yield
        if site.worker is not None:
            site.worker.stop()

    app = FastAPI(
        title="echokit",
        version=__version__,
        summary="Studies in, results out. Research software, not a medical device.",
        docs_url=None,  # those pages fetch scripts from elsewhere; `/docs` is our own
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=life,
    )
    app.state.site, app.state.entered = site, entered
    for router in (api.router, downloads.router, watching.router, pages.router):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.exception_handler(SQLAlchemyError)
    async def _queue_is_away(request: Request, error: Exception) -> JSONResponse:
        del request, error
        return JSONResponse({"detail": "The queue cannot be used now: try again."}, 503)

    return Guard(app, site.sessions, hosts, site.origin, site.limits)
