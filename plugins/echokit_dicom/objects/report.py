"""A prediction as a structured report: TID 1500, Measurement Report (PS3.16), by highdicom.

One measurement group (TID 1501) is of the patient, and one of each clip, which refers to the image
and the frames that were judged.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from echokit import ClipResult, StudyResult, SubjectResult
from echokit_dicom.objects import codes
from echokit_dicom.objects.identifiers import DIGITS, fingerprint, make_uid
from echokit_dicom.objects.source import IMPLEMENTATION, has_source_frames, new_object

SERIES_NUMBER = 901


def make_report(
    result: StudyResult, subject: SubjectResult, sources: Mapping[str, Dataset]
) -> Dataset:
    """Make the report of one patient: UNVERIFIED, preliminary, by a device.

    Args:
        result: the result that holds the patient.
        subject: the patient.
        sources: clip -> header of its DICOM file, of one study.

    Returns:
        A Comprehensive SR of the same patient and study in a series of its own.
    """
    said = fingerprint(result, subject, sources)
    report = MeasurementReport(
        observation_context=_context(result),
        procedure_reported=codes.ECHOCARDIOGRAPHY,
        imaging_measurements=[
            _of_patient(result, subject, said),
            *(_of_clip(result, clip, sources[clip.clip], said) for clip in subject.clips),
        ],
        title=codes.REPORT,
    )
    header = next(iter(sources.values()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # highdicom's quote the patient's name
        made = ComprehensiveSR(
            evidence=list(sources.values()),
            content=report[0],
            series_instance_uid=make_uid(said, "SR", "series"),
            series_number=SERIES_NUMBER,
            sop_instance_uid=make_uid(said, "SR"),
            instance_number=1,
            manufacturer="echokit",
            is_complete=True,
        )
    # highdicom copies fewer attributes of patient and study
    common = new_object(header, made.SOPClassUID, made.SOPInstanceUID, made.SeriesInstanceUID, "SR")
    del common.ConversionType  # of secondary captures
    for element in common:
        made[element.tag] = element
    made.SeriesDescription = "echokit: prediction, research use only"
    made.ManufacturerModelName = _short(result.run)
    made.SoftwareVersions = result.version
    made.file_meta.ImplementationClassUID = IMPLEMENTATION
    return made


def _context(result: StudyResult) -> ObservationContext:
    device = DeviceObserverIdentifyingAttributes(
        uid=make_uid("device", result.run, *sorted(result.weights.values())),
        name="echokit",
        manufacturer_name="echokit",
        model_name=_short(result.run),
    )
    return ObservationContext(
        observer_device_context=ObserverContext(CodedConcept.from_code(codes.DEVICE), device)
    )


def _of_patient(
    result: StudyResult, subject: SubjectResult, said: str
) -> MeasurementsAndQualitativeEvaluations:
    classes = result.classes
    label = codes.NOT_JUDGED if subject.not_judged else codes.label(subject.label, classes)
    evaluations = [
        (codes.question(result.recipe, classes), label),
        *((codes.NOT_RULED_OUT, codes.label(name, classes)) for name in subject.label_set or ()),
        *((codes.VIEW_USED, codes.view(view)) for view in subject.views_used),
        *((codes.VIEW_MISSING, codes.view(view)) for view in subject.views_missing),
        (codes.INTENDED_USE, codes.RESEARCH),
    ]
    if result.synthetic_training:
        evaluations.append((codes.TRAINING, codes.SYNTHETIC))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(make_uid(said, "patient"), "Patient, all views"),
        finding_type=codes.finding(result.recipe),
        algorithm_id=_algorithm(result),
        measurements=list(
            _measurements(
                subject.probability,
                subject.calibrated_probabilities or subject.probabilities,
                subject.calibrated,
                subject.confidence,
            )
        ),
        qualitative_evaluations=[QualitativeEvaluation(*pair) for pair in evaluations],
    )


def _of_clip(
    result: StudyResult, clip: ClipResult, header: Dataset, said: str
) -> MeasurementsAndQualitativeEvaluations:
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(make_uid(said, clip.clip), f"Clip of {clip.view}"),
        finding_type=codes.finding(result.recipe),
        algorithm_id=_algorithm(result, clip.view),
        measurements=list(
            _measurements(
                clip.probability,
                clip.calibrated_probabilities or clip.probabilities,
                clip.calibrated,
                clip.confidence,
            )
        ),
        qualitative_evaluations=[
            QualitativeEvaluation(
                codes.question(result.recipe, result.classes),
                codes.label(clip.label, result.classes),
            ),
            QualitativeEvaluation(codes.IMAGE_VIEW, codes.view(clip.view)),
        ],
        source_images=[
            SourceImageForMeasurementGroup(
                header.SOPClassUID, header.SOPInstanceUID, frames_judged(clip, header) or None
            )
        ],
    )


def frames_judged(clip: ClipResult, header: Dataset) -> list[int]:
    """Return the frames of the source, from 1, that a sequence of the clip shows.

    None are returned where the clip was prepared to another number of frames than its source has,
    for its frames are then not those of the source.
    """
    if not has_source_frames(clip, header):
        return []
    shown = {frame for one in clip.sequences for frame in range(one.start, one.start + one.length)}
    return [frame + 1 for frame in sorted(shown)]


def _measurements(
    probability: float, shares: Mapping[str, float], calibrated: bool, agreement: float
) -> Iterator[Measurement]:
    """Yield probability of the label, of every label, and agreement of the voters, in percent."""
    yield _percent(codes.PROBABILITY if calibrated else codes.UNCALIBRATED, probability)
    for label, share in shares.items():
        yield _percent(codes.probability_of(label), share)
    yield _percent(codes.AGREEMENT, agreement)


def _percent(name: Code, share: float) -> Measurement:
    return Measurement(name, round(100 * share, DIGITS - 2), codes.PERCENT)


def _algorithm(result: StudyResult, view: str = "") -> AlgorithmIdentification:
    digests = {view: result.weights.get(view)} if view else result.weights
    return AlgorithmIdentification(
        name=f"echokit {result.recipe} {result.task}",
        version=result.version,
        parameters=[
            f"run {result.run}",
            *(f"weights of {name}: sha256 {digest}" for name, digest in digests.items() if digest),
        ],
        family=codes.ARTIFICIAL_INTELLIGENCE,
        manufacturer="echokit",
    )


def _short(text: str) -> str:
    return text[:64]
