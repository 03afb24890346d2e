"""Results of DICOM clips, and a real archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dicom_study import WEIGHTS, ultrasound, write
from orthanc import Orthanc, shared

from echokit import StudyResult
from echokit.testing import tiny_result


@pytest.fixture
def result_of(tmp_path: Path) -> Callable[..., StudyResult]:
    """Make a result whose clips came from DICOM files; `tags` go to both files."""

    def make(
        patients: tuple[str, ...] = ("P1",), path: Path | None = None, **tags: Any
    ) -> StudyResult:
        result, files = tiny_result(patients), {}
        for number, clip in enumerate(result.clips, start=1):
            ds = ultrasound(number, **{"study": len(clip.patient), "patient": clip.patient} | tags)
            files[clip.clip] = path or write(ds, tmp_path / f"source-{number}")
        return replace(result, recipe="ph-newborn", files=files, weights=WEIGHTS)

    return make


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Orthanc:
    """The archive of this test process; what arrives is kept for one test."""
    held = shared()
    monkeypatch.setenv("ECHOKIT_ARCHIVE_CACHE", str(tmp_path / "cache"))
    return held
