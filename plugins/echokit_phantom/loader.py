"""The loader of the synthetic cohort."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from echokit import Clip, ClipError, ClipRef
from echokit_phantom.cohort import Patient, Settings, draw_patients
from echokit_phantom.machine import REFERENCE
from echokit_phantom.physiology import PerFrame

GENERATOR = "echokit-phantom/2"
"""Version of the generator: increased whenever the same options give other pixels."""


MACHINE_GENERATOR = "echokit-phantom-machine/2"
"""Version of the pictures of all machines but `reference`; increased like `GENERATOR`."""


class Phantom:
    """Loader of synthetic clips; `read` generates a clip anew, the same every time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.patients = draw_patients(settings)
        self._clips = {
            patient.reference(view).clip: (patient, view)
            for patient in self.patients
            for view in patient.views
        }

    def index(self) -> Iterable[ClipRef]:
        """List every clip, patient by patient; generates no pixels."""
        return [patient.reference(view) for patient, view in self._clips.values()]

    def find(self, ref: ClipRef) -> tuple[Patient, str]:
        """Find the patient and the view of a reference.

        Raises:
            ClipError: this cohort has no such clip.
        """
        if ref.clip not in self._clips:
            raise ClipError(
                f"There is no clip {ref.clip!r} in this synthetic cohort of {len(self.patients)} "
                f"patients and {len(self._clips)} clips; take one that index() lists, such as "
                f"{next(iter(self._clips))!r}."
            )
        return self._clips[ref.clip]

    def read(self, ref: ClipRef) -> Clip:
        """Generate a clip; those of the first patients pass through a DICOM file (option `files`).

        Raises:
            ClipError: this cohort has no such clip, or the file in between cannot be read.
        """
        clip, phase = self.make(ref)
        patient, view = self.find(ref)
        if patient.number > self.settings.files:
            return clip
        from echokit_phantom.files import through_file  # needs pydicom and PyAV

        return through_file(patient.reference(view), clip, phase)

    def make(self, ref: ClipRef) -> tuple[Clip, PerFrame]:
        """Generate one clip, and the cardiac phase of each of its frames.

        Raises:
            ClipError: this cohort has no such clip.
        """
        from echokit_phantom.render import render  # needs Pillow; listing clips does not

        return render(self.settings, *self.find(ref))

    def fingerprint(self, ref: ClipRef) -> str:
        """Digest the generator's version and all settings that determine the clip.

        Raises:
            ClipError: this cohort has no such clip.
        """
        patient, view = self.find(ref)
        settings = asdict(self.settings)
        shared = {"size": self.settings.size_of(patient.number)}
        shared |= {name: settings[name] for name in ("frames", "frames_sd", "fps", "seed")}
        through_file = patient.number <= self.settings.files
        content = [GENERATOR, shared, patient.number, patient.grade, view, through_file]
        if self.settings.machine != REFERENCE:  # whose digest is that of clips stored before
            content += [MACHINE_GENERATOR, self.settings.machine]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def write(self, out: Path, format: str) -> Path:
        """Write the cohort as files with a manifest; `format` is `dicom` or `mp4`.

        Raises:
            DataError: the format is unknown, or `out` already holds something.
        """
        from echokit_phantom.files import write_cohort

        clips = ((ref, *self.make(ref)) for ref in self.index())  # generated one at a time
        return write_cohort(clips, out, format)
