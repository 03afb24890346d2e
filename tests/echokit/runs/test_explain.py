"""What a run explains: the predicted class, the typical sequence, the network of its own split."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file

from echokit import ClipError, Prediction
from echokit.components.networks import make_model
from echokit.folder import RunFolder
from echokit.networks.checkpoint import save_tensors
from echokit.recipe import load_recipe
from echokit.runs.context import Run
from echokit.runs.explain import SlowWarning, _explain_job, explain_into
from echokit.runs.jobs import jobs_of
from echokit.runs.start import open_run
from echokit.system.files import write_json
from echokit.voting.table import Place, PredictionTable, Row

pytestmark = pytest.mark.usefixtures("tiny_plugin")


def begin(path, *settings) -> Run:
    recipe = load_recipe(
        "tiny-study", settings=["report.examples=2", "prepare.flip=false", *settings]
    )
    return open_run(RunFolder.create(path / "runs" / "one", recipe).path)


def save_network(run, job, network):
    """Leave a network as training does: weights, and what they are."""
    save_tensors(run.weights(job), network.state_dict())
    write_json(run.weights(job).with_suffix(".json"), {"classes": ["none", "severe"]})


def predict_severe(run, job):
    """Every clip is predicted severe, most clearly by the sequence that starts at frame 2."""
    place = Place(job.task, job.approach, job.view, job.split)
    for item in run.population.items(job, "test"):
        label = ("none", "severe")[item.label]
        whole = Prediction("severe", 0.9, np.array([0.1, 0.9]))
        yield Row("view", place, "p", label, whole, item.clip)
        for start, p in ((0, 0.6), (2, 0.9), (5, 0.7)):
            single = Prediction("severe", p, np.array([1 - p, p]))
            yield Row("sequence", place, "p", label, single, item.clip, start)


def test_the_class_explained_is_the_predicted_one_not_the_true_one(tmp_path, parts):
    """All are predicted severe; half of them truly are not."""
    run = begin(tmp_path)
    job = jobs_of(run)[0]
    save_network(run, job, make_model(run.recipe, 2))
    table, out = PredictionTable.of(predict_severe(run, job)), run.folder.path
    maps = [c.as_json(out) for c in _explain_job(run, job, table, out, lambda n: None)]
    assert sorted(m["label"] for m in maps) == ["none", "none", "severe", "severe"]
    for one in maps:
        assert (one["predicted"], one["start"]) == ("severe", 2)
        with np.load(out / one["array"]) as saved:
            assert saved["saliency"].shape == saved["frames"].shape == (4, 16, 16)
        square = one["scores"]["structures"]["square"]
        assert square["energy"] > 5 * square["area"], "transposed or shifted in time"
        assert one["scores"]["verdict"]["passed"] is False, "it ignores the network"
    assert set(parts.TinyPlugin.targets) == {1}


class Expensive:
    """The tiny explainer, but it says that a map takes 1000 passes."""

    def __init__(self, cheap):
        self.cheap = cheap

    def __call__(self, model, sequence, target):
        return self.cheap(model, sequence, target)

    def passes(self, shape):
        assert shape == (1, 4, 16, 16)
        return 1000


@pytest.mark.parametrize(("each", "maps"), [(3, 3), (0, 1)])
def test_an_expensive_explainer_explains_fewer_and_says_so(tmp_path, each, maps):
    """Four predictions of each network are asked for, and passes are left for `each` of them."""
    run = begin(tmp_path, "split.splits=1", "report.passes=1")
    jobs = jobs_of(run)
    report = run.recipe.report.model_copy(update={"passes": max(1, each * len(jobs) * 26_000)})
    run = replace(run, recipe=run.recipe.model_copy(update={"report": report}))
    for job in jobs:
        save_network(run, job, make_model(run.recipe, 2))
    rows = [row for job in jobs for row in predict_severe(run, job)]
    PredictionTable.of(rows).write(run.folder.predictions)
    for approach, parts in run.parts.items():
        run.parts[approach] = replace(parts, explainer=Expensive(parts.explainer))
    every = rf"Explaining {4 * len(jobs)} predictions by .* takes {104_000 * len(jobs):,} passes"
    with pytest.warns(SlowWarning, match=f"{every} .*: {maps * len(jobs)} of them are explained"):
        said = explain_into(run, tmp_path)
    assert said.startswith(f"{maps * len(jobs)} of {4 * len(jobs)} maps, ")
    index = json.loads((tmp_path / "saliency" / "index.json").read_text())
    assert [one.get("left_out", 0) for one in index["networks"]] == [4 - maps] * len(jobs)
    labels = [one["label"] for one in index["maps"]]
    assert len(labels) == maps * len(jobs)
    assert set(labels) == ({"none"} if maps == 1 else {"none", "severe"})


def test_pictures_show_the_frames_of_the_source_and_without_it_the_prepared_ones(
    tmp_path, parts, monkeypatch
):
    run = begin(tmp_path)
    job, out = jobs_of(run)[0], run.folder.path
    save_network(run, job, make_model(run.recipe, 2))
    table = PredictionTable.of(predict_severe(run, job))
    [first, *_] = [c.as_json(out) for c in _explain_job(run, job, table, out, lambda n: None)]
    assert first["shown"] == "source"
    with np.load(out / first["array"]) as saved:
        ref = run.population.refs[first["clip"]]
        source = run.loader.read(ref)
        assert np.array_equal(saved["shown"], source.frames[2:6])
        assert np.array_equal(saved["shown_sector"], source.sector)

    def gone(self, ref):
        raise ClipError("it was moved")

    monkeypatch.setattr(parts.TinyLoader, "read", gone)
    [first, *_] = [c.as_json(out) for c in _explain_job(run, job, table, out, lambda n: None)]
    assert first["shown"] == "prepared"
    with np.load(out / first["array"]) as saved:
        assert "shown" not in saved


def test_the_maps_are_of_the_network_of_the_first_split(tmp_path, monkeypatch):
    run = begin(tmp_path, "split.splits=2", "report.examples=1")
    jobs = jobs_of(run)
    for number, job in enumerate(jobs):
        network = make_model(run.recipe, 2)
        last = list(network.parameters())[-1]
        last.data.fill_(float(number))  # the bias of the head says which network it is
        save_network(run, job, network)
    rows = [row for job in jobs for row in predict_severe(run, job)]
    PredictionTable.of(rows).write(run.folder.predictions)
    explained = []

    def spy(model, explainer, store, key, start, target, spec):
        explained.append(float(list(model.parameters())[-1].data[0]))
        return original(model, explainer, store, key, start, target, spec)

    from echokit.saliency import explain as maps

    original = maps.explain
    monkeypatch.setattr(maps, "explain", spy)
    explain_into(run, tmp_path / "elsewhere")
    first = {float(n) for n, job in enumerate(jobs) if job.split == 0}
    assert set(explained) == first
    index = json.loads((tmp_path / "elsewhere" / "saliency" / "index.json").read_text())
    assert {entry["split"] for entry in index["maps"]} == {0}
    assert not (run.folder.path / "saliency").exists()
    assert load_file(run.weights(jobs[0]))
