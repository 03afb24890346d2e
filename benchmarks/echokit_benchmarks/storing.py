"""A window of frames from the store, against decoding it from a video."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import UInt8

from echokit import Loader, resolve
from echokit.bench.timing import Claim, paired, timing_row
from echokit.clips.preparation import prepare
from echokit.clips.store import Store
from echokit.components.slots import make_preparation
from echokit.recipe import load_recipe

AT_MOST_SIZE = 0.5
CLIPS, K, FPS = 24, 12, 25
"""Clips that windows are drawn from: more than the store keeps in memory."""


def measure(quick: bool) -> list[dict[str, Any]]:
    """Two rows: time of a random window, and size of the store."""
    clips, frames, side = (2, 30, 48) if quick else (CLIPS, 122, 224)
    loader: Loader = resolve(
        "loader", "phantom", patients=clips, views=["PSAX-P"], size=side, frames=frames, files=0
    )
    preset = load_recipe("ph-newborn", preset="paper", settings=[f"prepare.resize.size={side}"])
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "store.zarr"
        refs: Any = loader.index()
        keys = [str(key) for _, key in prepare(loader, refs, make_preparation(preset), Store(path))]
        store = Store(path)  # opened afresh: nothing is kept of the writing
        raw, videos = 0, []
        for key in keys:
            stored = store.clip(key).frames
            raw += stored.nbytes
            videos.append(Path(scratch) / f"{key}.mp4")
            _write(videos[-1], stored)
        store = Store(path)
        lengths = [store.length(key) for key in keys]
        draw = random.Random(0)

        def places() -> Iterator[tuple[int, int]]:
            while True:
                clip = draw.randrange(len(keys))
                yield clip, draw.randrange(lengths[clip] - K + 1)

        opened = [av.open(str(video)) for video in videos]
        at = places()

        def windows(read: Callable[[int, int], Any]) -> Callable[[], None]:
            def several() -> None:
                for _ in range(2 if quick else 20):
                    assert len(read(*next(at))) == K

            return several

        several = 2 if quick else 20
        claim = Claim(
            f"random window of {K} frames {side}×{side} from the store, {len(keys)} clips, "
            "kept open",
            "PyAV: seek, decode, to grey (H.264, kept open)",
            at_least=8.0,
            seconds=2e-3,
        )
        ours, theirs = paired(
            windows(lambda clip, start: store.window(keys[clip], start, K)),
            windows(lambda clip, start: _seek(opened[clip], start)),
            2 if quick else 25,
        )
        timed = timing_row(claim, [s / several for s in ours], [s / several for s in theirs])
        for container in opened:
            container.close()
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    kept = {
        "name": f"size of the store, {len(keys)} synthetic clips",
        "against": "raw pixels, lossless",
        "ours_mb": size / 2**20,
        "theirs_mb": raw / 2**20,
        "ratio": size / raw,
        "spread": None,
        "goal": f"at most {AT_MOST_SIZE:g} of the size",
        "reached": size <= AT_MOST_SIZE * raw,
        "repeats": 1,
    }
    return [timed, kept]


def _write(path: Path, frames: UInt8[np.ndarray, "T H W"]) -> None:
    """As a user would keep prepared clips: H.264 at its defaults."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="gray")
            container.mux(stream.encode(picture.reformat(format="yuv420p")))
        container.mux(stream.encode())


def _seek(container: Any, start: int) -> list[UInt8[np.ndarray, "H W"]]:
    """Frames `start` to `start + K`: to the key frame before, and on from there."""
    stream = container.streams.video[0]
    wanted = round(start / FPS / stream.time_base)
    container.seek(wanted, stream=stream)
    found: list[UInt8[np.ndarray, "H W"]] = []
    for frame in container.decode(stream):
        if frame.pts >= wanted:
            found.append(frame.to_ndarray(format="gray"))
            if len(found) == K:
                break
    return found
