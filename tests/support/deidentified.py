"""What tests of de-identification share: clips with a sector, names to plant, bytes to search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import av
import numpy as np
from pydicom.dataset import Dataset

T, H, W = 12, 120, 160
"""Frames, rows and columns of a clip that is made."""
HEADS = ("blyx", "quor", "zamt", "wexl", "jyrd", "vokh", "pfüy", "dzim")
TAILS = ("berg", "mann", "ovsk", "ingt", "huel")
NAMES = tuple(head + tail for head, tail in product(HEADS, TAILS))
"""Eight letters each, none of them a part of another, and none of a word that echokit writes."""


def fan() -> np.ndarray:
    """True inside a fan, apex up."""
    row, column = np.mgrid[:H, :W].astype(float)
    down, right = row - 8, column - W / 2
    radius = np.hypot(down, right)
    return (np.abs(np.arctan2(right, down)) < 0.7) & (radius > 8) & (radius < 100)


def screen(seed: int = 0, *, colour: bool = False) -> np.ndarray:
    """Frames (T, H, W) or (T, H, W, 3): noise in a fan, and a bright banner that stands still."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(20, 200, (T, H, W), dtype=np.uint8) * fan()
    frames[:, 2:7, 4:60:2] = 220
    frames[:, H - 8 : H - 3, 100:150:2] = 255
    if not colour:
        return frames
    frames = np.repeat(frames[..., None], 3, axis=3)
    frames[:, 60:80, 70:90, 0] = 255 - frames[:, 60:80, 70:90, 0] // 4
    frames[:, 60:80, 70:90, 2] //= 4
    return frames


def write_mp4(path: Path, frames: np.ndarray, times: Sequence[float] = (), **metadata: str) -> Path:
    """Write a video whose container and stream carry words, with the times of its frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        container.metadata.update(metadata)
        stream: Any = container.add_stream("libvpx-vp9", rate=30, options={"crf": "10", "b": "0"})
        stream.metadata.update(metadata)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        kind = "gray" if frames.ndim == 3 else "rgb24"
        if times:
            stream.codec_context.time_base = Fraction(1, 1000)
        for index, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format=kind).reformat(format="yuv420p")
            if times:
                picture.pts, picture.time_base = round(1000 * times[index]), Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def spelled(name: str) -> set[bytes]:
    """A name in every way in which its letters can stand in a file."""
    codes = ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "utf-32-le")
    return {form.encode(code) for form in (name, name.upper(), name.title()) for code in codes}


def leaks(folder: Path, names: Iterable[str]) -> list[str]:
    """The names that stand in any byte, or in any name, of what is below a folder."""
    paths = list(folder.rglob("*"))
    written = b"\n".join(
        [str(path.relative_to(folder)).encode() for path in paths]
        + [path.read_bytes() for path in paths if path.is_file()]
    )
    return [name for name in names if any(form in written for form in spelled(name))]


def study(ds: Dataset, number: int = 1) -> Dataset:
    """Give a clip what a scanner gives it: identifiers, dates and times, a region."""
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.826.{number}", f"1.2.826.{number}.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.{number}.1.1"
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = "20240229"
    ds.StudyTime, ds.ContentTime, ds.FrameTime = "101500", "101501.25", "33.3"
    ds.AcquisitionDateTime = "20240301101501.25+0100"
    ds.FrameIncrementPointer = 0x00181063
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.RegionFlags = item.RegionLocationMinX0 = item.RegionLocationMinY0 = 0
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = W - 1, H - 1
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = 0.03
    ds.SequenceOfUltrasoundRegions = [item]
    ds.Rows, ds.Columns = H, W
    return ds
