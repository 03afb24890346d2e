"""Reading a window of frames from the store, against decoding it from a video."""

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
"""Goal of the store's size, relative to raw pixels."""
CLIPS, K, FPS = 24, 12, 25
"""Number of clips that windows are drawn from (more than the store keeps in memory), frames of a
window, and frames per second."""


def measure(quick: bool) -> list[dict[str, Any]]:
    """Measure the time of a random window and the size of the store: two rows."""
    clips, frames, side = (2, 30, 48) if quick else (CLIPS, 122, 224)
    loader: Loader = resolve(
        "loader", "phantom", patients=clips, views=["PSAX-P"], size=side, frames=frames, files=0
    )
    preset = load_recipe("ph-newborn", preset="paper", settings=[f"prepare.resize.size={side}"])
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "store.zarr"
        refs: Any = loader.index()
        keys = [str(key) for _, key in prepare(loader, refs, make_preparation(preset), Store(path))]
        store = Store(path)  # opened again, so that nothing is cached from writing
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
        drawn = places()
        windows = 2 if quick else 20

        def reading(read: Callable[[int, int], Any]) -> Callable[[], None]:
            def read_windows() -> None:
                for _ in range(windows):
                    assert len(read(*next(drawn))) == K

            return read_windows

        claim = Claim(
            f"random window of {K} frames {side}×{side} from the store, {len(keys)} clips, "
            "kept open",
            "PyAV: seek, decode, to grey (H.264, kept open)",
            at_least=8.0,
            seconds=2e-3,
        )
        ours, theirs = paired(
            reading(lambda clip, start: store.window(keys[clip], start, K)),
            reading(lambda clip, start: _seek(opened[clip], start)),
            2 if quick else 25,
        )
        time_row = timing_row(claim, [s / windows for s in ours], [s / windows for s in theirs])
        for container in opened:
            container.close()
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    size_row = {
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
    return [time_row, size_row]


def _write(path: Path, frames: UInt8[np.ndarray, "T H W"]) -> None:
    """Write prepared frames as a user would: H.264 with its default settings."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="gray")
            container.mux(stream.encode(picture.reformat(format="yuv420p")))
        container.mux(stream.encode())


def _seek(container: Any, start: int) -> list[UInt8[np.ndarray, "H W"]]:
    """Decode the frames `start` to `start + K`, from the key frame before them."""
    stream = container.streams.video[0]
    wanted = round(start / FPS / stream.time_base)
    container.seek(wanted, stream=stream)
    window: list[UInt8[np.ndarray, "H W"]] = []
    for frame in container.decode(stream):
        if frame.pts >= wanted:
            window.append(frame.to_ndarray(format="gray"))
            if len(window) == K:
                break
    return window
