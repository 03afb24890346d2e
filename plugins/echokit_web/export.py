"""What users corrected and read, as a manifest of a cohort."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from echokit_web.site import DEMO, Site

COLUMNS = ("patient", "view", "file", "clip", "synthetic", "read_by", "read_blind", "corrected_by")
"""Columns beside the one of the label."""


def export_manifest(site: Site, user: str) -> str:
    """Return every judged clip that a user corrected or whose study a user read, as CSV.

    Patients are pseudonyms, so that all clips of one stand together. The column of the label holds
    a grade that the run's recipe maps to the label of the last reading, and is empty without one.

    Args:
        site: the page.
        user: who asks; studies that are withheld from this user are left out.
    """
    column, grades = _grades(site)
    made = io.StringIO()
    writer = csv.DictWriter(made, [*COLUMNS[:3], column, *COLUMNS[3:]], lineterminator="\n")
    writer.writeheader()
    for one in reversed(site.queue.studies("done", limit=100_000)):
        if not site.withheld(one.study, user):
            writer.writerows(_rows(site, one.study, column, grades))
    return made.getvalue()


def _grades(site: Site) -> tuple[str, dict[str, str]]:
    """Return the column of the label, and label -> a grade that stands for it."""
    if site.model is None:
        return "label", {}
    task = site.model.recipe.tasks[site.model.task]
    return task.column, {label: grade for grade, label in reversed(task.map.items())}


def _rows(site: Site, study: str, column: str, grades: dict[str, str]) -> Iterator[dict[str, Any]]:
    corrections = site.queue.remarks.corrections(study)
    readings = site.queue.remarks.readings(study)
    last = readings[-1] if readings else None
    if last is None and not corrections:
        return
    numbers = site.folder.read(study, "clips.json").get("numbers") or {}
    files = {name[:4]: name for name in site.folder.listing(study)}
    for subject in site.folder.read(study, "prediction.json").get("subjects") or ():
        for clip in subject["clips"]:
            number = numbers.get(clip["clip"], "")
            if number not in files:
                continue
            said = corrections.get(number)
            yield {
                "patient": subject["patient"],
                "view": clip["view"],
                "file": site.folder.file(study, files[number]),
                column: grades.get(last.label, last.label) if last else "",
                "clip": clip["clip"],
                "synthetic": int(study == DEMO),
                "read_by": last.user if last else "",
                "read_blind": int(last.blind) if last else "",
                "corrected_by": said.user if said else "",
            }
