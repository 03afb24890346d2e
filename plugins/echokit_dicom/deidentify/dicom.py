"""One cleaned clip as a multi-frame ultrasound DICOM file (PS3.3 A.7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.uid import RLELossless

from echokit import ClipError

CLASSES = ("1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.3")
"""Ultrasound Multi-frame Image Storage, current and retired."""
PALETTE = [
    "PhotometricInterpretation",
    *(f"{colour}PaletteColorLookupTableDescriptor" for colour in ("Red", "Green", "Blue")),
    *(f"{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
    *(f"Segmented{colour}PaletteColorLookupTableData" for colour in ("Red", "Green", "Blue")),
]
"""Attributes by which codes become colours (PS3.3 C.7.6.3)."""
LARGEST_VALUE = 1 << 20
"""Bytes from which on a value of the header is left in the file."""


def is_dicom(path: Path) -> bool:
    """Tell whether a clip's file is DICOM, with or without a preamble, and not a video."""
    with path.open("rb") as file:
        head = file.read(132)
    return head[128:] == b"DICM" or head[:2] in (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08")


def read_header(path: Path) -> Dataset:
    """Read a header whole, without its pixels.

    Raises:
        ClipError: it is no multi-frame ultrasound image, or cannot be read.
    """
    try:
        tags = dcmread(path, stop_before_pixels=True, force=True, defer_size=LARGEST_VALUE)
        storage, modality = str(tags.get("SOPClassUID", "")), str(tags.get("Modality", ""))
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a damaged header makes pydicom raise almost anything
        name = type(error).__name__
        raise ClipError(f"its DICOM header is damaged and cannot be read ({name})") from None
    if storage not in CLASSES or modality.upper() != "US":
        raise ClipError(
            "it is not stored as a multi-frame ultrasound image (its SOP class is another), and no "
            "other object is de-identified"
        )
    return tags


def identifiers(tags: Dataset) -> tuple[str, str]:
    """Return the unique identifiers of the study and of the object itself; empty if they miss."""
    return str(tags.get("StudyInstanceUID") or ""), str(tags.get("SOPInstanceUID") or "")


def stores_colour(tags: Dataset) -> bool:
    """Tell whether a clip is stored in colour, whatever it shows."""
    palette = bool(tags.get("PhotometricInterpretation") == "PALETTE COLOR")
    return palette or bool(tags.get("SamplesPerPixel") != 1)


def colour_frames(path: Path, count: int) -> Iterator[UInt8[np.ndarray, "H W *C"]]:
    """Decode the frames of a clip one by one: RGB of a clip that stores colour, else grey.

    Raises:
        ClipError: a frame cannot be decoded to 8 bits.
    """
    tags = dcmread(path, stop_before_pixels=True, force=True, specific_tags=PALETTE)
    palette = tags.get("PhotometricInterpretation") == "PALETTE COLOR"
    for index in range(count):
        try:
            # one by one: pydicom 3.0's iterator decodes later frames of YBR_FULL_422 wrongly
            frame: Shaped[np.ndarray, "..."] = pixel_array(path, index=index)
            if palette:
                frame = apply_color_lut(frame, tags)[..., :3]
                frame = frame >> 8 if frame.max() > 255 else frame
        except (OSError, MemoryError):
            raise
        except Exception as error:  # decoders raise almost anything
            name = type(error).__name__
            raise ClipError(f"frame {index + 1} cannot be decoded in colour ({name})") from None
        if frame.max() > 255:
            raise ClipError(f"frame {index + 1} is not of 8 bits")
        yield frame.astype(np.uint8)


def write_dicom(path: Path, header: Dataset, frames: Iterable[UInt8[np.ndarray, "H W *C"]]) -> None:
    """Write a clip, RLE lossless (PS3.5 A.4.2).

    Args:
        path: file to write.
        header: what `clean_header` made; what describes the pixels is added to it.
        frames: grey (H, W) or RGB (H, W, 3), one by one.
    """
    encoder, packed, layout = get_encoder(RLELossless), list[bytes](), dict[str, Any]()
    for frame in frames:
        layout = _layout(frame.shape)
        packed.append(encoder.encode(np.ascontiguousarray(frame), number_of_frames=1, **layout))
    made = FileDataset(str(path), header, file_meta=_meta(header), preamble=b"\0" * 128)
    for name, value in layout.items():
        setattr(made, "".join(word.capitalize() for word in name.split("_")), value)
    if made.SamplesPerPixel == 1:
        del made.PlanarConfiguration
    made.NumberOfFrames, made.HighBit = len(packed), 7
    for keyword in ("FrameTime", "FrameTimeVector"):
        if keyword in made:
            made.FrameIncrementPointer = tag_for_keyword(keyword)
    made.PixelData = encapsulate(packed)
    made["PixelData"].VR = "OB"
    made.save_as(path, enforce_file_format=True)


def _meta(header: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = RLELossless
    return meta


def _layout(shape: tuple[int, ...]) -> dict[str, Any]:
    """Describe frames (H, W) or (H, W, 3), in the words of pydicom's encoders."""
    colour = len(shape) == 3
    return {
        "rows": shape[0],
        "columns": shape[1],
        "samples_per_pixel": 3 if colour else 1,
        "photometric_interpretation": "RGB" if colour else "MONOCHROME2",
        "planar_configuration": 0,
        "bits_allocated": 8,
        "bits_stored": 8,
        "pixel_representation": 0,
    }
