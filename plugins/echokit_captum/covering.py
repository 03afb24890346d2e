"""Occlusion over blocks of space and time, by captum's `Occlusion`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from captum.attr import Occlusion as CaptumOcclusion
from jaxtyping import Float
from torch import Tensor, nn

from echokit import Saliency
from echokit_captum.common import attribute, positive
from echokit_captum.paths import BASELINES, check_baseline, check_counts


@dataclass(frozen=True, slots=True)
class Occlusion:
    """The explainer; see `echokit_captum.occlusion`."""

    frames: int
    cells: int
    baseline: str
    batch: int

    def __post_init__(self) -> None:
        check_counts("captum-occlusion", frames=self.frames, cells=self.cells, batch=self.batch)
        check_baseline("captum-occlusion", self.baseline)

    def signed(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Float[Tensor, "C T H W"]:
        """How much the class's logit falls where a block is hidden, mean over blocks."""
        channels, length, height, width = sequence.shape
        block = (
            channels,
            min(self.frames, length),
            max(1, -(-height // self.cells)),
            max(1, -(-width // self.cells)),
        )
        # half a block further each time, so that no border of blocks shows
        stride = (channels, *(max(1, side // 2) for side in block[1:]))

        def hide(forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
            with torch.no_grad():
                found: Tensor = CaptumOcclusion(forward).attribute(
                    inputs,
                    block,
                    stride,
                    BASELINES[self.baseline](inputs),
                    target,
                    perturbations_per_eval=self.batch,
                )
            return found

        return attribute(model, sequence, target, hide)

    def __call__(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Saliency:
        """Explain one class of one sequence; errors as in `echokit_captum.common.attribute`."""
        return Saliency(positive(self.signed(model, sequence, target)), target, "captum-occlusion")
