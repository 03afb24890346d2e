"""Guided Grad-CAM: Grad-CAM's coarse map times the fine map of guided backpropagation."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from captum.attr import GuidedBackprop
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from echokit import Saliency
from echokit_captum.attribution import attribute, positive
from echokit_captum.gradcam import class_activation, find_layer


@dataclass(frozen=True, slots=True)
class GuidedGradCam:
    """The explainer; see `echokit_captum.guided_gradcam`."""

    layer: str | None = None
    """Dotted name of Grad-CAM's module; None for the model's `cam_layer()`."""

    def check(self, model: nn.Module) -> None:
        """Refuse a model that names no layer, as `captum-gradcam` does."""
        find_layer(model, self.layer)

    def passes(self, shape: tuple[int, int, int, int]) -> int:
        """Count two passes forward and as many backward."""
        return 4

    def __call__(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Saliency:
        """Explain one class of one sequence; errors as `captum-gradcam`'s."""
        coarse = class_activation(model, find_layer(model, self.layer), sequence, target)
        size = tuple(sequence.shape[1:])
        enlarged = F.interpolate(coarse[None, None].float(), size=size, mode="trilinear")[0]
        fine = attribute(model, sequence, target, lambda _, inputs: _guided(model, inputs, target))
        return Saliency(positive(fine * enlarged), target, "captum-guided-gradcam")


def _guided(model: nn.Module, inputs: Tensor, target: int) -> Tensor:
    """Compute a class's gradients, which pass a ReLU only where they are positive."""
    with warnings.catch_warnings(), out_of_place(model):
        # captum announces what is intended here: hooks, and gradients of the input
        warnings.filterwarnings("ignore", "Setting backward hooks on ReLU activations")
        warnings.filterwarnings("ignore", "Input Tensor .* did not already require gradients")
        gradients: Tensor = GuidedBackprop(model).attribute(inputs.requires_grad_(), target)
    return gradients


@contextmanager
def out_of_place(model: nn.Module) -> Iterator[None]:
    """Let ReLUs keep their inputs, which captum's hooks on their gradients need."""
    inplace = [m for m in model.modules() if isinstance(m, nn.ReLU) and m.inplace]
    for module in inplace:
        module.inplace = False
    try:
        yield
    finally:
        for module in inplace:
            module.inplace = True
