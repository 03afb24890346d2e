"""What the page says of one study: its result, clips, and what users said."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from echokit import QueuedStudy
from echokit_web.site import Site


def study_document(site: Site, one: QueuedStudy, user: str) -> dict[str, Any]:
    """Return what is known of a study.

    A result that is withheld is left out, with all that follows from it; that a user sees one is
    noted once.
    """
    study = one.study
    clips = site.folder.read(study, "clips.json")
    told = site.row(one, user) | {
        "classes": list(site.model.classes) if site.model else [],
        "views": list(site.model.views) if site.model else [],
        "clips": clips.get("clips") or [],
        "numbers": clips.get("numbers") or {},
        "excluded": [name[:4] for name in site.folder.excluded(study)],
        "corrections": [asdict(said) for said in site.queue.remarks.corrections(study).values()],
        "readings": [
            asdict(said)
            for said in site.queue.remarks.readings(study)
            if not site.reader or said.user == user or site.has_read(study, user)
        ],
        "result": None,
    }
    if told["withheld"]:
        told["clips"] = [clip | {"saliency": None} for clip in told["clips"]]
        return told
    if one.state == "done":
        told["result"] = site.folder.read(study, "prediction.json") or None
        if told["result"] and user not in site.seen_by(study):
            site.queue.note("seen", study, user)
    return told
