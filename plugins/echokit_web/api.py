"""The REST interface of the page, which the page itself uses."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.responses import FileResponse, Response, StreamingResponse

from echokit import QueuedStudy, UsageError
from echokit_web.guard import Session
from echokit_web.receive import receive
from echokit_web.site import Site
from echokit_web.studies import study_document
from echokit_web.work_folder import NUMBER, STUDY

router = APIRouter(prefix="/api", tags=["studies"])
Sort = Literal["received", "finished", "state", "label", "patient"]
PICTURE = re.compile(r"(frames|saliency)-[0-9]{2}\.webp")
NO_ROOM = "The upload cannot be kept ({}): free some space on the server and send it again."
TICK = 0.5
"""Seconds between two looks at the queue, of whoever listens to events."""


class Received(BaseModel):
    """An upload that is safely on the disk."""

    study: str = Field(description="What the study is known by.")


class CorrectionIn(BaseModel):
    """What a user says of one file of a study."""

    model_config = ConfigDict(extra="forbid")
    file: Annotated[str, Field(pattern=r"^[0-9]{4}$", description="Number of the file.")]
    view: Annotated[str, Field(max_length=40)] = Field("", description="The view; empty: its own.")
    excluded: bool = Field(False, description="Do not judge this file.")
    anyway: bool = Field(False, description="Judge the study where echokit would refuse its clips.")


class ReadingIn(BaseModel):
    """What a user reads in a study."""

    model_config = ConfigDict(extra="forbid")
    label: Annotated[str, Field(min_length=1, max_length=80)]


def site_of(request: Request) -> Site:
    """Return the page that answers a request."""
    site: Site = request.app.state.site
    return site


def user_of(request: Request) -> str:
    """Return the name of the user who asks."""
    session: Session = request.scope["session"]
    return session.user


def found(site: Site, study: str) -> QueuedStudy:
    """Return a study of the queue, or answer that there is none."""
    one = site.queue.find(study) if STUDY.fullmatch(study) else None
    if one is None:
        raise HTTPException(404, "There is no such study: it was deleted, or never sent.")
    return one


@router.post("/studies", status_code=201)
async def post_study(request: Request) -> Received:
    """Send a study: one or more parts `files` of a multipart form; ZIP archives are unpacked."""
    site, user = site_of(request), user_of(request)
    if site.worker is None:
        raise HTTPException(409, "This page watches a run and judges no studies: echokit serve.")
    limits = site.limits
    try:
        async with asyncio.timeout(limits.seconds):
            form = await request.form(max_files=limits.files, max_fields=10)
    except TimeoutError:
        raise HTTPException(408, f"The upload took more than {limits.seconds} seconds.") from None
    except MultiPartException as error:
        raise HTTPException(400, f"The form cannot be read: {error.message}") from None
    except OSError as error:
        raise HTTPException(507, NO_ROOM.format(error.strerror)) from None
    try:
        uploads = [part for part in form.getlist("files") if isinstance(part, UploadFile)]
        study = await run_in_threadpool(receive, site, uploads, user)
    except UsageError as error:
        raise HTTPException(422, str(error)) from None
    except OSError as error:
        raise HTTPException(507, NO_ROOM.format(error.strerror)) from None
    finally:
        await form.close()
    return Received(study=study)


@router.get("/studies")
def get_studies(
    request: Request,
    search: Annotated[str, Query(max_length=100)] = "",
    sort: Sort = "received",
    descending: bool = True,
) -> list[dict[str, Any]]:
    """List studies: those in which every word of `search` is found, sorted."""
    site, user = site_of(request), user_of(request)
    rows = [site.row(one, user) for one in site.queue.studies(limit=5000)]
    for word in search.lower().split():
        rows = [row for row in rows if word in _text(row)]
    keys = {"label": "labels", "patient": "patients"}

    def order(row: dict[str, Any]) -> tuple[bool, Any]:
        value = row[keys.get(sort, sort)]
        return (bool(value), value or 0) if sort == "finished" else (True, value)

    return sorted(rows, key=order, reverse=descending)


def _text(row: dict[str, Any]) -> str:
    """The words of a row that can be searched for."""
    words = [row["study"], row["state"], row["user"], *row["labels"], *row["patients"]]
    return " ".join(words).lower()


@router.get("/model")
def get_model(request: Request) -> dict[str, Any]:
    """Return which networks judge: their run, task, labels (least severe first) and views."""
    model = site_of(request).model
    if model is None:
        raise HTTPException(404, "This page judges no studies.")
    told = {"run": model.run, "recipe": model.recipe.name, "task": model.task}
    return told | {"classes": list(model.classes), "views": list(model.views)}


@router.get("/studies/{study}")
def get_study(request: Request, study: str) -> dict[str, Any]:
    """Return a study: its state, its result once it is done, its clips, and what users said."""
    site = site_of(request)
    return study_document(site, found(site, study), user_of(request))


@router.delete("/studies/{study}", status_code=204)
def delete_study(request: Request, study: str) -> Response:
    """Delete a study with its files, its result and what users said; the audit log stays."""
    site = site_of(request)
    found(site, study)
    if not site.queue.remove(study):
        raise HTTPException(409, "It is being judged: delete it when it is done.")
    site.queue.note("deleted", study, user_of(request))
    site.folder.forget(study)
    if site.worker is not None:
        site.worker.forget(study)
    return Response(status_code=204)


@router.post("/studies/{study}/corrections", status_code=202)
def post_corrections(request: Request, study: str, said: list[CorrectionIn]) -> dict[str, str]:
    """Correct files of a study, and have it judged again."""
    site, user = site_of(request), user_of(request)
    _ended(found(site, study))
    views = site.model.views if site.model else ()
    known = {name[:4] for name in (*site.folder.listing(study), *site.folder.excluded(study))}
    for one in said:
        if one.view and one.view not in views:
            raise HTTPException(422, f"No network knows that view: choose {', '.join(views)}.")
        if one.file not in known:
            raise HTTPException(422, f"The study has no file {one.file}.")
    for one in said:
        site.queue.remarks.correct(study, user=user, **one.model_dump())
        site.queue.note("corrected", study, f"{user}: file {one.file}")
    return _again(site, study)


@router.post("/studies/{study}/again", status_code=202)
def post_again(request: Request, study: str) -> dict[str, str]:
    """Have a study judged again."""
    site = site_of(request)
    _ended(found(site, study))
    return _again(site, study)


def _ended(one: QueuedStudy) -> None:
    if one.state in ("waiting", "working", "receiving"):
        raise HTTPException(409, "It is being judged: wait until it is done, then say it again.")


def _again(site: Site, study: str) -> dict[str, str]:
    if not site.queue.again(study):
        raise HTTPException(409, "It is being judged: wait until it is done, then say it again.")
    return {"state": "waiting"}


@router.post("/studies/{study}/readings", status_code=201)
def post_reading(request: Request, study: str, said: ReadingIn) -> dict[str, Any]:
    """Say what you read in a study; it is noted whether you had seen the result."""
    site, user = site_of(request), user_of(request)
    found(site, study)
    classes = site.model.classes if site.model else ()
    if said.label not in classes:
        raise HTTPException(422, f"There is no such label: choose {', '.join(classes)}.")
    blind = user not in site.seen_by(study)
    site.queue.remarks.read(study, user=user, label=said.label, blind=blind)
    site.queue.note("read", study, user)
    return {"label": said.label, "blind": blind}


@router.get("/studies/{study}/clips/{number}/{name}", response_class=FileResponse)
def get_picture(request: Request, study: str, number: str, name: str) -> FileResponse:
    """Return a sheet of frames, four by four, as WebP."""
    site = site_of(request)
    one = found(site, study)
    if not NUMBER.fullmatch(number) or not (kind := PICTURE.fullmatch(name)):
        raise HTTPException(404, "There is no such picture.")
    if kind[1] == "saliency" and site.withheld(study, user_of(request)):
        raise HTTPException(403, "Say first what you read in the study.")
    path: Path = site.folder.result(one.study) / "clips" / number / name
    if not path.is_file():
        raise HTTPException(404, "There is no such picture: the study is judged anew.")
    return FileResponse(path, headers={"cache-control": "private, max-age=3600, immutable"})


@router.get("/events", response_class=StreamingResponse)
async def get_events(request: Request) -> StreamingResponse:
    """Follow the worklist: server-sent events, one whenever a state or the progress changes."""
    return StreamingResponse(
        _events(request, site_of(request)),
        media_type="text/event-stream",
        headers={"x-accel-buffering": "no"},
    )


async def _events(request: Request, site: Site) -> AsyncIterator[str]:
    last, quiet = "", 0.0
    while not await request.is_disconnected():
        stamp = await run_in_threadpool(site.stamp)
        quiet += TICK
        if stamp != last:
            yield f"data: {stamp}\n\n"
            last, quiet = stamp, 0.0
        elif quiet > 15:
            yield ": still here\n\n"
            quiet = 0.0
        await asyncio.sleep(TICK)
