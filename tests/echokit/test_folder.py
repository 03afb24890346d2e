"""The folder of a run: begun with its recipe, gone on with, and never overwritten."""

from __future__ import annotations

import json
import tomllib

import pytest

from echokit import UsageError
from echokit.folder import RunFolder, next_free
from echokit.recipe import load_recipe
from echokit.system.machine import packages

pytestmark = pytest.mark.usefixtures("tiny_plugin")


@pytest.fixture
def recipe():
    return load_recipe("tiny-study", settings=["backbone.width=3"])


def state(folder: RunFolder):
    return json.loads((folder.path / "run.json").read_text())


def test_a_run_begins_with_its_resolved_recipe_and_its_environment(tmp_path, recipe):
    folder = RunFolder.create(tmp_path / "runs" / "one", recipe)
    names = {path.name for path in folder.path.iterdir()}
    assert names == {"recipe.toml", "environment.json", "run.json", "digests.json", ".lock"}
    assert folder.recipe() == recipe
    assert tomllib.loads((folder.path / "recipe.toml").read_text())["backbone"]["width"] == 3
    made_with = json.loads((folder.path / "environment.json").read_text())
    assert (made_with["seed"], made_with["recipe_digest"]) == (3, recipe.digest())
    assert set(made_with["packages"]) == set(packages())
    assert {"system", "cpu", "cores", "memory_gb", "device"} == set(made_with["machine"])
    assert state(folder)["stages"] == []
    assert state(folder)["finished"] is None


def test_the_environment_names_no_host_no_user_and_no_path(tmp_path, recipe):
    import getpass
    import platform

    folder = RunFolder.create(tmp_path / "one", recipe)
    text = (folder.path / "environment.json").read_text()
    assert platform.node() not in text
    assert str(tmp_path) not in text
    assert f'"{getpass.getuser()}"' not in text
    assert "/home" not in text


def test_a_run_is_never_written_over_another(tmp_path, recipe):
    (tmp_path / "one").mkdir()
    RunFolder.create(tmp_path / "one", recipe)
    with pytest.raises(UsageError, match=r"already exists.*--resume .*one.*--out"):
        RunFolder.create(tmp_path / "one", recipe)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="already exists"):
        RunFolder.create(tmp_path / "file", recipe)


@pytest.mark.parametrize("missing", ["run.json", "recipe.toml", None])
def test_a_folder_that_is_no_run_is_refused_with_what_to_type(tmp_path, recipe, missing):
    if missing:
        folder = RunFolder.create(tmp_path / "one", recipe)
        (folder.path / missing).unlink()
    with pytest.raises(UsageError, match=r"one is not a run.*`echokit run RECIPE`"):
        RunFolder.open(tmp_path / "one")


def test_a_run_that_was_begun_is_opened_as_it_was_left(tmp_path, recipe):
    folder = RunFolder.create(tmp_path / "one", recipe)
    with folder.step("cohort") as row:
        row["detail"] = "9 clips"
    opened = RunFolder.open(tmp_path / "one")
    assert opened.is_done("cohort")
    assert not opened.is_done("train")
    assert opened.state == folder.state
    assert opened.state["stages"][0]["detail"] == "9 clips"


def test_a_stage_that_fails_is_timed_but_not_done(tmp_path, recipe):
    folder = RunFolder.create(tmp_path / "one", recipe)

    def fail() -> None:
        with folder.step("train"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    [row] = state(folder)["stages"]
    assert (row["name"], row["done"]) == ("train", False)
    assert row["seconds"] >= 0
    assert row["peak_memory_mb"] > 0


def test_a_stage_done_again_keeps_one_row_and_adds_up_its_seconds(tmp_path, recipe, monkeypatch):
    folder = RunFolder.create(tmp_path / "one", recipe)
    clock = iter([0.0, 5.0, 10.0, 12.0, 20.0, 21.0])
    monkeypatch.setattr("echokit.system.cost.time.monotonic", lambda: next(clock))
    for name in ("cohort", "train", "cohort"):
        with folder.step(name):
            pass
    assert [(row["name"], row["seconds"]) for row in state(folder)["stages"]] == [
        ("cohort", 6.0),
        ("train", 2.0),
    ]


def test_a_finished_run_says_when(tmp_path, recipe):
    folder = RunFolder.create(tmp_path / "one", recipe)
    folder.finish()
    assert state(folder)["finished"] >= state(folder)["started"]


def test_the_store_is_shared_by_the_runs_beside_each_other(tmp_path, recipe):
    first, second = (RunFolder.create(tmp_path / "runs" / name, recipe) for name in "ab")
    assert first.store == second.store == tmp_path / "runs" / "store.zarr"


def test_a_taken_name_is_numbered(tmp_path):
    names = []
    for _ in range(3):
        path = next_free(tmp_path, "ph-newborn")
        path.mkdir()
        names.append(path.name)
    assert names == ["ph-newborn", "ph-newborn-2", "ph-newborn-3"]
