"""The DICOM files that a result was made of: whom objects are of, and the images they refer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID, ExplicitVRLittleEndian

from echokit import ClipResult, StudyResult, SubjectResult, UsageError
from echokit_dicom.objects.codes import PRIVATE
from echokit_dicom.objects.identifiers import make_uid

PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
"""Type 2 attributes of the patient module (PS3.3 C.7.1.1)."""
STUDY = ("StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID", "AccessionNumber")
"""Type 2 attributes of the general study module (PS3.3 C.7.2.1)."""
OPTIONAL = ("IssuerOfPatientID", "StudyDescription", "PatientAge", "PatientSize", "PatientWeight")
"""Attributes of patient and study that are copied where they are there."""
NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
"""Attributes without which nothing can refer to an image."""
UTF8 = "ISO_IR 192"
"""Character set of every object (PS3.3 C.12.1.1.2)."""
IMPLEMENTATION = make_uid("echokit")
"""Who wrote the file (PS3.7 D.3.3.2)."""


def read_sources(result: StudyResult, subject: SubjectResult) -> Mapping[str, Dataset]:
    """Read the headers of a patient's clips, which are of one study of one patient.

    Returns:
        Clip -> its header without pixels, with text as UTF-8.

    Raises:
        UsageError: a clip came from no DICOM file, or the clips are of several studies.
    """
    if not subject.clips:
        raise UsageError("No clip of the patient was judged, so that no DICOM object is written.")
    sources = {clip.clip: _header(clip.clip, result.files.get(clip.clip)) for clip in subject.clips}
    for keyword, several in (("StudyInstanceUID", "studies"), ("PatientID", "patient IDs")):
        count = len({str(header.get(keyword, "")) for header in sources.values()})
        if count > 1:
            raise UsageError(
                f"The clips of {subject.patient} are of {count} {several}, and a DICOM object is "
                "of one: predict each study by itself."
            )
    return sources


def _header(clip: str, path: Path | None) -> Dataset:
    advice = (
        "DICOM objects name the patient and the study of their source: predict DICOM files, or "
        "write with --write folder."
    )
    if path is None:
        raise UsageError(f"The clip {clip} came from no file. {advice}")
    try:
        header = dcmread(path, stop_before_pixels=True)
        header.decode()
        missing = [keyword for keyword in NEEDED if not header.get(keyword)]
    except InvalidDicomError:
        raise UsageError(f"The clip {clip} came from a file that is not DICOM. {advice}") from None
    except OSError as error:
        raise UsageError(
            f"The DICOM file of the clip {clip} can no longer be read: {error.strerror}."
        ) from None
    except Exception as error:  # a damaged header makes pydicom raise almost anything
        raise UsageError(
            f"The DICOM header of the clip {clip} is damaged ({type(error).__name__})."
        ) from None
    if missing:
        raise UsageError(f"The DICOM file of the clip {clip} has no {', '.join(missing)}.")
    for keyword in (*PATIENT, *STUDY):
        # also those that are missing, which highdicom takes for granted
        setattr(header, keyword, str(header.get(keyword) or ""))
    header.SpecificCharacterSet = UTF8
    return header


def new_object(header: Dataset, storage: str, instance: str, series: str, modality: str) -> Dataset:
    """Begin an object of the same patient and study in a series of its own.

    Args:
        header: header of a source, by `read_sources`.
        storage: SOP class.
        instance: SOP instance UID.
        series: series instance UID.
        modality: of the series.

    Returns:
        A data set with file meta information, patient, study, series, equipment and SOP common
        modules (PS3.3 C.7.1 to C.7.5 and C.12.1), dated now.
    """
    now, made = datetime.now(), Dataset()
    made.ensure_file_meta()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.ImplementationClassUID = IMPLEMENTATION
    made.SpecificCharacterSet = UTF8
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = UID(storage)
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = UID(instance)
    for keyword in (*PATIENT, *STUDY):
        setattr(made, keyword, header.get(keyword, ""))
    for keyword in OPTIONAL:
        if header.get(keyword):
            setattr(made, keyword, header.get(keyword))
    made.StudyInstanceUID = header.StudyInstanceUID
    made.SeriesInstanceUID = series
    made.Modality = modality
    made.InstanceCreationDate = made.ContentDate = now.strftime("%Y%m%d")
    made.InstanceCreationTime = made.ContentTime = now.strftime("%H%M%S")
    made.Manufacturer = "echokit"
    scheme = Dataset()
    scheme.CodingSchemeDesignator, scheme.CodingSchemeName = PRIVATE, "echokit"
    made.CodingSchemeIdentificationSequence = [scheme]
    made.ConversionType = "WSD"
    return made


def reference(header: Dataset, frames: Sequence[int] = ()) -> Dataset:
    """Refer to an image, or to frames of it, from 1."""
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    if frames:
        item.ReferencedFrameNumber = list(frames)
    return item


def has_source_frames(clip: ClipResult, header: Dataset) -> bool:
    """Tell whether the prepared frames of a clip are those of its source, one by one."""
    return clip.source_fps is None and clip.frames == int(header.get("NumberOfFrames") or 1)
