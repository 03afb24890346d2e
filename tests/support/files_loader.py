"""What tests of the loader `files` share: DICOM to write, a source to read, pixels to compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian

from echokit import Clip, ClipRef, Rejection, resolve

US = "1.2.840.10008.5.1.4.1.1.3.1"
"""Ultrasound Multi-frame Image Storage."""
T, H, W = 4, 40, 56
"""Frames, rows and columns of a clip that is written."""


def dataset(
    frames: Any, photometric: str = "RGB", syntax: UID = ExplicitVRLittleEndian, **tags: Any
) -> Dataset:
    """An ultrasound clip of the frames (T, H, W) or (T, H, W, 3), or of JPEG files."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = US
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    ds.Modality, ds.PatientName, ds.PatientID = "US", "Muster^Quentin", "MRN-4711"
    ds.Rows, ds.Columns, ds.NumberOfFrames = H, W, T
    ds.PhotometricInterpretation = photometric
    ds.SamplesPerPixel = 3 if photometric[:3] in ("RGB", "YBR") else 1
    ds.BitsAllocated, ds.PixelRepresentation = 8, 0
    ds.PlanarConfiguration = 0
    if isinstance(frames, np.ndarray):
        ds.BitsAllocated = frames.dtype.itemsize * 8
        ds.PixelRepresentation = int(frames.dtype.kind == "i")
        ds.NumberOfFrames = len(frames)
        ds.PixelData = frames.tobytes()
    else:
        ds.PixelData = encapsulate(frames)
    ds.BitsStored = ds.BitsAllocated
    for name, value in tags.items():
        setattr(ds, name, value)
    ds.HighBit = ds.BitsStored - 1
    ds["PixelData"].VR = "OW" if ds.BitsAllocated == 16 else "OB"
    return ds


def save(ds: Dataset, path: Path) -> Path:
    """Write a DICOM file."""
    ds.save_as(path, enforce_file_format=True)
    return path


def index(path: Path) -> ClipRef | Rejection:
    """What the loader says of a source that holds one file."""
    (found,) = resolve("loader", "files", source=str(path)).index()
    return found


def read(path: Path, **options: Any) -> Clip:
    """The clip of a source that holds one."""
    loader = resolve("loader", "files", source=str(path), **options)
    (ref,) = loader.index()
    assert isinstance(ref, ClipRef), ref
    return loader.read(ref)


def luma(frames: np.ndarray) -> np.ndarray:
    """Grey frames of RGB ones, by OpenCV."""
    return np.stack([cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY) for f in frames])


def far(a: np.ndarray, b: np.ndarray) -> int:
    """The largest difference of two arrays of grey."""
    return int(np.abs(a.astype(int) - b.astype(int)).max())
