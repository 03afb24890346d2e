"""`echokit data check`: what it prints of examinations."""

from __future__ import annotations

import sys

import pytest
from deidentified import screen, study
from files_loader import dataset, save

from echokit.cli import main


def test_examinations_are_shown_and_told_apart(tmp_path, monkeypatch, capsys):
    for number, day in enumerate(("20240101", "20240101", "20240301")):
        ds = study(dataset(screen(number), "MONOCHROME2", ViewName="A4C"), number)
        ds.StudyDate = day
        save(ds, tmp_path / f"{number}.dcm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["echokit", "data", "check", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().out
    shown = [word for word in said.split() if word.startswith("S-")]
    assert shown[0] == shown[1] != shown[2]
    assert "Patients with several examinations: 1" in said
    assert "20240101" not in said
