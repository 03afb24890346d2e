"""The paper's spatial baseline, ResNet-18 on single frames, built from torchvision's own parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from echokit import OptionError, hookimpl

if TYPE_CHECKING:
    from echokit_torchvision.resnet import ResNet18


@hookimpl
def register_backbones(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add ResNet-18."""
    register("torchvision-resnet-18", resnet_18)


def resnet_18(
    num_classes: int,
    in_channels: int,
    *,
    width: int = 64,
    weights: str = "none",
    cam: str = "layer4",
) -> ResNet18:
    """ResNet with 18 layers, which looks at each frame by itself.

    He et al., CVPR 2016, doi:10.1109/CVPR.2016.90; the spatial baseline of the paper's table 3,
    on sequences of one frame. At width 64 it computes what `torchvision.models.resnet18` computes.
    Of several frames the logits are averaged; nothing relates one frame to another but the batch
    statistics of training. Any frame size works.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        width: channels after the stem, at least 1; 64 as published (11.2 M parameters), doubled
            by each of the layers 2 to 4. 16 has 0.7 M parameters and trains on a laptop.
        weights: `none` for fresh ones; `imagenet` for torchvision's published ones (fetched once
            by torchvision, 45 MB); or the path of a `.pth`, `.pt` or `.safetensors` state dict of
            torchvision's `resnet18` or of this network. The file's input channels are summed and
            spread evenly over `in_channels`, so a grey frame gives what it would give as RGB; a
            head of another number of classes is left fresh.
        cam: where class-activation maps are taken from, `layer1` to `layer4`: the last as in the
            paper; an earlier one is finer, which frames far below 224 pixels need.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, `cam` is no stage, or the weights cannot be read or do
            not fit.
    """
    for name, value in (
        ("num_classes", num_classes),
        ("in_channels", in_channels),
        ("width", width),
    ):
        if value < 1:
            raise OptionError(
                f"The backbone 'torchvision-resnet-18' was given {name}={value}: "
                "give a whole number from 1."
            )
    stages = [f"layer{i}" for i in range(1, 5)]
    if cam not in stages:
        raise OptionError(
            f"The backbone 'torchvision-resnet-18' was given cam={cam!r}: "
            f"give one of {', '.join(stages)}."
        )
    from echokit_torchvision.resnet import ResNet18
    from echokit_torchvision.weights import load_weights

    network = ResNet18(num_classes, in_channels, width, cam)
    if weights != "none":
        load_weights(network, weights)
    return network
