"""Gradients along a path from nothing to the sequence: integrated gradients, gradient SHAP."""

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

from echokit import OptionError, Saliency
from echokit_captum.common import attribute, positive

BASELINES: dict[str, Callable[[Tensor], Tensor]] = {
    "least": lambda x: torch.full_like(x, float(x.min())),
    "mean": lambda x: torch.full_like(x, float(x.mean())),
    "still": lambda x: x.mean(dim=2, keepdim=True).expand_as(x).contiguous(),
}
"""What stands for nothing: black, a flat grey, or the sequence's mean frame without motion."""


def check_baseline(explainer: str, baseline: str) -> None:
    """Refuse a baseline that there is not.

    Raises:
        OptionError: it is none of `BASELINES`.
    """
    if baseline not in BASELINES:
        raise OptionError(
            f"The explainer {explainer!r} was given baseline={baseline!r}: give one of "
            f"{', '.join(BASELINES)}."
        )


def check_counts(explainer: str, **counts: int) -> None:
    """Refuse numbers below 1.

    Raises:
        OptionError: one is.
    """
    for name, value in counts.items():
        if value < 1:
            raise OptionError(
                f"The explainer {explainer!r} was given {name}={value}: give a whole number from 1."
            )


@dataclass(frozen=True, slots=True)
class IntegratedGradients:
    """The explainer; see `echokit_captum.integrated_gradients`."""

    steps: int
    baseline: str
    batch: int

    def __post_init__(self) -> None:
        check_counts("captum-integrated-gradients", steps=self.steps, batch=self.batch)
        check_baseline("captum-integrated-gradients", self.baseline)

    def signed(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Float[Tensor, "C T H W"]:
        """What speaks for and against the class; sums to the difference of its logit."""

        def integrate(forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
            found: Tensor = CaptumIntegrated(forward).attribute(
                inputs,
                BASELINES[self.baseline](inputs),
                target,
                n_steps=self.steps,
                internal_batch_size=self.batch,
            )
            return found

        return attribute(model, sequence, target, integrate)

    def __call__(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Saliency:
        """Explain one class of one sequence; errors as in `echokit_captum.common.attribute`."""
        values = positive(self.signed(model, sequence, target))
        return Saliency(values, target, "captum-integrated-gradients")


@dataclass(frozen=True, slots=True)
class GradientShap:
    """The explainer; see `echokit_captum.gradient_shap`."""

    samples: int
    noise: float
    batch: int
    seed: int

    def __post_init__(self) -> None:
        check_counts("captum-gradient-shap", samples=self.samples, batch=self.batch)
        if not self.noise >= 0:
            raise OptionError(
                f"The explainer 'captum-gradient-shap' was given noise={self.noise}: give a "
                "standard deviation from 0."
            )

    def signed(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Float[Tensor, "C T H W"]:
        """What speaks for and against the class."""

        def expect(forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
            baselines = torch.cat([BASELINES["least"](inputs), BASELINES["mean"](inputs)])
            total = torch.zeros_like(inputs)
            for done in range(0, self.samples, self.batch):
                n = min(self.batch, self.samples - done)
                total += n * CaptumShap(forward).attribute(
                    inputs, baselines, n_samples=n, stdevs=self.noise, target=target
                )
            return total / self.samples

        with own_randomness(self.seed):
            return attribute(model, sequence, target, expect)

    def __call__(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Saliency:
        """Explain one class of one sequence; errors as in `echokit_captum.common.attribute`."""
        values = positive(self.signed(model, sequence, target))
        return Saliency(values, target, "captum-gradient-shap")


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Give captum, which draws from the global generators, states that are put back after."""
    kept = np.random.get_state()  # noqa: NPY002 - captum draws from it
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.set_state(np.random.RandomState(seed).get_state())  # noqa: NPY002
        try:
            yield
        finally:
            np.random.set_state(kept)  # noqa: NPY002
