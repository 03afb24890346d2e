"""Draw saliency as an animated WebP and as a strip of still frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from echokit.errors import UsageError
from echokit.saliency.overlay import check_box, overlay, place
from echokit.system.files import whole_file
from echokit.types import Box

GAP = 4
"""Pixels between two pictures."""
SLATE = (15, 20, 25)
"""Colour between and around pictures: near black, as on a scanner."""

Pair = tuple[UInt8[np.ndarray, "H W 3"], UInt8[np.ndarray, "H W 3"] | None]


def saliency_movie(
    frames: np.ndarray,
    saliency: Float[np.ndarray, "k h w"] | None,
    path: Path,
    fps: float,
    *,
    box: Box | None = None,
    sector: Bool[np.ndarray, "rows columns"] | None = None,
    start: int = 0,
    size: int = 256,
) -> None:
    """Write a looping animated WebP: the grey frames, and beside them the frames under saliency.

    Args:
        frames: grey frames `(T, H, W)` uint8; other arrays are refused by name.
        saliency: values in [0, 1] of frames `start` to `start + k`, at any resolution; frames
            without a map show no overlay. None writes the grey frames alone.
        path: path of the file, which is written whole.
        fps: frames per second.
        box: rectangle of a frame that the saliency covers; None means the whole frame.
        sector: True inside the scanning sector, at the resolution of the saliency or, without
            `box`, of the frames; nothing is drawn outside.
        start: frame to which `saliency[0]` belongs.
        size: longest side of one picture, in pixels.

    Raises:
        UsageError: shapes, ranges or the frame rate do not fit together.
    """
    if not fps > 0:
        raise UsageError(f"A movie cannot run at {fps} frames per second; give a positive fps.")
    pairs = _pairs(frames, saliency, box, sector, start, range(len(frames)), size)
    pages = [_row([p for p in pair if p is not None]) for pair in pairs]
    with whole_file(path) as partial:
        pages[0].save(
            partial, "WEBP", save_all=True, append_images=pages[1:], quality=80, method=4,
            duration=max(1, round(1000 / fps)), loop=0,
        )  # fmt: skip


def saliency_strip(
    frames: np.ndarray,
    saliency: Float[np.ndarray, "k h w"],
    path: Path,
    *,
    fps: float | None = None,
    box: Box | None = None,
    sector: Bool[np.ndarray, "rows columns"] | None = None,
    start: int = 0,
    columns: int = 4,
    size: int = 224,
) -> None:
    """Write a PNG of evenly spaced moments: frames above, overlays below (paper, Fig. 3).

    Args:
        frames: grey frames `(T, H, W)` uint8; other arrays are refused by name.
        saliency: as for `saliency_movie`; the moments are chosen among the frames with a map.
        path: path of the file, which is written whole.
        fps: frames per second, to label the columns in seconds; None labels them by the number of
            the frame alone, from 1.
        box: rectangle of a frame that the saliency covers; None means the whole frame.
        sector: as for `saliency_movie`.
        start: frame to which `saliency[0]` belongs.
        columns: largest number of moments.
        size: longest side of one picture, in pixels.

    Raises:
        UsageError: shapes or ranges do not fit together.
    """
    n = min(max(columns, 1), len(saliency))
    times = [start + int(i) for i in np.round(np.linspace(0, len(saliency) - 1, n))]
    pairs = list(_pairs(frames, saliency, box, sector, start, times, size))
    rows = [_row([pair[r] for pair in pairs]) for r in (0, 1)]  # type: ignore[misc]
    width, height = rows[0].size
    font = ImageFont.load_default(13)
    strip = Image.new("RGB", (width, 20 + 2 * height + GAP), SLATE)
    draw = ImageDraw.Draw(strip)
    for column, time in enumerate(times):
        label = f"frame {time + 1} of {len(frames)}" + (f" · {time / fps:.2f} s" if fps else "")
        x = column * (width + GAP) / n
        draw.text((x + 4, 2), label, fill=(200, 208, 216), font=font)
    strip.paste(rows[0], (0, 20))
    strip.paste(rows[1], (0, 20 + height + GAP))
    with whole_file(path) as partial:
        strip.save(partial, "PNG", optimize=True)


def _pairs(
    frames: np.ndarray,
    saliency: Float[np.ndarray, "k h w"] | None,
    box: Box | None,
    sector: Bool[np.ndarray, "rows columns"] | None,
    start: int,
    times: range | list[int],
    size: int,
) -> Iterator[Pair]:
    """Pair each moment's frame with its overlay, both with `size` pixels on the longest side.

    The map is enlarged to the size of the picture and not to that of the frame, so that a picture
    of a small frame shows no blocks.
    """
    _check(frames, saliency, sector, start)
    height, width = frames.shape[1:]
    if box is not None:
        check_box(box, (height, width))
    scale = size / max(height, width)
    shape = max(1, round(height * scale)), max(1, round(width * scale))
    placed = _scaled(box, (height, width), shape) if box is not None else None
    for time in times:
        tile = Image.fromarray(frames[time]).resize(shape[::-1], Image.Resampling.BICUBIC)
        picture = np.asarray(tile)
        grey = np.repeat(picture[..., None], 3, axis=2)
        if saliency is None:
            yield grey, None
        elif start <= time < start + len(saliency):
            yield grey, overlay(picture, place(saliency[time - start], shape, placed, sector))
        else:
            yield grey, grey


def _scaled(box: Box, old: tuple[int, int], new: tuple[int, int]) -> Box:
    """Scale a rectangle with its frame, to at least one pixel."""
    rows, columns = new[0] / old[0], new[1] / old[1]
    top = min(round(box.top * rows), new[0] - 1)
    left = min(round(box.left * columns), new[1] - 1)
    bottom = max(round((box.top + box.height) * rows), top + 1)
    right = max(round((box.left + box.width) * columns), left + 1)
    return Box(top, left, bottom - top, right - left)


def _check(
    frames: np.ndarray,
    saliency: Float[np.ndarray, "k h w"] | None,
    sector: Bool[np.ndarray, "rows columns"] | None,
    start: int,
) -> None:
    """Check shapes and ranges; raise `UsageError` if they do not fit together."""
    if frames.ndim != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise UsageError(
            f"Frames are {frames.dtype} {frames.shape}; give uint8 (time, row, column)."
        )
    if saliency is None:
        return
    if saliency.ndim != 3 or 0 in saliency.shape:
        raise UsageError(f"Saliency has the shape {saliency.shape}; give (time, row, column).")
    if start < 0 or start + len(saliency) > len(frames):
        raise UsageError(
            f"Saliency of {len(saliency)} frames from frame {start} on does not fit a clip of "
            f"{len(frames)} frames; give start, the frame that its first map belongs to."
        )
    low, high = float(saliency.min()), float(saliency.max())
    if not (low >= -1e-4 and high <= 1 + 1e-4):  # also false for NaN
        raise UsageError(f"Saliency spans {low:g} to {high:g}; scale it to [0, 1] first.")
    if sector is not None and sector.shape not in (saliency.shape[1:], frames.shape[1:]):
        raise UsageError(
            f"The sector has the shape {sector.shape} and a saliency map {saliency.shape[1:]}; "
            "give both at one resolution."
        )


def _row(pictures: list[UInt8[np.ndarray, "H W 3"]]) -> Image.Image:
    """Put pictures side by side."""
    height, width = pictures[0].shape[:2]
    row = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height), SLATE)
    for i, picture in enumerate(pictures):
        row.paste(Image.fromarray(picture), (i * (width + GAP), 0))
    return row
