"""What a folder or manifest holds: every file named, used or rejected, and what the clips are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from echokit.errors import ClipError
from echokit.interfaces import Loader, SupportsFingerprint
from echokit.types import ClipRef, Rejection


def check(loader: Loader) -> Iterator[dict[str, Any]]:
    """Read everything that a loader finds, one clip at a time.

    Yields:
        One row for each file: `file`, `status` (`used` or `rejected`), `reason`, and for a used
        clip `clip, patient, view, frames, height, width, fps, spacing_mm, region, labels,
        synthetic, digest`.
    """
    for item in loader.index():
        if isinstance(item, Rejection):
            yield {"file": item.where, "status": "rejected", "reason": item.reason}
            continue
        row = {"file": item.where or item.clip, "clip": item.clip}
        try:
            yield row | {"status": "used", "reason": "", **_facts(loader, item)}
        except ClipError as error:
            yield row | {"status": "rejected", "reason": str(error)}


def _facts(loader: Loader, ref: ClipRef) -> dict[str, Any]:
    clip = loader.read(ref)
    frames, height, width = clip.frames.shape
    return {
        "patient": ref.patient,
        "view": ref.view,
        "frames": frames,
        "height": height,
        "width": width,
        "fps": clip.fps,
        "spacing_mm": clip.spacing,
        "region": clip.region is not None,
        "labels": dict(ref.labels),
        "synthetic": ref.synthetic,
        "digest": loader.fingerprint(ref) if isinstance(loader, SupportsFingerprint) else None,
    }


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Count what `check` found.

    Returns:
        `files, used, rejected, patients, views, frame_rates, sizes, reasons` and `duplicates`, the
        groups of files that have the same content.
    """
    used = [row for row in rows if row["status"] == "used"]
    same: dict[str, list[str]] = {}
    for row in used:
        if row["digest"]:
            same.setdefault(row["digest"], []).append(row["file"])
    return {
        "files": len(rows),
        "used": len(used),
        "rejected": len(rows) - len(used),
        "patients": len({row["patient"] for row in used}),
        "views": dict(Counter(row["view"] or "unknown" for row in used)),
        "frame_rates": dict(Counter(_rate(row["fps"]) for row in used)),
        "sizes": dict(Counter(f"{row['height']}x{row['width']}" for row in used)),
        "frames": [min(r["frames"] for r in used), max(r["frames"] for r in used)] if used else [],
        "reasons": dict(Counter(r["reason"] for r in rows if r["status"] == "rejected")),
        "duplicates": [files for files in same.values() if len(files) > 1],
    }


def _rate(fps: float | None) -> str:
    return f"{fps:g}" if fps else "unknown"
