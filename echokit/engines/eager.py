"""Run networks with torch, the engine that all others are compared with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from echokit.engines.engine import Precision, Running


def run_eagerly(network: nn.Module, precision: Precision = "exact", batch: int = 16) -> Running:
    """Make an engine that runs a network with torch, on the device of its weights.

    Args:
        network: in evaluation mode, on its device, in channels_last_3d if that is faster. It
            returns logits, or logits and features.
        precision: `fast` computes in bfloat16 on CUDA and on CPUs that have it.
        batch: largest number of sequences in one forward pass.
    """
    device = next(network.parameters()).device
    half = precision == "fast" and has_bfloat16(device)
    autocast = torch.autocast(device.type, torch.bfloat16, half)

    def both(
        sequences: Float32[np.ndarray, "B C T H W"],
    ) -> tuple[Float32[np.ndarray, "B K"], Float32[np.ndarray, "B F"] | None]:
        with _tf32(precision), torch.inference_mode(), autocast:
            batches = torch.split(torch.from_numpy(sequences), batch)
            parts = [network(_to_device(part, device)) for part in batches]
        if not isinstance(parts[0], tuple):
            return _joined(parts), None
        return _joined([logits for logits, _ in parts]), _joined([seen for _, seen in parts])

    def forward(sequences: Float32[np.ndarray, "B C T H W"]) -> Float32[np.ndarray, "B K"]:
        return both(sequences)[0]

    computes_in = "bfloat16" if half else "float32"
    return Running(forward, "torch", torch.__version__, computes_in, both)


def _joined(parts: list[torch.Tensor]) -> Float32[np.ndarray, "B n"]:
    array: Float32[np.ndarray, "B n"] = torch.cat(parts).float().cpu().numpy()
    return array


def _tf32(precision: Precision) -> AbstractContextManager[None]:
    """Allow cuDNN to round the factors of float32 convolutions to TF32 in `fast` precision only.

    By default PyTorch allows it always, which `exact` must not.
    """
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=precision == "fast")


def run_compiled(network: nn.Module, precision: Precision = "exact") -> Running:
    """Make an engine of `torch.compile`.

    The first call takes half a minute, which pays on a GPU and for many studies.
    """
    compiled: Any = torch.compile(network)
    return replace(run_eagerly(compiled, precision), engine="torch-compile")


def has_bfloat16(device: torch.device) -> bool:
    """True if a device computes in bfloat16 itself; emulation would be slower than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def _to_device(sequences: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy sequences to the network's device, in the memory format of its 3D convolutions."""
    if device.type == "cuda":
        sequences = sequences.pin_memory()  # only pinned memory is copied without waiting
    on_device = sequences.to(device, non_blocking=True)
    return on_device.to(memory_format=torch.channels_last_3d)
