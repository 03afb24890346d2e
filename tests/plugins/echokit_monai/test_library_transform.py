"""Any of MONAI's intensity transforms by its class: one draw, in range, as MONAI computes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai import transforms

from echokit import OptionError, resolve
from echokit.recipe import load_recipe
from echokit.testing import check_transform, tiny_clip
from echokit_monai.library_transform import catalogue


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def named(name: str, **options: object):
    return resolve("transform", "monai", **{"class": name}, **options)


def test_it_computes_what_monai_computes():
    clip = tiny_clip(dtype="float32")
    changed = named("GaussianSmooth", sigma=1.5)(clip, rng()).frames
    expected = transforms.GaussianSmooth(sigma=1.5)(torch.from_numpy(clip.frames))
    np.testing.assert_allclose(changed, np.clip(expected.numpy(), 0, 1), atol=1e-6)
    assert type(changed) is np.ndarray


@pytest.mark.parametrize(
    ("name", "options", "per_frame"),
    [
        ("RandGaussianSmooth", {"prob": 1.0}, False),
        ("RandAdjustContrast", {"prob": 1.0}, False),
        ("RandGaussianNoise", {"prob": 1.0}, True),
        ("RandHistogramShift", {"prob": 1.0}, False),
        ("RandScaleIntensity", {"factors": 0.3, "prob": 1.0}, False),
        ("MedianSmooth", {"radius": 1}, False),
        ("RandRicianNoise", {"prob": 1.0, "std": 0.05}, True),
    ],
)
def test_those_that_fit_keep_the_contract(name, options, per_frame):
    check_transform(lambda: named(name, **options), "augment", per_frame=per_frame)


def test_other_generators_draw_otherwise():
    clip, change = tiny_clip(dtype="float32"), named("RandAdjustContrast", prob=1.0)
    assert not np.array_equal(change(clip, rng(0)).frames, change(clip, rng(1)).frames)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "needs the option `class`"),
        ({"class": "RandGausianSmooth"}, "Did you mean RandGaussianSmooth"),
        ({"class": "RandAffine"}, "no transform 'RandAffine' that fits"),
        ({"class": "RandAdjustContrast", "gama": 2}, "no option 'gama': it takes prob, gamma"),
        ({"class": "RandScaleIntensity"}, "cannot be made"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(options, says):
    with pytest.raises(OptionError, match=says):
        resolve("transform", "monai", **options)


def test_a_recipe_names_one_by_set():
    settings = [
        "augment.smooth.use=monai",
        "augment.smooth.class=RandGaussianSmooth",
        "augment.smooth.prob=0.5",
        "augment.smooth.sigma_x=[0.5, 1.5]",
    ]
    recipe = load_recipe("ph-newborn", settings=settings)
    recipe.check_components()
    slot = recipe.augment["smooth"]
    resolve("transform", slot.use, **slot.options)
    again = recipe.to_toml()
    assert 'class = "RandGaussianSmooth"' in again


def test_only_what_leaves_pixels_in_their_place_is_listed():
    names = set(catalogue())
    assert {"RandGaussianSmooth", "RandBiasField", "GibbsNoise"} <= names
    assert names.isdisjoint({"RandAffine", "RandFlip", "Resize", "RandZoom"})
