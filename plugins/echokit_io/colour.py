"""Colour Doppler in the pixels of a clip: found by colours that come and go, and removed.

Scanners draw colour beside the picture too: a colour bar, buttons and text, which stand still, and
an ECG trace, which is thin. B-mode shown in one tint is coloured wherever it is bright. What is
left - patches of colour that change between frames, over tissue that is grey - is Doppler.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8
from scipy import ndimage

from echokit import Box, ClipError

Colour = Literal["refuse", "remove"]
"""What happens to clips with colour Doppler."""
CHOICES = ("refuse", "remove")
SATURATED = 40
"""Difference of the largest and smallest of red, green and blue from which on a pixel is coloured;
JPEG blurs the colour of text by less."""
CHROMA = 20
"""The same of Cb and Cr, as a distance from grey."""
BRIGHT = 80
"""Luma from which on a pixel counts for a tint."""
TINTED = 0.6
"""Share of the bright pixels from which on their colour is a tint of the whole picture."""
SMALLEST = 0.002
"""Smallest share of the picture that a patch of Doppler fills."""


def saturated(rgb: UInt8[np.ndarray, "H W 3"]) -> Bool[np.ndarray, "H W"]:
    """Mark the coloured pixels of a frame."""
    return np.asarray(rgb.max(axis=2) - rgb.min(axis=2) >= SATURATED)


class ColourWatch:
    """Gathers where a clip is coloured, frame by frame, at the resolution of its colours."""

    def __init__(self, *, keeps: bool = True) -> None:
        """Begin with no frame.

        Args:
            keeps: keep what is coloured in each frame, which removing colour takes.
        """
        self._keeps, self._count = keeps, 0
        self.masks: list[UInt8[np.ndarray, " bytes"]] = []
        self.shape = (0, 0)
        self._any: Bool[np.ndarray, "h w"] = np.zeros((0, 0), np.bool_)
        self._all: Bool[np.ndarray, "h w"] = np.zeros((0, 0), np.bool_)
        self._bright = self._tinted = 0

    def add(self, coloured: Bool[np.ndarray, "h w"], luma: UInt8[np.ndarray, "H W"]) -> None:
        """Add a frame: its coloured pixels, perhaps at a lower resolution, and its luma."""
        if not self._count:
            self.shape = coloured.shape
            self._any, self._all = coloured.copy(), coloured.copy()
        self._any |= coloured
        self._all &= coloured
        step = [max(1, round(size / small)) for size, small in zip(luma.shape, self.shape)]  # noqa: B905
        sampled = luma[:: step[0], :: step[1]]
        rows, columns = min(len(sampled), self.shape[0]), min(sampled.shape[1], self.shape[1])
        bright = sampled[:rows, :columns] >= BRIGHT
        self._bright += int(bright.sum())
        self._tinted += int((bright & coloured[:rows, :columns]).sum())
        self._count += 1
        if self._keeps:
            self.masks.append(np.packbits(coloured))

    def doppler(
        self, region: Box | None = None, frame: tuple[int, int] | None = None
    ) -> Bool[np.ndarray, "h w"] | None:
        """Find where colour comes and goes; None if that is nowhere.

        Args:
            region: the part of the frame that shows tissue; None for all of it.
            frame: height and width of the frames that the region is in.
        """
        changing = self._any & ~self._all
        if region is not None and frame is not None:
            changing &= _inside(region, frame, self.shape)
        if not changing.any() or self._tinted > TINTED * self._bright > 0:
            return None
        width = 3 if max(self.shape) < 400 else 5  # wider than a trace or a letter's stroke
        solid = ndimage.binary_opening(
            ndimage.binary_closing(changing, np.ones((3, 3))), np.ones((width, width))
        )
        return solid if solid.sum() >= SMALLEST * solid.size else None

    def remove(
        self, frames: UInt8[np.ndarray, "T H W"], where: Bool[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "T H W"]:
        """Blacken coloured pixels in and around an area: blood, which B-mode shows black.

        It is done in the frames' place, because a copy would take their memory twice.
        """
        margin = max(3, round(0.02 * max(self.shape)))
        near = ndimage.binary_dilation(where, iterations=margin)
        for frame, packed in zip(frames, self.masks, strict=True):
            mask = np.unpackbits(packed, count=near.size).reshape(near.shape).astype(bool) & near
            mask = ndimage.binary_dilation(mask)  # colour bleeds into its neighbours
            frame[_enlarged(mask, frame.shape)] = 0
        return frames


def settle(
    frames: UInt8[np.ndarray, "T H W"], watch: ColourWatch, region: Box | None, colour: Colour
) -> UInt8[np.ndarray, "T H W"]:
    """Refuse or remove the colour Doppler of a clip; without any, return the frames as they are.

    Args:
        frames: every frame in grey.
        watch: where every frame is coloured.
        region: the part of the frame that shows tissue; None for all of it.
        colour: what to do.

    Raises:
        ClipError: there is colour Doppler, and it is to be refused.
    """
    found = watch.doppler(region, (frames.shape[1], frames.shape[2]))
    if found is None:
        return frames
    if colour == "refuse":
        raise ClipError(refusal(float(found.mean())))
    return watch.remove(frames, found)


def refusal(share: float) -> str:
    """Say that a clip with colour Doppler is refused, and what to do."""
    return (
        f"it shows colour Doppler (colour comes and goes on {share:.1%} of the picture), of which "
        "only the brightness would be left: take the clip without colour, or blacken the colour "
        "with the option colour='remove' of the loader (--set study.colour=remove)"
    )


def _inside(region: Box, frame: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    inside = np.zeros(frame, np.bool_)
    inside[region.slices] = True
    rows = (np.arange(shape[0]) * frame[0]) // shape[0]
    columns = (np.arange(shape[1]) * frame[1]) // shape[1]
    return inside[np.ix_(rows, columns)]


def _enlarged(mask: Bool[np.ndarray, "h w"], shape: tuple[int, ...]) -> np.ndarray:
    rows = (np.arange(shape[0]) * mask.shape[0]) // shape[0]
    columns = (np.arange(shape[1]) * mask.shape[1]) // shape[1]
    return mask[np.ix_(rows, columns)]
