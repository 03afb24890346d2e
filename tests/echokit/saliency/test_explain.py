"""Saliency: which predictions are explained, for which class, and how a map is judged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from echokit import Clip, Saliency
from echokit.clips.sequences import SequenceSpec
from echokit.saliency.explain import choose, explain, typical_sequence
from echokit.saliency.location import measure_location
from echokit.voting.table import PredictionTable

CLASSES = ("none", "mild", "severe")
SHAPE = (4, 10, 12)


@pytest.fixture
def clip() -> Clip:
    """A sector of the left half with a wall in it that moves down, and a valve of one pixel."""
    sector = np.zeros(SHAPE[1:], bool)
    sector[:, :6] = True
    structures = np.zeros(SHAPE, np.uint8)
    for t in range(SHAPE[0]):
        structures[t, t : t + 5, 1:3] = 1
    structures[0, 9, 0] = 3
    names = ("wall", "absent", "valve")
    return Clip(np.zeros(SHAPE, np.uint8), None, None, None, sector, structures, names)


def test_a_map_that_lies_in_a_structure_has_all_its_energy_there(clip):
    wall = (clip.structures == 1).astype(np.float32)
    scores = measure_location(wall, clip)
    assert scores.structures["wall"].energy == 1.0
    assert scores.structures["valve"].energy == 0.0
    assert scores.sector.energy == 1.0


def test_a_map_that_means_nothing_has_the_energy_of_the_area(clip):
    within = np.broadcast_to(clip.sector, SHAPE).astype(np.float32)
    for name, score in measure_location(within, clip).structures.items():
        assert score.energy == pytest.approx(score.area), name
    everywhere = measure_location(np.ones(SHAPE, np.float32), clip).sector
    assert everywhere.energy == pytest.approx(everywhere.area) == pytest.approx(0.5)


def test_areas_are_shares_of_the_sectors_pixels_in_all_frames(clip):
    scores = measure_location(np.ones(SHAPE, np.float32), clip).structures
    assert scores["wall"].area == pytest.approx(5 * 2 / 60)
    assert scores["valve"].area == pytest.approx(1 / (60 * 4))
    assert "absent" not in scores


def test_a_map_that_does_not_follow_the_moving_structure_misses_it(clip):
    still = np.broadcast_to(clip.structures[0] == 1, SHAPE).astype(np.float32)
    assert measure_location(still, clip).structures["wall"].energy == pytest.approx(
        (5 + 4 + 3 + 2) / 20
    )


def test_an_empty_map_scores_nothing_and_an_unmasked_clip_is_all_sector(clip):
    assert measure_location(np.zeros(SHAPE, np.float32), clip).structures["wall"].energy == 0.0
    bare = measure_location(np.ones(SHAPE, np.float32), Clip(clip.frames))
    assert bare.as_json() == {"sector": {"energy": 1.0, "area": 1.0}}


def views(*rows) -> PredictionTable:
    return PredictionTable(pd.DataFrame(rows, columns=["clip", "label", "predicted", "confidence"]))


def clips(table: PredictionTable) -> list[str]:
    return table.frame["clip"].tolist()


def test_the_surest_right_predictions_of_each_label_are_chosen_then_the_surest_wrong_ones():
    table = views(
        ("a", "none", "none", 0.6),
        ("b", "none", "none", 0.9),
        ("c", "none", "mild", 1.0),
        ("d", "mild", "none", 0.7),
        ("e", "mild", "severe", 0.8),
        ("f", "severe", "severe", 0.5),
    )
    assert clips(choose(table, CLASSES, 1)) == ["b", "e", "f"]
    assert clips(choose(table, CLASSES, 2)) == ["b", "a", "e", "d", "f"]
    assert clips(choose(table, CLASSES, 9)) == ["b", "a", "c", "e", "d", "f"]
    assert list(choose(table, CLASSES, 1).frame) == list(table.frame)
    # fewer in all: the first of each label, then the second
    assert clips(choose(table, CLASSES, 9, 6)) == ["b", "a", "c", "e", "d", "f"]
    assert clips(choose(table, CLASSES, 9, 4)) == ["b", "a", "e", "f"]
    assert clips(choose(table, CLASSES, 9, 2)) == ["b", "e"]
    assert clips(choose(table, CLASSES, 9, 0)) == []


def test_equally_sure_predictions_are_chosen_by_name_whatever_their_order():
    table = views(("b", "none", "none", 0.5), ("a", "none", "none", 0.5))
    assert clips(choose(table, CLASSES, 1)) == ["a"]
    assert clips(choose(PredictionTable(table.frame[::-1]), CLASSES, 1)) == ["a"]


def test_nothing_to_choose_from_chooses_nothing():
    assert not len(choose(views(), CLASSES, 3))


def test_the_typical_sequence_speaks_most_clearly_for_the_predicted_label():
    sequences = PredictionTable(
        pd.DataFrame(
            {
                "start": [0, 5, 9],
                "probabilities": [[0.0, 0.6, 0.4], [0.9, 0.1, 0.0], [0.2, 0.1, 0.7]],
            }
        )
    )
    starts = [typical_sequence(sequences, name, CLASSES) for name in CLASSES]
    assert starts == [5, 0, 9]


def test_a_sequence_is_explained_as_the_network_saw_it_and_shown_as_it_was_prepared(prepared):
    store, items = prepared(1)
    met = []

    def explainer(model, sequence, target):
        met.append((model, sequence, target))
        return Saliency(np.zeros((4, 16, 16), np.float32), target, "test")

    network = torch.nn.Identity()
    spec = SequenceSpec(1, 4, augment=(lambda clip, rng: pytest.fail("augmented"),), share=0.0)
    clip, saliency = explain(network, explainer, store, items[0].key, 3, 1, spec)
    [(model, sequence, target)] = met
    assert (model, target, saliency.target) == (network, 1, 1)
    assert np.array_equal(clip.frames, store.window(items[0].key, 3, 4))
    assert torch.equal(sequence[0], torch.from_numpy(clip.frames).float() / 255)
    assert clip.structures.shape == clip.frames.shape
