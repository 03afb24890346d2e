"""Saliency as a film: Multi-frame True Color Secondary Capture (PS3.3 A.8.5), DERIVED."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import UID, MultiFrameTrueColorSecondaryCaptureImageStorage

from echokit import ClipResult, StudyResult, SubjectResult
from echokit_dicom.objects import codes
from echokit_dicom.objects.identifiers import fingerprint, make_uid
from echokit_dicom.objects.source import has_source_frames, new_object, reference

SERIES_NUMBER = 902
WIDTH = 512
"""Smallest width in pixels of a film, so that its words can be read."""
LINE = 18
"""Height in pixels of a line of words below the picture."""
DISCLAIMER = "Research use only, not for diagnosis"
SYNTHETIC = "Networks trained on synthetic clips: software test only"
"""Burned in where it is so."""


def make_overlays(
    result: StudyResult, subject: SubjectResult, sources: Mapping[str, Dataset]
) -> list[Dataset]:
    """Make a film of each clip's saliency over its own frames.

    Args:
        result: the result that holds the patient.
        subject: the patient.
        sources: clip -> header of its DICOM file, of one study.

    Returns:
        One object of each clip that has saliency, in one new series.
    """
    said = fingerprint(result, subject, sources)
    explained = [clip for clip in subject.clips if clip.saliency is not None]
    series = make_uid(said, "SC", "series")
    return [
        _film(result, clip, sources[clip.clip], series, number)
        for number, clip in enumerate(explained, start=1)
    ]


def _film(
    result: StudyResult, clip: ClipResult, header: Dataset, series: UID, number: int
) -> Dataset:
    saliency = clip.saliency
    assert saliency is not None
    lines = [DISCLAIMER, *([SYNTHETIC] if result.synthetic_training else [])]
    lines.append(f"{clip.view}: saliency of '{clip.label}', {saliency.explanation.saliency.method}")
    pixels = burn_in(saliency.overlay(), lines)
    digest = hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()
    made = new_object(
        header,
        MultiFrameTrueColorSecondaryCaptureImageStorage,
        make_uid(str(header.SOPInstanceUID), digest),
        series,
        "OT",
    )
    count, rows, columns, _ = pixels.shape
    start = saliency.explanation.start
    same = has_source_frames(clip, header)
    shown = range(start + 1, start + count + 1) if same else ()
    values = {
        "SeriesNumber": SERIES_NUMBER,
        "SeriesDescription": "echokit: saliency, research use only",
        "InstanceNumber": number,
        "BodyPartExamined": "HEART",
        "PatientOrientation": "",
        "ImageType": ["DERIVED", "SECONDARY"],
        "DerivationDescription": f"Saliency over the frames of the source. {DISCLAIMER}",
        "DerivationCodeSequence": [_item(codes.own("saliency", "Saliency drawn over an image"))],
        "BurnedInAnnotation": "NO",  # the words below the picture name nobody
        "RecognizableVisualFeatures": "NO",
        "ImageComments": " / ".join(lines),
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
        "Rows": rows,
        "Columns": columns,
        "NumberOfFrames": count,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "SoftwareVersions": result.version,
        **_lossy(header),
    }
    for keyword, value in values.items():
        setattr(made, keyword, value)
    _set_times(made, header if same else Dataset(), start, count, saliency.fps)
    source = reference(header, shown)
    source.PurposeOfReferenceCodeSequence = [
        _item(Code("121322", "DCM", "Source image for image processing operation"))
    ]
    made.SourceImageSequence = [source]
    made.PixelData = np.ascontiguousarray(pixels).tobytes()
    made["PixelData"].VR = "OB"
    return made


def burn_in(
    frames: UInt8[np.ndarray, "k H W 3"], lines: Sequence[str]
) -> UInt8[np.ndarray, "k rows columns 3"]:
    """Enlarge frames by a whole number to a width in which words can be read, and write them below.

    Args:
        frames: red, green and blue, 0 to 255.
        lines: one below the other; they begin with the disclaimer.

    Returns:
        Frames of an even number of bytes, with the words in a band below the picture.
    """
    times = max(1, -(-WIDTH // frames.shape[2]))
    large = frames.repeat(times, axis=1).repeat(times, axis=2)
    band = Image.new("RGB", (large.shape[2], LINE * len(lines) + 6))
    draw, font = ImageDraw.Draw(band), ImageFont.load_default(13)
    for number, line in enumerate(lines):
        draw.text((6, 3 + LINE * number), line, fill=(255, 255, 255), font=font)
    words = np.broadcast_to(np.asarray(band), (len(large), band.height, band.width, 3))
    joined: UInt8[np.ndarray, "k rows columns 3"] = np.concatenate([large, words], axis=1)
    if joined.shape[1] % 2:  # PS3.5 8.1.1: pixels have an even length, also of each frame here
        joined = np.concatenate([joined, joined[:, -1:]], axis=1)
    return joined


def _set_times(made: Dataset, header: Dataset, start: int, count: int, fps: float) -> None:
    """Set the times of the frames as the source has them (PS3.3 C.7.6.5), or by their rate."""
    steps = [float(step) for step in header.get("FrameTimeVector") or ()]
    if len(steps) >= start + count:
        made.FrameTimeVector = [0.0, *steps[start + 1 : start + count]]
        made.FrameIncrementPointer = 0x00181065  # Frame Time Vector
    else:
        made.FrameTime = header.get("FrameTime") or f"{1000 / fps:.6g}"
        made.FrameIncrementPointer = 0x00181063  # Frame Time
    made.RecommendedDisplayFrameRate = max(1, round(fps))


def _lossy(header: Dataset) -> dict[str, object]:
    """Say that pixels were compressed with loss where those of the source were."""
    keywords = ("Compression", "CompressionRatio", "CompressionMethod")
    named = [f"LossyImage{keyword}" for keyword in keywords]
    if header.get(named[0]) != "01":
        return {}
    return {name: header.get(name) for name in named if header.get(name)}


def _item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = code.value, code.scheme_designator
    item.CodeMeaning = code.meaning
    return item
