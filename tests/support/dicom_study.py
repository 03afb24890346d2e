"""A small echo study as DICOM: real and made clips, of people who do not exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage

ROOT = "1.2.826.0.1.3680043.10.1561"
NAME = "Müstermann^Quentin"
"""Planted: it may stand in no output but a DICOM object's own header."""
MRN = "MRN-4711"
WEIGHTS = {"A4C": "a4" * 32, "PLAX": "1a" * 32}
"""Digests of the networks of a result."""


def ultrasound(
    number: int,
    *,
    patient: str = MRN,
    name: str = NAME,
    study: int = 1,
    frames: int = 14,
    side: int = 64,
    **tags: Any,
) -> Dataset:
    """One clip of a bright square in noise, with a region and 25 frames a second.

    Args:
        number: number of the instance, from 1.
        patient: PatientID.
        name: PatientName, written as ISO_IR 100.
        study: number of the study.
        frames: how many.
        side: rows and columns.
        tags: further attributes, or others than usual.
    """
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 60, (frames, side, side), dtype=np.uint8)
    for t in range(frames):
        pixels[t, 8 + t : 20 + t, 10:30] = 200
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    uid = UID(f"{ROOT}.{study}.{number}")
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid(study), f"{ROOT}.{study}.9.1"
    ds.Modality, ds.PatientID, ds.PatientName = "US", patient, name
    ds.PatientBirthDate, ds.PatientSex = "20260102", "F"
    ds.StudyDate, ds.StudyTime, ds.AccessionNumber = "20260203", "101112", f"A-{study}"
    ds.ReferringPhysicianName, ds.StudyID = "Dr^Who", "7"
    ds.SeriesNumber, ds.InstanceNumber = 1, number
    ds.Manufacturer = "tests"
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.Rows = ds.Columns = side
    ds.NumberOfFrames = frames
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit, ds.PixelRepresentation = 7, 0
    ds.FrameTime, ds.FrameIncrementPointer = "40", 0x00181063
    ds.SeriesDescription = "A4C"
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OB"
    return ds


def study_uid(study: int = 1) -> str:
    return f"{ROOT}.{study}.9"


def write(ds: Dataset, path: Path) -> Path:
    ds.save_as(path, enforce_file_format=True)
    return path


def encoded(ds: Dataset) -> bytes:
    """The bytes of its file."""
    import io

    made = io.BytesIO()
    ds.save_as(made, enforce_file_format=True)
    return made.getvalue()
