"""Show the result of a study in a notebook: the answer, the clips, and where networks looked."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

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
    classes, probability = document["classes"], subject["probabilities"][subject["vote"]]
    views = f"Views used: {', '.join(subject['views_used'])}"
    if subject["views_missing"]:
        views += f"; missing: {', '.join(subject['views_missing'])}"
    rows = [("clip", "view", *classes)]
    for clip in subject["clips"]:
        shares = (f"{clip['probabilities'][name]:.2f}" for name in classes)
        rows.append((clip["clip"], clip["view"], *shares))
    table = "".join(
        f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    why = subject["not_judged"] or (
        f"probability {probability:.2f}; agreement {subject['confidence']:.2f}"
    )
    return (
        f"<p>{_cell(subject['patient'], document['task'])}: <b>{_cell(subject['label'])}</b> "
        f"({_cell(why)})<br>{_cell(views)}</p><table>{table}</table>"
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
