"""Painting of moving outlines into label maps, one map for each frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from echokit_phantom.curves import Curve


class Layer(NamedTuple):
    """One outline in the map's units: (column, row), pixel centres at whole numbers."""

    value: int
    outline: Curve


def paint(
    layers: Sequence[Layer], frames: slice, height: int, width: int
) -> UInt8[np.ndarray, "T H W"]:
    """Fill the layers one over the other.

    Args:
        layers: outlines of every frame, first to last.
        frames: the frames to paint.
        height: rows of the map.
        width: columns of the map.

    Returns:
        The value of the topmost layer at each point, 0 where there is none.
    """
    # Pillow takes whole pixels and would truncate
    outlines = [
        np.rint(layer.outline[frames]).astype(int).reshape(-1, 2 * layer.outline.shape[1]).tolist()
        for layer in layers
    ]
    count = len(outlines[0])
    maps = np.empty((count, height, width), np.uint8)
    for frame in range(count):
        image = Image.new("L", (width, height))
        fill = ImageDraw.Draw(image).polygon
        for layer, outline in zip(layers, outlines, strict=True):
            fill(outline[frame], fill=layer.value)
        maps[frame] = np.asarray(image)
    return maps
