"""The paper's spatial baseline, ResNet-18 on single frames, and torchvision's video networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from echokit import OptionError, check_whole, hookimpl
from echokit_torchvision.encoders import frozen_convnext_t, frozen_mvit_v2_s

if TYPE_CHECKING:
    from torch import nn

    from echokit_torchvision.resnet import ResNet18

VIDEO_NETWORKS = {
    "r2plus1d-18": """R(2+1)D with 18 layers as torchvision builds it (31.3 M parameters).

Tran et al., CVPR 2018, doi:10.1109/CVPR.2018.00675. Any number of frames (from 1) and any frame
size works.""",
    "r3d-18": """ResNet with 18 layers of 3D convolutions (33.2 M parameters).

Tran et al., CVPR 2018, doi:10.1109/CVPR.2018.00675. Any number of frames (from 1) and any frame
size works.""",
    "mc3-18": """3D convolutions in the first stages, 2D ones in the others (11.5 M parameters).

Tran et al., CVPR 2018, doi:10.1109/CVPR.2018.00675. Any number of frames (from 1) and any frame
size works.""",
    "swin3d-t": """Video Swin-T: attention within shifted windows (27.9 M parameters).

Liu et al., CVPR 2022, doi:10.1109/CVPR52688.2022.00320. Any number of frames (from 1) and any
frame size works: windows are padded.""",
    "mvit-v2-s": """MViTv2, small: attention over scales, with a class token (34.2 M parameters).

Li et al., CVPR 2022, doi:10.1109/CVPR52688.2022.00476. torchvision's network takes 16 frames of
224x224 only; here the relative positions are interpolated to any number of frames (from 1) and any
frame size, and the result is the same at 16x224x224. The class token collects the features by
attention, so there is no layer for Grad-CAM: explain it by `captum-integrated-gradients` or
`captum-occlusion`.""",
}
"""Name of a video network without options of its own -> what its documentation begins with."""

S3D = """S3D: inception blocks of separable 3D convolutions (7.9 M parameters).

Xie et al., ECCV 2018, doi:10.1007/978-3-030-01267-0_19. torchvision's last pooling needs 7x7
cells; here any number of frames (from 1) and any frame size works, and the result is the same at
224."""

CALL = """

Args:
    num_classes: number of classes K, at least 1.
    in_channels: number of input channels C, at least 1; 1 for grey frames.
    weights: `none` for random ones; `kinetics400` for those that torchvision publishes (fetched
        once); or the path of a `.pth`, `.pt` or `.safetensors` state dict of the same network.
        The file's input channels are summed and spread evenly over `in_channels`; a head of
        another number of classes stays random.{options}

Returns:
    The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

Raises:
    OptionError: a number is below 1, or the weights cannot be read or do not fit.
"""
"""What the documentation of every video network goes on with."""


@hookimpl
def register_backbones(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add ResNet-18 on single frames, torchvision's video networks and two frozen encoders."""
    register("torchvision-resnet-18", resnet_18)
    for name, description in VIDEO_NETWORKS.items():
        register(f"torchvision-{name}", video_network(name, description))
    register("torchvision-s3d", s3d)
    register("frozen-mvit-v2-s", frozen_mvit_v2_s)
    register("frozen-convnext-t", frozen_convnext_t)


def resnet_18(
    num_classes: int,
    in_channels: int,
    *,
    width: int = 64,
    weights: str = "none",
    cam: str = "layer4",
) -> ResNet18:
    """ResNet with 18 layers on each frame by itself.

    He et al., CVPR 2016, doi:10.1109/CVPR.2016.90; the spatial baseline of the paper's table 3,
    on sequences of one frame. At width 64 it computes what `torchvision.models.resnet18` computes.
    The logits of several frames are averaged; in eval mode no frame influences another (in
    training they share the batch statistics). Any frame size works.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        width: channels after the stem, at least 1; 64 as published (11.2 M parameters), doubled
            by each of the layers 2 to 4. 16 has 0.7 M parameters and trains on a laptop.
        weights: `none` for random ones; `imagenet` for those that torchvision publishes (fetched
            once, 45 MB); or the path of a `.pth`, `.pt` or `.safetensors` state dict of
            torchvision's `resnet18` or of this network. The file's input channels are summed and
            spread evenly over `in_channels`, so a grey frame gives what it would give as RGB; a
            head of another number of classes stays random.
        cam: the layer that class-activation maps are taken from, `layer1` to `layer4`: the last as
            in the paper; an earlier one is finer, which frames far below 224 pixels need.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, `cam` is not a layer, or the weights cannot be read or do
            not fit.
    """
    check_whole(
        "backbone 'torchvision-resnet-18'",
        num_classes=num_classes,
        in_channels=in_channels,
        width=width,
    )
    layers = [f"layer{i}" for i in range(1, 5)]
    if cam not in layers:
        raise OptionError(
            f"The backbone 'torchvision-resnet-18' was given cam={cam!r}: "
            f"give one of {', '.join(layers)}."
        )
    from echokit_torchvision.resnet import ResNet18
    from echokit_torchvision.weights import load_weights

    network = ResNet18(num_classes, in_channels, width, cam)
    if weights != "none":
        load_weights(network, weights)
    return network


def video_network(name: str, description: str) -> Callable[..., nn.Module]:
    """Make the factory of a video network that has no options of its own.

    Args:
        name: key of `VIDEO_NETWORKS`.
        description: first part of the factory's documentation.
    """

    def factory(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
        from echokit_torchvision.video import build_adapted

        check_whole(
            f"backbone 'torchvision-{name}'", num_classes=num_classes, in_channels=in_channels
        )
        return build_adapted(name, num_classes, in_channels, weights)

    factory.__doc__ = description + CALL.format(options="")
    factory.__name__ = factory.__qualname__ = name.replace("-", "_")
    return factory


def s3d(
    num_classes: int, in_channels: int, *, dropout: float = 0.2, weights: str = "none"
) -> nn.Module:
    """Make S3D; the documentation that is shown is put together below."""
    from echokit_torchvision.video import build_adapted

    check_whole("backbone 'torchvision-s3d'", num_classes=num_classes, in_channels=in_channels)
    return build_adapted("s3d", num_classes, in_channels, weights, dropout=dropout)


s3d.__doc__ = S3D + CALL.format(
    options="\n    dropout: share of features dropped before the head in training, in [0, 1]."
)
