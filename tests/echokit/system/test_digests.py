"""Digests of a folder's files: what was changed since is found, and said."""

import json

import pytest

from echokit import DamagedError
from echokit.system.digests import CHANGED, MISSING, NAME, Digests, read_sealed, write_sealed


@pytest.fixture
def folder(tmp_path):
    for name in ("a.json", "models/x/split-00.json", "models/y/split-01.json", "saliency/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "models" / "x" / ".split-00.part").touch()
    (tmp_path / "models" / "x" / "split-00.partial.json").touch()
    Digests(tmp_path).record(("a.json", "models/**/split-*", "saliency/**/*"))
    return tmp_path


def test_files_are_recorded_by_pattern_and_neither_hidden_nor_partial_ones(folder):
    assert set(Digests.read(folder).files) == {
        *("a.json", "models/x/split-00.json", "models/y/split-01.json", "saliency/b.png")
    }


def test_what_was_changed_or_removed_is_found_by_pattern(folder):
    digests = Digests.read(folder)
    assert digests.problems(("*",)) == {}
    (folder / "a.json").write_text("A.json")
    (folder / "models/y/split-01.json").unlink()
    (folder / "new").touch()
    assert digests.problem("new") == ""
    assert digests.problems(("*",)) == {"a.json": CHANGED, "models/y/split-01.json": MISSING}
    assert digests.problems(("models/x/*", "saliency/**/*")) == {}
    digests.require("models/**/split-*.json", missing=False)
    with pytest.raises(DamagedError, match=r"split-01\.json is damaged: it is missing"):
        digests.require("models/**/split-*.json")


def test_recording_again_follows_the_files(folder):
    digests = Digests.read(folder)
    (folder / "models/y/split-01.json").unlink()
    (folder / "models/x/split-00.json").write_text("other")
    digests.record(("models/**/split-*",))
    again = Digests.read(folder)
    assert again.problems(("*",)) == {}
    assert set(again.files) == {"a.json", "models/x/split-00.json", "saliency/b.png"}
    again.forget(("models/**/*",))
    assert set(Digests.read(folder).files) == {"a.json", "saliency/b.png"}


def test_a_folder_of_an_earlier_version_has_none(tmp_path):
    assert Digests.read(tmp_path).files == {}


@pytest.mark.parametrize("place", range(0, 200, 7))
def test_a_flipped_bit_of_a_sealed_file_is_noticed_wherever_it_is(tmp_path, place):
    path = tmp_path / NAME
    write_sealed(path, {"schema": 1, "files": {"a": "0" * 64, "b": "x"}, "n": [1.5, None, "ü"]})
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1
    path.write_bytes(content)
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    sealed = document is not None and "sha256" in document
    if document is not None and not sealed:  # the seal's own name: as in an earlier version
        return
    with pytest.raises(DamagedError, match=r"digests\.json is damaged"):
        read_sealed(path, "files")


def test_a_sealed_file_of_an_earlier_version_has_no_seal(tmp_path):
    (tmp_path / "run.json").write_text('{"stages": []}')
    assert read_sealed(tmp_path / "run.json", "stages") == {"stages": []}
