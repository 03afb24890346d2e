"""Judge one study of the page: predict it, and write the result with the clips to look at."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from echokit import Model, Rejection, ShownClip, StudyQueue, StudyResult, whole_folder
from echokit_web.pictures import COLUMNS, ROWS, write_sheets
from echokit_web.work_folder import PRIVATE, WorkFolder

Told = Callable[[str, int, int], None]
"""Told of a step's title, the units done, and how many there are."""
ISOLATED: Mapping[str, object] = {"isolate": True}
"""Files are read in a process of its own, with hard limits of memory and time."""
NUMBERED = re.compile(r"file (\d+)")
"""How a file that is no clip is called: by its number in the listing."""


def options_for(queue: StudyQueue, study: str) -> dict[str, Any]:
    """Options of the loader: users' corrections of views are rules that come before the files."""
    said = queue.remarks.corrections(study).values()
    rules = {rf"(^|/){one.file}[-.]": one.view for one in said if one.view and not one.excluded}
    return {**ISOLATED, **({"view_rules": rules} if rules else {})}


def predict(
    model: Model, folder: WorkFolder, queue: StudyQueue, study: str, told: Told | None = None
) -> StudyResult:
    """Predict a study as its users corrected it.

    Raises:
        CohortError: no clip of it can be used; each is named with its reason.
    """
    said = queue.remarks.corrections(study)
    folder.exclude(study, {file for file, one in said.items() if one.excluded})
    return model.predict(
        folder.source(study),
        "auto",
        judge_anyway=any(one.anyway for one in said.values()),
        options=options_for(queue, study),
        progress=told,
    )


def write(
    model: Model, folder: WorkFolder, queue: StudyQueue, study: str, result: StudyResult
) -> None:
    """Write a result with its clips; the folder appears whole or not at all."""
    out = folder.result(study)
    shutil.rmtree(out, ignore_errors=True)
    with whole_folder(out) as partial:
        result.save(partial / "report")
        for path in (partial / "report").iterdir():
            path.rename(partial / path.name)
        (partial / "report").rmdir()
        write_clips(model, folder, queue, study, partial, result)


def write_refused(model: Model, folder: WorkFolder, queue: StudyQueue, study: str) -> None:
    """Write the clips of a study of which none could be judged."""
    out = folder.result(study)
    shutil.rmtree(out, ignore_errors=True)
    with whole_folder(out) as partial:
        write_clips(model, folder, queue, study, partial, None)


def write_clips(
    model: Model,
    folder: WorkFolder,
    queue: StudyQueue,
    study: str,
    out: Path,
    result: StudyResult | None,
) -> None:
    """Write `clips.json` and the frames of every clip that can be shown."""
    saliency = {clip.clip: clip.saliency for clip in result.clips} if result else {}
    names = folder.listing(study)
    items = list(model.show(folder.source(study), options=options_for(queue, study)))
    clips, numbers = list[dict[str, Any]](), dict[str, str]()
    for place, item in enumerate(items):
        if isinstance(item, Rejection):
            number = _number(item, names, place if len(items) == len(names) else None)
            numbers[item.where] = number
            continue
        number = Path(item.ref.where).name[:4]
        numbers[item.ref.clip] = number
        clips.append(_write_clip(item, number, out / "clips" / number, saliency))
    document = {"clips": clips, "numbers": numbers}
    (out / "clips.json").write_text(json.dumps(document), "utf-8")


def _number(item: Rejection, names: list[str], place: int | None) -> str:
    """Return the number of the file of a rejection; empty where it cannot be told."""
    found = NUMBERED.fullmatch(item.where)
    index = int(found[1]) - 1 if found else place
    return names[index][:4] if index is not None and index < len(names) else ""


def _write_clip(
    item: ShownClip, number: str, folder: Path, saliency: Mapping[str, Any]
) -> dict[str, Any]:
    folder.mkdir(PRIVATE, parents=True)
    told = write_sheets(item.frames, folder, "frames")
    over = None
    if (one := saliency.get(item.ref.clip)) is not None:
        drawn = one.overlay()
        write_sheets(drawn, folder, "saliency")
        over = {"start": one.explanation.start, "length": len(drawn)}
    return {
        "number": number,
        "clip": item.ref.clip,
        "view": item.ref.view,
        "frames": len(item.frames),
        "length": item.length,
        "fps": item.fps,
        **told,
        "columns": COLUMNS,
        "per_sheet": COLUMNS * ROWS,
        "systole": list(item.systole),
        "diastole": list(item.diastole),
        "saliency": over,
    }
