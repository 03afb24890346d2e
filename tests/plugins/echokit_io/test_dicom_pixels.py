"""DICOM pixels: written clips of every form, and damaged ones."""

import random
from io import BytesIO

import numpy as np
import pytest
from files_loader import H, T, W, dataset, far, index, luma, read, save
from PIL import Image
from pydicom.pixels import apply_modality_lut, apply_windowing
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from echokit import ClipError, ClipRef, resolve


def movie(channels=3):
    y, x = np.mgrid[:H, :W]
    waves = [np.sin(x / 9 + t + c) + np.cos(y / (7 + c)) for t in range(T) for c in range(channels)]
    return np.rint((np.stack(waves) + 2) * 63.75).astype(np.uint8).reshape(T, channels, H, W)


RGB = movie().transpose(0, 2, 3, 1).copy()
GREY = movie(1)[:, 0]


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


@pytest.mark.parametrize(("hot", "type_"), [(65535, np.uint16), (-32768, np.int16)])
def test_one_faulty_pixel_of_16_bits_makes_no_clip_black(hot, type_, tmp_path):
    deep = GREY.astype(type_) * 4 + 300
    sound = read(save(dataset(deep, "MONOCHROME2"), tmp_path / "a.dcm")).frames
    deep[1, 3, 5] = hot
    clip = read(save(dataset(deep, "MONOCHROME2"), tmp_path / "b.dcm"))
    assert far(np.delete(clip.frames, 1, 0), np.delete(sound, 1, 0)) <= 2
    assert clip.frames[1, 3, 5] == (255 if hot > 0 else 0)


def test_many_bright_pixels_are_no_fault(tmp_path):
    deep = GREY.astype(np.uint16)
    deep[:, :4] = 4000
    clip = read(save(dataset(deep, "MONOCHROME2"), tmp_path / "a.dcm"))
    assert (clip.frames[:, :4] == 255).all()
    assert clip.frames[:, 4:].max() <= 17


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


def test_transfer_syntax_without_decoder_is_named(tmp_path):
    mpeg = UID("1.2.840.10008.1.2.4.102")
    item = index(save(dataset([b"movie!"] * T, "YBR_FULL", mpeg), tmp_path / "a.dcm"))
    assert "MPEG-4 AVC/H.264" in item.reason
    assert str(mpeg) in item.reason


def test_truncation_is_seen_at_index_without_decoding(tmp_path, monkeypatch):
    native, jpeg = tmp_path / "a.dcm", tmp_path / "b.dcm"
    save(dataset(RGB), native)
    save(dataset(jpegs(), "YBR_FULL_422", JPEGBaseline8Bit), jpeg)
    import echokit_io.dicom_pixels

    monkeypatch.setattr(echokit_io.dicom_pixels, "_planes", lambda *_: pytest.fail("decoded"))
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


def is_clip_or_refused(path, shape):
    loader = resolve("loader", "files", source=str(path))
    for item in loader.index():
        try:
            clip = loader.read(item) if isinstance(item, ClipRef) else None
        except ClipError:
            clip = None
        if clip is not None:
            assert clip.frames.dtype == np.uint8
            assert clip.frames.ndim == 3
            assert clip.frames.nbytes <= 50 * np.prod(shape)


@pytest.mark.parametrize("form", ["native", "deep", "rle", "jpeg", "j2k", "deflated"])
def test_damaged_files_are_clips_or_refused(form, tmp_path):
    tags = {"PixelSpacing": [0.4, 0.3], "FrameTime": 20, "ViewName": "A4C"}
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
