"""Long videos of a fan that flickers, and what preparing one takes in a process of its own.

python tests/support/long_video.py VIDEO STORE LONG    prints megabytes and the key

LONG is the number of pixels from which on a video is read block by block.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

STEPS = (
    ("monai-sector", {}),
    ("monai-resize", {"size": 64}),
    ("monai-equalise", {}),
)


def write_video(path: Path, frames: int, height: int = 120, width: int = 160) -> Path:
    """Write a video of tissue in a fan, with text that stands still; a few frames are repeated."""
    import numpy as np

    row, column = np.mgrid[:height, :width]
    down, right = row + 5, column - width / 2
    fan = (np.abs(np.arctan2(right, down)) < 0.6) & (np.hypot(down, right) < 0.95 * height)
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(16):
        picture = (rng.integers(60, 200, (height, width)) * fan).astype(np.uint8)
        picture[2:10, 2:12] = 220
        pictures.append(picture)
    grey = [np.repeat(picture[..., None], 3, axis=2) for picture in pictures]
    return _encode(path, [grey[(index * 7 + index // 16) % 16] for index in range(frames)])


def write_still(path: Path) -> Path:
    """Write a video in which nothing moves, so that no sector is found."""
    import numpy as np

    return _encode(path, [np.full((120, 160, 3), 90, np.uint8)] * 40)


def write_doppler(path: Path) -> Path:
    """Write a video in which colour comes and goes."""
    import numpy as np

    pictures = np.random.default_rng(0).integers(60, 200, (40, 120, 160, 1), np.uint8).repeat(3, 3)
    pictures[::2, 40:80, 50:100] = (250, 20, 20)
    return _encode(path, list(pictures))


def _encode(path: Path, pictures: list[Any]) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 400_000
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    return path


def preparation() -> Any:
    """The paper's preparation, to small frames."""
    from echokit import resolve
    from echokit.clips.preparation import Preparation

    steps = tuple(resolve("transform", name, **options) for name, options in STEPS)
    return Preparation(steps, repr(STEPS))


def prepare_one(video: Path, store: Path) -> str:
    """Prepare a video, and return its key in the store."""
    from echokit import resolve
    from echokit.clips.preparation import prepare
    from echokit.clips.store import Store

    loader: Any = resolve("loader", "files", source=str(video), view="A4C")
    [(_, key)] = prepare(loader, list(loader.index()), preparation(), Store(store))
    if not isinstance(key, str):
        raise key
    return key


if __name__ == "__main__":
    import echokit_io.video_stream

    echokit_io.video_stream.LONG = int(sys.argv[3])
    made = prepare_one(Path(sys.argv[1]), Path(sys.argv[2]))
    # not getrusage: a process that is forked begins with the peak of its parent
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
    print(int(peak) / 1000, made)
