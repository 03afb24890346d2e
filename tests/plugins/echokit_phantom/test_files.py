"""The cohort as files."""

import csv

import numpy as np
import pytest

from echokit import DataError, resolve
from echokit_phantom.screen import on_screen, screen_box, screen_shape


def phantom(**options):
    defaults = {"patients": 3, "views": ["PSAX-P"], "size": 64, "frames": 12, "files": 0}
    return resolve("loader", "phantom", **{**defaults, **options})


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    return {form: phantom().write(folder / form, form) for form in ("dicom", "mp4")}


def difference(read, made):
    """Mean difference of grey inside the sector."""
    inside = made.any(axis=0)
    return np.abs(read[:, inside].astype(int) - made[:, inside]).mean()


def rows(manifest):
    with manifest.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("form", ["dicom", "mp4"])
def test_manifest_lists_what_is_there(written, form):
    manifest = written[form]
    table = rows(manifest)
    assert list(table[0]) == ["clip", "patient", "view", "grade", "file", "masks", "synthetic"]
    by_clip = {ref.clip: ref for ref in phantom().index()}
    assert {row["clip"] for row in table} == set(by_clip)
    for row in table:
        ref = by_clip[row["clip"]]
        assert (row["patient"], row["view"], row["grade"]) == (
            ref.patient, ref.view, ref.labels["grade"],
        )  # fmt: skip
        assert row["synthetic"] == "true"
    there = {str(p.relative_to(manifest.parent)) for p in manifest.parent.rglob("*") if p.is_file()}
    assert there == {"manifest.csv"} | {row[key] for row in table for key in ("file", "masks")}


def test_dicom_header_and_pixels(written):
    import pydicom

    row = rows(written["dicom"])[0]
    data = pydicom.dcmread(written["dicom"].parent / row["file"])
    ref = next(r for r in phantom().index() if r.clip == row["clip"])
    clip = phantom().read(ref)
    assert data.SOPClassUID == "1.2.840.10008.5.1.4.1.1.3.1"
    assert data.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert (data.PatientID, str(data.PatientName)) == (ref.patient, "SYNTHETIC")
    assert (data.ViewName, data.SeriesDescription) == ("PSAX-P", "PSAX-P")
    assert data.SyntheticData == "YES"
    assert "synthetic" in data.Manufacturer
    assert float(data.FrameTime) == 40
    (region,) = data.SequenceOfUltrasoundRegions
    assert (region.RegionSpatialFormat, region.RegionDataType) == (1, 1)
    assert region.PhysicalDeltaX == pytest.approx(clip.spacing[1] / 10)
    pixels = data.pixel_array
    assert pixels.shape == (len(clip.frames), *screen_shape(64))
    inner = pixels[
        :, region.RegionLocationMinY0 : region.RegionLocationMaxY1 + 1,
        region.RegionLocationMinX0 : region.RegionLocationMaxX1 + 1,
    ]  # fmt: skip
    assert difference(inner, clip.frames) < 3


def test_mp4_pixels(written):
    import av

    row = rows(written["mp4"])[0]
    ref = next(r for r in phantom().index() if r.clip == row["clip"])
    clip = phantom().read(ref)
    with av.open(str(written["mp4"].parent / row["file"])) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name in ("vp9", "libvpx-vp9")
        assert float(stream.average_rate) == 25
        assert "synthetic" in container.metadata["comment"].lower()
        frames = np.stack([f.to_ndarray(format="gray") for f in container.decode(stream)])
    assert frames.shape == (len(clip.frames), *screen_shape(64))
    inner = frames[:, *screen_box(64).slices]
    assert difference(inner, clip.frames) < 6


def test_masks_lie_over_the_sector(written):
    row = rows(written["dicom"])[0]
    masks = np.load(written["dicom"].parent / row["masks"], allow_pickle=False)
    ref = next(r for r in phantom().index() if r.clip == row["clip"])
    clip = phantom().read(ref)
    assert tuple(masks["names"]) == clip.structure_names
    np.testing.assert_array_equal(masks["structures"][:, *screen_box(64).slices], clip.structures)


@pytest.mark.parametrize("size", [32, 65, 96, 224])
def test_the_screen_covers_nothing_of_the_sector(size):
    loader = phantom(size=size)
    ref = next(iter(loader.index()))
    clip, phase = loader.make(ref)
    frames, structures = on_screen(clip, phase, "PSAX-P")
    box = screen_box(size)
    inside = clip.frames.any(axis=0)
    np.testing.assert_array_equal(frames[:, *box.slices][:, inside], clip.frames[:, inside])
    assert frames.shape == structures.shape == (len(clip.frames), *screen_shape(size))
    assert all(n % 2 == 0 for n in frames.shape[1:])
    outside = np.ones(frames.shape[1:], bool)
    outside[box.slices] &= ~inside
    clutter = frames[:, outside]
    assert (clutter.max(axis=0) > 100).mean() > 0.005
    assert (clutter.std(axis=0) > 0).any()  # the trace moves
    # and all of it keeps off the sector, so that neither touches the other
    grown = np.zeros_like(outside)
    grown[box.slices] = inside
    grown[1:] |= grown[:-1].copy()
    grown[:, 1:] |= grown[:, :-1].copy()
    grown[:, :-1] |= grown[:, 1:].copy()
    assert not frames[:, grown & outside].any()


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="already holds something"):
        phantom().write(tmp_path, "dicom")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"'avi'\. Valid: dicom, mp4"):
        phantom().write(tmp_path / "out", "avi")
    assert not (tmp_path / "out").exists()


def test_what_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    from echokit_phantom import files

    calls = []

    def fails(*args):
        calls.append(args)
        if len(calls) == 2:
            raise OSError("disk full")

    monkeypatch.setattr(files, "write_dicom", fails)
    with pytest.raises(OSError, match="disk full"):
        phantom().write(tmp_path / "out", "dicom")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    assert phantom(frames=2, frames_sd=0).write(tmp_path / "out", "dicom").is_file()


def test_the_first_patients_go_through_a_real_file():
    loader = phantom(files=1)
    first, second, _ = loader.index()
    clip, plain = loader.read(first), phantom().read(first)
    assert clip.frames.shape[1:] == screen_shape(64)
    assert clip.structures.shape == clip.frames.shape
    assert clip.structure_names == plain.structure_names
    assert clip.fps == 25
    assert clip.spacing == pytest.approx(plain.spacing)
    inner = clip.frames[:, *screen_box(64).slices]
    assert difference(inner, plain.frames) < 3
    assert loader.read(second).frames.shape[1:] == (64, 64)


def test_the_files_loader_reads_the_manifest(written):
    loader = resolve("loader", "files", source=str(written["mp4"].parent))
    refs = list(loader.index())
    assert {ref.clip for ref in refs} == {ref.clip for ref in phantom().index()}
    assert all(ref.synthetic for ref in refs)
    assert loader.read(refs[0]).structures.any()
