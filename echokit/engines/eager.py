"""Torch itself: the engine that all others are measured against."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from echokit.engines.engine import Precision, Running

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32


def run_eagerly(network: nn.Module, precision: Precision = "exact", batch: int = 16) -> Running:
    """Run a network with torch, where its weights are.

    Args:
        network: in evaluation, on its device, in channels_last_3d if that is faster.
        precision: `fast` computes in bfloat16 on CUDA and on CPUs that have it.
        batch: sequences at once, at most.
    """
    device = next(network.parameters()).device
    half = precision == "fast" and has_bfloat16(device)
    autocast = torch.autocast(device.type, torch.bfloat16, half)

    def forward(sequences: Float32[np.ndarray, "B C T H W"]) -> Float32[np.ndarray, "B K"]:
        with _rounding(precision), torch.inference_mode(), autocast:
            given = torch.split(torch.from_numpy(sequences), batch)
            parts = [network(_moved(part, device)) for part in given]
            logits: Float32[np.ndarray, "B K"] = torch.cat(parts).float().cpu().numpy()
        return logits

    return Running(forward, "torch", torch.__version__, "bfloat16" if half else "float32")


def _rounding(precision: Precision) -> AbstractContextManager[None]:
    """Left to itself, cuDNN rounds what float32 convolutions multiply to TF32."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=precision == "fast")


def run_compiled(network: nn.Module, precision: Precision = "exact") -> Running:
    """Run a network through `torch.compile`: half a minute at first, for many studies of a GPU."""
    compiled: Any = torch.compile(network)
    return replace(run_eagerly(compiled, precision), engine="torch-compile")


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16, and does not only imitate it."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _moved(sequences: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Put sequences where the network is, in the memory format that its convolutions like."""
    if device.type == "cuda":  # from pinned memory, copying need not be waited for
        sequences = sequences.pin_memory()
    moved = sequences.to(device, non_blocking=True)
    return moved.to(memory_format=torch.channels_last_3d)
