"""Clips as ordinary files: DICOM or MP4 with the scanner's screen around the sector."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from echokit import Clip, ClipError, ClipRef, DataError, Loader, resolve, whole_folder
from echokit_phantom.dicom import write_dicom
from echokit_phantom.screen import on_screen, screen_box
from echokit_phantom.video import write_mp4

Generated = tuple[ClipRef, Clip, Float[np.ndarray, " T"]]
"""A generated clip: its reference, the clip, and the cardiac phase of each frame."""

SUFFIXES = {"dicom": ".dcm", "mp4": ".mp4"}
"""Formats that can be written, and their suffixes."""
COLUMNS = ("clip", "patient", "view", "grade", "file", "masks", "synthetic")
"""Columns of the manifest."""


def write_clip(
    path: Path, ref: ClipRef, clip: Clip, phase: Float[np.ndarray, " T"]
) -> UInt8[np.ndarray, "T H W"]:
    """Write one clip in the format of its suffix, `.dcm` or `.mp4`.

    Returns:
        The ground truth in the geometry of the file's frames.
    """
    assert clip.fps is not None
    assert clip.spacing is not None
    frames, structures = on_screen(clip, phase, ref.view or "")
    if path.suffix == ".mp4":
        write_mp4(path, frames, clip.fps)
    else:
        region = screen_box(clip.frames.shape[1])
        write_dicom(path, ref, frames, clip.fps, clip.spacing[0], region)
    return structures


def write_cohort(clips: Iterable[Generated], out: Path, format: str) -> Path:
    """Write clips, their ground truth and a manifest; the folder appears whole or not at all.

    Args:
        clips: the clips of a cohort; each is written before the next one is generated.
        out: folder to create; it may exist if it is empty.
        format: `dicom` or `mp4`.

    Returns:
        Path of `manifest.csv`, whose files are relative to it.

    Raises:
        DataError: the format is unknown, or `out` already holds something.
    """
    if format not in SUFFIXES:
        raise DataError(
            f"The synthetic cohort cannot be written as {format!r}. Valid: {', '.join(SUFFIXES)}."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(
            f"{out} already holds something, and nothing is overwritten; name an empty or a new "
            "folder."
        )
    with whole_folder(out) as partial:
        for folder in ("videos", "masks"):
            (partial / folder).mkdir()
        rows = [_write_with_truth(clip, partial, SUFFIXES[format]) for clip in clips]
        with (partial / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(rows)
    return out / "manifest.csv"


def _write_with_truth(generated: Generated, folder: Path, suffix: str) -> tuple[str, ...]:
    """Write a clip and its ground truth; return its row of the manifest."""
    ref, clip, phase = generated
    video, masks = f"videos/{ref.clip}{suffix}", f"masks/{ref.clip}.npz"
    structures = write_clip(folder / video, ref, clip, phase)
    np.savez_compressed(
        folder / masks, structures=structures, names=np.array(clip.structure_names, dtype=np.str_)
    )
    return ref.clip, ref.patient, ref.view or "", ref.labels["grade"], video, masks, "true"


def through_file(ref: ClipRef, clip: Clip, phase: Float[np.ndarray, " T"]) -> Clip:
    """Write one clip as DICOM, read it back with the loader `files`, and attach the ground truth.

    Raises:
        ClipError: the file cannot be read back.
    """
    with tempfile.TemporaryDirectory(prefix="echokit-phantom-") as folder:
        path = Path(folder) / f"{ref.clip}.dcm"
        structures = write_clip(path, ref, clip, phase)
        loader: Loader = resolve("loader", "files", source=str(path))
        listed = list(loader.index())
        if len(listed) != 1 or not isinstance(listed[0], ClipRef):
            raise ClipError(
                f"The DICOM file of clip {ref.clip!r} is not recognised as a clip: {listed}."
            )
        read = loader.read(listed[0])
    return replace(read, structures=structures, structure_names=clip.structure_names)
