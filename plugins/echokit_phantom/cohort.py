"""The patients of the synthetic cohort: their grades, severities and views.

Every random generator is seeded by the option `seed` and by what is drawn, so that nothing depends
on the order in which clips are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from echokit import VIEWS, ClipRef, OptionError
from echokit_phantom.machine import CHOICES, REFERENCE

PAPER_PATIENTS, PAPER_CLIPS = 194, 536
"""Size of the newborn study (GCPR 2022, section 2.1): 2.76 clips per patient of five views."""
SEVERITY = {0: 0.10, 1: 0.46, 2: 0.80, 3: 1.05}
"""Mean latent severity of each grade; 0 is a healthy heart, 1 a clearly D-shaped left ventricle."""
SEVERITY_SD = 0.09
"""Standard deviation of the latent severity within a grade; neighbouring grades overlap."""

_COHORT, _PATIENT, _CLIP, _SIZE = 1, 2, 3, 6
"""Part of the seed that tells the kinds of generators apart."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options of a synthetic cohort, checked; `echokit_phantom.phantom` documents them."""

    patients: int
    clips: int
    views: tuple[str, ...]
    sizes: tuple[int, ...]
    frames: int
    frames_sd: float
    fps: float
    prevalence: tuple[float, ...]
    seed: int
    files: int
    machine: str = REFERENCE

    def __post_init__(self) -> None:
        _check_views(self.views)
        if self.machine not in CHOICES:
            raise OptionError(
                f"The loader 'phantom' has no machine {self.machine!r}. "
                f"Valid: {', '.join(CHOICES)}."
            )
        low, high = self.patients, self.patients * len(self.views)
        shares = self.prevalence
        rules = (
            (self.patients >= 1, "patients", "must be at least 1"),
            (low <= self.clips <= high, "clips", f"must be {low} to {high}: patients times views"),
            (
                len(self.sizes) > 0 and all(32 <= size <= 1024 for size in self.sizes),
                "size",
                "must be 32 to 1024 pixels, or a list of such sizes",
            ),
            (self.frames >= 2, "frames", "must be at least 2"),
            (self.frames_sd >= 0, "frames_sd", "must not be negative"),
            (1 <= self.fps <= 200, "fps", "must be 1 to 200 frames per second"),
            (len(shares) == 3, "prevalence", "must be three shares: none, mild, moderate-severe"),
            (
                min(shares) >= 0 < sum(shares),
                "prevalence",
                "must be shares of 0 or more, not all 0",
            ),
            (self.seed >= 0, "seed", "must be 0 or more"),
            (self.files >= 0, "files", "must be 0 or more"),
        )
        for fulfilled, option, rule in rules:
            if not fulfilled:
                given = _size_option(self.sizes) if option == "size" else getattr(self, option)
                raise OptionError(
                    f"The loader 'phantom' was given {option}={given!r}, which {rule}."
                )

    def size_of(self, patient: int) -> int:
        """Draw the height and width of a patient's frames, in pixels."""
        if len(self.sizes) == 1:
            return self.sizes[0]
        return int(np.random.default_rng([self.seed, _SIZE, patient]).choice(self.sizes))


def _size_option(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    """Return the option `size` as it was given."""
    return sizes[0] if len(sizes) == 1 else sizes


@dataclass(frozen=True, slots=True)
class Patient:
    """One synthetic newborn."""

    number: int
    """1 for the first."""
    grade: int
    """0 none, 1 mild, 2 moderate, 3 severe."""
    severity: float
    """Latent severity, drawn around the grade's mean; shared by the patient's views."""
    views: tuple[str, ...]
    """The views this patient was seen in, in canonical order."""

    @property
    def name(self) -> str:
        """Pseudonym: `P0001` for the first."""
        return f"P{self.number:04d}"

    def reference(self, view: str) -> ClipRef:
        """Make the reference of this patient's clip of a view."""
        clip = f"{self.name}-{view}"
        labels = {"grade": str(self.grade)}
        return ClipRef(clip, self.name, view, labels, where=clip, synthetic=True)


def _check_views(views: Sequence[str]) -> None:
    for view in views:
        if view not in VIEWS:
            raise OptionError(
                f"The loader 'phantom' has no view {view!r}. Valid: {', '.join(VIEWS)}."
            )
    if not views or len(set(views)) < len(views):
        raise OptionError(
            f"The loader 'phantom' was given views={list(views)}: name at least one view, and each "
            f"only once. Valid: {', '.join(VIEWS)}."
        )


def clip_count(patients: int, views: Sequence[str]) -> int:
    """Compute the number of clips if the option `clips` is not given.

    Returns:
        The paper's ratio of clips to patients if all five views are asked for, else every view of
        every patient.
    """
    if len(views) == len(VIEWS):
        return round(patients * PAPER_CLIPS / PAPER_PATIENTS)
    return patients * len(views)


def class_counts(patients: int, prevalence: Sequence[float]) -> tuple[int, ...]:
    """Distribute patients over classes by largest remainder, with no empty class if possible.

    Args:
        patients: number of patients.
        prevalence: share of each class, scaled to sum to 1.

    Returns:
        Patients per class, summing to `patients`.
    """
    shares = np.asarray(prevalence, float) / np.sum(prevalence) * patients
    counts = np.floor(shares).astype(int)
    for index in np.argsort(counts - shares, kind="stable")[: patients - counts.sum()]:
        counts[index] += 1
    for index in np.flatnonzero(counts == 0) if patients >= len(counts) else ():
        counts[np.argmax(counts)] -= 1
        counts[index] += 1
    return tuple(int(n) for n in counts)


def draw_patients(settings: Settings) -> tuple[Patient, ...]:
    """Draw the patients: exact class counts, a severity and at least one view each."""
    rng = np.random.default_rng([settings.seed, _COHORT])
    none, mild, severe = class_counts(settings.patients, settings.prevalence)
    # the study's third class joins moderate and severe; half of each are made
    grades = np.array([0] * none + [1] * mild + [2 + n % 2 for n in range(severe)])
    rng.shuffle(grades)
    views_of = _draw_views(settings, rng)
    return tuple(
        Patient(
            number=number,
            grade=int(grade),
            severity=SEVERITY[int(grade)]
            + SEVERITY_SD * float(patient_rng(settings.seed, number).standard_normal()),
            views=tuple(v for v in VIEWS if v in views),
        )
        for number, (grade, views) in enumerate(zip(grades, views_of, strict=True), start=1)
    )


def _draw_views(settings: Settings, rng: np.random.Generator) -> list[set[str]]:
    """Draw one view for each patient, then the remaining clips from all other views."""
    total = len(settings.views)
    orders = np.array([rng.permutation(total) for _ in range(settings.patients)])
    views_of = [{settings.views[order[0]]} for order in orders]
    others = [(patient, view) for patient, order in enumerate(orders) for view in order[1:]]
    for index in rng.permutation(len(others))[: settings.clips - settings.patients]:
        patient, view = others[index]
        views_of[patient].add(settings.views[view])
    return views_of


def patient_rng(seed: int, number: int) -> np.random.Generator:
    """Make the generator of values that a patient's views share."""
    return np.random.default_rng([seed, _PATIENT, number])


def clip_rng(seed: int, number: int, view: str) -> np.random.Generator:
    """Make the generator of values that belong to one clip."""
    return np.random.default_rng([seed, _CLIP, number, VIEWS.index(view)])
