"""Whom an object is of: never a guess."""

from __future__ import annotations

from dataclasses import replace

import pytest
from dicom_study import NAME, encoded, ultrasound, write

from echokit import UsageError, resolve
from echokit.testing import tiny_result


def test_a_result_of_no_file_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match=r"P1-A4C came from no file.*--write folder"):
        resolve("writer", "dicom-sr")(tiny_result(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_video_is_refused(result_of, tmp_path):
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"\0\0\0\x18ftypmp42")
    with pytest.raises(UsageError, match="from a file that is not DICOM"):
        resolve("writer", "dicom-sc")(result_of(path=video), tmp_path / "out")


def test_a_file_that_is_gone_is_refused(result_of, tmp_path):
    result = result_of()
    (tmp_path / "source-2").unlink()
    with pytest.raises(UsageError, match="P1-PLAX can no longer be read"):
        resolve("writer", "dicom-sr")(result, tmp_path / "out")


@pytest.mark.parametrize(
    ("tags", "told"), [({"study": 5}, "2 studies"), ({"patient": "another"}, "2 patient IDs")]
)
def test_clips_of_two_studies_or_patients_make_no_object(result_of, tmp_path, tags, told):
    result = result_of()
    other = write(ultrasound(9, **{"study": 2, "patient": "P1"} | tags), tmp_path / "other")
    mixed = replace(result, files={**result.files, "P1-PLAX": other})
    with pytest.raises(UsageError, match=f"are of {told}.*each study by itself"):
        resolve("writer", "dicom-sr")(mixed, tmp_path / "out")


def test_a_header_without_a_study_is_refused(result_of, tmp_path):
    ds = ultrasound(1)
    del ds.StudyInstanceUID
    with pytest.raises(UsageError, match="has no StudyInstanceUID"):
        resolve("writer", "dicom-sr")(result_of(path=write(ds, tmp_path / "x")), tmp_path / "out")


def test_a_damaged_header_is_refused_without_a_word_of_it(result_of, tmp_path):
    data = bytearray(encoded(ultrasound(1)))
    at = data.index(NAME.encode("latin-1"))
    data[at - 2 : at] = b"\xff\xff"  # a name of 65535 bytes
    path = tmp_path / "damaged"
    path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        resolve("writer", "dicom-sr")(result_of(path=path), tmp_path / "out")
    assert "stermann" not in str(caught.value)
