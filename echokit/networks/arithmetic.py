"""How a GPU computes while a network is trained: the fastest algorithms, or repeatable ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.backends import cudnn

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Environment variable that fixes the working memory of cuBLAS, without which it may not repeat."""


@contextmanager
def arithmetic(device: torch.device, deterministic: bool) -> Iterator[None]:
    """Choose the algorithms for a training, and restore PyTorch's settings afterwards.

    On CUDA the fastest algorithm of each convolution is measured, which can choose another one in
    the next run. With `deterministic` only repeatable algorithms are used: the same seed then gives
    the same weights on the same card, to the bit. A CPU repeats its results in both cases.

    Args:
        device: device of the training.
        deterministic: use repeatable algorithms only. PyTorch raises `RuntimeError` if an operation
            of the network has none. cuBLAS reads its environment variable once in a process: set
            `CUBLAS_WORKSPACE_CONFIG=:4096:8` before Python starts if the process has used CUDA.
    """
    benchmark, repeatable = cudnn.benchmark, cudnn.deterministic
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    workspace = os.environ.get(WORKSPACE)
    try:
        if deterministic:
            os.environ.setdefault(WORKSPACE, ":4096:8")
            torch.use_deterministic_algorithms(True, warn_only=False)
            cudnn.deterministic, cudnn.benchmark = True, False
        elif device.type == "cuda":
            cudnn.benchmark = True
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = benchmark, repeatable
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        if workspace is None:
            os.environ.pop(WORKSPACE, None)
