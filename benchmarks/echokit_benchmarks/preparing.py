"""Preparation of a clip, against decoding its frames, which it includes."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import UInt8
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid

from echokit import ClipRef, Loader, resolve
from echokit.bench.timing import Claim, paired, timing_row
from echokit.clips.preparation import Preparation, prepare, unused_generator
from echokit.clips.store import Store
from echokit.components.slots import make_preparation
from echokit.recipe import load_recipe

Screen = UInt8[np.ndarray, "T H W"]
"""Grey frames of a scanner's whole screen."""


def measure(quick: bool) -> list[dict[str, Any]]:
    """Time preparation against four ways of decoding MP4 and DICOM: one row each."""
    frames, height, width = (24, 216, 360) if quick else (122, 866, 1440)
    repeats = 2 if quick else 9
    preparation = make_preparation(load_recipe("ph-newborn", preset="paper"))
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        screen, names = _screen(frames, height, width), count()
        formats: list[tuple[str, str, Callable[[Path], int], float | None]] = [
            ("mp4", "PyAV as its documentation begins", _decode_h264, 1.5),
            ("mp4", "PyAV with threads", _decode_threaded, None),
            ("dcm", "pillow's luma of each frame", _decode_jpeg, 1.5),
            ("dcm", "pydicom's pixel_array", _decode_pydicom, None),
        ]
        for suffix, theirs, decode, goal in formats:
            path = Path(scratch) / f"clip.{suffix}"
            if not path.exists():
                {"mp4": _write_h264, "dcm": _write_jpeg}[suffix](path, screen)
            assert decode(path) == frames
            loader: Loader = resolve("loader", "files", source=str(path), view="PLAX")

            def ours(loader: Loader = loader) -> None:
                _prepare(loader, preparation, Store(Path(scratch) / f"store-{next(names)}"))

            format_name = {"mp4": "MP4 (H.264)", "dcm": "DICOM (JPEG baseline, colour)"}[suffix]
            claim = Claim(
                f"prepare and store {frames} frames of {width}×{height}, {format_name}",
                f"decoding alone: {theirs}",
                at_most=goal,
            )
            row = timing_row(claim, *paired(ours, partial(decode, path), repeats))
            if goal is None:  # show a cost as in the other rows, not a speed-up
                row["ratio"], row["spread"] = 1 / row["ratio"], [1 / r for r in row["spread"][::-1]]
            rows.append(row | {"note": _profile(loader, preparation, Path(scratch) / "profile")})
    return rows


def _prepare(loader: Loader, preparation: Preparation, store: Store) -> None:
    ((_, key),) = prepare(loader, [_only(loader)], preparation, store)
    assert isinstance(key, str), key


def _only(loader: Loader) -> ClipRef:
    """Return the reference of the only clip."""
    (ref,) = loader.index()
    assert isinstance(ref, ClipRef), ref
    return ref


def _profile(loader: Loader, preparation: Preparation, scratch: Path) -> str:
    """Time each step of the preparation once, in milliseconds."""
    ref, timings = _only(loader), list[str]()

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = work()
        timings.append(f"{name} {1e3 * (time.perf_counter() - started):.0f} ms")
        return result

    clip = timed("read", lambda: loader.read(ref))
    names = load_recipe("ph-newborn", preset="paper").prepare
    for name, step in zip(names, preparation.steps, strict=True):
        clip = timed(name, partial(step, clip, unused_generator()))
    timed("store", lambda: Store(scratch).put(f"{time.monotonic_ns():032x}", clip))
    return ", ".join(timings)


def _screen(frames: int, height: int, width: int) -> Screen:
    """Make a synthetic clip with the scanner's screen around it."""
    loader: Loader = resolve(
        "loader",
        "phantom",
        patients=3,
        views=["PSAX-P"],
        size=int(height / 1.25),
        frames=frames,
        frames_sd=0,
        files=1,
    )
    (ref, *_) = loader.index()
    clip = loader.read(ref).frames  # type: ignore[arg-type]
    screen = np.zeros((frames, height, width), np.uint8)
    left = (width - clip.shape[2]) // 2
    screen[:, : clip.shape[1], left : left + clip.shape[2]] = clip[:, :height]
    return screen


def _write_h264(path: Path, screen: Screen) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.height, stream.width = screen.shape[1:]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "18"}
        for frame in screen:
            picture = av.VideoFrame.from_ndarray(frame, format="gray")
            container.mux(stream.encode(picture.reformat(format="yuv420p")))
        container.mux(stream.encode())


def _decode_h264(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def _decode_threaded(path: Path) -> int:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        return sum(1 for _ in container.decode(video=0))


def _write_jpeg(path: Path, screen: Screen) -> None:
    """Write a multi-frame ultrasound file as scanners do: colour, with chroma at half width."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    frames, rows, columns = screen.shape
    values = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": "US",
        "PatientID": "synthetic",
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "YBR_FULL_422",
        "PlanarConfiguration": 0,
        "NumberOfFrames": frames,
        "FrameTime": "40",
        "FrameIncrementPointer": 0x00181063,
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
    }
    for keyword, value in values.items():
        setattr(data, keyword, value)
    data.PixelData = encapsulate([_jpeg(frame) for frame in screen])
    data["PixelData"].VR = "OB"
    data.save_as(path, enforce_file_format=True)


def _jpeg(frame: UInt8[np.ndarray, "H W"]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).convert("RGB").save(buffer, "JPEG", quality=92, subsampling=1)
    return buffer.getvalue()


def _decode_jpeg(path: Path) -> int:
    return sum(1 for _ in _lumas(path))


def _decode_pydicom(path: Path) -> int:
    return len(dcmread(path).pixel_array)


def _lumas(path: Path) -> Iterator[UInt8[np.ndarray, "H W"]]:
    for data in generate_frames(dcmread(path).PixelData, number_of_frames=None):
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
        image.draft("L", image.size)
        yield np.asarray(image)
