"""A damaged file of a run ends in the same result or in a sentence that names it, never silently.

The full attack damages every file in four ways and gives each to three commands; the short one a
few files that are read by different readers.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import warnings

import numpy as np
import pytest

from echokit import DamagedError, UsageError, load
from echokit.cli import console, main
from echokit.clips.store import Store
from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs import carry_out, start
from echokit.system.checked import read_csv
from echokit.system.digests import DamageWarning

pytestmark = [pytest.mark.usefixtures("tiny_plugin"), pytest.mark.slow]

SETTINGS = [
    *("split.splits=1", "train.n=1", "crossfit.folds=2", "study.patients=1", "report.examples=1"),
    *('views.use=["A4C"]', 'data.views=["A4C"]', "evaluate.bootstrap=20"),
]
DAMAGES = {
    "empty": lambda content: b"",
    "half": lambda content: content[: len(content) // 2],
    "junk": lambda content: np.random.default_rng(0).bytes(len(content)),
    "flip": lambda content: content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
}
WEIGHTS = "models/severity/spatio-temporal/A4C/split-00"


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    return tmp_path_factory.mktemp("damage")


@pytest.fixture
def whole(parent, tiny_plugin):
    """The folder of a finished run and its store, made once; no test changes it."""
    folder = parent / "runs"
    if not folder.exists():
        recipe = load_recipe("tiny-study", settings=SETTINGS)
        start.finish(RunFolder.create(folder / "one", recipe), resumed=False)
    return folder


@pytest.fixture
def run(whole, tmp_path):
    """A copy of the run that a test may damage."""
    return shutil.copytree(whole, tmp_path / "runs") / "one"


@pytest.fixture
def echokit(monkeypatch, capfd, tmp_path):
    """Run a command in this process; return its exit code, standard output and error."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # main sets its own
    for terminal in (console.out, console.err):
        monkeypatch.setattr(terminal, "_width", 200)
    (tmp_path / "study").mkdir()

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["echokit", *map(str, words)])
        code = 0
        with warnings.catch_warnings():
            warnings.simplefilter("always", DamageWarning)
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
        return code, *capfd.readouterr()

    return call


def damage(path, kind):
    path.write_bytes(DAMAGES[kind](path.read_bytes()))


def results(run):
    """What a run found: every result file, without times and records."""
    found = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_file() and not name.startswith("report/"):
            content = path.read_bytes()
            if name.startswith("models/") and name.endswith(".json"):
                description = json.loads(content)
                for epoch in description["history"]:
                    epoch["seconds"] = 0
                content = json.dumps(description).encode()
            if name not in ("run.json", "digests.json", "environment.json"):
                found[name] = content
    return found


def commands(run, tmp_path):
    yield "report", ("report", run)
    yield "predict", ("predict", run, tmp_path / "study", "--json", "--out", tmp_path / "out")
    yield "resume", ("run", "--resume", run, "--quiet")


SHORT = [
    ("run.json", "half", "report"),
    ("digests.json", "junk", "predict"),
    ("recipe.toml", "empty", "resume"),
    ("cohort.csv", "junk", "predict"),
    ("metrics.json", "empty", "report"),
    ("crossfit.parquet", "flip", "predict"),
    (f"{WEIGHTS}.json", "half", "resume"),
    (f"{WEIGHTS}.safetensors", "flip", "predict"),
]
"""File, damage and the command that meets it."""


def attack(echokit, run, whole, name, kind, tmp_path, only=""):
    """Give a run with one damaged file to three commands, the one that repairs it at last."""
    damage(run / name, kind)
    for command, words in commands(run, tmp_path):
        if only not in ("", command):
            continue
        code, out, err = echokit(*words)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        said = run.name in err and name.rpartition("/")[2] in err
        assert code in (0, 2, 3), (command, code, err)
        if code:
            assert said, (command, "names no file", err)
            assert "echokit " in err, (command, "says nothing to type", err)
        elif command == "predict":
            subjects = json.loads(out)["subjects"]
            assert said or subjects == json.loads((whole.parent / "good.json").read_text())
        elif command == "resume":
            assert results(run) == results(whole / "one"), (name, kind)
            assert said or (run / name).read_bytes() == (whole / "one" / name).read_bytes()


@pytest.fixture
def good(whole, echokit, tmp_path):
    """The prediction of the undamaged run."""
    file = whole.parent / "good.json"
    if not file.exists():
        words = dict(commands(whole / "one", tmp_path))["predict"]
        file.write_text(json.dumps(json.loads(echokit(*words)[1])["subjects"]))
        shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize(("name", "kind", "command"), SHORT)
@pytest.mark.usefixtures("good")
def test_a_damaged_file_ends_in_the_same_result_or_in_a_sentence(
    echokit, run, whole, name, kind, command, tmp_path
):
    attack(echokit, run, whole, name, kind, tmp_path, command)


if "ECHOKIT_ATTACK" in os.environ:  # `make attack`

    @pytest.mark.usefixtures("good")
    def test_every_file_damaged_in_every_way(echokit, whole, tmp_path):
        tried = 0
        for name in results(whole / "one") | dict.fromkeys(("run.json", "digests.json")):
            for kind in DAMAGES:
                shutil.rmtree(tmp_path / "runs", ignore_errors=True)
                run = shutil.copytree(whole, tmp_path / "runs") / "one"
                attack(echokit, run, whole, name, kind, tmp_path)
                tried += 3
        print(f"{tried} commands on damaged runs, none silent, none with a traceback")


def test_damaged_prepared_clips_are_prepared_again_and_said(run, whole):
    keys = read_csv(run / "cohort.csv")["content"]
    shards = [next((run.parent / "store.zarr" / key).rglob("frames/c/0/0/0")) for key in keys[:2]]
    shards[0].unlink()
    damage(shards[1], "flip")
    folder = RunFolder.open(run)
    with pytest.warns(DamageWarning) as said:
        carry_out(folder.recipe(), folder)
    assert [key in str(one.message) for key, one in zip(keys[:2], said, strict=True)] == [True] * 2
    assert results(run) == results(whole / "one")
    assert [Store(run.parent / "store.zarr").problem(key) for key in keys[:2]] == ["", ""]


def test_weights_that_changed_after_training_are_refused_by_name(run, tmp_path):
    damage(run / f"{WEIGHTS}.safetensors", "flip")
    (tmp_path / "study").mkdir()
    with pytest.raises(DamagedError, match=r"A4C/split-00\.safetensors is damaged: its content"):
        load(run).predict(tmp_path / "study")
    (run / f"{WEIGHTS}.safetensors").unlink()
    with pytest.raises(DamagedError, match=r"A4C/split-00\.safetensors is damaged: it is missing"):
        load(run)


def test_a_run_of_an_earlier_version_opens_and_says_that_it_has_no_digests(run, tmp_path):
    (run / "digests.json").unlink()
    state = json.loads((run / "run.json").read_text())
    del state["sha256"]
    (run / "run.json").write_text(json.dumps(state))
    for path in run.glob("models/**/*.json"):
        description = json.loads(path.read_text())
        del description["weights_sha256"]
        path.write_text(json.dumps(description))
    (tmp_path / "study").mkdir()
    with pytest.warns(DamageWarning, match="before digests were kept: changed weights cannot be"):
        assert load(run).predict(tmp_path / "study").subjects
    (run / "metrics.json").write_text("{")
    folder = RunFolder.open_to_resume(run)
    with pytest.warns(DamageWarning) as said:
        start.finish(folder, resumed=True)
    assert ["before digests were kept" in str(one.message) for one in said] == [True, False]
    assert "metrics.json is damaged" in str(said[1].message)
    assert json.loads((run / "metrics.json").read_text())["rows"]
    assert not (run / ".lock").exists()


def test_a_run_is_carried_out_by_one_process_at_a_time(run):
    folder = RunFolder.open_to_resume(run)
    with pytest.raises(UsageError, match="works in"):
        RunFolder.open_to_resume(run)
    start.finish(folder, resumed=True)
    RunFolder.open_to_resume(run).release()


def test_a_run_folder_that_is_removed_midway_is_not_begun_again(run, monkeypatch):
    def remove(*_):
        shutil.rmtree(run)
        return "gone"

    monkeypatch.setattr("echokit.runs.train.step", remove)
    folder = RunFolder.open_to_resume(run)
    with pytest.raises(UsageError, match="was removed while the run worked in it"):
        start.finish(folder, resumed=True)
    assert not (run / "run.json").exists()


def test_doctor_checks_a_run_whole_and_says_what_is_made_again(run, echokit):
    code, out, _ = echokit("doctor", run)
    assert (code, out.split(", ")[1]) == (0, "0 damaged.\n")
    damage(run / f"{WEIGHTS}.safetensors", "flip")
    damage(run / "metrics.json", "empty")
    (run / "crossfit.parquet").unlink()
    keys = read_csv(run / "cohort.csv")["content"]
    shutil.rmtree(run.parent / "store.zarr" / keys[0])
    (run / "recipe.toml").write_text("seed = 3")
    code, out, _ = echokit("doctor", run, "--json")
    found = {one["file"]: one for one in json.loads(out)["problems"]}
    assert code == 2
    assert set(found) == {
        *("metrics.json", "crossfit.parquet", "recipe.toml", f"{WEIGHTS}.safetensors"),
        f"../store.zarr/{keys[0]}",
    }
    for name, one in found.items():
        again = "correct it" if name == "recipe.toml" else f"echokit run --resume {run}"
        assert again in one["remedy"]
