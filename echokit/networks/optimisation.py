"""Make the optimizer, the schedule of its learning rate, and the average of the weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ConstantLR, LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from echokit.networks.job import device_of
from echokit.networks.settings import Settings

RISE = 0.3
"""Share of the steps in which a one-cycle schedule rises, where `warm_up` says nothing."""


def make_optimizer(network: nn.Module, settings: Settings) -> Optimizer:
    """Make the optimizer of the parameters that learn.

    With `adamw` the decay is decoupled from the gradient (Loshchilov and Hutter 2019,
    arXiv:1711.05101), and biases and norms, which have one dimension, do not decay.
    """
    # one kernel for all weights: small networks wait for launches of kernels
    fused: dict[str, Any] = {"fused": True} if device_of(settings.device).type == "cuda" else {}
    if settings.optimizer == "adam":
        decay = settings.weight_decay
        return torch.optim.Adam(network.parameters(), lr=settings.lr, weight_decay=decay, **fused)
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    used = [group for group in groups if group["params"]]
    return torch.optim.AdamW(used, lr=settings.lr, **fused)


def make_schedule(optimizer: Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Make the schedule of the learning rate over all optimisation steps."""
    steps = max(steps, 2)
    if settings.schedule == "one-cycle":
        # between the bounds torch needs one step on either side of the peak
        rise = min(max(settings.warm_up or RISE, 2 / steps), 1 - 1 / steps)
        return OneCycleLR(optimizer, [settings.lr] * len(optimizer.param_groups), steps,
                          pct_start=rise if settings.warm_up else RISE)  # fmt: skip
    if settings.schedule == "constant" and not settings.warm_up:
        return ConstantLR(optimizer, factor=1.0)
    rising = max(1, round(settings.warm_up * steps))

    def factor(step: int) -> float:
        if step < rising and settings.warm_up:
            return (step + 1) / (rising + 1)
        if settings.schedule == "constant":
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))

    return LambdaLR(optimizer, factor)


def make_average(network: nn.Module, settings: Settings) -> AveragedModel | None:
    """Make the moving average of a network's weights; None where the last weights are kept.

    Its batch-norm statistics are the last network's, until they are re-estimated.
    """
    if not settings.average:
        return None
    return AveragedModel(
        network,
        multi_avg_fn=get_ema_multi_avg_fn(settings.average),  # type: ignore[no-untyped-call]
        use_buffers=False,
    )


def copy_average(average: AveragedModel, network: nn.Module) -> None:
    """Copy averaged weights into the network that learned, in place."""
    with torch.no_grad():
        for parameter, averaged in zip(
            network.parameters(), average.module.parameters(), strict=True
        ):
            parameter.copy_(averaged)
