"""Check what a folder or manifest holds: every file named, used or rejected, and its clips."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from echokit.errors import ClipError
from echokit.interfaces import Loader, SupportsStream
from echokit.types import VIEWS, ClipRef, Rejection

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from jaxtyping import UInt8

USED, REJECTED = "used", "rejected"
MANY = 4
"""Clips from which on as many patients as clips are worth a word."""
OTHER_VIEW = "other"
"""What is shown of a view that is none of the canonical ones: its name may be anything."""


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What is known of a clip that was read."""

    patient: str
    """Pseudonym of the patient."""
    view: str | None
    """Canonical view, or `other`; None where the source says none."""
    frames: int
    """Number of frames."""
    height: int
    """Rows of a frame in pixels."""
    width: int
    """Columns of a frame in pixels."""
    fps: float | None
    """Frames per second."""
    spacing_mm: tuple[float, float] | None
    """Millimetres per pixel (row, column)."""
    region: bool
    """Whether the file says where the B-mode picture is."""
    labels: Mapping[str, str]
    """Annotations as written, by column."""
    synthetic: bool
    """True if the clip is simulated."""
    digest: str
    """Of the pixels, whatever the rest of the file says."""
    study: str = ""
    """Pseudonym of the examination; empty where the source tells none apart."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One file or clip, used or rejected."""

    file: str
    """Identifier of the clip, or what the loader calls a file that is none; never a path."""
    status: str
    """`used` or `rejected`."""
    reason: str
    """Why it is rejected; empty if it is used."""
    clip: str | None = None
    """Identifier of the clip; None of a file that is none."""
    facts: ClipFacts | None = None
    """What is known of a used clip."""
    ref: ClipRef | None = None
    """The loader's reference of a clip; None of a file that is none."""

    def as_json(self) -> dict[str, Any]:
        """Return what is known, in plain values."""
        row: dict[str, Any] = {"file": self.file, "status": self.status, "reason": self.reason}
        if self.clip is not None:
            row["clip"] = self.clip
        facts = asdict(self.facts) if self.facts is not None else {}
        facts.pop("labels", None)  # cells of a sheet may name people
        return row | facts


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a file, a folder or a manifest holds."""

    source: str
    """What was checked."""
    files: tuple[CheckedFile, ...]
    """Every file, in the order of the source."""
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Task -> label -> patients, where a recipe was given."""
    said: tuple[str, ...] = ()
    """What the loader remarks, and why a run would refuse these clips, in a sentence each."""

    @property
    def warnings(self) -> list[str]:
        """What a user should look at before using these clips, in a sentence each."""
        clips = [file.facts for file in self.used if file.facts is not None]
        patients, rates = {clip.patient for clip in clips}, {clip.fps for clip in clips if clip.fps}
        unknown = sum(clip.view is None for clip in clips)
        other = sum(clip.view == OTHER_VIEW for clip in clips)
        found = [*self.said]
        if len(clips) >= MANY and len(patients) == len(clips):
            found.append(
                f"There are as many patients as clips ({len(clips)}): if some are of one patient, "
                "list them with their patients in a manifest (docs/your-data.md)."
            )
        if unknown:
            found.append(
                f"Clips that do not say their view: {unknown}; name it in a manifest or --view."
            )
        if other:
            found.append(
                f"Clips whose view has another name: {other}; say in the recipe's views.alias "
                "which view it is."
            )
        if self.duplicates:
            copies = sum(map(len, self.duplicates))
            found.append(f"Clips with the same content as another one: {copies}.")
        if many := sum(len(own) > 1 for own in _studies(clips).values()):
            found.append(
                f"Patients with several examinations: {many}. `echokit predict` judges each by "
                "itself. In `echokit run` all clips of a patient vote together: list one "
                "examination of each in a manifest."
            )
        if rates and max(rates) > 2 * min(rates):
            found.append(
                f"Frame rates differ from {min(rates):g} to {max(rates):g} per second: a sequence "
                "of as many frames then shows another share of a heart beat."
            )
        return found

    @property
    def used(self) -> tuple[CheckedFile, ...]:
        """The files that are clips."""
        return tuple(file for file in self.files if file.status == USED)

    @property
    def rejected(self) -> tuple[CheckedFile, ...]:
        """All other files, each with its reason."""
        return tuple(file for file in self.files if file.status == REJECTED)

    @property
    def duplicates(self) -> list[list[str]]:
        """Groups of files that show the same pixels."""
        same: dict[str, list[str]] = {}
        for file in self.used:
            if file.facts is not None:
                same.setdefault(file.facts.digest, []).append(file.file)
        return [files for files in same.values() if len(files) > 1]

    @property
    def summary(self) -> dict[str, Any]:
        """Counts of the files.

        Returns:
            `files, used, rejected, patients, views, frame_rates, sizes, frames` (fewest and most),
            `reasons`, `duplicates`, `labels` and `warnings`.
        """
        clips = [file.facts for file in self.used if file.facts is not None]
        frames = [clip.frames for clip in clips]
        return {
            "files": len(self.files),
            "used": len(clips),
            "rejected": len(self.rejected),
            "patients": len({clip.patient for clip in clips}),
            "views": dict(Counter(clip.view or "unknown" for clip in clips)),
            "frame_rates": dict(Counter(_rate(clip.fps) for clip in clips)),
            "sizes": dict(Counter(f"{clip.height}x{clip.width}" for clip in clips)),
            "frames": [min(frames), max(frames)] if frames else [],
            "reasons": dict(Counter(file.reason for file in self.rejected)),
            "duplicates": self.duplicates,
            "labels": {task: dict(counts) for task, counts in self.labels.items()},
            "warnings": self.warnings,
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each file, with all that is known of it."""
        import pandas as pd

        return pd.DataFrame([file.as_json() for file in self.files])

    def to_json(self) -> dict[str, Any]:
        """Return the summary and every file in plain values, as `echokit data check --json`."""
        return {
            "schema": 1,
            "summary": self.summary,
            "files": [file.as_json() for file in self.files],
        }

    def _repr_html_(self) -> str:
        html: str = self.to_frame().to_html(notebook=True)
        return html


def check_files(loader: Loader) -> Iterator[CheckedFile]:
    """Read everything that a loader lists, one clip at a time."""
    for item in loader.index():
        if isinstance(item, Rejection):
            yield CheckedFile(item.where, REJECTED, item.reason)
            continue
        try:
            yield CheckedFile(item.clip, USED, "", item.clip, _facts(loader, item), item)
        except ClipError as error:
            yield CheckedFile(item.clip, REJECTED, str(error), item.clip, ref=item)


def _facts(loader: Loader, ref: ClipRef) -> ClipFacts:
    stream = loader.stream(ref, lambda length: (0,)) if isinstance(loader, SupportsStream) else None
    clip = loader.read(ref) if stream is None else stream.few
    count = len(clip.frames) if stream is None else stream.length
    height, width = clip.frames.shape[1:]
    return ClipFacts(
        patient=ref.patient,
        view=ref.view if ref.view is None or ref.view in VIEWS else OTHER_VIEW,
        frames=count,
        height=height,
        width=width,
        fps=clip.fps,
        spacing_mm=clip.spacing,
        region=clip.region is not None,
        labels=dict(ref.labels),
        synthetic=ref.synthetic,
        digest=pixel_digest(
            (count, height, width), [clip.frames] if stream is None else stream.blocks()
        ),
        study=ref.study,
    )


def _studies(clips: Iterable[ClipFacts]) -> dict[str, set[str]]:
    """Gather the examinations of each patient."""
    studies: dict[str, set[str]] = {}
    for clip in clips:
        studies.setdefault(clip.patient, set()).add(clip.study)
    return studies


def pixel_digest(shape: tuple[int, int, int], blocks: Iterable[UInt8[np.ndarray, "t H W"]]) -> str:
    """Digest the shape and all pixels of a clip by SHA-256.

    Args:
        shape: number, height and width of its frames.
        blocks: all frames, in order, some at a time.
    """
    digest = hashlib.sha256(repr(shape).encode())
    for frames in blocks:
        for frame in frames:
            digest.update(frame.tobytes())
    return digest.hexdigest()


def _rate(fps: float | None) -> str:
    return f"{fps:.4g}" if fps else "unknown"
