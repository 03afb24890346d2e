"""Factories of MONAI's 3D networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from echokit_monai.options import checked, checked_whole

if TYPE_CHECKING:
    from torch import nn


def monai_resnet18(
    num_classes: int, in_channels: int, *, width: float = 1.0, weights: str = "none"
) -> nn.Module:
    """MONAI's ResNet with 18 layers of 3D convolutions (33.2 M parameters).

    Hara et al., CVPR 2018, doi:10.1109/CVPR.2018.00685. Time is its first spatial axis. Any number
    of frames (from 1) and any frame size works.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        width: factor of every stage's channels, above 0; 1 as published.
        weights: `none` for random ones, or the path of a `.pth`, `.pt` or `.safetensors` state
            dict of the same network. The file's input channels are summed and spread evenly over
            `in_channels`; a head of another number of classes stays random.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is out of range, or the weights cannot be read or do not fit.
    """
    from echokit_monai.networks import resnet

    checked_whole("num_classes", num_classes, 1, 10_000)
    checked_whole("in_channels", in_channels, 1, 10_000)
    return resnet(num_classes, in_channels, checked("width", width, 1 / 64, 64.0), weights)


def monai_densenet121(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
    """MONAI's DenseNet with 121 layers of 3D convolutions (11.2 M parameters).

    Huang et al., CVPR 2017, doi:10.1109/CVPR.2017.243. Time is its first spatial axis, halved
    five times. Any number of frames (from 1) and any frame size works: a pooling keeps the
    remainder of an odd size, and equals MONAI's own at multiples of 32.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        weights: as for `monai-resnet18`.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_monai.networks import densenet

    checked_whole("num_classes", num_classes, 1, 10_000)
    checked_whole("in_channels", in_channels, 1, 10_000)
    return densenet(num_classes, in_channels, weights)
