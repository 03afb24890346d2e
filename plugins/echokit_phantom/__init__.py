"""A synthetic cohort of newborn hearts, with and without pulmonary hypertension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from echokit import VIEWS, Loader, hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_loaders(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add the synthetic cohort."""
    register("phantom", phantom)


@hookimpl
def register_commands(group: typer.Typer) -> None:
    """Add `echokit data phantom`, which writes the cohort as files."""
    from echokit_phantom.command import data

    group.add_typer(data, name="data")


def phantom(
    source: str = "",
    *,
    patients: int = 194,
    clips: int | None = None,
    views: Sequence[str] = VIEWS,
    size: int | Sequence[int] = 224,
    frames: int = 122,
    frames_sd: float = 2,
    fps: float = 25,
    prevalence: Sequence[float] = (0.65, 0.16, 0.19),
    seed: int = 0,
    files: int = 1,
    machine: str = "reference",
) -> Loader:
    """Synthetic echo clips: moving anatomy, speckle that moves with it, and a ground truth.

    It tests the software and is not clinical evidence. The defaults have the size and composition
    of the newborn study (GCPR 2022, section 2.1 and Table 2); `echokit_phantom.physiology` cites
    the sources of how severity changes the heart. A clip depends only on seed, patient, view and
    the options of the picture, never on the order of reading.

    Args:
        source: unused; the clips are generated.
        patients: number of patients; 3 or more have at least one of each class.
        clips: number of clips, from `patients` to `patients * len(views)`; None for the study's
            536 of 194 where all five views are asked for, else every view of every patient.
        views: canonical views to generate.
        size: height and width of the frames in pixels, 32 to 1024; of several, each patient draws
            one.
        frames: mean length of a clip in frames.
        frames_sd: standard deviation of that length between clips.
        fps: frames per second.
        prevalence: share of patients with no, mild, and moderate to severe pulmonary hypertension;
            met exactly, by largest remainder.
        seed: each seed gives a different cohort.
        machine: ultrasound machine that makes the pictures. `reference` is one picture for all
            patients. `random` draws a machine for each patient: frequency, resolution, dynamic
            range, grey map, gain, sector, frame rate (`fps` is not used then), speckle reduction,
            harmonics and artefacts. `premium`, `neonatal`, `compact`, `portable` and `older` are
            fixed machines, which `random` does not favour. The heart of a seed is the same with
            every machine; a long axis may be shortened by an oblique cut.
        files: number of patients, from the first, whose clips are read back from a real DICOM file
            with the scanner's screen around the sector.

    Returns:
        A loader that can also fingerprint its clips and write them as files.

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
        sizes=(size,) if isinstance(size, int) else tuple(size),
        frames=frames,
        frames_sd=frames_sd,
        fps=fps,
        prevalence=tuple(prevalence),
        seed=seed,
        files=files,
        machine=machine,
    )
    return Phantom(settings)
