"""Gradients along a path from a baseline to the sequence: integrated gradients, gradient SHAP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import GradientShap as CaptumShap
from captum.attr import IntegratedGradients as CaptumIntegrated
from jaxtyping import Float
from torch import Tensor, nn

from echokit import OptionError, Saliency, check_whole
from echokit_captum.attribution import attribute, positive

BASELINES: dict[str, Callable[[Tensor], Tensor]] = {
    "least": lambda x: torch.full_like(x, float(x.min())),
    "mean": lambda x: torch.full_like(x, float(x.mean())),
    "still": lambda x: x.mean(dim=2, keepdim=True).expand_as(x).contiguous(),
}
"""Sequences without information: black, uniform grey, or the mean frame without motion."""


def check_baseline(explainer: str, baseline: str) -> None:
    """Refuse an unknown baseline.

    Raises:
        OptionError: it is not a key of `BASELINES`.
    """
    if baseline not in BASELINES:
        raise OptionError(
            f"The explainer {explainer!r} was given baseline={baseline!r}: give one of "
            f"{', '.join(BASELINES)}."
        )


@dataclass(frozen=True, slots=True)
class IntegratedGradients:
    """The explainer; see `echokit_captum.integrated_gradients`."""

    steps: int
    """Number of points on the path."""
    baseline: str
    """Key of `BASELINES`: where the path starts."""
    batch: int
    """Points that the network processes at once."""

    def __post_init__(self) -> None:
        check_whole("explainer 'captum-integrated-gradients'", steps=self.steps, batch=self.batch)
        check_baseline("captum-integrated-gradients", self.baseline)

    def signed(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Float[Tensor, "C T H W"]:
        """Compute signed attributions, which sum to the difference of the class's logit."""

        def integrate(forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
            attribution: Tensor = CaptumIntegrated(forward).attribute(
                inputs,
                BASELINES[self.baseline](inputs),
                target,
                n_steps=self.steps,
                internal_batch_size=self.batch,
            )
            return attribution

        return attribute(model, sequence, target, integrate)

    def __call__(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Saliency:
        """Explain one class of one sequence; errors as in `attribution.attribute`."""
        values = positive(self.signed(model, sequence, target))
        return Saliency(values, target, "captum-integrated-gradients")


@dataclass(frozen=True, slots=True)
class GradientShap:
    """The explainer; see `echokit_captum.gradient_shap`."""

    samples: int
    """Number of draws."""
    noise: float
    """Standard deviation of the noise added to the normalised sequence."""
    batch: int
    """Draws that the network processes at once."""
    seed: int
    """Seed of the draws."""

    def __post_init__(self) -> None:
        check_whole("explainer 'captum-gradient-shap'", samples=self.samples, batch=self.batch)
        if not self.noise >= 0:
            raise OptionError(
                f"The explainer 'captum-gradient-shap' was given noise={self.noise}: give a "
                "standard deviation from 0."
            )

    def signed(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Float[Tensor, "C T H W"]:
        """Compute signed attributions of the class."""

        def expect(forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
            baselines = torch.cat([BASELINES["least"](inputs), BASELINES["mean"](inputs)])
            total = torch.zeros_like(inputs)
            for done in range(0, self.samples, self.batch):
                n = min(self.batch, self.samples - done)
                # captum averages over its samples: weighting by n gives the mean of all draws
                total += n * CaptumShap(forward).attribute(
                    inputs, baselines, n_samples=n, stdevs=self.noise, target=target
                )
            return total / self.samples

        with seeded(self.seed):
            return attribute(model, sequence, target, expect)

    def __call__(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Saliency:
        """Explain one class of one sequence; errors as in `attribution.attribute`."""
        values = positive(self.signed(model, sequence, target))
        return Saliency(values, target, "captum-gradient-shap")


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators, which captum draws from, and restore them afterwards."""
    state = np.random.get_state()  # noqa: NPY002 - captum draws from it
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.set_state(np.random.RandomState(seed).get_state())  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(state)  # noqa: NPY002
