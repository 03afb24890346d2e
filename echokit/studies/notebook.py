"""Show the result of a study in a notebook: the answer, the clips, and where networks looked."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from echokit.report.words import label_set
from echokit.saliency.pictures import saliency_movie
from echokit.studies.clip_saliency import ClipSaliency

LARGEST = 256
"""Longest side of a movie in pixels."""


def result_html(document: Mapping[str, Any], saliency: Iterable[ClipSaliency]) -> str:
    """Return a result as HTML that fetches nothing.

    Args:
        document: the result in plain values.
        saliency: of each clip that was explained.
    """
    parts = [_subject(document, subject) for subject in document["subjects"]]
    parts += map(_movie, saliency)
    if document["rejected"]:
        lines = (f"<li>{_cell(one['where'], one['reason'])}</li>" for one in document["rejected"])
        parts.append(f"<p>Not used:</p><ul>{''.join(lines)}</ul>")
    trained = " Trained on a synthetic cohort." if document["synthetic_training"] else ""
    parts.append(f"<p><small>Research software, not a medical device.{trained}</small></p>")
    return f"<div>{''.join(parts)}</div>"


def _cell(*words: str) -> str:
    return escape(": ".join(words))


def _subject(document: Mapping[str, Any], subject: Mapping[str, Any]) -> str:
    classes, calibrated = document["classes"], subject["calibrated_probabilities"]
    shares, kind = calibrated or subject["probabilities"], "" if calibrated else ", uncalibrated"
    answer = f"probability {shares[subject['vote']]:.2f}{kind}"
    if subject["label_set"] is not None:
        answer += f"; {label_set(subject['label_set'], document['label_set_level'])}"
    views = f"Views used: {', '.join(subject['views_used'])}"
    if subject["views_missing"]:
        views += f"; missing: {', '.join(subject['views_missing'])}"
    who = ", study ".join(filter(None, (subject["patient"], subject.get("study"))))
    rows = [("clip", "view", *classes)]
    for clip in subject["clips"]:
        of_clip = clip["calibrated_probabilities"] or clip["probabilities"]
        rows.append((clip["clip"], clip["view"], *(f"{of_clip[name]:.2f}" for name in classes)))
    table = "".join(
        f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f"<p>{_cell(who, document['task'])}: <b>{_cell(subject['label'])}</b> "
        f"({_cell(subject['not_judged'] or answer)})<br>{_cell(views)}"
        f"</p><table>{table}</table>"
    )


def _movie(saliency: ClipSaliency) -> str:
    """Return the frames and their saliency as a playing picture."""
    with tempfile.TemporaryDirectory(prefix="echokit-") as scratch:
        path = Path(scratch) / "movie.webp"
        prepared = saliency.explanation.clip.sector
        sector = prepared if saliency.sector is None else saliency.sector
        saliency_movie(
            saliency.frames,
            saliency.explanation.saliency.values,
            path,
            saliency.fps,
            sector=sector,
            size=LARGEST,
        )
        data = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="Frames and their saliency" src="data:image/webp;base64,{data}">'
