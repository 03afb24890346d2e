"""The pages: what a browser opens. They hold no result; their scripts ask the REST interface."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter, Form, HTTPException, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from echokit import __version__
from echokit_web.api import found, site_of
from echokit_web.guard import HOURS, USER, Session, cookie_name
from echokit_web.work_folder import STUDY

router = APIRouter(include_in_schema=False)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("echokit_web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _page(request: Request, template: str, title: str, **values: Any) -> HTMLResponse:
    site = site_of(request)
    session: Session | None = request.scope.get("session")
    synthetic = site.model is not None and site.model.synthetic
    return HTMLResponse(
        _templates()
        .get_template(template)
        .render(
            title=title,
            session=session,
            model=site.model,
            synthetic=synthetic,
            reader=site.reader,
            can_send=bool(site.send),
            beside=site.beside,
            watching=site.run is not None,
            version=__version__,
            path=request.url.path,
            **values,
        )
    )


@router.get("/enter")
def get_enter(request: Request, token: str = "") -> HTMLResponse:
    """Ask for a name; a token is not used up by looking, which programs do on their own."""
    return _page(request, "enter.html.j2", "Open the page", token=token[:200], problem="")


@router.post("/enter")
def post_enter(
    request: Request,
    token: Annotated[str, Form(max_length=200)] = "",
    user: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Let a user in with the one-time token."""
    site = site_of(request)
    problem = ""
    key = None
    user = " ".join(user.split())
    if not USER.fullmatch(user):
        problem = "Type a name of up to 40 letters and digits: it stands in the audit log."
    elif (key := site.sessions.enter(token, user)) is None:
        problem = "That address was used already. The server has printed a new one: open that."
    if key is None:
        page = _page(request, "enter.html.j2", "Open the page", token=token, problem=problem)
        page.status_code = 403
        return page
    request.app.state.entered(user)
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(
        cookie_name(request.headers["host"]),
        key,
        max_age=HOURS * 3600,
        httponly=True,
        samesite="strict",
        secure=site.origin.startswith("https://"),
    )
    return answer


@router.get("/")
def get_home(request: Request) -> Response:
    """Show the worklist, or the run that is watched."""
    if site_of(request).model is None:
        return RedirectResponse("/watch", status_code=303)
    return _page(request, "worklist.html.j2", "Worklist")


@router.get("/studies/{study}")
def get_study(request: Request, study: str) -> HTMLResponse:
    """Show one study."""
    if STUDY.fullmatch(study):
        found(site_of(request), study)
    else:
        raise HTTPException(404, "There is no such study.")
    return _page(request, "study.html.j2", "Study", study=study)


@router.get("/compare")
def get_compare(request: Request) -> HTMLResponse:
    """Show the studies of one patient over time."""
    return _page(request, "compare.html.j2", "Compare")


@router.get("/watch")
def get_watch(request: Request) -> HTMLResponse:
    """Show a run while it trains."""
    return _page(request, "watch.html.j2", "Run")


@router.get("/docs")
def get_docs(request: Request) -> HTMLResponse:
    """Show the REST interface, read from its own description."""
    described = request.app.openapi()
    rows = [
        (method.upper(), path, one.get("description") or one.get("summary", ""))
        for path, methods in described["paths"].items()
        for method, one in methods.items()
    ]
    return _page(request, "docs.html.j2", "Interface for programs", rows=rows)
