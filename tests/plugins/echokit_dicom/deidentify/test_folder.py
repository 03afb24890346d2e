"""A folder of clips, cleaned: what is kept, what is left out, and that nobody is named."""

from __future__ import annotations

import json
import stat
import subprocess
import warnings
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
from dciodvfy import PROGRAM
from deidentified import NAMES, H, T, W, fan, leaks, screen, study, write_mp4
from files_loader import dataset, save
from pydicom import config, dcmread
from pydicom.datadict import DicomDictionary, dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.pixels import pixel_array
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian
from scipy import ndimage

from echokit import ClipRef, UsageError, key_file, resolve
from echokit_dicom.deidentify import dicom as written_dicom
from echokit_dicom.deidentify.folder import CLIPS, SHEETS, deidentify

TEXTS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")
LEFT_ALONE = {
    *("SpecificCharacterSet", "Modality", "PhotometricInterpretation", "PixelPresentation"),
    *("TransferSyntaxUID", "ViewName"),
}
"""Texts without which a file is no clip that can be read."""


def clip(number: int = 1, **tags: object) -> Dataset:
    return study(dataset(screen(number), "MONOCHROME2", **tags), number)


def cleaned(folder: Path) -> list[Path]:
    return sorted((folder / CLIPS).rglob("*.dcm")) + sorted((folder / CLIPS).rglob("*.mp4"))


def overgrown() -> Dataset:
    """A clip with a name in every attribute of the dictionary that is a text."""
    ds, names = clip(), cycle(NAMES)
    ds.SpecificCharacterSet = "ISO_IR 192"
    for tag, (vr, _, _, _, keyword) in DicomDictionary.items():
        group = tag >> 16
        if vr in TEXTS and keyword and keyword not in LEFT_ALONE and 4 < group < 0x7FE0:
            name = next(names)
            name = name.upper() if vr in ("CS", "AE") else name
            ds[keyword] = DataElement(tag, vr, name, validation_mode=config.IGNORE)
    item, below = Dataset(), Dataset()
    item.CodeMeaning, item.PatientName = next(names), next(names)
    below.TextValue = next(names)
    item.ContentSequence = Sequence([below])
    ds.RequestAttributesSequence = ds.ReferencedStudySequence = Sequence([item])
    ds.SequenceOfUltrasoundRegions[0].RegionDataType = 1
    ds.SequenceOfUltrasoundRegions[0].TransducerType = next(names).upper()
    ds.file_meta = dataset(screen(), "MONOCHROME2").file_meta
    private = ds.private_block(0x4321, next(names), create=True)
    private.add_new(1, "LO", next(names))
    private.add_new(2, "OB", next(names).encode("utf-16-le"))
    private.add_new(3, "SQ", Sequence([item]))
    ds.add_new(0x60000010, "US", 8)
    ds.add_new(0x60004000, "LT", next(names))
    ds.DataSetTrailingPadding = next(names).encode()
    ds.file_meta.SourceApplicationEntityTitle = next(names).upper()
    ds.file_meta.PrivateInformationCreatorUID = "1.2.3"
    ds.file_meta.PrivateInformation = next(names).encode()
    ds.preamble = next(names).encode("latin-1").ljust(128, b"\0")
    return ds


@pytest.fixture
def garden(tmp_path: Path) -> Path:
    """Names in every place in which one can stand: in paths, headers, sequences and metadata."""
    root = tmp_path / "in"
    folder = root / NAMES[0] / NAMES[1].title()
    folder.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names are no valid codes
        save(overgrown(), folder / f"{NAMES[2]}.dcm")
    latin = clip(2, PatientID="4711")
    latin.SpecificCharacterSet, latin.PatientName = "ISO_IR 100", f"{NAMES[30]}^{NAMES[31]}"
    save(latin, folder / NAMES[3])
    shown = {"title": NAMES[4], "comment": NAMES[5], "artist": NAMES[6].upper()}
    write_mp4(root / NAMES[7] / f"{NAMES[8]}_A4C.mp4", screen(3), **shown)
    (folder / f"{NAMES[9]}.txt").write_text(NAMES[10])
    (folder / f".{NAMES[11]}").write_text("a")
    (folder / f"{NAMES[12]}.png").write_bytes(b"\x89PNG" + NAMES[13].encode())
    save(clip(4, Modality=NAMES[14].upper()), folder / "odd.dcm")
    return root


def test_no_planted_name_stands_in_any_byte_or_path(garden, tmp_path, capfd):
    planted = {name for name in NAMES if leaks(garden, [name])}
    assert len(planted) == len(NAMES) == 40
    outcomes = deidentify(garden, tmp_path / "out")
    assert [one.status for one in outcomes].count("cleaned") == 3
    assert [one.reason for one in outcomes if one.reason] != []
    assert leaks(tmp_path / "out", NAMES) == []
    said = "".join(capfd.readouterr())
    assert [name for name in NAMES if name in said] == []
    assert {path.suffix for path in cleaned(tmp_path / "out")} == {".dcm", ".mp4"}


def test_a_damaged_header_is_left_out_or_names_nobody(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names are no valid codes
        whole = save(overgrown(), tmp_path / "whole.dcm").read_bytes()
    rng, end = np.random.default_rng(1), len(whole) - T * H * W - 200
    (tmp_path / "in").mkdir()
    for number in range(24):
        damaged = bytearray(whole.replace(b"1.2.826.1.1.1", b"1.2.826.1.%03d" % number))
        for at in rng.integers(132, end, int(rng.integers(1, 5))):
            damaged[at : at + 4] = rng.bytes(4)
        (tmp_path / "in" / f"{number}.dcm").write_bytes(damaged)
    outcomes = deidentify(tmp_path / "in", tmp_path / "out")
    assert {one.status for one in outcomes} == {"cleaned", "left out"}
    assert leaks(tmp_path / "out", NAMES) == []


def test_every_text_that_stays_is_one_that_echokit_wrote(garden, tmp_path):
    deidentify(garden, tmp_path / "out")
    for path in cleaned(tmp_path / "out"):
        if path.suffix == ".mp4":
            continue
        ds = dcmread(path)
        texts = {e.keyword for e in ds.iterall() if e.VR in TEXTS and e.value not in ("", None)}
        assert texts <= {
            *("ImageType", "Modality", "PatientName", "PatientID", "PatientIdentityRemoved"),
            *("DeidentificationMethod", "CodeValue", "CodingSchemeDesignator", "CodeMeaning"),
            *("LongitudinalTemporalInformationModified", "PhotometricInterpretation"),
            *("BurnedInAnnotation", "RecognizableVisualFeatures", "LossyImageCompression"),
            "ViewName",
        }
        assert not any(element.tag.is_private for element in ds.iterall())
        assert ds.preamble == b"\0" * 128


@pytest.mark.parametrize("colour", [False, True])
def test_pixels_stay_in_the_sector_and_are_black_elsewhere(colour, tmp_path):
    frames = screen(colour=colour)
    source = study(dataset(frames, "RGB" if colour else "MONOCHROME2"))
    (outcome,) = deidentify(save(source, tmp_path / "a.dcm"), tmp_path / "out")
    (path,) = cleaned(tmp_path / "out")
    shown = pixel_array(path)
    assert (outcome.colour, shown.shape) == (colour, frames.shape)
    kept = shown.any(axis=(0, 3) if colour else 0)
    assert not kept[~fan()].any()
    assert outcome.kept == pytest.approx(fan().mean(), abs=0.02)
    assert (shown[:, kept] == frames[:, kept]).all()


def test_video_is_the_same_in_the_sector_and_black_elsewhere(tmp_path):
    source = write_mp4(tmp_path / "in" / "30_A4C.mp4", screen())
    (outcome,) = deidentify(tmp_path / "in", tmp_path / "out")
    (path,) = cleaned(tmp_path / "out")
    before, after = (
        loader.read(next(iter(loader.index())))
        for loader in (resolve("loader", "files", source=str(p)) for p in (source, path))
    )
    kept = after.frames.any(axis=0)
    # the fit of an outline to lossy video is a few pixels wide
    assert not kept[~ndimage.binary_dilation(fan(), iterations=5)].any()
    assert kept[fan()].mean() > 0.9
    assert (after.frames[:, kept] == before.frames[:, kept]).all()
    assert (after.fps, outcome.view, outcome.attributes) == (30.0, "A4C", None)


def test_the_times_of_a_videos_frames_stay(tmp_path):
    times = [0.04 * n + (0.5 if n > 6 else 0.0) for n in range(T)]
    source = write_mp4(tmp_path / "in" / "30_A4C.mp4", screen(), times)
    deidentify(tmp_path / "in", tmp_path / "out")
    for path in (source, *cleaned(tmp_path / "out")):
        loader = resolve("loader", "files", source=str(path))
        clip = loader.read(next(iter(loader.index())))
        assert clip.times == pytest.approx(times, abs=0.001)


def test_the_header_says_what_was_done(tmp_path):
    deidentify(save(clip(ViewName="A4C"), tmp_path / "a.dcm"), tmp_path / "out")
    ds = dcmread(cleaned(tmp_path / "out")[0])
    codes = [(c.CodeValue, c.CodingSchemeDesignator) for c in ds.DeidentificationMethodCodeSequence]
    assert codes == [("113100", "DCM"), ("113101", "DCM"), ("113107", "DCM")]
    assert (ds.PatientIdentityRemoved, ds.BurnedInAnnotation) == ("YES", "NO")
    assert ds.LongitudinalTemporalInformationModified == "MODIFIED"
    assert (ds.ViewName, ds.ViewCodeSequence[0].CodeValue) == ("A4C", "399214001")
    assert ds.PatientID.startswith("P-")
    assert ds.file_meta.MediaStorageSOPInstanceUID == ds.SOPInstanceUID


def report(**tags: object) -> Dataset:
    ds = Dataset()
    ds.file_meta = clip().file_meta
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"
    ds.SOPInstanceUID, ds.Modality = "1.2.3", "SR"
    return ds


def test_what_cannot_be_cleaned_is_left_out_by_its_reason(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    still = dataset(screen()[:1], "MONOCHROME2")
    still.Rows, still.Columns = H, W
    save(still, root / "1.dcm")
    save(report(), root / "2.dcm")
    secondary = clip(3)
    secondary.SOPClassUID = secondary.file_meta.MediaStorageSOPClassUID = (
        "1.2.840.10008.5.1.4.1.1.7.2"
    )
    save(secondary, root / "3.dcm")
    frozen = dataset(np.repeat(screen()[:1], T, axis=0), "MONOCHROME2")
    frozen.Rows, frozen.Columns = H, W
    save(frozen, root / "4.dcm")
    np.save(root / "5.npy", screen())
    save(clip(6, Modality="MR"), root / "6.dcm")
    outcomes = deidentify(root, tmp_path / "out")
    assert [(one.file, one.status) for one in outcomes] == [
        (f"file {number}", "left out") for number in range(1, 7)
    ]
    wanted = ("still image", "modality is 'SR'", "SOP class", "No sector", "neither DICOM", "'MR'")
    for outcome, words in zip(outcomes, wanted, strict=True):
        assert words in outcome.reason
    assert cleaned(tmp_path / "out") == []
    listed = json.loads((tmp_path / "out" / "listing.json").read_text())
    assert (listed["cleaned"], listed["left_out"], len(listed["files"])) == (0, 6, 6)


def test_a_copy_that_is_not_black_outside_is_not_kept(tmp_path, monkeypatch):
    frames = [np.full((H, W), 9, np.uint8)] * T
    monkeypatch.setattr(written_dicom, "colour_frames", lambda path, count: iter(frames))
    (outcome,) = deidentify(save(clip(), tmp_path / "a.dcm"), tmp_path / "out")
    assert "not black outside the sector" in outcome.reason
    assert cleaned(tmp_path / "out") == []


def test_nothing_appears_where_the_disk_is_full(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(written_dicom, "write_dicom", full)
    with pytest.raises(OSError, match="No space"):
        deidentify(save(clip(), tmp_path / "a.dcm"), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


def test_the_same_secret_gives_the_same_names_and_another_one_others(tmp_path, monkeypatch):
    for number in (1, 2):
        save(clip(number), tmp_path / f"{number}.dcm")

    def names(out: str, secret: str) -> list[str]:
        monkeypatch.setenv("ECHOKIT_SALT", secret)
        deidentify(tmp_path / "1.dcm", tmp_path / out)
        found = dcmread(cleaned(tmp_path / out)[0])
        return [found.PatientID, found.StudyInstanceUID, found.SOPInstanceUID, found.StudyDate]

    assert names("a", "one") == names("b", "one")
    assert not set(names("c", "two")) & set(names("d", "one"))


def test_two_files_of_one_identifier_are_cleaned_once(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    for name in ("a.dcm", "b.dcm"):
        save(clip(), root / name)
    outcomes = deidentify(root, tmp_path / "out")
    assert [one.status for one in outcomes] == ["cleaned", "left out"]
    assert "that of another file" in outcomes[1].reason


def test_only_the_owner_may_open_it_and_go_back(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    save(clip(), root / "Muster.dcm")
    (root / "notes.txt").write_text("a")
    with key_file(tmp_path / "key.csv"):
        deidentify(root, tmp_path / "out")
    for path in (tmp_path / "out", tmp_path / "key.csv"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    rows = dict(line.split(",") for line in (tmp_path / "key.csv").read_text().splitlines())
    ds = dcmread(cleaned(tmp_path / "out")[0])
    assert rows[str(ds.PatientID)] == "MRN-4711"
    assert rows[str(ds.StudyInstanceUID)] == "1.2.826.1"
    assert (rows["file 1"], rows["file 2"]) == ("Muster.dcm", "notes.txt")


def test_the_copies_are_a_cohort_that_echokit_reads(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    save(clip(ViewName="PLAX"), root / "a.dcm")
    deidentify(root, tmp_path / "out")
    loader = resolve("loader", "files", source=str(tmp_path / "out" / CLIPS), patients="as-is")
    (ref,) = loader.index()
    assert isinstance(ref, ClipRef)
    assert (ref.view, ref.patient[:2]) == ("PLAX", "P-")
    assert loader.read(ref).fps == pytest.approx(1000 / 33.3)
    assert loader.read(ref).spacing == (pytest.approx(0.3), pytest.approx(0.3))


def test_each_patient_has_a_page_that_fetches_nothing(tmp_path):
    root = tmp_path / "in"
    root.mkdir()
    for number in (1, 2, 3):
        save(clip(number, PatientID=f"p{number % 2}"), root / f"{number}.dcm")
    deidentify(root, tmp_path / "out")
    pages = sorted((tmp_path / "out" / SHEETS).iterdir())
    assert [page.read_text().count("<figure>") for page in pages] in ([1, 2], [2, 1])
    for page in pages:
        text = page.read_text()
        assert "default-src 'none'" in text
        assert "http" not in text.replace("http-equiv", "")
        assert text.count("data:image/webp;base64,") == 2 * text.count("<figure>")


@pytest.mark.parametrize("out", ["in/out", "in", "full"])
def test_a_folder_that_cannot_be_written_is_refused(out, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("a")
    with pytest.raises(UsageError, match=r"is inside|not an empty folder"):
        deidentify(tmp_path / "in", tmp_path / out)


@pytest.mark.parametrize("view", ["A4C", "PSAX-A", ""])
def test_the_standard_s_own_checker_finds_no_error(view, tmp_path):
    source = save(clip(ViewName=view), tmp_path / "a.dcm")
    deidentify(source, tmp_path / "out")
    (path,) = cleaned(tmp_path / "out")
    found = subprocess.run([PROGRAM, path], capture_output=True, text=True, check=False)
    assert "USMultiFrameImage" in found.stdout + found.stderr
    assert [line for line in found.stderr.splitlines() if line.startswith("Error")] == []


def test_the_texts_of_the_dictionary_are_those_that_are_planted():
    assert len([e for e in overgrown() if e.VR in TEXTS]) > 1500
    assert dictionary_VR("PatientName") == "PN"
