"""The odd little files that pydicom ships, against pydicom's slow path."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from files_loader import far, luma, read
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import apply_modality_lut, pixel_array
from pydicom.pixels.processing import apply_color_lut

SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"


ODD = [
    *("SC_rgb_rle_2frame", "SC_rgb_rle", "SC_rgb_gdcm_KY", "examples_palette", "examples_jpeg2k"),
    *("SC_ybr_full_422_uncompressed", "SC_rgb_dcmtk_+eb+cy+np", "SC_rgb_dcmtk_+eb+cy+s2"),
    *("SC_rgb_dcmtk_+eb+cy+s4", "SC_rgb_dcmtk_+eb+cy+n1", "SC_rgb_dcmtk_+eb+cr"),
    *("SC_jpeg_no_color_transform", "SC_jpeg_no_color_transform_2", "SC_rgb_jpeg_app14_dcmd"),
    *("SC_rgb_small_odd", "SC_rgb_small_odd_big_endian", "SC_rgb_small_odd_jpeg", "ExplVR_BigEnd"),
    *("SC_rgb_jpeg_dcmtk", "SC_rgb_jpeg_lossy_gdcm", "examples_rgb_color", "examples_ybr_color"),
]
DEEP = [
    *("MR_small", "MR_small_RLE", "MR_small_bigendian", "MR_small_implicit", "JPEG2000"),
    *("MR_small_jp2klossless", "examples_overlay", "693_J2KI", "image_dfl"),
]


def as_clip(name, path):
    """One of pydicom's files as an ultrasound clip; a still image is shown twice."""
    ds = pydicom.dcmread(SAMPLES / f"{name}.dcm")
    frames = int(ds.get("NumberOfFrames", None) or 1)
    ds.Modality = "US"
    if frames == 1:
        ds.NumberOfFrames = 2
        if ds.file_meta.TransferSyntaxUID.is_encapsulated:
            ds.PixelData = encapsulate([*generate_frames(ds.PixelData, number_of_frames=1)] * 2)
        else:
            ds.PixelData = ds.PixelData * 2
            if ds.Rows * ds.Columns % 2:  # drop the byte that padded a frame of odd size
                frame = ds.PixelData[: ds.Rows * ds.Columns * ds.SamplesPerPixel]
                ds.PixelData = frame * 2
    ds.save_as(path)
    return path


@pytest.mark.parametrize("name", ODD)
def test_pydicoms_colour_files_agree_with_its_slow_path(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's own, of odd files that it ships
        path = as_clip(name, tmp_path / "a.dcm")
        slow = pixel_array(path)
        ds = pydicom.dcmread(path)
        if "Palette" in "".join(ds.dir()):
            slow = apply_color_lut(slow, ds)
            slow = slow if slow.dtype == np.uint8 else (slow >> 8).astype(np.uint8)
    clip = read(path)
    grey = luma(slow)
    inside = (slow > 2).all(-1) & (slow < 253).all(-1)  # RGB clipped there, luma is not
    assert clip.frames.shape == slow.shape[:3]
    assert far(np.where(inside, clip.frames, 0), np.where(inside, grey, 0)) <= 2
    assert np.abs(clip.frames.astype(int) - grey).mean() < 1


@pytest.mark.parametrize("name", DEEP)
def test_pydicoms_deep_files_agree_with_its_slow_path(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's own, of odd files that it ships
        path = as_clip(name, tmp_path / "a.dcm")
        ds = pydicom.dcmread(path)
        slow = apply_modality_lut(ds.pixel_array, ds).astype(float)
    if "WindowWidth" in ds and ds.BitsAllocated == 16:
        centre, width = (float(np.atleast_1d(ds[k].value)[0]) for k in (0x00281050, 0x00281051))
        low, high = centre - width / 2, centre + width / 2 - 1
    else:
        low, high = (0, 255) if ds.BitsAllocated == 8 else (slow.min(), slow.max())
    wanted = ((slow - low) / (high - low)).clip(0, 1) * 255
    assert np.abs(read(path).frames - wanted).max() <= 1


def test_luma_of_a_jpeg_is_within_one_grey_level_of_the_slow_path():
    path = SAMPLES / "examples_ybr_color.dcm"
    assert far(read(path).frames, pixel_array(path, raw=True)[..., 0]) <= 1
