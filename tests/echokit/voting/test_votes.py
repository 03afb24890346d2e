"""Votes: every clip is judged by its own sequences, every patient by the views it has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from echokit import ClipError, ClipRef, Cohort, Prediction, UsageError
from echokit.clips.labels import Labelled
from echokit.clips.sequences import SequenceSpec, voting_starts
from echokit.engines.eager import run_eagerly
from echokit.folder import RunFolder
from echokit.networks.checkpoint import load_weights, save_tensors
from echokit.recipe import load_recipe
from echokit.runs.context import Run
from echokit.runs.population import Population
from echokit.runs.predict import predict_subjects
from echokit.voting.table import Place, PredictionTable, Row
from echokit.voting.votes import sequence_predictions, vote_clips, vote_views

CLASSES = ("none", "mild", "severe")


@pytest.fixture
def network(parts):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return parts.backbone(3, 1).eval()


class Recorder:
    """An aggregator that keeps what it is given."""

    def __init__(self) -> None:
        self.met = []

    def __call__(self, votes):
        self.met.append(votes)
        return Prediction(votes.classes[int(votes.labels[0])], 0.5, votes.probabilities.mean(0))


def vote(network, items, store, n=3, batch=8):
    recorder = Recorder()
    spec = SequenceSpec(n, 4)
    forward = run_eagerly(network).forward
    return list(vote_clips(forward, items, CLASSES, store, spec, recorder, batch)), recorder.met


@pytest.mark.parametrize("batch", [1, 2, 4, 7, 100])
def test_batches_across_clip_borders_give_every_clip_its_own_sequences(prepared, network, batch):
    store, items = prepared(5)
    together, _ = vote(network, items, store, batch=batch)
    assert [voted.item for voted in together] == items
    for voted in together:
        starts = voting_starts(voted.item.clip, voted.item.frames, 4, 3)
        assert voted.starts == starts
        for start, got in zip(starts, voted.votes.probabilities, strict=True):
            frames = store.window(voted.item.key, start, 4)
            with torch.inference_mode():
                logits = network(torch.from_numpy(frames)[None, None].float() / 255)
            assert got == pytest.approx(logits.softmax(1)[0].numpy(), abs=1e-5)


def test_the_aggregator_is_given_the_votes_as_they_were_cast(prepared, network):
    store, items = prepared(2)
    voted, met = vote(network, items, store)
    assert met == [one.votes for one in voted]
    for votes, item in zip(met, items, strict=True):
        assert votes.classes == CLASSES
        assert votes.voters == tuple(map(str, voting_starts(item.clip, item.frames, 4, 3)))
        assert votes.confidences is None
        assert votes.probabilities.shape == (3, 3)
        assert votes.probabilities.sum(1) == pytest.approx(1)
        assert (votes.labels == votes.probabilities.argmax(1)).all()
    assert voted[0].prediction.label == CLASSES[voted[0].votes.labels[0]]


def test_predicting_twice_is_the_same_and_leaves_the_global_generator_alone(prepared, network):
    store, items = prepared(2)
    before = torch.get_rng_state()
    (a, _), (b, _) = (vote(network, items, store) for _ in "ab")
    assert torch.equal(before, torch.get_rng_state())
    for one, other in zip(a, b, strict=True):
        assert np.array_equal(one.votes.probabilities, other.votes.probabilities)


def test_a_clip_too_short_to_vote_is_named(prepared, network):
    store, items = prepared(2)
    short = replace(items[1], frames=3)
    with pytest.raises(ClipError, match=f"{short.clip} has 3 frames; a sequence needs 4"):
        vote(network, [items[0], short], store)


def test_a_sequences_own_confidence_is_its_highest_probability(prepared, network):
    store, items = prepared(1)
    [voted], _ = vote(network, items, store)
    singles = list(sequence_predictions(voted.votes))
    assert [p.confidence for p in singles] == voted.votes.probabilities.max(1).tolist()
    assert [p.label for p in singles] == [CLASSES[i] for i in voted.votes.labels]


def test_views_vote_with_their_names_labels_and_confidences():
    recorder = Recorder()
    ballot = [
        ("PLAX", Prediction("severe", 0.9, np.array([0.1, 0.2, 0.7]))),
        ("A4C", Prediction("none", 0.6, np.array([0.5, 0.3, 0.2]))),
    ]
    assert vote_views(ballot, CLASSES, recorder).label == "severe"
    [votes] = recorder.met
    assert votes.voters == ("PLAX", "A4C")
    assert votes.labels.tolist() == [2, 0]
    assert votes.confidences.tolist() == [0.9, 0.6]
    assert votes.probabilities.tolist() == [[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]


def test_weights_are_loaded_for_evaluation_or_missed_with_what_to_do(tmp_path, parts, network):
    save_tensors(tmp_path / "net.safetensors", network.state_dict())
    loaded = load_weights(parts.backbone(3, 1), tmp_path / "net.safetensors")
    assert not loaded.training
    assert all(torch.equal(v, network.state_dict()[k]) for k, v in loaded.state_dict().items())
    with pytest.raises(UsageError, match=r"gone\.safetensors\. Finish the run first"):
        load_weights(parts.backbone(3, 1), tmp_path / "gone.safetensors")


@pytest.mark.usefixtures("tiny_plugin")
def test_a_subject_votes_with_the_views_it_has_and_views_outside_the_set_do_not_count(tmp_path):
    sets = "view_sets={both=['A4C', 'PLAX'], one=['PLAX']}"
    recipe = load_recipe("tiny-study", settings=[sets])
    truth = Labelled(("none", "severe"), "grade", {}, {"p": "severe", "q": "none"}, {})
    cohort = Cohort((ClipRef("c", "p", "A4C"),))
    run = Run(recipe, RunFolder(tmp_path), Population(cohort, {"severity": truth}, {}, {}, {}))

    def view(patient, name, split, severe):
        prediction = Prediction("severe", 0.8, np.array([1 - severe, severe]))
        return Row("view", Place("severity", "x", name, split), patient, "none", prediction, "c")

    table = PredictionTable.of(
        [
            view("p", "A4C", 0, 0.9),
            view("p", "PLAX", 0, 0.3),
            view("p", "A4C", 1, 0.6),
            view("q", "A4C", 0, 0.2),
        ]
    )
    predicted = {
        (row.place.view, row.place.split, row.patient): row for row in predict_subjects(run, table)
    }
    assert set(predicted) == {
        ("both", 0, "p"),
        ("one", 0, "p"),
        ("both", 1, "p"),
        ("both", 0, "q"),
    }

    def probabilities(*key):
        return predicted[key].prediction.probabilities.tolist()

    assert probabilities("both", 0, "p") == pytest.approx([0.4, 0.6])
    assert probabilities("one", 0, "p") == pytest.approx([0.7, 0.3])
    assert probabilities("both", 1, "p") == pytest.approx([0.4, 0.6])
    assert predicted["both", 0, "q"].label == "none"
    assert predicted["both", 0, "p"].label == "severe"
    assert {row.level for row in predicted.values()} == {"subject"}
