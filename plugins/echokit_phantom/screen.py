"""The scanner's screen around the sector: text, depth scale, grey bar and a moving ECG trace."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from echokit import Box, Clip

_SWEEP = 3.0
"""Seconds in which the ECG trace crosses the screen."""


def screen_box(size: int) -> Box:
    """Compute the rectangle of the square sector image of `size` pixels on the screen."""
    return Box(round(0.05 * size), round(0.30 * size), size, size)


def screen_shape(size: int) -> tuple[int, int]:
    """Compute height and width of the screen, even numbers because video encoders need them."""
    return 2 * round(1.25 * size / 2), 2 * round(1.55 * size / 2)


def on_screen(
    clip: Clip, phase: Float[np.ndarray, " T"], view: str
) -> tuple[UInt8[np.ndarray, "T H W"], UInt8[np.ndarray, "T H W"]]:
    """Draw the scanner's screen around a clip.

    Args:
        clip: square frames with `structures`, fps and spacing, black outside the sector.
        phase: cardiac phase of each frame, for the ECG trace.
        view: name of the view, for the text.

    Returns:
        Frames and ground truth of the whole screen; the sector is not covered.
    """
    assert clip.structures is not None
    assert clip.fps is not None
    assert clip.spacing is not None
    count, size, _ = clip.frames.shape
    height, width = screen_shape(size)
    inner = screen_box(size).slices
    sector = np.zeros((height, width), np.bool_)
    sector[inner] = clip.frames.any(axis=0)
    still = _still(sector, size, clip.fps, clip.spacing[0], view)
    frames = np.repeat(still[None], count, axis=0)
    frames[:, *inner] = np.maximum(frames[:, *inner], clip.frames)
    _trace(frames, phase, clip.fps, round(1.07 * size))
    structures = np.zeros_like(frames)
    structures[:, *inner] = clip.structures
    return frames, structures


def draw_trace(
    frames: UInt8[np.ndarray, "T H W"],
    inside: Bool[np.ndarray, "H W"],
    phase: Float[np.ndarray, " T"],
    fps: float,
) -> None:
    """Draw the ECG over the lower edge of the sector, in place; nothing outside it is touched."""
    count, size, _ = frames.shape
    high = max(8, round(0.14 * size))
    # a little above the sector's lowest row, so that the baseline is seen
    bottom = int(np.flatnonzero(inside.any(axis=1))[-1]) + 1 - round(0.04 * size)
    trace = np.zeros((count, high, size), np.uint8)
    _trace(trace, phase, fps, 0)
    rows = slice(bottom - high, bottom)
    np.maximum(frames[:, rows], trace, out=frames[:, rows], where=inside[rows])


def _still(
    sector: Bool[np.ndarray, "H W"], size: int, fps: float, spacing: float, view: str
) -> UInt8[np.ndarray, "H W"]:
    """Draw what does not move; a line of text that would touch the sector is left out."""
    image = Image.new("L", sector.shape[::-1])
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=max(7, size // 20))
    box = screen_box(size)
    lines = ("SYNTHETIC", "echokit phantom", view, f"{fps:g} Hz", f"{spacing:.2f} mm/px")
    for number, line in enumerate(lines):
        place = (0.02 * size, 0.02 * size + number * max(0.065 * size, 8))
        left, top, right, bottom = (round(edge) for edge in draw.textbbox(place, line, font=font))
        if not sector[max(top - 3, 0) : bottom + 3, max(left - 3, 0) : right + 3].any():
            draw.text(place, line, fill=200, font=font)
    right = box.left + size + round(0.02 * size)
    step = 10 / spacing  # a tick per centimetre
    for tick in range(int(size / step) + 1):
        y = box.top + 0.02 * size + tick * step
        draw.line((right, y, right + (6 if tick % 5 == 0 else 3), y), fill=180)
    # the grey bar shows how the scanner maps echo strength to brightness
    left, top = box.left + size + round(0.12 * size), round(0.10 * size)
    wide, high = max(2, round(0.05 * size)), round(0.45 * size)
    canvas = np.array(image)
    canvas[top : top + high, left : left + wide] = np.linspace(255, 0, high).astype(np.uint8)[
        :, None
    ]
    return canvas


def _ecg(phase: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Compute the ECG's voltage: P wave, QRS complex at phase 0 and T wave; the R peak is 1."""
    wave = np.zeros_like(phase)
    for centre, height, width in (
        (0.84, 0.13, 0.03), (0.965, -0.1, 0.012), (0.0, 1.0, 0.014), (0.035, -0.22, 0.014),
        (0.33, 0.24, 0.05),
    ):  # fmt: skip
        offset = (phase - centre + 0.5) % 1.0 - 0.5
        wave += height * np.exp(-0.5 * (offset / width) ** 2)
    return wave


def _trace(
    frames: UInt8[np.ndarray, "T H W"], phase: Float[np.ndarray, " T"], fps: float, top: int
) -> None:
    """Draw the sweeping ECG into the rows below `top`, in place."""
    count, height, width = frames.shape
    room = height - top - 4
    beats = np.unwrap(phase, period=1.0)
    column = np.arange(width)
    per_column = _SWEEP * fps / width
    for frame in range(count):
        # frames since each column was drawn; the newest column is at the position of the sweep
        sweep = frame / per_column
        age = ((sweep - column) % width) * per_column
        # columns from before the clip continue its mean heart rate
        drawn_phase = np.where(
            age <= frame,
            np.interp(frame - age, np.arange(count), beats),
            beats[0] + (frame - age) * (beats[-1] - beats[0]) / max(count - 1, 1),
        )
        visible = age < _SWEEP * fps * 0.95
        y = top + room - (0.25 + 0.7 * _ecg(drawn_phase)) * room
        image = Image.new("L", (width, room + 4))
        draw = ImageDraw.Draw(image)
        for run in np.split(column, np.flatnonzero(np.diff(visible.astype(int))) + 1):
            if visible[run[0]] and len(run) > 1:
                draw.line([(int(x), float(y[x] - top)) for x in run], fill=210)
        frames[frame, top : top + room + 4] = np.maximum(
            frames[frame, top : top + room + 4], np.asarray(image)
        )
