"""The header of a DICOM file: reading it, and refusing what is not an ultrasound clip."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydicom import dcmread
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from echokit import ClipError
from echokit_io.budget import Budget
from echokit_io.clip_info import ClipInfo
from echokit_io.decoder_messages import muted_decoders
from echokit_io.dicom_file import CountedFile
from echokit_io.dicom_values import number, text
from echokit_io.dicom_views import texts, views

US_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.6",
)
"""Ultrasound (multi-frame) image storage, current and retired."""
MODALITIES = frozenset(
    {
        *("CR", "CT", "DX", "ECG", "ES", "IVUS", "KO", "MG", "MR", "NM"),
        *("OT", "PR", "PT", "RF", "SC", "SEG", "SR", "XA"),
    }
)
"""Other modalities that an error names."""
DIRECTORY = "1.2.840.10008.1.3.10"
"""Storage class of a DICOMDIR."""

PIXEL_TAGS = [
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"),
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for part in ("Descriptor", "Data")
        for colour in ("Red", "Green", "Blue")
    ),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths"),
]
"""Tags that decoding the pixels needs."""
OTHER_TAGS = [
    *("SpecificCharacterSet", "SOPClassUID", "Modality", "Manufacturer", "SyntheticData"),
    *("PatientName", "PatientID", "ViewName", "ViewCodeSequence", "SeriesDescription"),
    *("StageName", "StudyDate", "StudyInstanceUID"),
    *(
        "FrameIncrementPointer",
        "FrameTime",
        "FrameTimeVector",
        "CineRate",
        "RecommendedDisplayFrameRate",
    ),
    *("PixelSpacing", "SequenceOfUltrasoundRegions"),
]
"""Other tags that are read; the rest of a header, which may name people, is not."""


@dataclass(frozen=True, slots=True)
class Header:
    """A DICOM header that describes an ultrasound clip."""

    tags: Any
    """The pydicom data set, without its pixels."""
    syntax: Any
    """Transfer syntax, a pydicom UID."""
    frames: int
    """Number of frames, at least 2."""
    rows: int
    """Height of a frame in pixels."""
    columns: int
    """Width of a frame in pixels."""
    pixels_at: int
    """Byte offset of the value of Pixel Data."""
    pixels_length: int
    """Length in bytes that Pixel Data states for its value; -1 if undefined."""
    pixels_vr: str
    """Value representation of Pixel Data: OB or OW."""


def read_header(file: BinaryIO, budget: Budget) -> Header:
    """Read the header and check that it describes an ultrasound clip; reads no pixels.

    Args:
        file: the file, opened by `open_dicom`.
        budget: what reading may cost.

    Raises:
        ClipError: it describes none; the message says why, and never quotes a patient's data.
    """
    with muted_decoders():
        try:
            tags, syntax = _parse(file)
        except (ClipError, OSError):
            raise
        except Exception as error:  # a damaged header makes pydicom raise almost anything
            name = type(error).__name__
            raise ClipError(f"its DICOM header is damaged and cannot be read ({name})") from None
        _check_kind(tags, syntax)
        frames, rows, columns = _check_size(tags, budget)
        offset, length, vr = _pixel_element(file, syntax)
    return Header(tags, syntax, frames, rows, columns, offset, length, vr)


def clip_info(header: Header) -> ClipInfo:
    """Collect patient, views and origin of a clip from its header."""
    tags = header.tags
    with muted_decoders():
        patient, manufacturer = text(tags, "PatientID"), text(tags, "Manufacturer")
        name = text(tags, "PatientName")
        # PS3.5 6.2: `^` separates the parts of a name, `=` its spellings
        names = (patient, *name.replace("^", " ").replace("=", " ").replace(",", " ").split())
        synthetic = text(tags, "SyntheticData").upper() == "YES"
        return ClipInfo(
            patient=patient or None,
            names=tuple(word for word in names if len(word) > 2),
            views=tuple(views(tags)),
            texts=tuple(texts(tags)),
            study=text(tags, "StudyDate") or text(tags, "StudyInstanceUID"),
            synthetic=synthetic or "synthetic" in manufacturer.lower(),
        )


def _parse(file: BinaryIO) -> tuple[Any, Any]:
    # `force` also reads data sets without a preamble, which some archives export
    tags = dcmread(
        CountedFile(file),
        stop_before_pixels=True,
        force=True,
        specific_tags=[*PIXEL_TAGS, *OTHER_TAGS],
    )
    # without file meta information the transfer syntax follows from the encoding that was found
    implicit, little = tags.original_encoding
    assumed = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    syntax = tags.file_meta.get("TransferSyntaxUID") or (
        ImplicitVRLittleEndian if implicit else assumed
    )
    return tags, UID(syntax)


def _check_kind(tags: Any, syntax: Any) -> None:
    modality, storage = text(tags, "Modality").upper(), text(tags, "SOPClassUID")
    if DIRECTORY in (storage, text(tags.file_meta, "MediaStorageSOPClassUID")):
        raise ClipError("it is a DICOMDIR, the index of a disc, not a clip")
    # no other text is quoted: a damaged tag may hold anything
    if modality and modality != "US":
        named = f"{modality!r}" if modality in MODALITIES else "another"
        raise ClipError(f"its modality is {named}, not ultrasound ('US')")
    if not modality and storage not in US_CLASSES:
        raise ClipError("it does not say that it is ultrasound: Modality is missing or unreadable")
    if not number(tags, "Rows") or not number(tags, "Columns"):
        raise ClipError("it holds no image: Rows and Columns are missing")
    if syntax.is_private or not syntax.is_transfer_syntax:
        raise ClipError("its transfer syntax is not one of DICOM's")


def _check_size(tags: Any, budget: Budget) -> tuple[int, int, int]:
    rows, columns = int(number(tags, "Rows") or 0), int(number(tags, "Columns") or 0)
    frames = int(number(tags, "NumberOfFrames") or 1)
    if frames < 2:
        raise ClipError("it has one frame: a still image, not a clip")
    budget.check_clip(frames, rows, columns)
    return frames, rows, columns


def _pixel_element(file: BinaryIO, syntax: Any) -> tuple[int, int, str]:
    """Read offset, length and representation of Pixel Data, where the parser has stopped."""
    order = "<" if syntax.is_little_endian else ">"
    start = file.read(8)
    if len(start) < 8:
        raise ClipError("it holds no pixels: the file ends after its header")
    group, element, length = struct.unpack(f"{order}HHL", start)
    vr = "OW" if syntax.is_implicit_VR else start[4:6].decode("latin-1")
    if not syntax.is_implicit_VR:
        length = int.from_bytes(file.read(4), "little" if syntax.is_little_endian else "big")
    if (group, element) != (0x7FE0, 0x0010):
        raise ClipError("it holds no pixels that can be read: Pixel Data is missing")
    return file.tell(), -1 if length == 0xFFFFFFFF else length, vr
