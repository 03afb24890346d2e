"""DICOM: written clips, pydicom's own small files, and damaged ones."""

import logging
import random
import warnings
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import apply_modality_lut, apply_windowing, pixel_array
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from echokit import Box, ClipError, ClipRef, Rejection, SupportsFingerprint, resolve

US = "1.2.840.10008.5.1.4.1.1.3.1"
SAMPLES = Path(pydicom.__file__).parent / "data" / "test_files"
T, H, W = 4, 40, 56


def movie(channels=3):
    y, x = np.mgrid[:H, :W]
    waves = [np.sin(x / 9 + t + c) + np.cos(y / (7 + c)) for t in range(T) for c in range(channels)]
    return np.rint((np.stack(waves) + 2) * 63.75).astype(np.uint8).reshape(T, channels, H, W)


RGB = movie().transpose(0, 2, 3, 1).copy()
GREY = movie(1)[:, 0]


def dataset(frames, photometric="RGB", syntax=ExplicitVRLittleEndian, **tags):
    """An ultrasound clip of the frames (T, H, W) or (T, H, W, 3), or of JPEG files."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = US
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    ds.Modality, ds.PatientName, ds.PatientID = "US", "Muster^Quentin", "MRN-4711"
    ds.Rows, ds.Columns, ds.NumberOfFrames = H, W, T
    ds.PhotometricInterpretation = photometric
    ds.SamplesPerPixel = 3 if photometric[:3] in ("RGB", "YBR") else 1
    ds.BitsAllocated, ds.PixelRepresentation = 8, 0
    ds.PlanarConfiguration = 0
    if isinstance(frames, np.ndarray):
        ds.BitsAllocated = frames.dtype.itemsize * 8
        ds.PixelRepresentation = int(frames.dtype.kind == "i")
        ds.NumberOfFrames = len(frames)
        ds.PixelData = frames.tobytes()
    else:
        ds.PixelData = encapsulate(frames)
    ds.BitsStored = ds.BitsAllocated
    for name, value in tags.items():
        setattr(ds, name, value)
    ds.HighBit = ds.BitsStored - 1
    ds["PixelData"].VR = "OW" if ds.BitsAllocated == 16 else "OB"
    return ds


def save(ds, path):
    ds.save_as(path, enforce_file_format=True)
    return path


def index(path):
    (found,) = resolve("loader", "files", source=str(path)).index()
    return found


def read(path):
    loader = resolve("loader", "files", source=str(path))
    (ref,) = loader.index()
    assert isinstance(ref, ClipRef), ref
    return loader.read(ref)


def luma(frames):
    return np.stack([cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY) for f in frames])


def far(a, b):
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def jpegs(subsampling=2):
    files = []
    for frame in RGB:
        buffer = BytesIO()
        Image.fromarray(frame).save(buffer, "JPEG", quality=95, subsampling=subsampling)
        files.append(buffer.getvalue())
    return files


def ycbcr(frames):
    return np.stack([np.asarray(Image.fromarray(f).convert("YCbCr")) for f in frames])


def planar(frames):
    return frames.transpose(0, 3, 1, 2).copy()


def halved(frames):
    """YBR_FULL_422 without compression: Y Y Cb Cr of each two pixels."""
    y, cb, cr = (frames[..., c].reshape(T, H, W // 2, 2) for c in range(3))
    return np.stack([y[..., 0], y[..., 1], cb[..., 0], cr[..., 0]], -1)


WRITTEN = {
    "RGB": (RGB, "RGB", {}),
    "RGB by planes": (planar(RGB), "RGB", {"PlanarConfiguration": 1}),
    "YBR_FULL": (ycbcr(RGB), "YBR_FULL", {}),
    "YBR_FULL by planes": (planar(ycbcr(RGB)), "YBR_FULL", {"PlanarConfiguration": 1}),
    "YBR_FULL_422": (halved(ycbcr(RGB)), "YBR_FULL_422", {}),
    "RGB implicit": (RGB, "RGB", {"syntax": ImplicitVRLittleEndian}),
    "RGB deflated": (RGB, "RGB", {"syntax": DeflatedExplicitVRLittleEndian}),
    "JPEG 4:2:0": (jpegs(), "YBR_FULL_422", {"syntax": JPEGBaseline8Bit}),
    "JPEG 4:4:4": (jpegs(0), "YBR_FULL", {"syntax": JPEGBaseline8Bit}),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_colour_is_read_as_luma(name, tmp_path):
    frames, photometric, tags = WRITTEN[name]
    clip = read(save(dataset(frames, photometric, **tags), tmp_path / "a.dcm"))
    assert clip.frames.dtype == np.uint8
    assert far(clip.frames, luma(RGB)) <= (8 if "JPEG" in name else 1)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize(("frames", "photometric"), [(RGB, "RGB"), (GREY, "MONOCHROME2")])
def test_lossless_compression_changes_nothing(syntax, frames, photometric, tmp_path):
    ds = dataset(frames, photometric)
    ds.compress(syntax, generate_instance_uid=False)
    clip = read(save(ds, tmp_path / "a.dcm"))
    assert far(clip.frames, luma(RGB) if photometric == "RGB" else GREY) <= (
        1 if photometric == "RGB" else 0
    )


def test_monochrome1_is_inverted(tmp_path):
    straight = read(save(dataset(GREY, "MONOCHROME2"), tmp_path / "a.dcm")).frames
    inverted = read(save(dataset(GREY, "MONOCHROME1"), tmp_path / "b.dcm")).frames
    assert (straight == GREY).all()
    assert (inverted == 255 - GREY).all()


def test_16_bits_pass_through_the_window_as_pydicom_does_it(tmp_path):
    deep = (GREY.astype(np.int16) - 100) * 16
    window = {"WindowCenter": 300, "WindowWidth": 1500, "RescaleIntercept": -10, "RescaleSlope": 2}
    ds = dataset(deep, "MONOCHROME2", **window)
    wanted = apply_windowing(apply_modality_lut(deep, ds), ds)
    low, high = -10 - 2 * 2**15, -10 + 2 * (2**15 - 1)  # apply_windowing's output range
    clip = read(save(ds, tmp_path / "a.dcm"))
    assert far(clip.frames, np.rint((wanted - low) / (high - low) * 255)) <= 1
    assert set(np.unique(clip.frames)) >= {0, 255}


def test_12_bits_without_a_window_are_spread_over_all_greys(tmp_path):
    deep = GREY.astype(np.uint16) * 7 + 300
    for photometric in ("MONOCHROME2", "MONOCHROME1"):
        clip = read(save(dataset(deep, photometric, BitsStored=12), tmp_path / "a.dcm"))
        low, high = GREY.min(), GREY.max()
        wanted = np.rint((GREY - low) / (high - low) * 255)
        assert far(clip.frames, wanted if photometric[-1] == "2" else 255 - wanted) <= 1


def test_big_endian_16_bits(tmp_path):
    deep = (GREY.astype("<u2") * 200).astype(">u2")
    ds = dataset(deep, "MONOCHROME2", ExplicitVRBigEndian)
    clip = read(save(ds, tmp_path / "a.dcm"))
    little = dataset(deep.astype("<u2"), "MONOCHROME2")
    assert (clip.frames == read(save(little, tmp_path / "b.dcm")).frames).all()


def test_no_preamble_and_no_meta_header(tmp_path):
    ds = dataset(GREY, "MONOCHROME2")
    whole = save(ds, tmp_path / "a.dcm").read_bytes()
    length = int.from_bytes(whole[140:144], "little")
    bare = tmp_path / "bare"
    bare.write_bytes(whole[144 + length :])
    assert (read(bare).frames == GREY).all()


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
            ds.PixelData = ds.PixelData[: ds.PixelData.__len__() // 2 * 2] * 2
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


def vector(*times):
    return {"FrameTimeVector": list(times)}


RATES = [
    ({"FrameTime": 20, "CineRate": 30, "RecommendedDisplayFrameRate": 10}, 50),
    (vector(0, 40, 50, 30) | {"CineRate": 30}, 25),
    ({"FrameTime": 0, "CineRate": 30, "RecommendedDisplayFrameRate": 10}, 30),
    ({"FrameTime": -5, "CineRate": 0, "RecommendedDisplayFrameRate": 10}, 10),
    ({"FrameTime": 1e-9}, None),
    (vector(0), None),
    (vector(0, -4), None),
    ({"CineRate": 0}, None),
    ({}, None),
]


@pytest.mark.parametrize(("tags", "fps"), RATES)
def test_frame_rate(tags, fps, tmp_path):
    assert read(save(dataset(GREY, "MONOCHROME2", **tags), tmp_path / "a.dcm")).fps == fps


def region(left, top, right, bottom, kind=1, form=1, dx=0.05, dy=0.05, units=3):
    item = Dataset()
    item.RegionDataType, item.RegionSpatialFormat, item.RegionFlags = kind, form, 0
    item.RegionLocationMinX0, item.RegionLocationMinY0 = left, top
    item.RegionLocationMaxX1, item.RegionLocationMaxY1 = right, bottom
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = units
    item.PhysicalDeltaX, item.PhysicalDeltaY = dx, dy
    return item


SOUND = region(3, 2, 42, 31, dx=0.06, dy=-0.05)
BOX = Box(2, 3, 30, 40)
REGIONS = {
    "tissue, not the first": ([region(0, 0, 50, 9, kind=3, form=3), SOUND], BOX, (0.5, 0.6)),
    "largest of two": ([region(44, 0, 53, 30), SOUND], BOX, (0.5, 0.6)),
    "to the last pixel": ([region(0, 0, 55, 39)], Box(0, 0, 40, 56), (0.5, 0.5)),
    "counted from one": ([region(1, 1, 56, 40)], Box(1, 1, 39, 55), (0.5, 0.5)),
    "exceeds the frame": ([region(10, 5, 100, 39)], None, None),
    "of negative place": ([region(2**32 - 4, 0, 50, 39)], None, None),
    "upside down": ([region(50, 30, 3, 2)], None, None),
    "a colour box alone": ([region(3, 2, 42, 31, kind=2)], None, None),
    "not in centimetres": ([region(3, 2, 42, 31, units=0)], BOX, None),
    "without size": ([region(3, 2, 42, 31, dx=0.0)], BOX, None),
}


@pytest.mark.parametrize("name", REGIONS)
def test_region_and_spacing(name, tmp_path):
    regions, box, spacing = REGIONS[name]
    ds = dataset(GREY, "MONOCHROME2", SequenceOfUltrasoundRegions=regions)
    clip = read(save(ds, tmp_path / "a.dcm"))
    assert clip.region == box
    assert clip.spacing == (pytest.approx(spacing) if spacing else None)


def test_pixel_spacing_serves_where_there_is_no_region(tmp_path):
    ds = dataset(GREY, "MONOCHROME2", PixelSpacing=[0.4, 0.3])
    assert read(save(ds, tmp_path / "a.dcm")).spacing == (0.4, 0.3)


REFUSED = [
    ({"NumberOfFrames": 1}, "one frame"),
    ({"Modality": "MR"}, "modality is 'MR'"),
    ({"Modality": "SR"}, "modality is 'SR'"),
    ({"Rows": 0}, "no image"),
    ({"PhotometricInterpretation": "HSV"}, "'HSV'"),
    ({"BitsAllocated": 32, "BitsStored": 32}, "32 bits"),
    ({"NumberOfFrames": 9}, "truncated: 4 of its 9 frames"),
    ({"Rows": 60000, "Columns": 60000, "NumberOfFrames": 90000}, "GiB"),
]


@pytest.mark.parametrize(("tags", "reason"), REFUSED)
def test_what_cannot_be_a_clip_is_refused_with_the_reason(tags, reason, tmp_path):
    found = index(save(dataset(GREY, "MONOCHROME2", **tags), tmp_path / "a.dcm"))
    assert isinstance(found, Rejection)
    assert reason in found.reason


def test_transfer_syntax_without_decoder_is_named(tmp_path):
    mpeg = UID("1.2.840.10008.1.2.4.102")
    found = index(save(dataset([b"movie!"] * T, "YBR_FULL", mpeg), tmp_path / "a.dcm"))
    assert "MPEG-4 AVC/H.264" in found.reason
    assert str(mpeg) in found.reason


def test_truncation_is_seen_at_index_without_decoding(tmp_path, monkeypatch):
    native, jpeg = tmp_path / "a.dcm", tmp_path / "b.dcm"
    save(dataset(RGB), native)
    save(dataset(jpegs(), "YBR_FULL_422", JPEGBaseline8Bit), jpeg)
    import echokit_io.pixels

    monkeypatch.setattr(echokit_io.pixels, "_planes", lambda *_: pytest.fail("decoded"))
    native.write_bytes(native.read_bytes()[: -H * W * 3 - 1])
    jpeg.write_bytes(jpeg.read_bytes()[: -len(jpegs()[-1])])
    assert "truncated: 2 of its 4 frames" in index(native).reason
    assert "truncated: 3 of its 4 frames" in index(jpeg).reason


def test_damaged_frame_is_named(tmp_path):
    files = jpegs()
    files[2] = files[2][: len(files[2]) // 2 // 2 * 2]
    path = save(dataset(files, "YBR_FULL_422", JPEGBaseline8Bit), tmp_path / "a.dcm")
    with pytest.raises(ClipError, match="frame 3 of 4 cannot be decoded"):
        read(path)


def coded(value, meaning):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return [item]


VIEWS = [
    ({"ViewName": "a4c"}, "A4C"),
    ({"ViewName": "PSAX_P", "SeriesDescription": "PLAX"}, "PSAX-P"),
    ({"ViewName": "kl", "SeriesDescription": "PLAX"}, "PLAX"),
    ({"ViewCodeSequence": coded("399214001", "whatever")}, "A4C"),
    ({"ViewCodeSequence": coded("G-0", "Parasternal long axis")}, "PLAX"),
    ({"SeriesDescription": "KAPAP"}, "KAPAP"),
    ({"SeriesDescription": "ECHO COMPLETE"}, None),
    ({"ViewName": "of Quentin"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("tags", "view"), VIEWS)
def test_view(tags, view, tmp_path):
    assert index(save(dataset(GREY, "MONOCHROME2", **tags), tmp_path / "a.dcm")).view == view


@pytest.mark.parametrize("tags", [{"SyntheticData": "YES"}, {"Manufacturer": "Synthetic Co"}, {}])
def test_synthetic(tags, tmp_path):
    found = index(save(dataset(GREY, "MONOCHROME2", **tags), tmp_path / "a.dcm"))
    assert found.synthetic is bool(tags)


def test_patient_is_a_pseudonym_unless_asked_otherwise(tmp_path):
    path = save(dataset(GREY, "MONOCHROME2"), tmp_path / "a.dcm")
    hashed = index(path).patient
    (plain,) = resolve("loader", "files", source=str(path), patients="as-is").index()
    assert (hashed[:2], len(hashed), plain.patient) == ("P-", 12, "MRN-4711")


def test_name_of_a_patient_appears_nowhere(tmp_path, caplog, recwarn, capfd):
    caplog.set_level(logging.DEBUG)
    folder = tmp_path / "Muster_Quentin"
    folder.mkdir()
    save(dataset(GREY, "MONOCHROME2"), folder / "quentin-A4C.dcm")
    tags = {
        "PatientID": "MUSTER QUENTIN",
        "SeriesDescription": "QUENTIN",
        "FrameTime": 12345678.123,
    }
    odd = save(dataset(GREY, "MONOCHROME2", **tags), tmp_path / "odd.dcm")
    data = odd.read_bytes()
    assert b"12345678.123" in data
    odd.write_bytes(data.replace(b"12345678.123", b"Muster^Quen "))  # pydicom would quote it
    short = save(dataset(GREY, "MONOCHROME2"), tmp_path / "short.dcm")
    for cut in (200, 400, 700, 1000, 2000):
        (tmp_path / f"cut{cut}.dcm").write_bytes(short.read_bytes()[:cut])
    loader = resolve("loader", "files", source=str(tmp_path))
    said = []
    for found in loader.index():
        if isinstance(found, ClipRef):
            said.append(f"{found.clip} {found.patient} {found.view} {found.labels}")
            said.append(str(loader.read(found)))
        else:
            said.append(f"{found.reason} {found.patient} {found.view}")
    streams = capfd.readouterr()
    everything = " ".join([*said, caplog.text, *(str(w.message) for w in recwarn), *streams])
    assert len(said) >= 9
    assert "quentin" not in everything.lower()
    assert "muster" not in everything.lower()


def test_fingerprint_follows_the_bytes(tmp_path):
    import hashlib

    path = save(dataset(GREY, "MONOCHROME2"), tmp_path / "a.dcm")
    loader = resolve("loader", "files", source=str(path))
    assert isinstance(loader, SupportsFingerprint)
    (ref,) = loader.index()
    assert loader.fingerprint(ref) == hashlib.sha256(path.read_bytes()).hexdigest()


def is_clip_or_refused(path, shape):
    loader = resolve("loader", "files", source=str(path))
    for found in loader.index():
        try:
            clip = loader.read(found) if isinstance(found, ClipRef) else None
        except ClipError:
            clip = None
        if clip is not None:
            assert clip.frames.dtype == np.uint8
            assert clip.frames.ndim == 3
            assert clip.frames.nbytes <= 50 * np.prod(shape)


@pytest.mark.parametrize("form", ["native", "deep", "rle", "jpeg", "j2k", "deflated"])
def test_damaged_files_are_clips_or_refused(form, tmp_path):
    tags = {"SequenceOfUltrasoundRegions": [SOUND], "FrameTime": 20, "ViewName": "A4C"}
    ds = {
        "native": lambda: dataset(RGB[:2], **tags),
        "deep": lambda: dataset(GREY.astype(np.uint16), "MONOCHROME2", **tags),
        "rle": lambda: dataset(GREY, "MONOCHROME2", **tags),
        "j2k": lambda: dataset(GREY, "MONOCHROME2", **tags),
        "jpeg": lambda: dataset(jpegs(), "YBR_FULL_422", JPEGBaseline8Bit, **tags),
        "deflated": lambda: dataset(GREY, "MONOCHROME2", DeflatedExplicitVRLittleEndian, **tags),
    }[form]()
    if form in ("rle", "j2k"):
        syntax = RLELossless if form == "rle" else JPEG2000Lossless
        ds.compress(syntax, generate_instance_uid=False)
    path = save(ds, tmp_path / "a.dcm")
    whole, rng = path.read_bytes(), random.Random(form)
    for attempt in range(60):
        data = bytearray(whole)
        if attempt % 3 == 0:
            data = data[: rng.randrange(len(data))]
        else:
            span = 1200 if attempt % 3 == 1 else len(data)  # the header is where it matters
            for _ in range(rng.randint(1, 8)):
                data[rng.randrange(min(span, len(data)))] = rng.randrange(256)
        path.write_bytes(data)
        is_clip_or_refused(path, (T, H, W, 3))
