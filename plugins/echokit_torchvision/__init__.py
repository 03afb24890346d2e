"""The paper's spatial baseline, ResNet-18 on single frames, and torchvision's video networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from echokit import OptionError, hookimpl
from echokit_torchvision.encoders import frozen_convnext_t, frozen_mvit_v2_s
from echokit_torchvision.options import check_numbers

if TYPE_CHECKING:
    from torch import nn

    from echokit_torchvision.resnet import ResNet18


@hookimpl
def register_backbones(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add ResNet-18 on single frames, and torchvision's video networks."""
    register("torchvision-resnet-18", resnet_18)
    register("torchvision-r2plus1d-18", r2plus1d_18)
    register("torchvision-r3d-18", r3d_18)
    register("torchvision-mc3-18", mc3_18)
    register("torchvision-s3d", s3d)
    register("torchvision-swin3d-t", swin3d_t)
    register("torchvision-mvit-v2-s", mvit_v2_s)
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
    check_numbers(
        "torchvision-resnet-18", num_classes=num_classes, in_channels=in_channels, width=width
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


def r2plus1d_18(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
    """R(2+1)D with 18 layers as torchvision builds it (31.3 M parameters).

    Tran et al., CVPR 2018, doi:10.1109/CVPR.2018.00675. Any number of frames (from 1)
    and any frame size works.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        weights: `none` for fresh ones; `kinetics400` for torchvision's published ones (fetched
            once by torchvision); or the path of a `.pth`, `.pt` or `.safetensors` state dict of
            the same network. The file's input channels are summed and spread evenly over
            `in_channels`; a head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_torchvision.video import Residual, build

    check_numbers("torchvision-r2plus1d-18", num_classes=num_classes, in_channels=in_channels)
    return Residual(build("r2plus1d-18", num_classes, in_channels, weights))


def r3d_18(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
    """ResNet with 18 layers of 3D convolutions (33.2 M parameters).

    Tran et al., CVPR 2018, doi:10.1109/CVPR.2018.00675. Any number of frames (from 1)
    and any frame size works.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        weights: `none` for fresh ones; `kinetics400` for torchvision's published ones (fetched
            once by torchvision); or the path of a `.pth`, `.pt` or `.safetensors` state dict of
            the same network. The file's input channels are summed and spread evenly over
            `in_channels`; a head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_torchvision.video import Residual, build

    check_numbers("torchvision-r3d-18", num_classes=num_classes, in_channels=in_channels)
    return Residual(build("r3d-18", num_classes, in_channels, weights))


def mc3_18(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
    """3D convolutions in the first stages, 2D ones in the others (11.5 M parameters).

    Tran et al., CVPR 2018, doi:10.1109/CVPR.2018.00675. Any number of frames (from 1)
    and any frame size works.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        weights: `none` for fresh ones; `kinetics400` for torchvision's published ones (fetched
            once by torchvision); or the path of a `.pth`, `.pt` or `.safetensors` state dict of
            the same network. The file's input channels are summed and spread evenly over
            `in_channels`; a head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_torchvision.video import Residual, build

    check_numbers("torchvision-mc3-18", num_classes=num_classes, in_channels=in_channels)
    return Residual(build("mc3-18", num_classes, in_channels, weights))


def s3d(
    num_classes: int, in_channels: int, *, dropout: float = 0.2, weights: str = "none"
) -> nn.Module:
    """S3D: inception blocks of separable 3D convolutions (7.9 M parameters).

    Xie et al., ECCV 2018, doi:10.1007/978-3-030-01267-0_19. torchvision's last pooling wants 7x7
    cells; here it takes any number of frames (from 1) and any frame size, and is the same at 224.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        weights: `none` for fresh ones; `kinetics400` for torchvision's published ones (fetched
            once by torchvision); or the path of a `.pth`, `.pt` or `.safetensors` state dict of
            the same network. The file's input channels are summed and spread evenly over
            `in_channels`; a head of another number of classes is left fresh.
        dropout: share of features dropped before the head in training, in [0, 1].

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_torchvision.video import Separable, build

    check_numbers("torchvision-s3d", num_classes=num_classes, in_channels=in_channels)
    return Separable(build("s3d", num_classes, in_channels, weights, dropout=dropout))


def swin3d_t(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
    """Video Swin transformer, tiny: attention within shifted windows (27.9 M parameters).

    Liu et al., CVPR 2022, doi:10.1109/CVPR52688.2022.00320. Any number of frames (from 1) and any
    frame size works: windows are padded.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        weights: `none` for fresh ones; `kinetics400` for torchvision's published ones (fetched
            once by torchvision); or the path of a `.pth`, `.pt` or `.safetensors` state dict of
            the same network. The file's input channels are summed and spread evenly over
            `in_channels`; a head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_torchvision.video import Shifted, build

    check_numbers("torchvision-swin3d-t", num_classes=num_classes, in_channels=in_channels)
    return Shifted(build("swin3d-t", num_classes, in_channels, weights))


def mvit_v2_s(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
    """MViTv2, small: attention over scales, with a class token (34.2 M parameters).

    Li et al., CVPR 2022, doi:10.1109/CVPR52688.2022.00476. torchvision's takes 16 frames of 224x224
    only; here relative places are interpolated to any number of frames (from 1) and any frame
    size, and the result is the same at that size. Its class token sees the features through
    attention, so there is no layer for Grad-CAM: explain it by `captum-integrated-gradients` or
    `captum-occlusion`.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        weights: `none` for fresh ones; `kinetics400` for torchvision's published ones (fetched
            once by torchvision); or the path of a `.pth`, `.pt` or `.safetensors` state dict of
            the same network. The file's input channels are summed and spread evenly over
            `in_channels`; a head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_torchvision.video import Multiscale, build

    check_numbers("torchvision-mvit-v2-s", num_classes=num_classes, in_channels=in_channels)
    return Multiscale(build("mvit-v2-s", num_classes, in_channels, weights))
