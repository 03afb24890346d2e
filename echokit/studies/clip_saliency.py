"""Hold the saliency of a clip in memory, over the clip's own pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from echokit.types import Box

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Bool, UInt8

    from echokit.saliency.record import Explanation


@dataclass(frozen=True, slots=True)
class ClipSaliency:
    """Where the network looked in the sequence that speaks most clearly for a clip's label."""

    explanation: Explanation
    """The sequence as the network saw it, its saliency, and what was measured of that."""
    frames: UInt8[np.ndarray, "k H W"]
    """The same frames at the source's own resolution, black outside the scanning sector."""
    fps: float
    """Frames per second to play them at."""
    box: Box
    """The rectangle of the source frame that `frames` show."""
    record: Mapping[str, int] | None
    """How many `maps` of this network its run tested, and how many `passed`; None if none."""
    stem: str
    """Name of its files, without a suffix: free of the words of the clip's name."""
    sector: Bool[np.ndarray, "H W"] | None = None
    """True inside the scanning sector, at the resolution of `frames`."""

    def overlay(self) -> UInt8[np.ndarray, "k H W 3"]:
        """Draw the saliency over the frames, in the colours of the page; none outside the sector.

        Returns:
            Red, green and blue, 0 to 255.
        """
        import numpy as np

        from echokit.saliency.overlay import overlay, place

        shape, sector = (self.frames.shape[1], self.frames.shape[2]), self.sector
        values = self.explanation.saliency.values
        pairs = zip(self.frames, values, strict=True)
        return np.stack([overlay(frame, place(one, shape, None, sector)) for frame, one in pairs])

    def as_json(self) -> dict[str, Any]:
        """Return what `prediction.json` holds of it: where its files stand, and its scores."""
        stem, one, box = f"saliency/{self.stem}", self.explanation, self.box
        return {
            "array": f"{stem}.npz",
            "movie": f"{stem}.webp",
            "strip": f"{stem}.png",
            "shown": "source",
            "start": one.start,
            "method": one.saliency.method,
            "box": [box.top, box.left, box.height, box.width],
            "scores": dict(one.scores),
            "record": None if self.record is None else dict(self.record),
        }
