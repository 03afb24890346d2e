"""Occlusion of blocks of space and time, by captum's `Occlusion`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from captum.attr import Occlusion as CaptumOcclusion
from jaxtyping import Float
from torch import Tensor, nn

from echokit import Saliency, check_whole
from echokit_captum.attribution import attribute, positive
from echokit_captum.path_gradients import BASELINES, check_baseline


@dataclass(frozen=True, slots=True)
class Occlusion:
    """The explainer; see `echokit_captum.occlusion`."""

    frames: int
    """Length of a block in frames."""
    cells: int
    """Number of blocks side by side across a frame."""
    baseline: str
    """Key of `BASELINES`: the content of a hidden block."""
    batch: int
    """Copies that the network processes at once."""

    def __post_init__(self) -> None:
        check_whole(
            "explainer 'captum-occlusion'", frames=self.frames, cells=self.cells, batch=self.batch
        )
        check_baseline("captum-occlusion", self.baseline)

    def signed(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Float[Tensor, "C T H W"]:
        """Compute the fall of the class's logit when a block is hidden, averaged over blocks."""
        block, stride = self._blocks(tuple(sequence.shape))

        def hide(forward: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
            with torch.no_grad():
                attribution: Tensor = CaptumOcclusion(forward).attribute(
                    inputs,
                    block,
                    stride,
                    BASELINES[self.baseline](inputs),
                    target,
                    perturbations_per_eval=self.batch,
                )
            return attribution

        return attribute(model, sequence, target, hide)

    def passes(self, shape: tuple[int, int, int, int]) -> int:
        """Count the blocks, and the sequence itself."""
        sides = zip(shape, *self._blocks(shape), strict=True)
        return 1 + math.prod(1 + -(-(side - block) // stride) for side, block, stride in sides)

    def _blocks(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the size of a block, and the distance of two neighbours."""
        channels, length, height, width = shape
        block = (
            channels,
            min(self.frames, length),
            max(1, -(-height // self.cells)),
            max(1, -(-width // self.cells)),
        )
        # blocks overlap by half, so that their borders do not show in the map
        return block, (channels, *(max(1, side // 2) for side in block[1:]))

    def __call__(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Saliency:
        """Explain one class of one sequence; errors as in `attribution.attribute`."""
        return Saliency(positive(self.signed(model, sequence, target)), target, "captum-occlusion")
