"""Sheets for print: strips of words and pictures, stacked on white."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from echokit.saliency.overlay import palette

PAPER, INK, QUIET, ALARM = "#ffffff", "#111111", "#4a5560", "#b3340a"
"""Colours of the sheet, of words, of words that matter less, and of what must not be missed."""
EDGE, GAP = 24, 12
"""Pixels around a sheet, and between two pictures."""

Strip = Callable[[int], Image.Image]
"""Draws itself as wide as it is told, in pixels."""


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib carries: it knows most alphabets."""
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", name), size)


def fitted(said: str, room: float, size: int, bold: bool) -> tuple[str, ImageFont.FreeTypeFont]:
    """Words in the largest font up to `size` that fits `room`; cut where even the least is wide."""
    for smaller in range(size, 15, -1):
        if font(smaller, bold).getlength(said) <= room:
            return said, font(smaller, bold)
    least = font(16, bold)
    while said and least.getlength(said + "…") > room:
        said = said[:-1]
    return said + "…", least


def words(
    left: str = "",
    right: str = "",
    *,
    columns: Sequence[str] = (),
    bold: bool = False,
    ink: str = INK,
    right_ink: str = INK,
    size: int = 28,
) -> Strip:
    """A line of words: at the left, `bold` or not, at the right, or over each of some columns."""

    def draw(width: int) -> Image.Image:
        strip = Image.new("RGB", (width, round(size * 1.4)), PAPER)
        pen = ImageDraw.Draw(strip)
        used = 0.0
        if right:
            said, face = fitted(right, width * 0.6, size, bold=False)
            used = face.getlength(said) + size
            pen.text((width, size), said, right_ink, face, anchor="rs")
        if left:
            said, face = fitted(left, width - used, size, bold)
            pen.text((0, size), said, ink, face, anchor="ls")
        step = (width + GAP) / max(len(columns), 1)
        for i, over in enumerate(columns):
            said, face = fitted(over, step - GAP, size, bold)
            pen.text((i * step + (step - GAP) / 2, size), said, ink, face, anchor="ms")
        return strip

    return draw


def tiles(pictures: Sequence[UInt8[np.ndarray, "H W 3"] | None], size: int) -> Strip:
    """Pictures side by side, `size` pixels on their longest side; an empty frame where None."""

    def draw(width: int) -> Image.Image:
        height, across = next((p.shape[:2] for p in pictures if p is not None), (1, 1))
        scale = size / max(height, across)
        box = max(1, round(across * scale)), max(1, round(height * scale))
        strip = Image.new("RGB", (width, box[1] + GAP), PAPER)
        pen = ImageDraw.Draw(strip)
        for i, picture in enumerate(pictures):
            x = i * (size + GAP) + (size - box[0]) // 2
            if picture is None:
                pen.rectangle((x, 0, x + box[0] - 1, box[1] - 1), outline=QUIET)
                said, face = fitted("not in this sequence", box[0] - 2 * GAP, 28, False)
                pen.text((x + box[0] / 2, box[1] / 2), said, QUIET, face, anchor="mm")
                continue
            tile = Image.fromarray(picture).resize(box, Image.Resampling.BICUBIC)
            strip.paste(tile, (x, 0))
        return strip

    return draw


def colour_bar() -> Strip:
    """What the colours of saliency mean."""

    def draw(width: int) -> Image.Image:
        face = font(24)
        strip = Image.new("RGB", (width, 40), PAPER)
        pen = ImageDraw.Draw(strip)
        x = 0.0
        pen.text((x, 26), "little", INK, face, anchor="ls")
        x += face.getlength("little") + GAP
        bar = Image.fromarray(palette()[None]).resize((240, 22))
        strip.paste(bar, (round(x), 8))
        pen.text((x + 240 + GAP, 26), "much of the prediction", INK, face, anchor="ls")
        return strip

    return draw


def stack(strips: Iterable[Strip], width: int) -> Image.Image:
    """Strips one below the other, with a white edge."""
    drawn = [strip(width) for strip in strips]
    height = sum(strip.height for strip in drawn)
    sheet = Image.new("RGB", (width + 2 * EDGE, height + 2 * EDGE), PAPER)
    y = EDGE
    for strip in drawn:
        sheet.paste(strip, (EDGE, y))
        y += strip.height
    return sheet
