"""Record an explained sequence on disk: an array, a movie and a strip of frames."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from echokit.saliency.pictures import saliency_movie, saliency_strip
from echokit.system.files import whole_file
from echokit.types import USUAL_FPS, Clip, Saliency

LARGEST = 512
"""Longest side, in pixels, of the source's frames that an array keeps."""


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
    """npz file with `frames`, `saliency` and, if known, `sector` and `structures`; where the frames
    of the source are shown also `shown`, with at most `LARGEST` pixels on the longest side, and
    `shown_sector`."""
    movie: Path
    """Animated WebP: the frames, and beside them the frames under their saliency."""
    strip: Path
    """PNG of four moments: frames above, overlays below."""
    shown: Literal["source", "prepared"]
    """Which frames the movie and the strip show: those of the source at its own resolution, or
    those that were prepared for the network."""

    def as_json(self, root: Path) -> dict[str, str]:
        """Return kind -> path relative to a folder, for each file."""
        return {
            "array": self.array.relative_to(root).as_posix(),
            "movie": self.movie.relative_to(root).as_posix(),
            "strip": self.strip.relative_to(root).as_posix(),
            "shown": self.shown,
        }


def record(
    explanation: Explanation,
    stem: Path,
    *,
    shown: Clip | None = None,
) -> Recorded:
    """Write an explained sequence: `<stem>.npz`, `<stem>.webp` and `<stem>.png`.

    Args:
        explanation: the sequence.
        stem: path without a suffix.
        shown: the same frames of the source at its own resolution, with its sector and nothing
            outside it, to be shown under the saliency; None shows the prepared frames.
    """
    array, movie, strip = (
        stem.with_name(f"{stem.name}{suffix}") for suffix in (".npz", ".webp", ".png")
    )
    clip, values = shown or explanation.clip, explanation.saliency.values
    sector = explanation.clip.sector if clip.sector is None else clip.sector
    fps = clip.fps or explanation.clip.fps or USUAL_FPS
    _save_arrays(array, explanation, shown)
    saliency_movie(clip.frames, values, movie, fps, sector=sector)
    saliency_strip(clip.frames, values, strip, fps=fps, sector=sector)
    return Recorded(array, movie, strip, "prepared" if shown is None else "source")


def file_stem(clip: str, view: str | None, start: int) -> str:
    """Make a file name for a clip's saliency: safe, unique, and without the words of its name."""
    return f"{view}-{hashlib.sha256(clip.encode()).hexdigest()[:10]}-{start:03d}"


def _save_arrays(path: Path, explanation: Explanation, shown: Clip | None) -> None:
    clip = explanation.clip
    arrays: dict[str, Any] = {"frames": clip.frames, "saliency": explanation.saliency.values}
    for name, array in (("sector", clip.sector), ("structures", clip.structures)):
        if array is not None:
            arrays[name] = array
    if shown is not None:
        arrays["shown"] = np.stack([_limited(frame) for frame in shown.frames])
        if shown.sector is not None:
            arrays["shown_sector"] = _limited(shown.sector.view(np.uint8)) > 0
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _limited(frame: UInt8[np.ndarray, "H W"]) -> UInt8[np.ndarray, "h w"]:
    """Shrink a frame to at most `LARGEST` pixels on the longest side."""
    scale = LARGEST / max(frame.shape)
    if scale >= 1:
        return frame
    height, width = (max(1, round(side * scale)) for side in frame.shape)
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BOX))
