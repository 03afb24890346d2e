"""A run as Python sees it: tables of its results, its networks and clips, and how it is begun."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import echokit
from echokit.system.checked import read_json

pytestmark = pytest.mark.usefixtures("tiny_plugin")

SETTINGS = {"split.splits": 1, "train.n": 1, "explain": False, "train.epochs": 2}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Where the run is made once for all tests of this file."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def run(shelf):
    """A finished run, opened anew."""
    if not (shelf / "one").exists():
        echokit.run("tiny-study", settings=SETTINGS, out=shelf / "one", seed=4)
    return echokit.open_run(shelf / "one")


def test_a_run_is_made_by_one_call_with_values_for_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = []
    more = SETTINGS | {"backbone.width": 6, "data.views": ["A4C"], "views.use": ("A4C",)}
    run = echokit.run("tiny-study", settings=more, seed=7, progress=lambda *step: told.append(step))
    assert run.folder.path.as_posix() == "runs/tiny-study"
    assert (run.recipe.seed, run.recipe.backbone.options["width"]) == (7, 6)
    assert (run.recipe.views.use, run.recipe.explain) == (("A4C",), None)
    assert {title for title, _, _ in told} >= {"Preparing clips"}
    assert "runs/tiny-study, finished" in repr(run)
    assert run.report().is_file()
    again = echokit.run(resume="runs/tiny-study")
    assert again.metrics.equals(run.metrics)
    with pytest.raises(echokit.UsageError, match="--resume takes only the run's folder"):
        echokit.run("tiny-study", resume="runs/tiny-study")
    with pytest.raises(echokit.UsageError, match="Name a recipe"):
        echokit.run()


def test_a_run_that_fails_before_its_first_result_leaves_no_folder(tmp_path):
    with pytest.raises(echokit.DataError, match="nothing at nowhere"):
        echokit.run("tiny-study", data=tmp_path / "nowhere", out=tmp_path / "mine")
    assert list(tmp_path.glob("mine*")) == []


def test_metrics_are_those_of_the_file(run):
    rows = read_json(run.folder.path / "metrics.json")["rows"]
    frame = run.metrics
    assert frame["views"].tolist() == [row["views"] for row in rows]
    for metric, (number, row) in itertools.product(("f1", "recall"), enumerate(rows)):
        written = row[metric]
        found = frame.loc[number, [metric, f"{metric}_low", f"{metric}_high"]].tolist()
        assert found == [written["mean"], *written["ci95"]]
    assert "classes" not in frame


def test_predictions_and_history_are_tables(run):
    predictions, history = run.predictions, run.history
    assert set(predictions["level"]) == {"sequence", "view", "subject"}
    assert len(history) == 2 * 2, "two networks, two epochs each"
    assert history.groupby("view")["epoch"].apply(list).to_dict() == {"A4C": [1, 2], "PLAX": [1, 2]}
    assert history["loss"].notna().all()


def test_opening_a_run_looks_for_no_clip_until_one_is_asked_for(run, parts, monkeypatch):
    def sought(*_: object) -> None:
        raise AssertionError("clips were looked for")

    monkeypatch.setattr("echokit.runs.start.find_cohort", sought)
    assert len(run.metrics) == 3
    assert run.model().views == ("A4C", "PLAX")
    assert isinstance(run.network(run.job("PLAX")), torch.nn.Module)
    assert "<table" in run._repr_html_()
    with pytest.raises(AssertionError, match="clips were looked for"):
        run.dataset()


def test_a_dataset_goes_with_its_network(run):
    job = run.job("A4C")
    held_out = run.dataset(job.split, "test", job.view)
    rows = run.held_out.sequences.where(view="A4C", split=0)
    assert len(held_out) == len(rows)
    with torch.inference_mode():
        network = run.network(job)
        found = [network(held_out[i][0][None])[0].softmax(0).numpy() for i in range(len(held_out))]
    np.testing.assert_allclose(np.stack(found), rows.probabilities, atol=1e-5)
    labels = [held_out[i][1] for i in range(len(held_out))]
    assert labels == rows.truth(("none", "severe")).tolist()


def test_training_sequences_are_drawn_anew_and_read_by_torchs_loader(run):
    training = run.dataset(0, "train", "A4C")
    held_out = {clip for clip in run.held_out.where(view="A4C").clips if clip}
    clips = {item.clip for item in training.sequences.items}
    assert clips
    assert not clips & held_out
    with torch.random.fork_rng():
        torch.manual_seed(1)
        draws = [training[0][0] for _ in range(8)]
        torch.manual_seed(1)
        assert torch.equal(training[0][0], draws[0])
    assert any(not torch.equal(draws[0], other) for other in draws)
    assert draws[0].shape == (1, 4, 16, 16)
    [(sequences, labels)] = torch.utils.data.DataLoader(training, batch_size=len(training))
    assert (len(sequences), set(labels.tolist())) == (len(clips), {0, 1})
    assert len(run.dataset(0, "train")) == 2 * len(training), "all views"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"view": "PSAX-P"}, "no view 'PSAX-P'.*A4C, PLAX"),
        ({"split": 3}, "no split 3: the run has 1"),
        ({"task": "binary"}, "no task 'binary'.*severity"),
        ({"approach": "spatial"}, "no approach 'spatial'"),
        ({"side": "tets"}, "no side 'tets'"),
    ],
)
def test_what_a_run_has_not_is_refused_with_what_it_has(run, asked, words):
    with pytest.raises(echokit.UsageError, match=words):
        run.dataset(**asked)


def test_a_run_that_was_begun_says_how_to_finish_it(tmp_path):
    from echokit.folder import RunFolder
    from echokit.recipe import load_recipe

    RunFolder.create(tmp_path / "begun", load_recipe("tiny-study"))
    begun = echokit.open_run(tmp_path / "begun")
    assert "not finished" in repr(begun)
    for result in ("metrics", "predictions"):
        with pytest.raises(echokit.UsageError, match=r"echokit run --resume .*begun"):
            getattr(begun, result)
    with pytest.raises(echokit.UsageError, match="no trained network for severity, A4C"):
        begun.network(begun.job("A4C"))
