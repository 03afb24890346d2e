"""The shipped recipe `ph-newborn` says what the paper says (IP-PHN, GCPR 2022)."""

from __future__ import annotations

import pytest
import torch

from echokit import resolve
from echokit.components.networks import make_model
from echokit.components.slots import make_sequence_spec
from echokit.recipe import Recipe, load_recipe
from echokit.testing import tiny_clip
from echokit.types import VIEWS


@pytest.fixture(scope="module")
def paper() -> Recipe:
    return load_recipe("ph-newborn", preset="paper")


def test_training_is_the_papers(paper):
    train = paper.train
    assert (train.epochs, train.batch, train.lr, train.weight_decay) == (150, 8, 1e-3, 1e-3)
    assert train.augment == 0.9
    assert train.balanced
    assert train.schedule == "constant"


def test_ten_sequences_of_twelve_frames_of_224_pixels(paper):
    assert (paper.sequences.n, paper.sequences.k) == (10, 12)
    sizes = [s.options["size"] for s in paper.prepare.values() if "size" in s.options]
    assert sizes == [224]


def test_prepare_crops_before_it_resizes_before_it_equalises(paper):
    words = [slot.use for slot in paper.prepare.values()]
    order = [words.index(f"monai-{name}") for name in ("sector", "resize", "equalise")]
    assert order == sorted(order)
    assert paper.normalise is not None


def test_ten_splits_hold_out_a_fifth_of_the_patients(paper):
    assert (paper.split.method, paper.split.splits, paper.split.held_out) == ("repeated", 10, 0.2)


def test_all_five_views_are_used_under_their_names_and_the_sites(paper):
    assert paper.views.use == VIEWS
    assert paper.views.alias == {
        "LA": "PLAX",
        "CV": "A4C",
        "KAPAP": "PSAX-P",
        "KAKL": "PSAX-S",
        "KAAP": "PSAX-A",
    }


def test_the_view_sets_are_those_of_table_1(paper):
    assert {name: set(views) for name, views in paper.used_view_sets.items()} == {
        "MV-3": {"A4C", "PLAX", "PSAX-P"},
        "MV-All": set(VIEWS),
    }


def test_the_label_tables_keep_the_most_severe_grade(paper):
    severity, binary = paper.tasks["severity"], paper.tasks["binary"]
    assert severity.labels == ("none", "mild", "moderate-severe")
    assert severity.map == {
        "0": "none",
        "0.5": "drop",
        "1": "mild",
        "1.5": "drop",
        "2": "moderate-severe",
        "2.5": "moderate-severe",
        "3": "moderate-severe",
    }
    assert binary.labels[0] == "none"
    positive = binary.labels[1]
    assert binary.map == {"0": "none", "0.5": "drop"} | dict.fromkeys(
        ("1", "1.5", "2", "2.5", "3"), positive
    )


def test_sequences_and_views_vote_by_majority_and_grad_cam_explains(paper):
    assert paper.aggregate.view.use == paper.aggregate.subject.use == "majority-vote"
    assert paper.backbone.use == "pytorchvideo-r2plus1d-18"
    assert paper.explain is not None
    assert paper.explain.use == "captum-gradcam"


def test_every_augmentation_of_section_2_2_is_there(paper):
    used = {slot.use for slot in paper.augment.values()}
    words = ("sharpness", "brightness", "gamma", "noise", "background", "affine")
    assert used == {f"monai-{word}" for word in words}


def test_table_3_compares_sequences_with_single_frames_under_the_same_votes(paper):
    assert paper.enabled_approaches == ("spatio-temporal", "spatial")
    moving, still = (paper.of_approach(name) for name in paper.enabled_approaches)
    assert moving.model_dump(exclude={"approaches"}) == paper.model_dump(exclude={"approaches"})
    assert (still.sequences.n, still.sequences.k) == (moving.sequences.n, 1)
    assert still.backbone.model_dump() == {"use": "torchvision-resnet-18"}
    apart = {"approaches", "sequences", "backbone"}
    assert still.model_dump(exclude=apart) == moving.model_dump(exclude=apart)
    assert load_recipe("ph-newborn", preset="quick").enabled_approaches == ("spatio-temporal",)


@pytest.mark.parametrize("approach", ["spatio-temporal", "spatial"])
def test_a_sequence_of_each_approach_goes_from_augmentation_to_saliency(approach):
    small = ("backbone.width=4", "approaches.spatial.backbone.width=4")
    recipe = load_recipe("ph-newborn", preset="paper", settings=small).of_approach(approach)
    clip = tiny_clip(frames=recipe.sequences.k)
    spec = make_sequence_spec(recipe, training=True)
    augmented = [spec(clip, torch.Generator().manual_seed(seed)) for seed in range(4)]
    shape = (1, recipe.sequences.k, *clip.frames.shape[1:])
    assert {tuple(sequence.shape) for sequence in augmented} == {shape}
    assert len({float(sequence.sum()) for sequence in augmented}) == len(augmented)

    model = make_model(recipe, 3)
    logits = model.train()(torch.stack(augmented))
    assert logits.shape == (4, 3)
    assert recipe.explain is not None
    saliency = resolve("explainer", recipe.explain.use)(model, augmented[0], 0)
    assert saliency.values.shape == shape[1:]


def test_the_quick_preset_changes_sizes_but_not_the_method(paper):
    quick = load_recipe("ph-newborn", preset="quick")
    assert quick == load_recipe("ph-newborn")
    assert quick.views.alias == paper.views.alias
    assert quick.sequences == paper.sequences
    assert list(quick.augment) == list(paper.augment)
    assert [slot.use for slot in quick.augment.values()] == [
        slot.use for slot in paper.augment.values()
    ]
    assert quick.normalise == paper.normalise
    assert quick.aggregate == paper.aggregate
    # half of these maps pass their tests on so small a network, and one in eleven of HiResCAM's
    explainers = "captum-integrated-gradients", "captum-gradcam"
    assert (quick.explain.use, paper.explain.use) == explainers
    assert quick.backbone.use == paper.backbone.use
    assert quick.train.augment == paper.train.augment
