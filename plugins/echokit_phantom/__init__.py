"""echokit plugin: a synthetic cohort of newborn hearts, with and without pulmonary hypertension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from echokit import VIEWS, Loader, hookimpl


@hookimpl
def register_loaders(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add the synthetic cohort."""
    register("phantom", phantom)


def phantom(
    source: str = "",
    *,
    patients: int = 194,
    clips: int | None = None,
    views: Sequence[str] = VIEWS,
    size: int = 224,
    frames: int = 122,
    frames_sd: float = 2,
    fps: float = 25,
    prevalence: Sequence[float] = (0.65, 0.16, 0.19),
    seed: int = 0,
    files: int = 1,
) -> Loader:
    """Synthetic echo clips: moving anatomy, speckle that moves with it, and a ground truth.

    A check of the machinery, not clinical evidence. The defaults have the size and make-up of the
    newborn study (GCPR 2022, section 2.1 and Table 2); how severity shapes the heart is cited
    in `echokit_phantom.physiology`. A clip depends on seed, patient, view and the options of
    the picture alone, never on the order of reading.

    Args:
        source: unused; the cohort comes from nowhere.
        patients: number of patients; 3 or more have one of each class.
        clips: number of clips, from `patients` to `patients * len(views)`; None for the study's
            536 of 194 where all five views are asked for, else every view of every patient.
        views: canonical views to make.
        size: height and width of the frames in pixels, 32 to 1024.
        frames: mean length of a clip in frames.
        frames_sd: standard deviation of that length between clips.
        fps: frames per second.
        prevalence: share of patients with no, mild, and moderate to severe pulmonary hypertension;
            met exactly, by largest remainder; 3 or more patients have one of each class.
        seed: another seed is another cohort.
        files: the clips of this many patients, the first ones, are read back from a real DICOM
            file with the machine's clutter around the sector.

    Returns:
        A loader that can also tell its clips' fingerprints and write them as files.

    Raises:
        OptionError: an option is out of range.
    """
    from echokit_phantom.cohort import Settings, clip_count
    from echokit_phantom.loader import Phantom

    views = (views,) if isinstance(views, str) else tuple(views)
    settings = Settings(
        patients=patients,
        clips=clip_count(patients, views) if clips is None else clips,
        views=views,
        size=size,
        frames=frames,
        frames_sd=frames_sd,
        fps=fps,
        prevalence=tuple(prevalence),
        seed=seed,
        files=files,
    )
    return Phantom(settings)
