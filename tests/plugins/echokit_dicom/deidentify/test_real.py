"""Real clips with burned-in banners: after cleaning no pixel outside the sector is left."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from dciodvfy import PROGRAM
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import pixel_array

from echokit_dicom.deidentify.folder import CLIPS, deidentify

FRAMES = 30
"""Frames of a clip that are kept, at most, which saves time."""
BANNERS = {
    "GREYSCALE_CINE": (slice(0, 180), slice(0, 800)),
    "RGB_CINE": (slice(0, 35), slice(0, 1016)),
    "ultrasound-multiframe": (slice(0, 280), slice(0, 90)),
    "color3d_jpeg_baseline": (slice(440, 480), slice(0, 640)),
}
"""Clip -> where letters are burned in, by eye; there may be more elsewhere."""
NAMES = (b"PATIENTFIVE", b"ZZZ TEST", b"TEST^ADL", b"10101010101", b"3030303030", b"CLEVE")
"""What the originals say of a patient or a place."""


def original(name: str) -> Path:
    if name == "color3d_jpeg_baseline":
        found = get_testdata_file(f"{name}.dcm", download=False)
        return Path(str(found)) if found else pytest.skip("pip install pydicom-data")
    root = Path(pytest.importorskip("deid_data").__file__).parent / "data" / "ultrasounds"
    return root / f"{name}.dcm"


def shortened(name: str, folder: Path) -> Path:
    """The first frames of a clip, with its whole header."""
    path, short = original(name), folder / "PATIENTFIVE.dcm"
    if not path.exists():
        zipfile.ZipFile(path.with_suffix(".zip")).extract(path.name, folder)
        path = folder / path.name
    ds = dcmread(path)
    count = min(FRAMES, ds.NumberOfFrames)
    if ds.file_meta.TransferSyntaxUID.is_encapsulated:
        frames = generate_frames(ds.PixelData, number_of_frames=ds.NumberOfFrames)
        ds.PixelData = encapsulate([next(frames) for _ in range(count)])
    else:
        ds.PixelData = ds.PixelData[: count * ds.Rows * ds.Columns * ds.SamplesPerPixel]
    ds.NumberOfFrames = count
    ds.save_as(short)
    return short


def errors(path: Path) -> set[str]:
    """What the checker of the standard calls an error."""
    found = subprocess.run([PROGRAM, path], capture_output=True, text=True, check=False)
    return {line for line in found.stderr.splitlines() if line.startswith("Error")}


@pytest.mark.parametrize("name", BANNERS)
def test_banners_are_gone_and_the_sector_is_as_it_was(name, tmp_path):
    source = shortened(name, tmp_path)
    before, names = pixel_array(source), [n for n in NAMES if n in source.read_bytes()]
    (outcome,) = deidentify(source, tmp_path / "out")
    assert outcome.status == "cleaned", outcome.reason
    (path,) = (tmp_path / "out" / CLIPS).rglob("*.dcm")
    after = pixel_array(path)
    assert before[:, *BANNERS[name]].any()
    assert not after[:, *BANNERS[name]].any()
    grey = after.max(axis=3) if after.ndim == 4 else after
    black = ~grey.any(axis=0)
    assert not after[:, black].any()
    assert black.mean() > 0.5
    full = before if after.ndim == before.ndim else before.max(axis=3)
    kept = ~black
    assert np.abs(full[:, kept].astype(int) - after[:, kept]).mean() < 3
    written = path.read_bytes()
    assert [n for n in NAMES if n in written] == []
    assert names or name not in ("GREYSCALE_CINE", "RGB_CINE")


@pytest.mark.parametrize("name", ["color3d_jpeg_baseline", "ultrasound-multiframe"])
def test_the_standard_s_own_checker_finds_no_new_error(name, tmp_path):
    source = shortened(name, tmp_path)
    deidentify(source, tmp_path / "out")
    (path,) = (tmp_path / "out" / CLIPS).rglob("*.dcm")
    assert errors(path) <= errors(source)
    assert errors(path) == set()
