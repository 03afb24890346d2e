"""Smoothed gradients."""

from dataclasses import dataclass

import torch
from echokit import OptionError, Saliency
from torch import Tensor, nn


@dataclass(frozen=True)
class SmoothGradient:
    """The explainer; see `echokit_second_look.smooth_gradient`."""

    samples: int
    noise: float
    seed: int

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise OptionError(f"samples={self.samples}: give a whole number from 1.")

    def __call__(self, model: nn.Module, sequence: Tensor, target: int) -> Saliency:
        """Explain one class of one sequence."""
        rng = torch.Generator().manual_seed(self.seed)
        device = next((p.device for p in model.parameters()), sequence.device)
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        total = torch.zeros(sequence.shape[1:])
        try:
            with torch.inference_mode(False), torch.enable_grad():
                given = sequence.detach().clone()
                deviation = self.noise * (given.max() - given.min())
                for _ in range(self.samples):
                    shaken = given + deviation * torch.randn(given.shape, generator=rng)
                    inputs = shaken.to(device)[None].requires_grad_()
                    (gradient,) = torch.autograd.grad(model(inputs)[0, target], inputs)
                    total += gradient[0].abs().sum(0).cpu()
        finally:
            for module, training in modes:
                module.training = training
        largest = total.max()
        values = total / largest if largest > 0 else total
        return Saliency(values.numpy(), target, "smooth-gradient")
