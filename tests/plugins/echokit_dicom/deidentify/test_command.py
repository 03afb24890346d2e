"""`echokit data deidentify`."""

from __future__ import annotations

import sys

import pytest
from deidentified import screen, study
from files_loader import dataset, save

from echokit.cli import main


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    """Type the command; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["echokit", "data", "deidentify", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def clips(tmp_path):
    (tmp_path / "in").mkdir()
    save(study(dataset(screen(), "MONOCHROME2")), tmp_path / "in" / "Muster.dcm")
    (tmp_path / "in" / "notes.txt").write_text("a")
    return tmp_path / "in"


def test_it_says_what_it_did_and_names_nobody(clips, tmp_path, monkeypatch, capsys):
    key = tmp_path / "key.csv"
    assert run(monkeypatch, clips, tmp_path / "out", "--key-file", key) == 0
    said = capsys.readouterr().out
    assert "2 files: 1 cleaned, of 1 patients" in said
    assert "left out: file 2: it is not a clip" in said
    assert "Muster" not in said
    assert "Muster.dcm" in key.read_text()


def test_nothing_cleaned_is_exit_code_3(tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    assert run(monkeypatch, tmp_path / "in", tmp_path / "out") == 3
    assert (tmp_path / "out" / "listing.csv").is_file()


def test_a_key_beside_the_copies_is_refused(clips, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    assert run(monkeypatch, clips, out, "--key-file", out / "key.csv") == 2
    assert "keep it elsewhere" in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


def test_limits_of_reading_can_be_set(clips, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, clips, tmp_path / "a", "--set", "limits.frames=2") == 3
    assert "more than the 2 frames" in capsys.readouterr().out
    assert run(monkeypatch, clips, tmp_path / "b", "--set", "colour=keep") == 2
    assert "limits.memory=2000" in " ".join(capsys.readouterr().err.split())
