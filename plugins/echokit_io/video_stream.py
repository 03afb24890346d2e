"""Long videos, decoded twice: to check them whole, and to hand out their frames block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from echokit import Clip, ClipError, ClipStream
from echokit_io.budget import MB, Budget
from echokit_io.colour import settle
from echokit_io.video import decoded, frame_rate, opened
from echokit_io.video_frames import Seen, check_size

LONG = 128 * MB
"""Pixels of a clip from which on it is read block by block, which takes decoding it twice: some 400
frames of 640 x 480, more than clips usually have."""
BLOCK = 4 * MB
"""Pixels of a block."""


def stream(path: Path, needed: Callable[[int], Sequence[int]], budget: Budget) -> ClipStream | None:
    """Check a long video as `video.read` does, keeping a few of its frames.

    Args:
        path: the file.
        needed: given the number of frames, returns which are kept, in ascending order.
        budget: what reading may cost.

    Returns:
        The clip; None if it is short, or its container does not say how many frames it has.

    Raises:
        ClipError: it is damaged or truncated, costs more than allowed, or shows colour Doppler.
    """
    clock = budget.start()
    with opened(path, clock) as (container, video, source):
        length, decoder = int(video.frames or 0), video.codec_context
        pixels = decoder.height * decoder.width
        if length * pixels < LONG:
            return None
        chosen = list(needed(length))
        held = len(chosen) + BLOCK // pixels + 1
        check_size(length, decoder.height, decoder.width, budget, held)
        seen, kept, few = Seen(clock, held), set(chosen), []
        for image in decoded(container, video, source, seen):
            if seen.count - 1 in kept:
                few.append(image.copy())
        fps = frame_rate(video)
    if seen.count != length:  # some containers count what no decoder shows
        return None
    frames = settle(np.stack(few), seen.colour, None, "refuse")
    times = seen.times()
    at_hand = Clip(frames, fps=fps, times=None if times is None else times[chosen])
    return ClipStream(at_hand, length, partial(_blocks, path, budget, held))


def _blocks(path: Path, budget: Budget, held: int) -> Iterator[UInt8[np.ndarray, "t H W"]]:
    # whoever takes the blocks may be slow; that decoding is fast enough is known
    clock = replace(budget, seconds=math.inf).start()
    with opened(path, clock) as (container, video, source):
        seen, block = Seen(clock, held), list[UInt8[np.ndarray, "H W"]]()
        try:
            for image in decoded(container, video, source, seen):
                block.append(image.copy())
                if len(block) * image.size >= BLOCK:
                    yield np.stack(block)
                    block = []
        except OSError as error:
            raise ClipError(f"it cannot be read: {error.strerror}") from None
    if block:
        yield np.stack(block)
