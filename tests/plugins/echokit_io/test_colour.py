"""Colour Doppler in pixels and regions: refused by name or blackened, and nothing else is."""

from __future__ import annotations

import av
import numpy as np
import pytest
from files_loader import dataset, index, read, save
from pydicom.dataset import Dataset

from echokit import ClipError, OptionError, Rejection, resolve
from echokit_io.colour import ColourWatch, saturated, settle

T, H, W = 12, 120, 160
rng = np.random.default_rng(0)


def grey():
    """Tissue in grey that flickers."""
    frames = rng.integers(20, 200, (T, H, W), dtype=np.uint8)
    return np.repeat(frames[..., None], 3, axis=3)


def doppler(frames):
    """A patch whose colour comes and goes, over the same tissue."""
    frames = frames.copy()
    for t, frame in enumerate(frames):
        if t % 3:
            frame[40:70, 60 + t : 90 + t] = (220, 20, 10) if t % 2 else (10, 30, 230)
    return frames


def with_bar_and_trace(frames):
    """A colour bar that stands still, and a thin trace that moves."""
    frames = frames.copy()
    frames[:, 10:60, 150:156] = (250, 40, 0)
    for t, frame in enumerate(frames):
        frame[110, 10 * t : 10 * t + 20] = (0, 250, 0)
    return frames


def tinted(frames):
    """B-mode in sepia: coloured wherever it is bright."""
    return (frames * np.array([1.0, 0.8, 0.55])).astype(np.uint8)


def watched(frames):
    watch = ColourWatch()
    for frame in frames:
        watch.add(saturated(frame), frame.mean(axis=2).astype(np.uint8))
    return watch


@pytest.mark.parametrize("change", [lambda x: x, with_bar_and_trace, tinted])
def test_what_is_not_doppler_is_left_alone(change):
    assert watched(change(grey())).doppler() is None


@pytest.mark.parametrize("change", [lambda x: x, with_bar_and_trace])
def test_doppler_is_found_where_it_is(change):
    found = watched(change(doppler(grey()))).doppler()
    rows, columns = np.nonzero(found)
    assert 38 <= rows.min() < rows.max() <= 72
    assert 58 <= columns.min() < columns.max() <= 104


def video(path, frames, pixels="yuv420p"):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = W, H, pixels
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "bgr0"])
def test_a_video_with_doppler_is_refused_or_its_colour_blackened(tmp_path, pixels):
    frames = with_bar_and_trace(grey())
    path = video(tmp_path / "plain.mkv", frames, pixels)
    plain = read(path)
    path = video(tmp_path / "a.mkv", doppler(frames), pixels)
    with pytest.raises(ClipError, match=r"colour Doppler .*colour='remove'"):
        read(path)
    clip = read(path, colour="remove")
    assert (clip.frames[4, 42:68, 68:90] == 0).all()
    assert (clip.frames[0, 42:68, 62:88] > 0).mean() > 0.95, "where that frame has no colour"
    assert (clip.frames[:, 90:108] == plain.frames[:, 90:108]).all()
    assert (clip.frames[:, 12:58, 151:155] > 0).all(), "the colour bar stays"


def test_removing_changes_the_content_that_a_store_knows_a_clip_by(tmp_path):
    video(tmp_path / "a.mkv", doppler(grey()))
    prints = []
    for colour in ("refuse", "remove"):
        loader = resolve("loader", "files", source=str(tmp_path), colour=colour)
        [ref] = loader.index()
        prints.append(loader.fingerprint(ref))
    assert prints[0] != prints[1]
    with pytest.raises(OptionError, match="'refuse' or 'remove'"):
        resolve("loader", "files", source=str(tmp_path), colour="keep")


@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_a_dicom_clip_with_doppler_is_refused_or_blackened(tmp_path, photometric):
    from pydicom.pixels import convert_color_space

    frames = doppler(grey())
    if photometric != "RGB":
        frames = convert_color_space(frames, "RGB", photometric)
    path = save(dataset(frames, photometric, Rows=H, Columns=W), tmp_path / "a.dcm")
    with pytest.raises(ClipError, match="colour Doppler"):
        read(path)
    assert (read(path, colour="remove").frames[4, 42:68, 68:90] == 0).all()


def region(kind, form):
    one = Dataset()
    one.RegionDataType, one.RegionSpatialFormat = kind, form
    one.RegionLocationMinX0 = one.RegionLocationMinY0 = 0
    one.RegionLocationMaxX1, one.RegionLocationMaxY1 = W - 1, H - 1
    return one


@pytest.mark.parametrize(
    ("kind", "form", "name"),
    [(3, 3, "spectral Doppler"), (4, 3, "spectral Doppler"), (1, 2, "M-mode")],
)
def test_regions_of_other_modes_are_refused_by_name(tmp_path, kind, form, name):
    regions = [region(1, 1), region(kind, form)]
    ds = dataset(grey(), Rows=H, Columns=W, SequenceOfUltrasoundRegions=regions)
    refused = index(save(ds, tmp_path / "a.dcm"))
    assert isinstance(refused, Rejection)
    assert f"it shows {name} (by its regions)" in refused.reason


def test_a_colour_region_is_refused_by_its_header_unless_colour_is_removed(tmp_path):
    regions = [region(1, 1), region(2, 1), region(10, 4)]
    ds = dataset(grey(), Rows=H, Columns=W, SequenceOfUltrasoundRegions=regions)
    path = save(ds, tmp_path / "a.dcm")
    assert "colour Doppler (by its regions)" in index(path).reason
    assert read(path, colour="remove").frames.shape == (T, H, W)


def test_only_the_region_of_tissue_is_searched():
    from echokit import Box

    frames = doppler(grey())
    luma = frames.mean(axis=3).astype(np.uint8)
    watch = watched(frames)
    assert settle(luma, watch, Box(80, 0, 40, W), "refuse") is luma
    with pytest.raises(ClipError):
        settle(luma, watch, Box(0, 0, 80, W), "refuse")
