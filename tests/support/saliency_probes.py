"""Networks whose right map is known, and maps right and wrong, for the tests of saliency."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from echokit import Saliency

SHAPE = (8, 24, 24)

EVERYWHERE = np.ones(SHAPE, bool)


class Linear(nn.Module):
    """Class 1 for brightness in a known box; what it looks at is its own weights."""

    def __init__(self) -> None:
        super().__init__()
        weights = torch.zeros(2, *SHAPE)
        weights[1, 2:6, 6:12, 3:9] = 0.02
        self.weights = nn.Parameter(weights)

    def forward(self, sequences):
        return torch.einsum("bcthw,kthw->bk", sequences - 0.5, self.weights) * 10


def gradient(model, sequence, target):
    """Right for a linear model: weight times contribution."""
    seen = sequence[None].clone().requires_grad_()
    (slope,) = torch.autograd.grad(model(seen)[0, target], seen)
    return scaled(slope[0, 0].clamp(min=0).numpy(), target)


def scaled(values, target=1):
    return Saliency((values / values.max()).astype(np.float32), target, "test")


def noise(seed=0, frames=SHAPE[0]):
    return torch.rand(1, frames, *SHAPE[1:], generator=torch.Generator().manual_seed(seed)) * 0.2


class Convolutional(nn.Module):
    """Hand-made: class 1 for something bright; half of its features are noise that it ignores."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(4)
        conv = nn.Conv3d(1, 8, 3, (1, 2, 2), 1, bias=False)
        self.stem = nn.Sequential(conv, nn.BatchNorm3d(8), nn.ReLU())
        self.stage = nn.Sequential(nn.Conv3d(8, 16, 3, (2, 2, 2), 1), nn.ReLU())
        self.head = nn.Linear(16, 2)
        with torch.no_grad():
            for tensor in self.parameters():
                if tensor.ndim > 1:
                    tensor.copy_(torch.randn(tensor.shape, generator=rng) * 0.1)
            conv.weight[:4] = 1 / 27  # the mean around a voxel, and of it what exceeds a half
            self.stem[1].bias[:4] = -0.5
            self.stage[0].weight[:8, :4] = 1
            self.head.weight[1, :8], self.head.weight[:, 8:] = 0.4, 0
            self.head.weight[0], self.head.bias[1] = 0, -2

    def forward(self, sequences):
        return self.head(self.stage(self.stem(sequences)).mean(dim=(2, 3, 4)))

    def cam_layer(self):
        return self.stage


def edges(model, sequence, target):
    """A map that never asks the network."""
    _, rows, columns = np.gradient(sequence[0].numpy())
    return scaled(np.hypot(rows, columns), target)
