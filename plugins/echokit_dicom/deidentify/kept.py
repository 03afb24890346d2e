"""Every attribute that a cleaned clip may take from its original, and what its value may be.

PS3.15 E.1 lists what is to be removed. A list of what may stay is the safer way round: an attribute
that nobody thought of, or that a vendor uses for something else, is not copied. What stays is a
number, one of a few words, a date that is moved, or a unique identifier that is replaced. No text
that somebody typed stays.
"""

from __future__ import annotations

import re

NUMBERS = (
    # cine (PS3.3 C.7.6.5) and multi-frame (C.7.6.6)
    *("FrameTime", "FrameTimeVector", "CineRate", "RecommendedDisplayFrameRate", "StartTrim"),
    *("StopTrim", "FrameDelay", "ActualFrameDuration", "EffectiveDuration"),
    *("PreferredPlaybackSequencing", "HeartRate"),
    # geometry and acquisition
    *("PixelSpacing", "PixelAspectRatio", "MechanicalIndex", "BoneThermalIndex"),
    *("CranialThermalIndex", "SoftTissueThermalIndex", "DepthOfScanField"),
    *("UltrasoundColorDataPresent", "LossyImageCompressionRatio"),
    # where the clip stands in the examination
    *("SeriesNumber", "InstanceNumber", "StageNumber", "NumberOfStages", "ViewNumber"),
    "NumberOfViewsInStage",
)
"""Attributes that are numbers of at most `DIGITS` digits before the point."""
REGION_NUMBERS = (
    *("RegionSpatialFormat", "RegionDataType", "RegionFlags", "RegionLocationMinX0"),
    *("RegionLocationMinY0", "RegionLocationMaxX1", "RegionLocationMaxY1", "ReferencePixelX0"),
    *("ReferencePixelY0", "PhysicalUnitsXDirection", "PhysicalUnitsYDirection"),
    *("ReferencePixelPhysicalValueX", "ReferencePixelPhysicalValueY", "PhysicalDeltaX"),
    *("PhysicalDeltaY", "TransducerFrequency", "PulseRepetitionFrequency"),
    *("DopplerCorrectionAngle", "SteeringAngle"),
)
"""The same in each item of SequenceOfUltrasoundRegions (PS3.3 C.8.5.5)."""
IDENTIFIERS = ("SeriesNumber", "InstanceNumber", "StageNumber", "ViewNumber")
"""Numbers that a site may choose; longer ones may be a patient's number."""
DIGITS, OWN_DIGITS = 10, 4
"""Most digits before the point of a number, and of one of `IDENTIFIERS`."""
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
TIMES = ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime")
MOMENTS = ("AcquisitionDateTime",)
"""Dates that are moved, and times of day, which stay (PS3.15 E.3.6)."""
UIDS = {
    "SOPInstanceUID": "instance",
    "StudyInstanceUID": "study",
    "SeriesInstanceUID": "series",
}
"""Unique identifiers that are replaced -> what they identify."""
WORDS = {
    "LossyImageCompression": ("00", "01"),
    "LossyImageCompressionMethod": (
        *("ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_15444_15"),
        *("ISO_13818_2", "ISO_14496_10", "ISO_23008_2"),
    ),
    "SyntheticData": ("YES", "NO"),
}
"""Attributes that are one of a few words, or several of them."""
EMPTY = (
    *("PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
    *("Manufacturer", "StudyDate", "StudyTime", "InstanceNumber", "SeriesNumber"),
    *("Laterality", "PatientOrientation"),
)
"""Attributes of type 2 and 2C, which must be there: empty where nothing of the original stays."""
WRITTEN = (
    *("PatientName", "PatientID", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified"),
    *("BurnedInAnnotation", "RecognizableVisualFeatures", "SOPClassUID", "Modality"),
    *("ImageType", "ViewName", "ViewCodeSequence", "SequenceOfUltrasoundRegions"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames"),
    *("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("FrameIncrementPointer", "PixelData"),
)
"""Attributes that are written anew; nothing of the original's value is copied."""
MAKERS = {
    "GE": r"\bGE\b|general electric",
    "Philips": "philips|hewlett|agilent|\\bATL\\b",
    "Siemens": "siemens|acuson",
    "Canon": "canon|toshiba",
    "FUJIFILM": "fuji|sonosite|hitachi|aloka",
    "Samsung": "samsung|medison",
    "Mindray": "mindray",
    "Esaote": "esaote",
    "Terason": "terason",
}
"""Name of a manufacturer as it is written -> how the original may spell it; others are left out."""


def maker(written: str) -> str:
    """Return the usual name of a known manufacturer; empty for any other."""
    return next((name for name, words in MAKERS.items() if re.search(words, written, re.I)), "")
