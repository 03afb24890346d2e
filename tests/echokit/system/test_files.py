"""Files appear whole or not at all."""

import json

import pytest

from echokit.system.files import read_json, whole, write_json, write_text


def test_a_block_that_ends_well_leaves_the_file_and_nothing_beside_it(tmp_path):
    with whole(tmp_path / "deep" / "a.txt") as partial:
        partial.write_text("done")
        assert not (tmp_path / "deep" / "a.txt").exists()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.txt"]
    assert (tmp_path / "deep" / "a.txt").read_text() == "done"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, error):
    write_text(tmp_path / "a.txt", "old")

    def fail() -> None:
        with whole(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_block_that_writes_nothing_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(FileNotFoundError), whole(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").read_text() == "old"


def test_the_partial_file_keeps_its_suffix_since_writers_go_by_it(tmp_path):
    with whole(tmp_path / "a.tar.gz") as partial:
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
