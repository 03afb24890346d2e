"""Record an explained sequence on disk: an array, a movie and a strip of frames."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from echokit.saliency.pictures import saliency_movie, saliency_strip
from echokit.system.files import whole_file
from echokit.types import USUAL_FPS, Clip, Saliency


@dataclass(frozen=True, slots=True)
class Explanation:
    """One explained sequence."""

    clip: Clip
    """The frames `(k, H, W)` that were explained, as prepared."""
    start: int
    """First frame of the sequence in its clip."""
    saliency: Saliency
    scores: Mapping[str, object]
    """Scores of the map in plain values, as they stand in the result files."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The files of one explained sequence."""

    array: Path
    """npz file with `frames`, `saliency` and, if known, `sector` and `structures`."""
    movie: Path
    """Animated WebP: the frames, and beside them the frames under their saliency."""
    strip: Path
    """PNG of four moments: frames above, overlays below."""

    def as_json(self, root: Path) -> dict[str, str]:
        """Return kind -> path relative to a folder, for each file."""
        return {
            "array": self.array.relative_to(root).as_posix(),
            "movie": self.movie.relative_to(root).as_posix(),
            "strip": self.strip.relative_to(root).as_posix(),
        }


def record(
    explanation: Explanation,
    stem: Path,
    *,
    frames: UInt8[np.ndarray, "k h w"] | None = None,
    fps: float | None = None,
) -> Recorded:
    """Write an explained sequence: `<stem>.npz`, `<stem>.webp` and `<stem>.png`.

    Args:
        explanation: the sequence.
        stem: path without a suffix.
        frames: the frames to show under the saliency, such as those of the source at its own
            resolution, with nothing outside the sector; None shows the prepared frames.
        fps: frames per second of the source; None takes the clip's own.
    """
    files = Recorded(
        *(stem.with_name(f"{stem.name}{suffix}") for suffix in (".npz", ".webp", ".png"))
    )
    clip, values = explanation.clip, explanation.saliency.values
    shown = clip.frames if frames is None else frames
    fps = fps or clip.fps or USUAL_FPS
    _save_arrays(files.array, explanation)
    saliency_movie(shown, values, files.movie, fps, sector=clip.sector)
    saliency_strip(shown, values, files.strip, fps=fps, sector=clip.sector)
    return files


def file_stem(clip: str, view: str | None, start: int) -> str:
    """Make a file name for a clip's saliency: safe, unique, and without the words of its name."""
    return f"{view}-{hashlib.sha256(clip.encode()).hexdigest()[:10]}-{start:03d}"


def _save_arrays(path: Path, explanation: Explanation) -> None:
    clip = explanation.clip
    arrays: dict[str, Any] = {"frames": clip.frames, "saliency": explanation.saliency.values}
    for name, array in (("sector", clip.sector), ("structures", clip.structures)):
        if array is not None:
            arrays[name] = array
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
