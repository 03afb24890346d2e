"""Check what a folder or manifest holds: every file named, used or rejected, and its clips."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from echokit.errors import ClipError
from echokit.interfaces import Loader, SupportsFingerprint
from echokit.types import ClipRef, Rejection

if TYPE_CHECKING:
    import pandas as pd

USED, REJECTED = "used", "rejected"


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What is known of a clip that was read."""

    patient: str
    """Pseudonym of the patient."""
    view: str | None
    """View, where the source says it."""
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
    digest: str | None
    """Of the content; None where the loader makes none."""


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One file or clip, used or rejected."""

    file: str
    """Its name, as a user would recognise it."""
    status: str
    """`used` or `rejected`."""
    reason: str
    """Why it is rejected; empty if it is used."""
    clip: str | None = None
    """Identifier of the clip; None of a file that is none."""
    facts: ClipFacts | None = None
    """What is known of a used clip."""

    def as_json(self) -> dict[str, Any]:
        """Return what is known, in plain values."""
        row: dict[str, Any] = {"file": self.file, "status": self.status, "reason": self.reason}
        if self.clip is not None:
            row["clip"] = self.clip
        return row | (asdict(self.facts) if self.facts is not None else {})


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a file, a folder or a manifest holds."""

    source: str
    """What was checked."""
    files: tuple[CheckedFile, ...]
    """Every file, in the order of the source."""

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
        """Groups of files that have the same content."""
        same: dict[str, list[str]] = {}
        for file in self.used:
            if file.facts is not None and file.facts.digest:
                same.setdefault(file.facts.digest, []).append(file.file)
        return [files for files in same.values() if len(files) > 1]

    @property
    def summary(self) -> dict[str, Any]:
        """Counts of the files.

        Returns:
            `files, used, rejected, patients, views, frame_rates, sizes, frames` (fewest and most),
            `reasons` and `duplicates`.
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
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each file, with all that is known of it."""
        import pandas as pd

        return pd.DataFrame([file.as_json() for file in self.files])

    def to_json(self) -> dict[str, Any]:
        """Return the summary and every file in plain values, as `echokit data check --json`."""
        return {
            "schema": 1,
            "source": self.source,
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
        name = item.where or item.clip
        try:
            yield CheckedFile(name, USED, "", item.clip, _facts(loader, item))
        except ClipError as error:
            yield CheckedFile(name, REJECTED, str(error), item.clip)


def _facts(loader: Loader, ref: ClipRef) -> ClipFacts:
    clip = loader.read(ref)
    frames, height, width = clip.frames.shape
    return ClipFacts(
        patient=ref.patient,
        view=ref.view,
        frames=frames,
        height=height,
        width=width,
        fps=clip.fps,
        spacing_mm=clip.spacing,
        region=clip.region is not None,
        labels=dict(ref.labels),
        synthetic=ref.synthetic,
        digest=loader.fingerprint(ref) if isinstance(loader, SupportsFingerprint) else None,
    )


def _rate(fps: float | None) -> str:
    return f"{fps:g}" if fps else "unknown"
