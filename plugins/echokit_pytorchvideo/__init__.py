"""The paper's backbone, R(2+1)D-18, and others, built from pytorchvideo's own parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from echokit import OptionError, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from echokit_pytorchvideo.r2plus1d import R2Plus1D18


@hookimpl
def register_backbones(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add R(2+1)D-18, and deeper networks as pytorchvideo builds them."""
    register("pytorchvideo-r2plus1d-18", r2plus1d_18)
    register("pytorchvideo-r2plus1d-50", r2plus1d_50)
    register("pytorchvideo-slow-r50", slow_r50)
    register("pytorchvideo-csn-r101", csn_r101)
    register("pytorchvideo-x3d-s", x3d_s)
    register("pytorchvideo-x3d-m", x3d_m)


def r2plus1d_18(
    num_classes: int,
    in_channels: int,
    *,
    width: int = 64,
    weights: str = "none",
    cam: str = "stage4",
) -> R2Plus1D18:
    """R(2+1)D with 18 layers: each 3D convolution is a spatial one and then a temporal one.

    Tran et al., CVPR 2018, doi:10.1109/CVPR.2018.00675; the backbone of the paper's section 2.3.
    At width 64 it computes what `torchvision.models.video.r2plus1d_18` computes. Any number of
    frames (from 1) and any frame size works.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        width: channels after the stem, at least 1; 64 as published (31.3 M parameters), doubled
            by each of the stages 2 to 4. 16 has 2 M parameters and trains on a laptop.
        weights: `none` for fresh ones; `kinetics400` for torchvision's published ones (fetched
            once by torchvision, 126 MB); or the path of a `.pth`, `.pt` or `.safetensors` state
            dict of torchvision's `r2plus1d_18` or of this network. The file's input channels are
            summed and spread evenly over `in_channels`, so a grey frame gives what it would give
            as RGB; a head of another number of classes is left fresh.
        cam: where class-activation maps are taken from, `stage1` to `stage4`: the last as in the
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
                f"The backbone 'pytorchvideo-r2plus1d-18' was given {name}={value}: "
                "give a whole number from 1."
            )
    stages = [f"stage{i}" for i in range(1, 5)]
    if cam not in stages:
        raise OptionError(
            f"The backbone 'pytorchvideo-r2plus1d-18' was given cam={cam!r}: "
            f"give one of {', '.join(stages)}."
        )
    from echokit_pytorchvideo.r2plus1d import R2Plus1D18
    from echokit_pytorchvideo.weights import load_weights

    network = R2Plus1D18(num_classes, in_channels, width, cam)
    if weights != "none":
        load_weights(network, weights)
    return network


def r2plus1d_50(
    num_classes: int,
    in_channels: int,
    *,
    width: int = 64,
    weights: str = "none",
) -> nn.Module:
    """R(2+1)D with 50 layers in bottleneck blocks (28.1 M parameters at 400 classes).

    Tran et al., CVPR 2018, doi:10.1109/CVPR.2018.00675. Its last pooling, made for
    one size, takes any number of frames (from 1) and any frame size here; the same at its own.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        width: channels after the stem, at least 4; 64 as published.
        weights: `none` for fresh ones; `kinetics400` for those of pytorchvideo's model zoo (fetched
            once from where it keeps them, for width 64); or the path of a `.pyth`, `.pth`, `.pt` or
            `.safetensors` state dict in pytorchvideo's own names (`model_state` within the zoo's
            files). The file's input channels are summed and spread evenly over `in_channels`; a
            head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_pytorchvideo.library import build

    _check(
        "pytorchvideo-r2plus1d-50", num_classes=num_classes, in_channels=in_channels, width=width
    )
    return build("r2plus1d-50", num_classes, in_channels, weights, stem_dim_out=width)


def slow_r50(
    num_classes: int,
    in_channels: int,
    *,
    width: int = 64,
    weights: str = "none",
) -> nn.Module:
    """The slow pathway of SlowFast with 50 layers (32.5 M parameters at 400 classes).

    Feichtenhofer et al., ICCV 2019, doi:10.1109/ICCV.2019.00630. Its last pooling, made for
    one size, takes any number of frames (from 1) and any frame size here; the same at its own.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        width: channels after the stem, at least 4; 64 as published.
        weights: `none` for fresh ones; `kinetics400` for those of pytorchvideo's model zoo (fetched
            once from where it keeps them, for width 64); or the path of a `.pyth`, `.pth`, `.pt` or
            `.safetensors` state dict in pytorchvideo's own names (`model_state` within the zoo's
            files). The file's input channels are summed and spread evenly over `in_channels`; a
            head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_pytorchvideo.library import build

    _check("pytorchvideo-slow-r50", num_classes=num_classes, in_channels=in_channels, width=width)
    return build("slow-r50", num_classes, in_channels, weights, stem_dim_out=width)


def csn_r101(
    num_classes: int,
    in_channels: int,
    *,
    width: int = 64,
    weights: str = "none",
) -> nn.Module:
    """Channel-separated network with 101 layers (22.2 M parameters at 400 classes).

    Tran et al., ICCV 2019, doi:10.1109/ICCV.2019.00565. Its last pooling, made for
    one size, takes any number of frames (from 1) and any frame size here; the same at its own.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        width: channels after the stem, at least 4; 64 as published.
        weights: `none` for fresh ones; `kinetics400` for those of pytorchvideo's model zoo (fetched
            once from where it keeps them, for width 64); or the path of a `.pyth`, `.pth`, `.pt` or
            `.safetensors` state dict in pytorchvideo's own names (`model_state` within the zoo's
            files). The file's input channels are summed and spread evenly over `in_channels`; a
            head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_pytorchvideo.library import build

    _check("pytorchvideo-csn-r101", num_classes=num_classes, in_channels=in_channels, width=width)
    return build("csn-r101", num_classes, in_channels, weights, stem_dim_out=width)


def x3d_s(
    num_classes: int,
    in_channels: int,
    *,
    weights: str = "none",
) -> nn.Module:
    """X3D-S, made for 13 frames of 160x160 (3.8 M parameters at 400 classes).

    Feichtenhofer, CVPR 2020, doi:10.1109/CVPR42600.2020.00028. Its last pooling, made for
    one size, takes any number of frames (from 1) and any frame size here; the same at its own.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        weights: `none` for fresh ones; `kinetics400` for those of pytorchvideo's model zoo (fetched
            once from where it keeps them); or the path of a `.pyth`, `.pth`, `.pt` or
            `.safetensors` state dict in pytorchvideo's own names (`model_state` within the zoo's
            files). The file's input channels are summed and spread evenly over `in_channels`; a
            head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_pytorchvideo.library import build

    _check("pytorchvideo-x3d-s", num_classes=num_classes, in_channels=in_channels)
    return build("x3d-s", num_classes, in_channels, weights)


def x3d_m(
    num_classes: int,
    in_channels: int,
    *,
    weights: str = "none",
) -> nn.Module:
    """X3D-M, made for 16 frames of 224x224 (3.8 M parameters at 400 classes).

    Feichtenhofer, CVPR 2020, doi:10.1109/CVPR42600.2020.00028. Its last pooling, made for
    one size, takes any number of frames (from 1) and any frame size here; the same at its own.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        weights: `none` for fresh ones; `kinetics400` for those of pytorchvideo's model zoo (fetched
            once from where it keeps them); or the path of a `.pyth`, `.pth`, `.pt` or
            `.safetensors` state dict in pytorchvideo's own names (`model_state` within the zoo's
            files). The file's input channels are summed and spread evenly over `in_channels`; a
            head of another number of classes is left fresh.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, or the weights cannot be read or do not fit.
    """
    from echokit_pytorchvideo.library import build

    _check("pytorchvideo-x3d-m", num_classes=num_classes, in_channels=in_channels)
    return build("x3d-m", num_classes, in_channels, weights)


def _check(name: str, **numbers: int) -> None:
    for option, value in numbers.items():
        least = 4 if option == "width" else 1
        if value < least:
            raise OptionError(
                f"The backbone {name!r} was given {option}={value}: give a whole number from "
                f"{least}."
            )
