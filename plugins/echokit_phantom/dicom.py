"""One clip as a multi-frame ultrasound DICOM file (PS3.3 A.7 and C.8.5), JPEG baseline."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, UltrasoundMultiFrameImageStorage, generate_uid

from echokit import Box, ClipRef

_QUALITY = 92
"""JPEG quality; as on real scanners, the compression loses a little."""


def write_dicom(
    path: Path,
    ref: ClipRef,
    frames: UInt8[np.ndarray, "T H W"],
    fps: float,
    spacing: float,
    region: Box,
) -> None:
    """Write one clip; the header states that it is synthetic, and has no person's name.

    Args:
        path: file to write.
        ref: patient and view for the header.
        frames: the whole screen.
        fps: frames per second.
        spacing: mm per pixel, both ways.
        region: rectangle of the tissue image on the screen.
    """
    count, rows, columns = frames.shape
    packed = [_jpeg(frame) for frame in frames]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UltrasoundMultiFrameImageStorage
    # derived from the content, so that the same clip has the same identifiers
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[ref.clip, packed[0].hex()])
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    meta.ImplementationClassUID = generate_uid(entropy_srcs=["echokit phantom"])
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "StudyInstanceUID": generate_uid(entropy_srcs=["study", ref.patient]),
        "SeriesInstanceUID": generate_uid(entropy_srcs=["series", ref.clip]),
        "Modality": "US",
        "Manufacturer": "echokit phantom (synthetic)",
        "SyntheticData": "YES",
        "ImageType": ["DERIVED", "PRIMARY"],
        "SeriesDescription": ref.view or "",
        "ViewName": ref.view or "",
        "PatientName": "SYNTHETIC",
        "PatientID": ref.patient,
        "PatientBirthDate": "",
        "PatientSex": "",
        "StudyDate": "",
        "StudyTime": "",
        "StudyID": "",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": rows,
        "Columns": columns,
        "NumberOfFrames": count,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "FrameTime": f"{1000 / fps:.6g}",
        "CineRate": round(fps),
        "FrameIncrementPointer": 0x00181063,  # Frame Time
        "LossyImageCompression": "01",
        "LossyImageCompressionMethod": "ISO_10918_1",
        "LossyImageCompressionRatio": f"{frames.size / sum(map(len, packed)):.1f}",
        "BurnedInAnnotation": "NO",  # the text on the screen identifies nobody
    }
    for keyword, value in values.items():
        setattr(data, keyword, value)
    data.SequenceOfUltrasoundRegions = [_tissue(region, spacing)]
    data.PixelData = encapsulate(packed)
    data["PixelData"].VR = "OB"
    data.save_as(path, enforce_file_format=True)


def _jpeg(frame: UInt8[np.ndarray, "H W"]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _tissue(region: Box, spacing: float) -> Dataset:
    """Make the item of the 2D tissue region (PS3.3 C.8.5.5), deltas in centimetres per pixel."""
    item = Dataset()
    item.RegionSpatialFormat = 1  # 2D
    item.RegionDataType = 1  # tissue
    item.RegionFlags = 0
    item.RegionLocationMinX0 = region.left
    item.RegionLocationMinY0 = region.top
    item.RegionLocationMaxX1 = region.left + region.width - 1
    item.RegionLocationMaxY1 = region.top + region.height - 1
    item.PhysicalUnitsXDirection = 3  # cm
    item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = 0.1 * spacing
    item.PhysicalDeltaY = 0.1 * spacing
    return item
