"""The real clips that install from a package registry."""

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pydicom.examples
import pytest
from files_loader import read
from pydicom.data import get_testdata_file

from echokit import Box, ClipError, ClipRef, resolve
from echokit.testing import check_loader

SONOSITE = Path(str(pydicom.examples.get_path("ybr_color")))


def pydicom_data(name):
    path = get_testdata_file(name, download=False)
    return path or pytest.skip("pip install pydicom-data")


def deid_data(name, folder=None):
    root = Path(pytest.importorskip("deid_data").__file__).parent / "data" / "ultrasounds"
    if folder is None:
        return root / name
    zipfile.ZipFile(root / f"{name}.zip").extract(f"{name}.dcm", folder)
    return folder / f"{name}.dcm"


def test_a4c_of_a_sonosite_whose_region_exceeds_the_frame():
    clip = read(SONOSITE)
    assert clip.frames.shape == (30, 240, 320)
    assert clip.fps == pytest.approx(30, abs=0.01)
    assert (clip.region, clip.spacing) == (None, None)


def test_its_original_whose_region_is_right():
    clip = read(pydicom_data("color3d_jpeg_baseline.dcm"))
    assert clip.frames.shape == (120, 480, 640)
    assert clip.fps == pytest.approx(30, abs=0.01)
    assert clip.region == Box(31, 84, 384, 512)
    assert clip.spacing == (pytest.approx(0.5105, abs=1e-4),) * 2
    rows, columns = clip.region.slices
    beyond = np.ones((480, 640), bool)
    beyond[rows, columns] = False
    swing = clip.frames.max(0).astype(int) - clip.frames.min(0)
    assert swing[rows, columns].mean() > 20 * swing[beyond].mean()  # what moves is inside


def test_plax_of_a_philips_by_planes_whose_colour_doppler_is_refused_or_blackened():
    path = deid_data("ultrasound-multiframe.dcm")
    with pytest.raises(ClipError, match=r"colour Doppler .*5\.\d% of the picture.*study\.colour"):
        read(path)
    clip = read(path, colour="remove")
    assert clip.frames.shape == (30, 600, 800)
    assert clip.fps == pytest.approx(1000 / 54.241)
    assert clip.region == Box(30, 11, 563, 778)
    assert clip.spacing == (pytest.approx(0.3076, abs=1e-4),) * 2
    red, green, blue = pydicom.pixels.pixel_array(path, index=7).transpose(2, 0, 1)
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    spread = pydicom.pixels.pixel_array(path, index=7).astype(int)
    coloured = spread.max(2) - spread.min(2) >= 40
    box = np.zeros((600, 800), bool)
    box[285:485, 340:570] = True  # the colour box, by eye
    assert (clip.frames[7][coloured & box] == 0).all()
    kept = ~cv2.dilate((coloured & box).astype(np.uint8), np.ones((3, 3))).astype(bool)
    assert np.abs(clip.frames[7].astype(int) - grey)[kept].max() <= 1, "all else is as it was"


def test_grey_cine(tmp_path):
    path = deid_data("GREYSCALE_CINE", tmp_path)
    clip = read(path)
    assert clip.frames.shape == (27, 600, 800)
    assert clip.fps == pytest.approx(30, abs=0.01)
    assert clip.region == Box(31, 10, 562, 779)
    assert (clip.frames == pydicom.pixels.pixel_array(path)).all()


def test_rgb_cine_with_a_vector_of_frame_times_and_unequal_deltas(tmp_path):
    path = deid_data("RGB_CINE", tmp_path)
    clip = read(path)
    path.unlink()  # 104 MB
    assert clip.frames.shape == (51, 672, 1016)
    assert clip.fps == pytest.approx(1000 / 57.9671)
    assert clip.region == Box(62, 153, 591, 557)
    row, column = clip.spacing
    assert row != column
    assert row == pytest.approx(column, rel=1e-3)


@pytest.mark.parametrize("name", ["GREYSCALE_IMAGE", "RGB_IMAGE"])
def test_stills_are_refused(name):
    (item,) = resolve("loader", "files", source=str(deid_data(f"{name}.dcm"))).index()
    assert "one frame" in item.reason


def test_every_file_that_pydicom_ships_is_a_clip_or_refused_by_name():
    root = SONOSITE.parent
    items = list(resolve("loader", "files", source=str(root), patients="as-is").index())
    files = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
    named = {f.where for f in items}
    assert named == {f for f in files if not any(part[0] == "." for part in Path(f).parts)}
    assert [f.where for f in items if isinstance(f, ClipRef)] == [SONOSITE.name]


def test_contract():
    check_loader(lambda source: resolve("loader", "files", source=source), str(SONOSITE))
