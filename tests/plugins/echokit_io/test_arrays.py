"""NumPy arrays, masks, and NIfTI where nibabel is there."""

import pickle

import cv2
import numpy as np
import pytest

from echokit import ClipError, ClipRef, resolve

RNG = np.random.default_rng(1)
GREY = RNG.integers(0, 256, (5, 18, 24), dtype=np.uint8)
RGB = RNG.integers(0, 256, (5, 18, 24, 3), dtype=np.uint8)


def read(path):
    loader = resolve("loader", "files", source=str(path))
    (item,) = loader.index()
    if isinstance(item, ClipRef):
        return loader.read(item)
    raise ClipError(item.reason)


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(GREY))
    assert (read(tmp_path / "a.npy").frames == GREY).all()
    np.save(tmp_path / "b.npy", RGB)
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in RGB])
    assert np.abs(read(tmp_path / "b.npy").frames.astype(int) - grey).max() <= 1
    np.save(tmp_path / "c.npy", GREY / np.float32(255))
    assert (read(tmp_path / "c.npy").frames == GREY).all()


def test_npz_with_all_that_it_may_hold(tmp_path):
    structures = (GREY > 128).astype(np.uint8) * 2
    np.savez(
        tmp_path / "a.npz",
        frames=GREY,
        fps=40,
        spacing=[0.3, 0.4],
        structures=structures,
        names=["RV", "LV"],
        synthetic=True,
    )
    clip = read(tmp_path / "a.npz")
    assert (clip.frames == GREY).all()
    assert (clip.fps, clip.spacing, clip.structure_names) == (40, (0.3, 0.4), ("RV", "LV"))
    assert (clip.structures == structures).all()
    (ref,) = resolve("loader", "files", source=str(tmp_path / "a.npz")).index()
    assert ref.synthetic


REFUSED = {
    "pickled": (np.array([GREY, None], dtype=object), "pickled"),
    "one frame": (GREY[:1], "one frame"),
    "flat": (GREY[0], r"shape is \(18, 24\)"),
    "RGBA": (np.concatenate([RGB, RGB[..., :1]], -1), "shape"),
    "empty": (GREY[:, :0], "empty"),
    "16 bits": (GREY.astype(np.uint16), "uint16"),
    "floats of 255": (GREY.astype(np.float32), r"scale them to \[0, 1\]"),
    "not numbers": (np.full((3, 4, 4), np.nan), r"scale them to \[0, 1\]"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("archive", [False, True])
def test_arrays_that_are_refused(name, archive, tmp_path):
    array, reason = REFUSED[name]
    if archive:
        np.savez(tmp_path / "a.npz", array)
    else:
        np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(ClipError, match=reason):
        read(tmp_path / ("a.npz" if archive else "a.npy"))


def test_nothing_is_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    for name, made in (("a.npy", np.array([Bomb()], dtype=object)), ("b.npy", Bomb())):
        if name == "a.npy":
            np.save(tmp_path / name, made, allow_pickle=True)
        else:
            (tmp_path / name).write_bytes(pickle.dumps(made))
        with pytest.raises(ClipError, match="pickle"):
            read(tmp_path / name)


def test_an_archive_must_say_which_array_is_the_clip(tmp_path):
    np.savez(tmp_path / "a.npz", one=GREY, two=GREY)
    with pytest.raises(ClipError, match="name the clip `frames`"):
        read(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"fps": 0}, "fps"),
        ({"fps": np.inf}, "its fps is inf: plausible are"),
        ({"fps": np.nan}, "fps"),
        ({"fps": 1e-297}, "its fps is 1e-297: plausible are"),
        ({"spacing": [0.0, 0.3]}, "spacing"),
        ({"spacing": [np.inf, 0.3]}, "pixels are inf x 0.3 mm"),
        ({"spacing": [0.3]}, "spacing"),
        ({"structures": GREY[:3], "names": ["a"]}, "structures are"),
        ({"structures": GREY, "names": ["a"]}, "1 are named"),
    ],
)
def test_what_lies_beside_the_frames_is_checked(extra, reason, tmp_path):
    np.savez(tmp_path / "a.npz", frames=GREY, **extra)
    with pytest.raises(ClipError, match=reason):
        read(tmp_path / "a.npz")


def test_a_header_that_claims_too_much_is_refused_before_it_is_believed(tmp_path):
    claimed = {"descr": "|u1", "fortran_order": False, "shape": (99999, 9999, 9999)}
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, claimed)
        file.write(GREY.tobytes())
    with pytest.raises(ClipError, match=r"limits\.pixels"):
        read(tmp_path / "a.npy")


def test_truncated(tmp_path):
    np.save(tmp_path / "a.npy", GREY)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-10])
    with pytest.raises(ClipError, match="truncated"):
        read(tmp_path / "a.npy")


def test_nifti(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(GREY.transpose(2, 1, 0)[:, :, None, :], np.eye(4))
    image.header.set_zooms((0.4, 0.3, 1.0, 0.02))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "a.nii.gz")
    clip = read(tmp_path / "a.nii.gz")
    assert (clip.frames == GREY).all()
    assert clip.spacing == pytest.approx((0.3, 0.4))
    assert clip.fps == pytest.approx(50)


@pytest.mark.parametrize(
    ("axis", "zoom", "reason"),
    [
        (1, 0.0, "pixels are"),
        (2, -0.3, "pixels are"),
        (1, np.nan, "pixels are"),
        (4, 0.0, "its time between frames is 0"),
        (4, -0.02, "its time between frames is -0.02"),
        (4, 1e30, "its time between frames is 1e+30"),
    ],
)
def test_a_nifti_whose_sizes_make_no_sense_is_refused(axis, zoom, reason, tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(GREY.transpose(2, 1, 0)[:, :, None, :], np.eye(4))
    image.header.set_zooms((0.4, 0.3, 1.0, 0.02))
    image.header.set_xyzt_units("mm", "sec")
    nibabel.save(image, tmp_path / "a.nii")
    data = bytearray((tmp_path / "a.nii").read_bytes())
    data[76 + 4 * axis : 80 + 4 * axis] = np.float32(zoom).tobytes()
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(ClipError) as caught:
        read(tmp_path / "a.nii")
    assert reason in str(caught.value)


def test_a_nifti_without_units_states_no_sizes(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(GREY.transpose(2, 1, 0), np.eye(4))
    nibabel.save(image, tmp_path / "a.nii")
    clip = read(tmp_path / "a.nii")
    assert (clip.fps, clip.spacing) == (None, None)


def test_scaled_and_big_endian_nifti_is_read_as_nibabel_reads_it(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    stored = (GREY.transpose(2, 1, 0) // 2).astype(">i2")
    image = nibabel.Nifti1Image(stored, np.eye(4), nibabel.Nifti1Header(endianness=">"))
    image.header.set_slope_inter(2, 1)
    nibabel.save(image, tmp_path / "a.nii.gz")
    wanted = np.asarray(nibabel.load(tmp_path / "a.nii.gz").dataobj).transpose(2, 1, 0)
    assert (read(tmp_path / "a.nii.gz").frames == np.rint(wanted)).all()


def test_a_nifti_that_ends_early_says_how_many_frames_there_are(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(GREY.transpose(2, 1, 0), np.eye(4)), tmp_path / "a.nii")
    (tmp_path / "a.nii").write_bytes((tmp_path / "a.nii").read_bytes()[:-10])
    with pytest.raises(ClipError, match="4 of its 5 frames"):
        read(tmp_path / "a.nii")


def test_nifti_without_nibabel_says_what_to_install(tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    (tmp_path / "a.nii").write_bytes(bytes(344) + b"n+1\x00" + bytes(100))
    with pytest.raises(ClipError, match="pip install nibabel"):
        read(tmp_path / "a.nii")
