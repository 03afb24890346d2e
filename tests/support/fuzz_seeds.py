"""Small sound sources of every kind that is read, to be damaged."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from files_loader import dataset
from openpyxl import Workbook
from PIL import Image
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

ROWS, COLUMNS, COUNT = 40, 56, 4
_Y, _X = np.mgrid[:ROWS, :COLUMNS]
GREY = np.stack([(_X * 4 + _Y * 2 + 9 * t) % 256 for t in range(COUNT)]).astype(np.uint8)
RGB = np.stack([GREY, GREY[:, ::-1], GREY[:, :, ::-1]], -1)
TAGS: Mapping[str, Any] = {"PixelSpacing": [0.4, 0.3], "FrameTime": 20, "ViewName": "A4C"}


@dataclass(frozen=True, slots=True)
class Seed:
    """A sound source."""

    kind: str
    """What it is, such as `dicom`."""
    file: str
    """Name of the file that is damaged."""
    data: bytes
    """Its bytes."""
    loader: str = "files"
    """Loader that reads it; `recipe` is read as a recipe."""
    beside: Mapping[str, bytes] | None = None
    """Other files of the source: then the source is the folder, else the file."""
    unpack: Callable[[bytes], list[bytes]] | None = None
    """Takes the file's packed parts out, where damage would else be found by a checksum."""
    pack: Callable[[list[bytes]], bytes] | None = None
    """Packs damaged parts again."""


def _dicom(ds: Any) -> bytes:
    file = io.BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _jpegs() -> list[bytes]:
    files = []
    for frame in RGB:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG")
        files.append(file.getvalue())
    return files


def _dicoms() -> dict[str, bytes]:
    deep = GREY.astype(np.uint16) * 13

    def compressed(frames: Any, photometric: str, syntax: UID) -> bytes:
        ds = dataset(frames, photometric, **TAGS)
        ds.compress(syntax, generate_instance_uid=False)
        return _dicom(ds)

    grey = "MONOCHROME2"
    return {
        "explicit": _dicom(dataset(RGB, syntax=ExplicitVRLittleEndian, **TAGS)),
        "implicit": _dicom(dataset(GREY, grey, ImplicitVRLittleEndian, **TAGS)),
        "big endian": _dicom(dataset(deep.astype(">u2"), grey, ExplicitVRBigEndian, **TAGS)),
        "deep": _dicom(dataset(deep, grey, WindowCenter=900, WindowWidth=1800, **TAGS)),
        "rle": compressed(GREY, grey, RLELossless),
        "j2k": compressed(RGB, "RGB", JPEG2000Lossless),
        "jpeg": _dicom(dataset(_jpegs(), "YBR_FULL_422", JPEGBaseline8Bit, **TAGS)),
    }


def _inflate(data: bytes) -> list[bytes]:
    start = 144 + int.from_bytes(data[140:144], "little")
    return [data[:start], zlib.decompress(data[start:], -15)]


def _deflate(parts: list[bytes]) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, -15)
    return parts[0] + packer.compress(parts[1]) + packer.flush()


def _video(name: str, codec: str, pixels: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=name) as container:
        stream: Any = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = COLUMNS, ROWS, pixels
        for frame in RGB:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _npz() -> bytes:
    file = io.BytesIO()
    beside = {"fps": 25.0, "spacing": [0.3, 0.3], "structures": GREY // 128, "names": ["RV"]}
    np.savez(file, frames=GREY / np.float32(255), synthetic=True, **beside)
    return file.getvalue()


def unzip(data: bytes) -> list[bytes]:
    """The names and contents of an archive's members, one after another."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [part for name in archive.namelist() for part in (name.encode(), archive.read(name))]


def rezip(parts: list[bytes]) -> bytes:
    """The archive of such parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in zip(parts[::2], parts[1::2], strict=True):
            archive.writestr(name.decode("latin-1").replace("\0", "") or "x", content)
    return file.getvalue()


def _nifti(dtype: Any) -> bytes:
    import nibabel

    image = nibabel.Nifti1Image(GREY.transpose(2, 1, 0).astype(dtype), np.eye(4))
    image.header.set_zooms((0.4, 0.3, 0.02))
    image.header.set_xyzt_units("mm", "sec")
    data: bytes = image.to_bytes()
    return data


def _xlsx() -> bytes:
    book = Workbook()
    sheet: Any = book.active
    head, last = ["Nummer", "PHTN", "Score PH"], [31, "", 2.0]
    for row in (["a note"], [], head, [30, "x", "1 bis 2"], [None, "y", None], last):
        sheet.append(row)
    sheet.merge_cells("A4:A5")
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


MANIFEST = (
    b"clip,patient,view,file,masks,synthetic,grade\n"
    b"a,30,A4C,a.npy,m.npz,yes,1.5\nb,31,KAPAP,b.npy,,0,\n,130,PLAX,./a.npy,,,2\n"
)
SHEET = b"Note;;\n;;\nNummer;PHTN;Score PH\n30;x;1-2\n31;;2\n;;\n"
RECIPE = b"""
name = "fuzzed"
title = "Fuzzed"
seed = 3
[data]
use = "phantom"
views = ["A4C"]
patients = 12
[study]
use = "files"
limits = { memory = 400, seconds = 30.0 }
[views]
use = ["A4C"]
alias = { CV = "A4C" }
[tasks.severity]
column = "grade"
labels = ["none", "severe"]
map = { "0" = "none", "1" = "drop", "2" = "severe" }
[split]
splits = 2
held_out = 0.4
[prepare.resize]
use = "monai-resize"
size = 64
[sequences]
n = 3
k = 4
[backbone]
use = "pytorchvideo-r2plus1d-18"
width = 4
[train]
epochs = 3
lr = 1e-3
[aggregate]
view.use = "majority-vote"
subject.use = "majority-vote"
[explain]
use = "captum-gradcam"
"""


def seeds() -> dict[str, Seed]:
    """Make every seed, by its name."""
    deflated = _dicom(dataset(GREY, "MONOCHROME2", DeflatedExplicitVRLittleEndian, **TAGS))
    made = {f"dicom {name}": Seed("dicom", "a.dcm", data) for name, data in _dicoms().items()}
    made["dicom deflated"] = Seed("dicom", "a.dcm", deflated, unpack=_inflate, pack=_deflate)
    for name, suffix, codec, pixels in (
        ("mp4", "mp4", "mpeg4", "yuv420p"),
        ("avi", "avi", "mjpeg", "yuvj420p"),
        ("matroska", "mkv", "libvpx-vp9", "yuv420p"),
        ("mov", "mov", "mjpeg", "yuvj422p"),
        ("asf", "wmv", "wmv2", "yuv420p"),
    ):
        made[suffix] = Seed(suffix, f"a.{suffix}", _video(name, codec, pixels))
    made["npy"] = Seed("npy", "a.npy", _npy(RGB))
    made["npz"] = Seed("npz", "a.npz", _npz(), unpack=unzip, pack=rezip)
    made["nii"] = Seed("nifti", "a.nii", _nifti(np.uint8))
    made["nii.gz"] = Seed(
        "nifti",
        "a.nii.gz",
        gzip.compress(_nifti(np.float32)),
        unpack=lambda data: [b"", gzip.decompress(data)],
        pack=lambda parts: gzip.compress(parts[1], 1),
    )
    masks = io.BytesIO()
    np.savez(masks, structures=GREY // 128, names=["RV"])
    clips = {"a.npy": _npy(GREY), "b.npy": _npy(GREY[::-1]), "m.npz": masks.getvalue()}
    made["manifest"] = Seed("csv", "manifest.csv", MANIFEST, beside=clips)
    study = {"30KAPAP.mp4": _npy(GREY), "31CV.mp4": _npy(GREY)}
    made["sheet"] = Seed("csv", "sheet.csv", SHEET, "newborn-sheet", study)
    made["workbook"] = Seed(
        "xlsx", "sheet.xlsx", _xlsx(), "newborn-sheet", study, unpack=unzip, pack=rezip
    )
    made["recipe"] = Seed("toml", "recipe.toml", RECIPE, "recipe")
    return made


def write(seed: Seed, folder: Path, data: bytes) -> Path:
    """Write a damaged seed, and return the source to read."""
    (folder / seed.file).write_bytes(data)
    for name, content in (seed.beside or {}).items():
        (folder / name).write_bytes(content)
    return folder if seed.beside is not None else folder / seed.file
