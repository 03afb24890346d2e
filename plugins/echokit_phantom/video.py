"""One clip as an MP4 file, in VP9, which needs no GPL encoder."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from jaxtyping import UInt8


def write_mp4(path: Path, frames: UInt8[np.ndarray, "T H W"], fps: float) -> None:
    """Write grey frames of even height and width; the file's comment states that it is synthetic.

    Args:
        path: file to write.
        frames: grey levels 0-255; stored as luma 16-235, as players expect.
        fps: frames per second.
    """
    _, height, width = frames.shape
    with av.open(str(path), "w", format="mp4") as container:
        container.metadata["comment"] = "SYNTHETIC: echokit phantom, not a patient"
        # constant quality 20 of 63; `deadline` and `cpu-used` keep encoding near real time
        options: dict[str, object] = {
            "crf": "20",
            "b": "0",
            "deadline": "realtime",
            "cpu-used": "6",
        }
        stream = container.add_stream("libvpx-vp9", rate=Fraction(fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = options
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="gray")
            container.mux(stream.encode(picture.reformat(format="yuv420p")))
        container.mux(stream.encode())
