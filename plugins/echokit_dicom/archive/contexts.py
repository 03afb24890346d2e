"""What is received over associations: storage classes of ultrasound, in every transfer syntax."""

from __future__ import annotations

from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import build_context
from pynetdicom.presentation import PresentationContext

ULTRASOUND = (
    "1.2.840.10008.5.1.4.1.1.3.1",
    "1.2.840.10008.5.1.4.1.1.6.1",
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.6",
)
"""Ultrasound storage classes that are received: multi-frame and single, current and retired."""
SYNTAXES = (
    JPEGBaseline8Bit, RLELossless, JPEG2000Lossless, JPEG2000, JPEGLosslessSV1, JPEGLossless,
    JPEGExtended12Bit, JPEGLSLossless, JPEGLSNearLossless, ExplicitVRLittleEndian,
    ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian,
)  # fmt: skip
"""Transfer syntaxes that are received, each in a context of its own, so that an archive sends a
clip as it keeps it (PS3.8 9.3.2.2)."""


def storage_contexts() -> list[PresentationContext]:
    """Make a context for each class and syntax."""
    return [build_context(storage, syntax) for storage in ULTRASOUND for syntax in SYNTAXES]
