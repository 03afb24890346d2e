"""`--isolate` has files read in another process, in each command that reads them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

import echokit_io.isolated
from echokit.cli import app
from echokit.errors import RecipeError
from echokit.recipe.settings import isolating
from echokit.testing import tiny_result


@pytest.fixture
def folder(tmp_path):
    """Two clips of noise with a manifest."""
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", rng.integers(0, 255, (20, 64, 64), np.uint8))
    rows = "clip,patient,view,file,grade\na,1,A4C,a.npy,0\nb,2,A4C,b.npy,2\n"
    (tmp_path / "manifest.csv").write_text(rows)
    return tmp_path


@pytest.fixture
def examined(monkeypatch):
    """The files that another process was asked about."""
    asked, real = [], echokit_io.isolated.Isolated.examine
    monkeypatch.setattr(
        echokit_io.isolated.Isolated,
        "examine",
        lambda self, path: asked.append(path.name) or real(self, path),
    )
    return asked


def invoke(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.mark.parametrize("recipe", [(), ("--recipe", "ph-newborn")])
def test_data_are_checked_in_another_process(folder, examined, recipe):
    before = json.loads(invoke("data", "check", folder, "--json", *recipe))
    assert examined == []
    after = json.loads(invoke("data", "check", folder, "--json", "--isolate", *recipe))
    assert set(examined) == {"a.npy", "b.npy"}
    assert after == before


def test_a_run_reads_its_data_in_another_process(folder, examined):
    words = ("run", "ph-newborn", "--data", folder, "--dry-run", "--set", "split.splits=1")
    with pytest.raises(Exception, match="patients"):  # two patients cannot be split
        invoke(*words, "--isolate")
    assert set(examined) == {"a.npy", "b.npy"}


def test_a_cohort_that_is_no_file_is_refused_by_the_option(tmp_path):
    with pytest.raises(RecipeError, match=r"phantom.* has no option 'isolate'"):
        invoke("run", "ph-newborn", "--preset", "quick", "--isolate", "--dry-run")


def test_the_test_cohort_is_isolated_too_if_there_is_one():
    assert isolating(True, "data", "test") == ["data.isolate=true", "test.isolate=true"]
    assert isolating(True, "") == ["isolate=true"]
    assert isolating(False, "data") == []


def test_a_study_is_read_in_another_process(monkeypatch, tmp_path):
    given = []

    def predict(*sources, **options):
        given.append(options["options"])
        return tiny_result()

    model = SimpleNamespace(predict=predict, folder=tmp_path / "run")
    monkeypatch.setattr("echokit.load", lambda *args, **options: model)
    for number, more in enumerate([(), ("--isolate", "--set", "colour=remove")]):
        invoke("predict", "run", "study", "--out", tmp_path / f"{number}", *more)
    assert given == [{}, {"colour": "remove", "isolate": True}]
