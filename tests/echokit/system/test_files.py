"""Files appear whole or not at all."""

import errno
import json

import pytest

from echokit.system.checked import read_json
from echokit.system.files import whole_file, whole_folder, write_json, write_text


def test_a_block_that_ends_well_leaves_the_file_and_nothing_beside_it(tmp_path):
    with whole_file(tmp_path / "deep" / "a.txt") as partial:
        partial.write_text("done")
        assert not (tmp_path / "deep" / "a.txt").exists()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.txt"]
    assert (tmp_path / "deep" / "a.txt").read_text() == "done"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, error):
    write_text(tmp_path / "a.txt", "old")

    def fail() -> None:
        with whole_file(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_block_that_writes_nothing_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").read_text() == "old"


def test_the_partial_file_keeps_its_suffix_since_writers_go_by_it(tmp_path):
    with whole_file(tmp_path / "a.tar.gz") as partial:
        partial.touch()
        assert partial.suffix == ".gz"
        assert partial.parent == tmp_path


def test_json_round_trips(tmp_path):
    value = {"view": "PSAX-P", "share": 0.1, "none": None, "name": "Zürich"}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("nan")]}])
def test_json_has_no_word_for_nan_so_nothing_is_written(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", value)
    assert list(tmp_path.iterdir()) == []


def test_text_is_utf_8_and_replaces_what_was_there(tmp_path):
    write_text(tmp_path / "a.json", "{}")
    write_text(tmp_path / "a.json", json.dumps("é", ensure_ascii=False))
    assert (tmp_path / "a.json").read_bytes() == '"é"'.encode()


def fill(path, text):
    with whole_folder(path) as partial:
        (partial / "a.txt").write_text(text)


def test_a_folder_is_there_once_it_is_full_and_nothing_beside_it(tmp_path):
    with whole_folder(tmp_path / "deep" / "out") as partial:
        (partial / "a.txt").write_text("done")
        assert not (tmp_path / "deep" / "out").exists()
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "empty", "done")
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]
    assert (tmp_path / "deep" / "out" / "a.txt").read_text() == "done"
    assert (tmp_path / "empty" / "a.txt").read_text() == "done"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_folder_that_fails_leaves_nothing(tmp_path, error):
    def fail() -> None:
        with whole_folder(tmp_path / "out") as partial:
            (partial / "a.txt").write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_stays_as_it_is(tmp_path):
    fill(tmp_path / "out", "first")
    with pytest.raises(OSError) as refused:  # noqa: PT011 - its number is what counts
        fill(tmp_path / "out", "second")
    assert refused.value.errno == errno.ENOTEMPTY
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "a.txt").read_text() == "first"
