"""Each contract catches a component that is broken on purpose, and lets a good one pass."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from echokit import (
    Clip,
    ClipError,
    ClipRef,
    DataError,
    Prediction,
    Rejection,
    Saliency,
    resolve,
)
from echokit.testing import (
    ContractError,
    check_aggregator,
    check_backbone,
    check_explainer,
    check_loader,
    check_recipe,
    check_transform,
    tiny_clip,
    tiny_votes,
)


def broken(check, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        check()


# --- backbones ---------------------------------------------------------------------------------


class Good3d(nn.Module):
    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(in_channels, 4, 3, padding=1)
        self.norm = nn.BatchNorm3d(4)
        self.head = nn.Linear(4, num_classes)

    def features(self, x):
        return self.norm(self.conv(x)).relu()

    def forward(self, x):
        return self.head(self.features(x).mean(dim=(2, 3, 4)))


class Transposed(Good3d):
    def forward(self, x):
        return super().forward(x).T


class FixedSize(Good3d):
    def __init__(self, num_classes, in_channels):
        super().__init__(num_classes, in_channels)
        self.head = nn.Linear(4 * 8 * 32 * 32, num_classes)

    def forward(self, x):
        return self.head(self.features(x).flatten(1))


class NotFinite(Good3d):
    def forward(self, x):
        return super().forward(x) / 0


class BatchDependent(Good3d):
    def forward(self, x):
        return super().forward(x - x.mean())


class Forgetful(Good3d):
    """Dropout that is never off."""

    def forward(self, x):
        return super().forward(nn.functional.dropout(x, 0.5, training=True))


class Changing(Good3d):
    """BatchNorm that goes on learning in eval mode."""

    def forward(self, x):
        self.norm.num_batches_tracked += 1
        return super().forward(x)


class Detached(Good3d):
    def forward(self, x):
        return super().forward(x.detach())


class HiddenState(Good3d):
    def __init__(self, num_classes, in_channels):
        super().__init__(num_classes, in_channels)
        self.scale = torch.rand(1)  # should be a buffer

    def forward(self, x):
        return super().forward(x) * self.scale


class CamElsewhere(Good3d):
    def cam_layer(self):
        return nn.Conv3d(1, 1, 1)


class CamFlat(Good3d):
    def cam_layer(self):
        return self.head


class OneChannelOnly(Good3d):
    def __init__(self, num_classes, in_channels):
        super().__init__(num_classes, 1)


def test_a_good_backbone_passes():
    check_backbone(Good3d)


@pytest.mark.parametrize(
    ("backbone", "words"),
    [
        (Transposed, r"logits \(3, 2\): \(2, 3\) is expected"),
        (FixedSize, r"shape \(1, 1, 1, 33, 47\) raised RuntimeError"),
        (OneChannelOnly, r"shape \(3, 3, 5, 50, 31\) raised RuntimeError"),
        (NotFinite, "not finite"),
        (BatchDependent, "must not depend on the batch"),
        (Forgetful, "other logits the second time"),
        (Changing, "forward changed norm.num_batches_tracked"),
        (Detached, "gradient of a logit by the input is missing"),
        (HiddenState, "after loading the state dict"),
        (CamElsewhere, "did not return a module of the network"),
        (CamFlat, r"gave \(2, 3\): \(B, C', T', H', W'\)"),
        (lambda num_classes, in_channels: torch.sum, "torch.nn.Module is expected"),
        (lambda num_classes: None, "raised TypeError"),
    ],
)
def test_a_broken_backbone_is_caught(backbone, words):
    broken(partial(check_backbone, backbone), words)


# --- transforms --------------------------------------------------------------------------------


def brighten(clip: Clip, rng: torch.Generator) -> Clip:
    factor = float(torch.rand((), generator=rng))
    return replace(clip, frames=clip.frames * np.float32(factor))


def invert(clip: Clip, rng: torch.Generator) -> Clip:
    return replace(clip, frames=255 - clip.frames)


def fussy(clip: Clip, rng: torch.Generator) -> Clip:
    if clip.sector is None:
        raise ClipError("no sector")
    return clip


def in_place(clip: Clip, rng: torch.Generator) -> Clip:
    clip.frames[:] = 0
    return clip


def in_place_sector(clip: Clip, rng: torch.Generator) -> Clip:
    if clip.sector is not None:
        clip.sector[:] = True
    return replace(clip)


def from_global_torch(clip: Clip, rng: torch.Generator) -> Clip:
    return replace(clip, frames=clip.frames * np.float32(torch.rand(())))


def from_global_numpy(clip: Clip, rng: torch.Generator) -> Clip:
    return replace(clip, frames=clip.frames * np.float32(np.random.rand()))  # noqa: NPY002


def seeds_numpy(clip: Clip, rng: torch.Generator) -> Clip:
    np.random.seed(rng.initial_seed())  # noqa: NPY002
    return replace(clip, frames=clip.frames * np.float32(np.random.rand()))  # noqa: NPY002


def from_global_random(clip: Clip, rng: torch.Generator) -> Clip:
    return replace(clip, frames=clip.frames * np.float32(random.random()))


def from_a_clock(clip: Clip, rng: torch.Generator) -> Clip:
    other = np.random.default_rng()
    return replace(clip, frames=clip.frames * np.float32(other.random()))


def crop(clip: Clip, rng: torch.Generator) -> Clip:
    return replace(clip, frames=clip.frames[:, 1:], sector=None, structures=None)


def test_good_transforms_pass():
    check_transform(lambda: brighten, "augment")
    check_transform(lambda: invert, "prepare")
    check_transform(lambda: fussy, "prepare")
    check_transform(lambda: crop, "prepare")


@pytest.mark.parametrize(
    ("transform", "stage", "words"),
    [
        (in_place, "augment", "changed the given clip in place"),
        (in_place_sector, "prepare", "changed the given clip in place"),
        (from_global_torch, "augment", "global generator"),
        (from_global_numpy, "augment", "global generator"),
        (from_global_random, "augment", "another clip the second time"),
        (seeds_numpy, "augment", "or seeded it"),
        (from_a_clock, "augment", "another clip the second time"),
        (crop, "augment", r"frames of \(14, 71, 96\)"),
        (fussy, "augment", "A good clip was refused"),
        (lambda c, r: replace(c, frames=c.frames * 3), "augment", r"stay in \[0, 1\]"),
        (lambda c, r: replace(c, frames=c.frames / 0), "normalise", "not finite"),
        (lambda c, r: replace(c, frames=c.frames.astype("f8")), "augment", "float64 frames"),
        (
            lambda c, r: replace(c, frames=c.frames.astype("f4")),
            "prepare",
            "float32 frames of uint8",
        ),
        (lambda c, r: replace(c, frames=c.frames[:-1], structures=None), "prepare", "every frame"),
        (lambda c, r: replace(c, frames=c.frames[:, 1:]), "prepare", "sector of bool"),
        (lambda c, r: replace(c, frames=c.frames[0]), "prepare", r"\(T, H, W\) is expected"),
        (
            lambda c, r: replace(c, frames=c.frames // (1 + r.initial_seed())),
            "prepare",
            "not random",
        ),
        (lambda c, r: c.frames, "augment", "not an echokit.Clip"),
        (lambda c: c, "augment", "raised TypeError"),
    ],
)
@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value):RuntimeWarning")
def test_a_broken_transform_is_caught(transform, stage, words):
    broken(partial(check_transform, lambda: transform, stage), words)


# --- aggregators -------------------------------------------------------------------------------


def mean_probability(votes):
    if not votes.voters:
        raise DataError("no votes")
    p = votes.probabilities.mean(axis=0)
    tied = np.flatnonzero(np.isclose(p, p.max()))
    return Prediction(votes.classes[tied[-1]], float(p.max()), p)


def first_come(votes):
    """Ties go to whoever votes first."""
    good = mean_probability(votes)
    return replace(good, label=votes.classes[Counter(votes.labels.tolist()).most_common(1)[0][0]])


def always_healthy(votes):
    return replace(mean_probability(votes), label=votes.classes[0])


def in_percent(votes):
    good = mean_probability(votes)
    return replace(good, confidence=100 * good.confidence)


def without_confidences(votes):
    good = mean_probability(votes)
    return replace(good, confidence=float(votes.confidences.mean()))


def sorts_in_place(votes):
    votes.labels.sort()
    return mean_probability(votes)


def divides_by_nobody(votes):
    if not votes.voters:
        raise ZeroDivisionError("division by zero")
    return mean_probability(votes)


def nobody_is_healthy(votes):
    if not votes.voters:
        return Prediction(votes.classes[0], 1.0, np.eye(len(votes.classes))[0])
    return mean_probability(votes)


def test_a_good_aggregator_passes():
    check_aggregator(lambda: mean_probability)


def test_an_aggregator_that_learns_is_fitted_first():
    class Fitted:
        def fit(self, votes, labels):
            self.pairs = list(zip(votes, labels, strict=True))

        def __call__(self, votes):
            assert self.pairs
            return mean_probability(votes)

    check_aggregator(Fitted)


@pytest.mark.parametrize(
    ("aggregator", "words"),
    [
        (first_come, "the order of voters must not matter"),
        (always_healthy, "a label on which all agree must win"),
        (in_percent, r"\(0, 1\] is expected"),
        (without_confidences, "without confidences raised AttributeError"),
        (sorts_in_place, "changed the given votes in place"),
        (divides_by_nobody, "no votes, .* raised ZeroDivisionError"),
        (nobody_is_healthy, "No votes at all gave"),
        (lambda v: replace(mean_probability(v), label="severe"), "the label 'severe'"),
        (lambda v: replace(mean_probability(v), probabilities=np.ones(9)), "one per class"),
        (lambda v: replace(mean_probability(v), probabilities=v.probabilities[0] * 2), "summing"),
        (lambda v: v.classes[0], "an echokit.Prediction is expected"),
    ],
)
def test_a_broken_aggregator_is_caught(aggregator, words):
    broken(partial(check_aggregator, lambda: aggregator), words)


# --- explainers --------------------------------------------------------------------------------


def gradient_times_input(model, sequence, target):
    """A good explainer of another make than Grad-CAM."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    x = sequence.detach().clone()[None].requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(model(x)[0, target], x)
    for module, training in modes:
        module.training = training
    values = (gradient * x).detach().abs()[0].sum(dim=0)
    return Saliency((values / values.max().clamp(min=1e-12)).numpy(), target, "gradient")


def changed(**change):
    def explain(model, sequence, target):
        good = gradient_times_input(model, sequence, target)
        return replace(good, **{name: make(good) for name, make in change.items()})

    return explain


def constant(model, sequence, target):
    return Saliency(np.ones(sequence.shape[1:], np.float32), target, "constant")


def true_class_only(model, sequence, target):
    return replace(gradient_times_input(model, sequence, 0), target=target)


def leaves_eval(model, sequence, target):
    model.eval()
    return gradient_times_input(model, sequence, target)


def leaves_gradients(model, sequence, target):
    saliency = gradient_times_input(model, sequence, target)
    training = model.training
    model.eval()(sequence[None]).sum().backward()
    model.train(training)
    return saliency


def leaves_hooks(model, sequence, target):
    next(model.children()).register_forward_hook(lambda *_: None)
    return gradient_times_input(model, sequence, target)


def learns(model, sequence, target):
    if model.training:
        model(sequence[None])
    return gradient_times_input(model, sequence, target)


def unfreezes(model, sequence, target):
    model.requires_grad_(True)
    return gradient_times_input(model, sequence, target)


def test_a_good_explainer_passes():
    check_explainer(lambda: gradient_times_input)


def swapped_and_resized(good):
    """What a transposed map looks like once it is brought to the frame's size again."""
    swapped = torch.tensor(good.values).transpose(1, 2)[None]
    return nn.functional.interpolate(swapped, good.values.shape[1:])[0].numpy()


@pytest.mark.parametrize(
    ("explainer", "words"),
    [
        (constant, "a map must follow its class"),
        (true_class_only, "Class 1 rests on frames 6 to 8, rows 16 to 23"),
        (changed(values=lambda s: s.values.transpose(0, 2, 1)), "one value per pixel and frame"),
        (changed(values=swapped_and_resized), "neither transposed nor shifted"),
        (changed(values=lambda s: s.values[::-1].copy()), "neither transposed nor shifted"),
        (changed(values=lambda s: s.values * 255), r"\[0, 1\] is expected"),
        (changed(values=lambda s: s.values * np.float32(np.nan)), "not finite"),
        (changed(values=lambda s: s.values.astype("f8")), "float32 is expected"),
        (changed(values=lambda s: s.values * 0), "zero all over"),
        (changed(target=lambda s: 0), "says it explains class 0"),
        (changed(method=lambda s: ""), "does not name itself"),
        (leaves_eval, "left in eval mode"),
        (leaves_gradients, "left gradients"),
        (leaves_hooks, "left a hook"),
        (learns, "changed the model's parameters or statistics"),
        (unfreezes, "requires_grad"),
        (lambda m, s, t: s.numpy(), "an echokit.Saliency is expected"),
    ],
)
def test_a_broken_explainer_is_caught(explainer, words):
    broken(partial(check_explainer, lambda: explainer), words)


# --- loaders -----------------------------------------------------------------------------------


class GoodLoader:
    def __init__(self, source: str) -> None:
        self.source = source

    def index(self):
        yield ClipRef("a", "P1", "A4C", {"grade": "1"})
        yield ClipRef("b", "P2", "PLAX")
        yield Rejection("notes.txt", "is not a clip")

    def read(self, ref):
        if ref.clip not in "ab":
            raise ClipError(f"There is no clip {ref.clip!r}.")
        return tiny_clip()


class ReadsInIndex(GoodLoader):
    def index(self):
        for entry in super().index():
            if isinstance(entry, ClipRef):
                self.read(entry)
            yield entry


class SameIds(GoodLoader):
    def index(self):
        return [ClipRef("a", "P1", None), ClipRef("a", "P2", None)]


class OtherIdsEachTime(GoodLoader):
    def index(self):
        return [ClipRef(f"a{random.random()}", "P1", None)]


class NumbersAsPatients(GoodLoader):
    def index(self):
        return [ClipRef("a", 1, None)]


class NumbersAsLabels(GoodLoader):
    def index(self):
        return [ClipRef("a", "P1", None, {"grade": 1})]


class SilentRejection(GoodLoader):
    def index(self):
        return [*super().index(), Rejection("b.mp4", "")]


class Empty(GoodLoader):
    def index(self):
        return []


class KeyErrors(GoodLoader):
    def read(self, ref):
        return {"a": tiny_clip(), "b": tiny_clip()}[ref.clip]


class AnythingGoes(GoodLoader):
    def read(self, ref):
        return tiny_clip()


class Floats(GoodLoader):
    def read(self, ref):
        return tiny_clip(dtype="float32")


class Colour(GoodLoader):
    def read(self, ref):
        return replace(tiny_clip(), frames=np.zeros((4, 8, 8, 3), np.uint8))


class Unsteady(GoodLoader):
    def read(self, ref):
        super().read(ref)
        return tiny_clip(seed=random.randrange(10**9))


class Standstill(GoodLoader):
    def read(self, ref):
        return replace(super().read(ref), fps=0.0)


class Fingerprints(GoodLoader):
    def fingerprint(self, ref):
        return f"print of {ref.clip}"


def test_a_good_loader_passes():
    check_loader(GoodLoader, "anywhere")


@pytest.mark.parametrize(
    ("loader", "words"),
    [
        (ReadsInIndex, "reads a clip"),
        (SameIds, "two clips 'a'"),
        (OtherIdsEachTime, "must be stable"),
        (NumbersAsPatients, "an identifier each, as str"),
        (NumbersAsLabels, "str to str"),
        (SilentRejection, "names its file and the reason"),
        (Empty, "lists no clip"),
        (KeyErrors, "unknown clip, .* raised KeyError"),
        (AnythingGoes, "unknown clip gave one"),
        (Floats, "read as float32"),
        (Colour, r"\(T, H, W\) is expected"),
        (Unsteady, "another one when a second loader"),
        (Standstill, "fps"),
        (Fingerprints, "hexadecimal digest"),
        (lambda: None, "raised TypeError"),
    ],
)
def test_a_broken_loader_is_caught(loader, words):
    broken(partial(check_loader, loader, "anywhere"), words)


# --- recipes -----------------------------------------------------------------------------------

GOOD = """
[backbone]
use = "pytorchvideo-r2plus1d-18"
width = 16
[aggregate.sequences]
use = "majority-vote"
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[backbone", "raised TOMLDecodeError"),
        ("title = 'empty'", "uses nothing"),
        (GOOD.replace("2plus1d", "2plus1"), "did you mean 'pytorchvideo-r2plus1d-18'"),
        (GOOD.replace("width", "widht"), "did you mean 'width'"),
    ],
)
def test_a_broken_recipe_is_caught(tmp_path: Path, text, words):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    broken(partial(check_recipe, path), words)


def test_a_good_recipe_passes(tmp_path: Path):
    check_recipe(resolve("recipe", "ph-newborn"))
    broken(partial(check_recipe, tmp_path / "none.toml"), "raised FileNotFoundError")


def test_a_recipe_that_does_not_validate_or_cannot_be_made_is_caught(tmp_path: Path):
    path = tmp_path / "recipe.toml"
    path.write_text(GOOD)
    broken(partial(check_recipe, path), "RecipeError.*name: Field required")
    good = resolve("recipe", "ph-newborn").read_text("utf-8")
    path.write_text(good.replace("width = 8, weights", "width = 0, weights"))
    broken(partial(check_recipe, path), "Making the recipe's components raised OptionError")
    path.write_text(good.replace("split.splits = 3", "split.splits = -3"))
    broken(partial(check_recipe, path), "Resolving the preset 'bench'")


# --- new rules of explainers, transforms and loaders ---------------------------------------------


def edges():
    """An edge detector: it looks as if it explained, and knows nothing of the model."""

    def explain(model, sequence, target):
        values = np.abs(np.diff(sequence[0].numpy(), axis=1, prepend=0)).astype(np.float32)
        return Saliency(values / values.max(), target, "edges")

    return explain


def test_a_map_that_does_not_depend_on_the_model_is_caught():
    from echokit.testing import ExplainerContract

    contract = ExplainerContract.of(edges)
    contract.test_map()
    broken(contract.test_randomised_model, r"correlate by 1\.00")


def flicker():
    """Another brightness for each frame."""

    def change(clip, rng):
        factors = torch.rand(len(clip.frames), 1, 1, generator=rng).numpy()
        return replace(clip, frames=(clip.frames * factors).astype(np.float32))

    return change


def test_a_draw_for_each_frame_is_caught_unless_it_is_meant():
    broken(partial(check_transform, flicker, "augment"), "made frames differ that were alike")
    check_transform(flicker, "augment", per_frame=True)


def test_a_suite_is_judged_rule_by_rule():
    from echokit.testing import ExplainerContract, judge

    verdicts = {v.rule: v for v in judge(ExplainerContract.of(edges))}
    assert list(verdicts) == [
        "map",
        "model is kept",
        "place",
        "randomised model",
        "frozen model",
        "generators are kept",
    ]
    assert verdicts["model is kept"].broken is None
    assert verdicts["randomised model"].broken
    assert verdicts["map"].sentence.startswith("A map is (T, H, W) float32 in [0, 1]")


# --- what they are given -----------------------------------------------------------------------


def test_importing_the_suite_imports_no_torch():
    names = "AggregatorContract, CommandContract, ExecutorContract, LoaderContract, tiny_clip"
    code = f"import sys; from echokit.testing import {names}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_of_the_suite_is_there():
    import echokit.testing

    assert set(echokit.testing._PLACES) == set(echokit.testing.__all__)
    assert [name for name in echokit.testing.__all__ if not hasattr(echokit.testing, name)] == []


def test_tiny_inputs_are_what_they_say():
    clip, bare = tiny_clip(), tiny_clip(known=False, dtype="float32")
    assert clip.frames.shape == (14, 72, 96)
    assert clip.frames.dtype == np.uint8
    assert clip.frames.std(axis=0)[clip.sector].min() > 0  # everything inside the sector moves
    assert not clip.frames[:, ~clip.sector].any()
    assert (clip.structures[0] != clip.structures[2]).any()
    assert bare.sector is None
    assert bare.frames.dtype == np.float32
    assert 0 <= bare.frames.min() <= bare.frames.max() <= 1
    votes = tiny_votes([2, 0], confidences=[0.5, 1.0])
    assert votes.probabilities.argmax(axis=1).tolist() == [2, 0]
    np.testing.assert_allclose(votes.probabilities.sum(axis=1), 1)
