"""Grad-CAM and HiResCAM over space and time, by captum's attributions of a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import LayerGradCam, LayerGradientXActivation
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional as F

from echokit import DataError, PluginError, Saliency, SupportsCam
from echokit_captum.attribution import check_target, evaluating

FLAT = 1e-6
"""Contrast of a map, relative to its maximum, below which it is rounding error."""


@dataclass(frozen=True, slots=True)
class GradCam:
    """The explainer; see `echokit_captum.gradcam`."""

    layer: str | None = None
    """Dotted name of the module whose output is explained; None for the model's `cam_layer()`."""
    by_place: bool = False
    """Weigh each place of a channel by its own gradient (HiResCAM), not by the channel's mean."""

    def check(self, model: nn.Module) -> None:
        """Refuse a model that names no layer.

        Raises:
            PluginError: it names none.
        """
        find_layer(model, self.layer)

    def passes(self, shape: tuple[int, int, int, int]) -> int:
        """Count one pass forward and as many backward."""
        return 2

    def __call__(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Saliency:
        """Explain one class of one sequence.

        Args:
            model: maps `(1, C, T, H, W)` to logits `(1, K)`.
            sequence: normalised as for the model; copied to the model's device.
            target: index of the class to explain, 0 to K - 1.

        Returns:
            Saliency `(T, H, W)` float32 in [0, 1].

        Raises:
            PluginError: the model names no layer, or the layer's output is not a 3D feature map.
            UsageError: the model has no class `target`.
            DataError: the map is not finite.
        """
        layer = find_layer(model, self.layer)
        coarse = class_activation(model, layer, sequence, target, self.by_place)
        if not torch.isfinite(coarse).all():
            raise DataError(
                f"The map of class {target} is not finite: the sequence or the model's weights "
                "hold NaN or infinity; check the training's loss."
            )
        method = "captum-hirescam" if self.by_place else "captum-gradcam"
        return Saliency(values=enlarge(coarse, sequence.shape[1:]), target=target, method=method)


def find_layer(model: nn.Module, name: str | None) -> nn.Module:
    """Return the module of the given name, or the model's own `cam_layer()`.

    Raises:
        PluginError: there is no such module.
    """
    kind = type(model).__name__
    children = ", ".join(name for name, _ in model.named_children()) or "none"
    if name is not None:
        try:
            return model.get_submodule(name)
        except AttributeError as error:
            raise PluginError(
                f"{kind} has no module {name!r} for Grad-CAM: give `layer` as a dotted name below "
                f"one of its modules: {children}."
            ) from error
    if isinstance(model, SupportsCam):
        return model.cam_layer()
    raise PluginError(
        f"{kind} does not name a layer for Grad-CAM: give it a method `cam_layer()` that returns "
        "its last convolutional stage, or give the name of that stage as the explainer's option "
        f"`layer`. Its modules: {children}."
    )


def class_activation(
    model: nn.Module,
    layer: nn.Module,
    sequence: Float[Tensor, "C T H W"],
    target: int,
    by_place: bool = False,
) -> Float[Tensor, "t h w"]:
    """Compute Grad-CAM's equation 2 at the layer's own size: a weighted sum, then ReLU.

    With `by_place` the weights are not a channel's mean gradient but the gradient itself, as in
    HiResCAM's equation 3.

    Raises:
        PluginError: the layer does not run, or its output is not a 3D feature map.
        UsageError: the model has no class `target`.
    """
    shapes: list[tuple[int, ...]] = []

    def begin_graph(_module: nn.Module, _inputs: object, output: object) -> object:
        """Start the graph of gradients at the layer, so that earlier activations are not kept."""
        shapes.append(_shape(output))
        if torch.is_grad_enabled() or not isinstance(output, Tensor):
            return output
        torch.set_grad_enabled(True)  # `logits_of` switched it off up to this layer
        return output.detach().requires_grad_()

    def logits_of(sequences: Tensor) -> Tensor:
        with torch.no_grad():
            logits: Tensor = model(sequences)
        if not shapes or len(shapes[-1]) != 5:
            problem = f"gives {shapes[-1]}" if shapes else "does not run"
            raise PluginError(
                f"The layer for Grad-CAM in {type(model).__name__}, a {type(layer).__name__}, "
                f"{problem}: name a layer whose output is (1, C', T', H', W')."
            )
        check_target(logits, target)
        return logits

    device = next((p.device for p in model.parameters()), sequence.device)
    hook = layer.register_forward_hook(begin_graph)
    try:
        with torch.inference_mode(False), torch.enable_grad(), evaluating(model):
            inputs = sequence.detach().clone().to(device)[None]
            kind = LayerGradientXActivation if by_place else LayerGradCam
            weighted: Tensor = kind(logits_of, layer).attribute(inputs, target)
    finally:
        hook.remove()
    return weighted.detach()[0].sum(0).relu()  # captum's Grad-CAM has one channel already


def _shape(output: object) -> tuple[int, ...]:
    return tuple(output.shape) if isinstance(output, Tensor) else ()


def enlarge(coarse: Float[Tensor, "t h w"], size: tuple[int, ...]) -> Float32[np.ndarray, "T H W"]:
    """Enlarge a map to the sequence's size and scale it to [0, 1]."""
    smallest, largest = coarse.min(), coarse.max()
    # tested before enlarging, because interpolating a constant makes tiny differences
    if largest - smallest <= FLAT * largest:
        return np.zeros(tuple(size), dtype=np.float32)
    fine = F.interpolate(coarse[None, None].float(), size=tuple(size), mode="trilinear")[0, 0]
    fine = (fine - fine.min()) / (fine.max() - fine.min())
    return fine.cpu().numpy()
