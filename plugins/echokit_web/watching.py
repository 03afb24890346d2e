"""A run that is followed while it trains."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from echokit_web.api import site_of
from echokit_web.guard import DOCUMENT_POLICY

router = APIRouter(prefix="/api", tags=["runs"])
EPOCHS = ".epochs.jsonl"
"""End of the name of the file of a network that is being trained."""
LARGEST = 20 << 20
"""Bytes of a file of a run that are read."""


@router.get("/run")
def get_run(request: Request) -> dict[str, Any]:
    """Return how far the run is that the page watches: its steps, networks and their epochs."""
    run = site_of(request).run
    if run is None:
        raise HTTPException(404, "This page watches no run: echokit watch RUN.")
    return look_at(run)


@router.get("/run/report", response_class=Response)
def get_report(request: Request) -> Response:
    """Return the report of the run that the page watches."""
    run = site_of(request).run
    path = None if run is None else run / "report" / "index.html"
    if path is None or not path.is_file():
        raise HTTPException(404, "The run has no report yet.")
    return Response(
        path.read_bytes(),
        media_type="text/html",
        headers={"content-security-policy": DOCUMENT_POLICY},
    )


def look_at(run: Path) -> dict[str, Any]:
    """Return what a run's folder says of its progress; what is half written is left out."""
    state, recipe = _json(run / "run.json"), _toml(run / "recipe.toml")
    epochs = _number(recipe, "train", "epochs")
    networks = [_network(run / "models", path) for path in sorted(_files(run / "models"))]
    planned = max(_planned(recipe), len(networks))
    rows = [row for network in networks for row in network["epochs"]]
    seconds = [float(row.get("seconds") or 0) for row in rows]
    left = None
    if rows and epochs and not state.get("finished"):
        done = sum(epochs if one["done"] else len(one["epochs"]) for one in networks)
        left = max(0, planned * epochs - done) * sum(seconds) / len(seconds)
    return {
        "name": str(state.get("name") or run.name),
        "recipe": str(state.get("recipe") or ""),
        "synthetic": state.get("synthetic"),
        "started": state.get("started"),
        "finished": state.get("finished"),
        "stages": [
            {"name": one.get("name"), "done": one.get("done"), "seconds": one.get("seconds")}
            for one in state.get("stages") or ()
            if isinstance(one, dict)
        ],
        "epochs": epochs,
        "planned": planned,
        "networks": networks,
        "seconds_left": left,
        "report": (run / "report" / "index.html").is_file(),
    }


def _files(models: Path) -> list[Path]:
    return [
        path
        for path in models.rglob("split-*.json*")
        if path.name.endswith((".json", EPOCHS)) and not path.name.startswith(".")
    ]


def _network(models: Path, path: Path) -> dict[str, Any]:
    """Return a network's name and epochs; one that is done has them in its description."""
    is_open = path.name.endswith(EPOCHS)
    name = path.name.removesuffix(EPOCHS).removesuffix(".json")
    text = _text(path)
    rows: list[Any] = []
    try:
        if is_open:
            rows = [json.loads(line) for line in text.splitlines()]
        else:
            rows = json.loads(text).get("history") or []
    except (ValueError, AttributeError):
        rows = []
    kept = ("epoch", "loss", "accuracy", "seconds")
    epochs = [{key: row.get(key) for key in kept} for row in rows if isinstance(row, dict)]
    place = (path.parent.relative_to(models) / name).as_posix()
    return {"name": place, "done": not is_open, "epochs": epochs}


def _planned(recipe: dict[str, Any]) -> int:
    """Return how many networks the run trains for its splits, by its recipe."""
    try:
        views = 1 if recipe["views"].get("together") else len(recipe["views"]["use"])
        tasks = sum(one.get("enabled", True) for one in recipe["tasks"].values())
        ways = sum(one.get("enabled", True) for one in recipe["approaches"].values())
        return int(views * tasks * ways * (recipe["split"].get("splits") or 1))
    except (KeyError, TypeError, AttributeError):
        return 0


def _number(recipe: dict[str, Any], table: str, key: str) -> int:
    value = (recipe.get(table) or {}).get(key)
    return value if isinstance(value, int) else 0


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError:
        return {}
