"""How a network's weights lie in memory."""

from __future__ import annotations

import torch
from torch import nn


def channels_last(network: nn.Module) -> nn.Module:
    """Put the weights of 3D convolutions in channels_last_3d, in place; others stay as they are.

    That is the layout in which a CPU convolves faster. `network.to(memory_format=...)` would refuse
    a network that holds a 2D convolution too.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.ndim == 5:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last_3d)
    return network
