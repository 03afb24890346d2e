"""What a model knows of its own limits."""

from __future__ import annotations

import json
import shutil

import pytest

import echokit
from echokit.plugins import resolve
from echokit.report.study_page import build_study_page
from echokit.studies.limits import read_unlearned
from echokit.system.digests import Digests

PLACE = ("severity", "spatio-temporal")


def row(view, reason, split=0, task="severity"):
    place = {"task": task, "approach": "spatio-temporal", "view": view, "split": split}
    return place | {"reason": reason}


@pytest.fixture
def run(small_run, tmp_path):
    """A run of whose networks one did not learn."""
    shutil.copytree(small_run, tmp_path / "run")
    rows = [
        row("A4C", "it never predicts mild"),
        row("PLAX", ""),
        row("PSAX-P", "of another split", split=1),
        row("PSAX-P", "of another task", task="binary"),
    ]
    (tmp_path / "run" / "learning.json").write_text(json.dumps({"schema": 1, "rows": rows}))
    Digests.read(tmp_path / "run").record(["learning.json"])  # as if the run had written it
    return tmp_path / "run"


def test_networks_of_the_first_split_that_did_not_learn_are_read(run):
    assert read_unlearned(run, *PLACE) == {"A4C": "it never predicts mild"}


def test_a_run_of_an_earlier_version_accuses_no_network(run):
    (run / "learning.json").unlink()
    assert read_unlearned(run, *PLACE) == {}


@pytest.mark.slow
def test_a_prediction_says_which_of_its_networks_did_not_learn(run, tmp_path):
    views = ["PLAX", "A4C"]
    loader = resolve("loader", "phantom", patients=1, views=views, size=64, frames=20, files=0)
    clips = [loader.read(ref) for ref in loader.index()]
    model = echokit.load(run)
    result = model.predict(clips, view=views, saliency=False, judge_anyway=True)
    (subject,) = result.subjects
    said = {clip.view: clip.unlearned for clip in subject.clips}
    assert said == {"A4C": "it never predicts mild", "PLAX": ""}
    result.save(tmp_path / "out")
    clips = json.loads((tmp_path / "out" / "prediction.json").read_text())["subjects"][0]["clips"]
    assert {clip["view"]: clip["unlearned"] for clip in clips} == {
        "A4C": "it never predicts mild",
        "PLAX": None,
    }
    page = build_study_page(tmp_path / "out").read_text()
    assert page.count("The network of A4C did not learn") == 1
