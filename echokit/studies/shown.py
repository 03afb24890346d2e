"""The clips of a study as they are shown: the source's own frames, black outside the sector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from echokit.clips.preparation import Preparation
from echokit.errors import ClipError
from echokit.interfaces import Loader
from echokit.types import USUAL_FPS, ClipRef, Rejection

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import UInt8

LONGEST = 1000
"""Most frames of a clip that are shown."""


@dataclass(frozen=True, slots=True)
class ShownClip:
    """One clip to look at. Frame numbers are those of the sequences of its prediction."""

    ref: ClipRef
    """The clip."""
    frames: UInt8[np.ndarray, "T H W"]
    """Grey frames at the source's own resolution, black outside the scanning sector."""
    fps: float
    """Frames per second to play them at."""
    length: int
    """Number of frames of the whole clip; those after the first thousand are not shown."""
    systole: tuple[int, ...]
    """End-systolic frames, as far as beats can be told; found, not measured."""
    diastole: tuple[int, ...]
    """End-diastolic frames, as for systole."""


def show_clips(loader: Loader, preparation: Preparation) -> Iterator[ShownClip | Rejection]:
    """Read clip after clip; outside a sector names may be burned in, and nothing of it is shown."""
    for ref in loader.index():
        if isinstance(ref, Rejection):
            yield ref
            continue
        try:
            clip, length = preparation.shown(loader, ref, 0, LONGEST)
            if clip.sector is None:
                raise ClipError("no scanning sector was found in it, so that it is not shown")
        except ClipError as error:
            yield Rejection(ref.clip, str(error), ref.patient, ref.view)
            continue
        fps = clip.fps or USUAL_FPS
        systole, diastole = _beats(clip.frames, fps, clip.sector)
        yield ShownClip(ref, clip.frames, fps, length, systole, diastole)


def _beats(
    frames: UInt8[np.ndarray, "T H W"], fps: float, sector: np.ndarray
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the frames of end-systole and end-diastole: one that was found, and its beats."""
    from echokit.saliency.cardiac_phases import find_phases

    found = find_phases(frames, fps, sector)
    if found.rate is None:
        return (), ()
    period = 60 * fps / found.rate
    return _repeated(found.systole, period, len(frames)), _repeated(
        found.diastole, period, len(frames)
    )


def _repeated(first: int | None, period: float, length: int) -> tuple[int, ...]:
    """Return the frames one period apart of which `first` is one."""
    if first is None:
        return ()
    start = first % period
    count = int((length - 1 - start) // period) + 1
    return tuple(round(start + number * period) for number in range(count))
