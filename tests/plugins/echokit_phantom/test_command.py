"""`echokit data phantom`, which the plugin adds to a group of echokit."""

from __future__ import annotations

import csv

import pytest
from typer.testing import CliRunner

import echokit_phantom
from echokit.cli import app
from echokit.testing import check_commands


@pytest.mark.parametrize("form", ["dicom", "mp4"])
def test_it_writes_the_cohort_and_its_manifest(tmp_path, form):
    out = tmp_path / "cohort"
    words = ["--patients", "1", "--size", "40", "--frames", "4", "--format", form, "--seed", "3"]
    done = CliRunner().invoke(app, ["data", "phantom", "--out", str(out), *words])
    assert done.exit_code == 0, done.output
    assert str(out / "manifest.csv") in done.output.replace("\n", "")
    with (out / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert all(any(value in files for value in row.values()) for row in rows)
    assert any(name.endswith({"dicom": ".dcm", "mp4": ".mp4"}[form]) for name in files)


def test_its_command_keeps_the_contract():
    check_commands(echokit_phantom.register_commands)
