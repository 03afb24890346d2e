"""Training loops without echokit's data path: the network on tensors in memory."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.backends import cudnn
from torch.nn import functional as F

from echokit.components.networks import make_model
from echokit.networks.arithmetic import arithmetic
from echokit.networks.checkpoint import channels_last
from echokit.recipe import Recipe

WARM_UP = 5
"""Steps before the clock starts: cuDNN compares its algorithms in the first ones."""


@dataclass(frozen=True, slots=True)
class Loop:
    """How a bare loop trains."""

    bf16: bool = True
    """bf16 autocast and channels_last_3d; otherwise float32 in PyTorch's default layout."""
    tf32: bool = True
    """Whether float32 convolutions may round their factors to TF32, as PyTorch lets them."""
    mode: str = ""
    """Mode of `torch.compile`; empty does not compile."""


def samples_per_second(
    recipe: Recipe, loop: Loop, device: torch.device, side: int, steps: int, seconds: float
) -> float:
    """Time training steps on tensors that lie on the device already.

    Args:
        recipe: names the network, the batch and the length of sequences.
        loop: how to train.
        device: where.
        side: height and width of the frames.
        steps: largest number of steps that are timed.
        seconds: time after which no further step is begun, but for the warm-up.
    """
    batch = recipe.train.batch
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(4, batch, 1, recipe.sequences.k, side, side, generator=rng).to(device)
    labels = (torch.arange(batch) % 3).to(device)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make_model(recipe, 3).train()
    model = (channels_last(model) if loop.bf16 else model).to(device)
    cuda = device.type == "cuda"
    optimizer = torch.optim.Adam(
        model.parameters(), lr=recipe.train.lr, fused=True if cuda else None
    )
    compiled: Any = torch.compile(model, mode=loop.mode) if loop.mode else model
    allowed = cudnn.allow_tf32
    try:
        cudnn.allow_tf32 = loop.tf32
        with arithmetic(device, deterministic=False):
            for step in range(WARM_UP):
                _step(compiled, optimizer, inputs[step % 4], labels, loop)
            _wait(device)
            started, done = time.perf_counter(), 0
            while done < steps and time.perf_counter() - started < seconds:
                _step(compiled, optimizer, inputs[done % 4], labels, loop)
                done += 1
            _wait(device)
            return done * batch / (time.perf_counter() - started)
    finally:
        cudnn.allow_tf32 = allowed
        if loop.mode:
            torch.compiler.reset()


def _step(
    model: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor, labels: Tensor, loop: Loop
) -> None:
    """Take one training step, without waiting for it."""
    layout = torch.channels_last_3d if loop.bf16 else torch.contiguous_format
    half = torch.autocast(inputs.device.type, torch.bfloat16) if loop.bf16 else nullcontext()
    with half:
        logits = model(inputs.to(memory_format=layout))
    loss = F.cross_entropy(logits.float(), labels)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _wait(device: torch.device) -> None:
    """Wait for the device, so that the clock measures work and not its launch."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
