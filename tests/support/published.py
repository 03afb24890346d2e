"""Tiny public data sets, written in the layout in which each was published."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

import av
import numpy as np

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 32, 48), dtype=np.uint8)
DYNAMIC = (
    *("FileName", "EF", "ESV", "EDV", "FrameHeight", "FrameWidth", "FPS", "NumberOfFrames"),
    "Split",
)
PEDIATRIC = ("FileName", "EF", "Sex", "Age", "Weight", "Height", "Split")


@cache
def avi(container: str = "avi") -> bytes:
    """A grey video of three frames."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as video:
        stream = video.add_stream("mpeg4", rate=50)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for frame in FRAMES:
            rgb = av.VideoFrame.from_ndarray(np.repeat(frame[..., None], 3, 2), "rgb24")
            video.mux(stream.encode(rgb))
        video.mux(stream.encode())
    return file.getvalue()


def nifti(path: Path, frames: np.ndarray = FRAMES) -> None:
    """Write frames (T, H, W) as (X, Y, T), as common tools do: a time step of one second."""
    import nibabel

    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(frames.transpose(2, 1, 0), np.diag([0.3, 0.3, 1.0, 1.0]))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, path)


def table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def put(path: Path, data: bytes | None = None) -> None:
    """Write a file, by default a video."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(avi() if data is None else data)


def echonet_dynamic(root: Path, videos: Mapping[str, str]) -> Path:
    """EchoNet-Dynamic: name -> split."""
    rows = [[name, "55.5", "40", "90", 112, 112, 50, 3, split] for name, split in videos.items()]
    table(root / "FileList.csv", DYNAMIC, rows)
    table(root / "VolumeTracings.csv", ("FileName", "X1", "Y1", "X2", "Y2", "Frame"), [])
    (root / "Videos").mkdir(exist_ok=True)
    for name in videos:
        put(root / "Videos" / f"{name}.avi")
    return root


def echonet_pediatric(root: Path, videos: Mapping[tuple[str, str], str]) -> Path:
    """EchoNet-Pediatric: (view, name) -> fold."""
    for view in ("A4C", "PSAX"):
        own = {name: fold for (of, name), fold in videos.items() if of == view}
        rows = [[f"{name}.avi", "61", "F", "3", "14", "95", fold] for name, fold in own.items()]
        table(root / view / "FileList.csv", PEDIATRIC, rows)
        table(root / view / "VolumeTracings.csv", ("FileName", "X", "Y", "Frame"), [])
        (root / view / "Videos").mkdir(exist_ok=True)
        for name in own:
            put(root / view / "Videos" / f"{name}.avi")
    return root


def camus(root: Path, patients: Mapping[str, str], *, masks: bool = True) -> Path:
    """CAMUS: patient -> subgroup."""
    for group in ("training", "validation", "testing"):
        path = root / "database_split" / f"subgroup_{group}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{p}\n" for p, own in patients.items() if own == group))
    (root / "database_nifti").mkdir(exist_ok=True)
    for patient in patients:
        folder = root / "database_nifti" / patient
        for view in ("2CH", "4CH"):
            stem = f"{patient}_{view}"
            nifti(folder / f"{stem}_half_sequence.nii.gz")
            if masks:
                nifti(folder / f"{stem}_half_sequence_gt.nii.gz", FRAMES % 4)
            nifti(folder / f"{stem}_ED.nii.gz", FRAMES[:1])
            info = "ED: 1\nES: 3\nNbFrame: 3\nSex: F\nAge: 55\nImageQuality: Good\nEF: 61\n"
            (folder / f"Info_{view}.cfg").write_text(f"{info}FrameRate: 52.5\n")
    return root


def cardiacnet(root: Path, numbers: Mapping[str, Sequence[str]]) -> Path:
    """CardiacNet-PAH: class -> numbers."""
    for name in ("PAH", "Non-PAH"):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in numbers.get(name, ()):
            nifti(root / name / f"{number}_image.nii.gz")
            put(root / name / f"{number}_label.nii.gz", b"truncated")
    return root


def ned(root: Path, cases: Mapping[str, Mapping[str, str]]) -> Path:
    """NED: case -> clip -> viewpoint."""
    for case, clips in cases.items():
        folder = root / "echos_video" / case
        table(folder / "labels.csv", ("Filename", "Classification"), list(clips.items()))
        for name in clips:
            put(folder / f"{name}.mp4", avi("mp4"))
    return root


def echonet_lvh(root: Path, videos: Mapping[str, str]) -> Path:
    """EchoNet-LVH: name -> split; two measurements of each."""
    head = ("", "HashedFileName", "Calc", "CalcValue", "Frame", "X1", "X2", "Y1", "Y2", "Frames")
    rows = [
        [number, name, calc, value, 1, 2, 3, 4, 5, 3, 50, 48, 32, split]
        for name, split in videos.items()
        for number, (calc, value) in enumerate([("IVSd", "1.1"), ("LVIDd", "4.5")])
    ]
    table(root / "MeasurementsList.csv", (*head, "FPS", "Width", "Height", "split"), rows)
    for number, name in enumerate(videos):
        put(root / f"Batch{number % 4 + 1}" / f"{name}.avi")
    return root


def mimic_iv_echo(root: Path, clips: Iterable[tuple[str, str, int]], dicom: bytes = b"") -> Path:
    """MIMIC-IV-ECHO: (subject, study, number of clips)."""
    rows = []
    for subject, study, count in clips:
        for number in range(1, count + 1):
            file = f"files/p{subject[:2]}/p{subject}/s{study}/{study}_{number:04d}.dcm"
            put(root / file, dicom)
            rows.append([subject, study, "2180-01-02 10:00:00", file])
    head = ("subject_id", "study_id", "acquisition_datetime", "dicom_filepath")
    table(root / "echo-record-list.csv", head, rows)
    return root


def hmc_qu(root: Path, videos: Mapping[str, Sequence[str]], *, labels: bool = True) -> Path:
    """HMC-QU: view -> names."""
    for view, names in videos.items():
        if labels:
            table(root / f"{view}.csv", ("ECHO", "LABEL"), [[name, "MI"] for name in names])
        (root / view).mkdir(parents=True, exist_ok=True)
        for name in names:
            put(root / view / f"{name}.avi")
    return root


def tmed2(root: Path, images: Mapping[str, tuple[str, str, str]]) -> Path:
    """TMED-2: name -> view, diagnosis and split of the diagnosis."""
    from PIL import Image

    head = ("query_key", "view_label", "diagnosis_label")
    rows = [[f"{name}.png", view, diagnosis] for name, (view, diagnosis, _) in images.items()]
    table(root / "labels_per_image.csv", head, rows)
    splits = ("SourceFolder", "view_classifier_split", "diagnosis_classifier_split")
    folder = root / "view_and_diagnosis_labeled_set" / "labeled"
    folder.mkdir(parents=True, exist_ok=True)
    for fold in range(3):
        own = [[*row, "labeled", "train", images[row[0][:-4]][2]] for row in rows]
        table(root / "DEV479" / f"TMED2_fold{fold}_labeledpart.csv", (*head, *splits), own)
    for name in images:
        Image.fromarray(FRAMES[0]).save(folder / f"{name}.png")
    return root
