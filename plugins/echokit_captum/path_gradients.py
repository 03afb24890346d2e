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
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from echokit import OptionError, Saliency, check_whole
from echokit_captum.attribution import attribute, positive

BLUR = 1 / 8
"""Standard deviation of the baseline `blurred`, as a share of the longer side of a frame."""


def _blurred(x: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B C T H W"]:
    """Blur every frame until it shows no structure, only how bright each region is."""
    sd = BLUR * max(x.shape[3:])
    frames = gaussian_filter(x.detach().cpu().numpy(), sd, axes=(3, 4), mode="nearest")
    return torch.from_numpy(frames).to(x)


BASELINES: dict[str, Callable[[Tensor], Tensor]] = {
    "least": lambda x: torch.full_like(x, float(x.min())),
    "mean": lambda x: torch.full_like(x, float(x.mean())),
    "still": lambda x: x.mean(dim=2, keepdim=True).expand_as(x).contiguous(),
    "blurred": _blurred,
}
"""Sequences without information: black, uniform grey, the mean frame without motion, or every
frame without structure."""


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
    smooth: float = 0.0
    """Standard deviation of the blur of signed attributions, as a share of the longer side."""

    def __post_init__(self) -> None:
        check_whole("explainer 'captum-integrated-gradients'", steps=self.steps, batch=self.batch)
        check_baseline("captum-integrated-gradients", self.baseline)
        if not 0 <= self.smooth <= 1:
            raise OptionError(
                "The explainer 'captum-integrated-gradients' was given "
                f"smooth={self.smooth}: give a share of the frame's side, 0 to 1."
            )

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

    def passes(self, shape: tuple[int, int, int, int]) -> int:
        """Count the points of the path, forward and backward."""
        return 2 * self.steps

    def __call__(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Saliency:
        """Explain one class of one sequence; errors as in `attribution.attribute`."""
        signed = self.signed(model, sequence, target)
        if self.smooth:
            side = self.smooth * max(sequence.shape[2:])
            # before negative values are cut: next to each other the signs of pixels alternate
            blurred = gaussian_filter(signed.cpu().numpy(), (0, 1, side, side), mode="constant")
            signed = torch.from_numpy(blurred)
        return Saliency(positive(signed), target, "captum-integrated-gradients")


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

    def passes(self, shape: tuple[int, int, int, int]) -> int:
        """Count the draws, forward and backward."""
        return 2 * self.samples

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
