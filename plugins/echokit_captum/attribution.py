"""Attribution by captum: a model that is not changed, a class that exists, a map in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from echokit import DataError, UsageError


def check_target(logits: Tensor, target: int) -> None:
    """Refuse a class that the model does not have.

    Raises:
        UsageError: the logits are not `(B, K)`, or `target` is not below K.
    """
    if logits.ndim != 2 or not 0 <= target < logits.shape[1]:
        raise UsageError(
            f"Class {target} cannot be explained: the model's output is "
            f"{tuple(logits.shape)}, where (1, K) is expected, and classes count from 0 to "
            "K - 1."
        )


def attribute(
    model: nn.Module,
    sequence: Float[Tensor, "C T H W"],
    target: int,
    method: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor],
) -> Float[Tensor, "C T H W"]:
    """Attribute the logit of one class to the values of a sequence, by a method of captum.

    Args:
        model: maps `(B, C, T, H, W)` to logits `(B, K)`; explained in eval mode and not changed.
        sequence: normalised as for the model; copied to the model's device.
        target: index of the class.
        method: called as `method(forward, inputs)` with inputs `(1, C, T, H, W)`.

    Returns:
        The attribution of each value of the sequence: positive for the class, negative against it.

    Raises:
        UsageError: the model has no class `target`.
        DataError: the attribution is not finite.
    """
    device = next((p.device for p in model.parameters()), sequence.device)

    def forward(sequences: Tensor) -> Tensor:
        logits: Tensor = model(sequences)
        check_target(logits, target)
        return logits

    # gradients are needed even if the caller has switched them off
    with torch.inference_mode(False), torch.enable_grad(), evaluating(model), untouched(model):
        inputs = sequence.detach().clone().to(device)[None]
        attribution = method(forward, inputs).detach()[0]
    if not torch.isfinite(attribution).all():
        raise DataError(
            f"The saliency of class {target} is not finite: the sequence or the model's weights "
            "hold NaN or infinity; check the training's loss."
        )
    return attribution


def positive(attribution: Float[Tensor, "C T H W"]) -> Float32[np.ndarray, "T H W"]:
    """Sum over channels, keep positive values, and divide by the sequence's largest value."""
    evidence = attribution.float().sum(0).clamp(min=0)
    largest = evidence.max()
    return (evidence / largest if largest > 0 else evidence).cpu().numpy()


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Switch the parameters' gradients off, so that an explanation leaves none behind."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Set every module to eval mode, and restore its own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
