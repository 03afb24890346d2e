"""`echokit data check`: every file named, used or rejected."""

from __future__ import annotations

import json

import numpy as np

from echokit import Box, Clip, ClipError, ClipRef, Rejection
from echokit.clips.check import CheckReport, check_files, pixel_digest


def digest(frames):
    return pixel_digest(frames.shape, [frames])


def checked(loader):
    return CheckReport("source", tuple(check_files(loader)))


CLIPS = {
    "a": Clip(np.zeros((30, 40, 50), np.uint8), 25.0, (0.3, 0.3), Box(0, 0, 9, 9)),
    "b": Clip(np.zeros((12, 40, 50), np.uint8), 29.97),
    "c": Clip(np.zeros((12, 8, 6), np.uint8)),
    "d": Clip(np.zeros((12, 8, 6), np.uint8)),
}


class Loader:
    def index(self):
        yield ClipRef("a", "30", "A4C", {"grade": "1"}, "a.dcm", synthetic=True)
        yield Rejection("notes.txt", "it is not a clip")
        yield ClipRef("b", "130", None, {}, "b.mp4")
        yield ClipRef("broken", "30", "PLAX", {}, "broken.dcm")
        yield ClipRef("c", "30", "PLAX")

    def read(self, ref):
        if ref.clip == "broken":
            raise ClipError("transfer syntax 1.2.3 cannot be decoded")
        return CLIPS[ref.clip]


class WithCopies(Loader):
    def index(self):
        yield from super().index()
        yield ClipRef("d", "7", "A4C")


def test_every_file_is_named_once_with_its_state_and_reason():
    assert [(f.file, f.status, f.reason) for f in checked(Loader()).files] == [
        ("a", "used", ""),
        ("notes.txt", "rejected", "it is not a clip"),
        ("b", "used", ""),
        ("broken", "rejected", "transfer syntax 1.2.3 cannot be decoded"),
        ("c", "used", ""),
    ]


def test_a_used_clip_is_described():
    first, *_, last = checked(Loader()).used
    assert first.as_json() == {
        "file": "a",
        "status": "used",
        "reason": "",
        "clip": "a",
        "patient": "30",
        "view": "A4C",
        "frames": 30,
        "height": 40,
        "width": 50,
        "fps": 25.0,
        "spacing_mm": (0.3, 0.3),
        "region": True,
        "synthetic": True,
        "digest": digest(CLIPS["a"].frames),
        "study": "",
    }
    assert (last.facts.fps, last.facts.spacing_mm, last.facts.region) == (None, None, False)


def test_no_path_no_label_and_no_strange_view_is_shown():
    class Named(Loader):
        def index(self):
            yield ClipRef("a", "P-1", "Muster", {"name": "Muster"}, "Muster.dcm")

    shown = json.dumps(checked(Named()).to_json())
    assert '"view": "other"' in shown
    assert "Muster" not in shown


def test_the_summary_counts_what_the_rows_say():
    summary = checked(Loader()).summary
    assert (summary["files"], summary["used"], summary["rejected"]) == (5, 3, 2)
    assert summary["patients"] == 2
    assert summary["views"] == {"A4C": 1, "PLAX": 1, "unknown": 1}
    assert summary["frame_rates"] == {"25": 1, "29.97": 1, "unknown": 1}
    assert summary["sizes"] == {"40x50": 2, "8x6": 1}
    assert summary["frames"] == [12, 30]
    assert sum(summary["reasons"].values()) == 2
    assert summary["duplicates"] == []


def test_files_of_the_same_pixels_are_grouped_whatever_else_they_say():
    report = checked(WithCopies())
    assert report.duplicates == report.summary["duplicates"] == [["c", "d"]]
    assert any("same content" in warning for warning in report.warnings)


def test_a_pixel_and_the_shape_change_the_digest():
    frames = np.zeros((2, 3, 4), np.uint8)
    digests = {digest(frames), digest(frames.reshape(2, 4, 3))}
    frames[1, 2, 3] = 1
    assert len(digests | {digest(frames)}) == 3


def test_patients_with_several_examinations_are_counted():
    class Twice(Loader):
        def index(self):
            yield ClipRef("a", "30", "A4C", study="S-1")
            yield ClipRef("b", "30", "A4C", study="S-2")
            yield ClipRef("c", "7", "A4C", study="S-3")

    (warning,) = (w for w in checked(Twice()).warnings if "examinations" in w)
    assert warning.startswith("Patients with several examinations: 1.")


def test_nothing_found_is_a_summary_too_and_all_of_it_is_json():
    nothing = CheckReport("source", ())
    assert nothing.summary["frames"] == []
    assert nothing.summary["files"] == 0
    json.dumps(checked(WithCopies()).to_json(), allow_nan=False)


def test_the_table_has_a_row_for_each_file():
    report = checked(WithCopies())
    frame = report.to_frame()
    assert frame["file"].tolist() == [file.file for file in report.files]
    used = frame[frame["status"] == "used"]
    assert used["patient"].tolist() == [file.facts.patient for file in report.used]
    assert used["height"].tolist() == [40, 40, 8, 8]
    assert "<table" in report._repr_html_()


def test_clips_are_read_one_at_a_time():
    files = check_files(Loader())
    assert next(files).file == "a", "nothing is known of the later ones yet"
