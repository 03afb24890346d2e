"""Clips as sheets of frames in WebP, which a browser draws one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COLUMNS, ROWS = 4, 4
"""Frames of a sheet."""
SIDE = 512
"""Longest side of a frame in pixels."""
QUALITY = 82


def write_sheets(frames: np.ndarray, folder: Path, kind: str) -> dict[str, Any]:
    """Write frames as numbered sheets.

    Args:
        frames: grey (T, H, W) or colour (T, H, W, 3), uint8.
        folder: where `<kind>-00.webp` and so on are written.
        kind: the first part of their names.

    Returns:
        Width and height of a frame, and the number of sheets.
    """
    height, width = frames.shape[1:3]
    scale = min(1.0, SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    count = COLUMNS * ROWS
    pieces = range(0, len(frames), count)
    for number, start in enumerate(pieces):
        sheet = _sheet(frames[start : start + count], size)
        sheet.save(folder / f"{kind}-{number:02d}.webp", "WEBP", quality=QUALITY, method=1)
    return {"width": size[0], "height": size[1], "sheets": len(pieces)}


def _sheet(frames: Sequence[np.ndarray] | np.ndarray, size: tuple[int, int]) -> Image.Image:
    rows = -(-len(frames) // COLUMNS)
    sheet = Image.new("RGB", (size[0] * COLUMNS, size[1] * rows))
    for place, frame in enumerate(frames):
        tile = Image.fromarray(frame)
        if tile.size != size:
            tile = tile.resize(size, Image.Resampling.BOX)
        sheet.paste(tile, (place % COLUMNS * size[0], place // COLUMNS * size[1]))
    return sheet
