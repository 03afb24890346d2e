"""What a page is made of: its folder, queue, model and worker."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from echokit import Model, QueuedStudy, StudyQueue
from echokit_web.guard import Limits, Sessions
from echokit_web.work_folder import WorkFolder
from echokit_web.worker import Worker

DEMO = "demo"
"""The synthetic study that a page shows at its first start."""
FRESH = 0.4
"""Seconds for which a look at the queue serves everybody who listens."""


@dataclass(slots=True)
class Site:
    """What the page is made of."""

    folder: WorkFolder
    queue: StudyQueue
    sessions: Sessions
    limits: Limits
    model: Model | None = None
    """The networks; None where the page only watches a run."""
    worker: Worker | None = None
    """Judges studies; None where the page only watches a run."""
    run: Path | None = None
    """The run that is watched."""
    reader: bool = False
    """Results are withheld from users who have not said what they read."""
    send: str = ""
    """Address of the archive that results may be sent to; empty where there is none."""
    beside: Model | None = None
    """A second run, whose prediction can be asked for beside the first."""
    origin: str = ""
    """The page's address behind a reverse proxy."""
    _rows: dict[str, tuple[float, dict[str, Any]]] = field(default_factory=dict)
    _stamp: tuple[float, str] = (-1e9, "")

    def seen_by(self, study: str) -> set[str]:
        """Users who have seen the result of a study."""
        return {one.detail for one in self.queue.events(study) if one.event == "seen"}

    def has_read(self, study: str, user: str) -> bool:
        """Whether a user has said what he or she reads in a study."""
        return any(one.user == user for one in self.queue.remarks.readings(study))

    def withheld(self, study: str, user: str) -> bool:
        """Whether the result is withheld from a user until he or she has read the study."""
        return self.reader and not self.has_read(study, user)

    def row(self, one: QueuedStudy, user: str) -> dict[str, Any]:
        """Return a study as a row of the worklist."""
        progress = self.worker.progress().get(one.study) if self.worker else None
        told: dict[str, Any] = {
            "study": one.study,
            "state": one.state,
            "received": one.received,
            "finished": one.finished,
            "user": one.source,
            "reason": one.reason,
            "files": one.revision,
            "synthetic": one.study == DEMO,
            "progress": None,
        }
        if progress is not None and one.state == "working":
            told["progress"] = dict(zip(("title", "done", "total"), progress, strict=True))
        summary = self._summary(one) if one.state == "done" else {}
        if self.withheld(one.study, user):
            summary = {"patients": summary.get("patients", []), "withheld": True}
        return told | {"labels": [], "patients": [], "clips": 0, "withheld": False} | summary

    def _summary(self, one: QueuedStudy) -> dict[str, Any]:
        """Return what the worklist shows of a result; read once."""
        stamp = one.finished or 0.0
        kept = self._rows.get(one.study)
        if kept is None or kept[0] != stamp:
            kept = stamp, summary_of(self.folder.read(one.study, "prediction.json"))
            self._rows[one.study] = kept
        return kept[1]

    def stamp(self) -> str:
        """Return a text that changes when the worklist does; one look serves all who listen."""
        looked, text = self._stamp
        if time.monotonic() - looked > FRESH:
            newest = max((one.changed for one in self.queue.studies(limit=1)), default=0.0)
            progress = dict(self.worker.progress()) if self.worker else {}
            counts = dict(self.queue.counts())
            text = json.dumps({"counts": counts, "progress": progress, "newest": newest})
            self._stamp = time.monotonic(), text
        return text


def summary_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the worklist shows of a result."""
    subjects = document.get("subjects") or []
    return {
        "labels": [subject["label"] for subject in subjects],
        "patients": [subject["patient"] for subject in subjects],
        "clips": sum(len(subject["clips"]) for subject in subjects),
    }
