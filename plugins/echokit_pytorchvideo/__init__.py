"""The paper's backbone, R(2+1)D-18, and others, built from pytorchvideo's own parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from echokit import OptionError, check_whole, hookimpl

if TYPE_CHECKING:
    from torch import nn

    from echokit_pytorchvideo.r2plus1d import R2Plus1D18

WIDE_NETWORKS = {
    "r2plus1d-50": """R(2+1)D with 50 layers, bottleneck blocks (28.1 M parameters at 400 classes).

Tran et al., CVPR 2018, doi:10.1109/CVPR.2018.00675.""",
    "slow-r50": """The slow pathway of SlowFast with 50 layers (32.5 M parameters at 400 classes).

Feichtenhofer et al., ICCV 2019, doi:10.1109/ICCV.2019.00630.""",
    "csn-r101": """Channel-separated network with 101 layers (22.2 M parameters at 400 classes).

Tran et al., ICCV 2019, doi:10.1109/ICCV.2019.00565.""",
}
"""Name of a network with the option `width` -> what its documentation begins with."""

X3D_NETWORKS = {
    "x3d-s": """X3D-S, made for 13 frames of 160x160 (3.8 M parameters at 400 classes).

Feichtenhofer, CVPR 2020, doi:10.1109/CVPR42600.2020.00028.""",
    "x3d-m": """X3D-M, made for 16 frames of 224x224 (3.8 M parameters at 400 classes).

Feichtenhofer, CVPR 2020, doi:10.1109/CVPR42600.2020.00028.""",
}
"""Name of a network without options of its own -> what its documentation begins with."""

CALL = """

The last pooling, made for one size, is adapted to any number of frames (from 1) and any frame size;
the result is the same at that size.

Args:
    num_classes: number of classes K, at least 1.
    in_channels: number of input channels C, at least 1; 1 for grey frames.{width}
    weights: `none` for random ones; `kinetics400` for those of pytorchvideo's model zoo (fetched
        once; for width 64); or the path of a `.pyth`, `.pth`, `.pt` or `.safetensors` state dict
        with pytorchvideo's own names (`model_state` within the zoo's files). The file's input
        channels are summed and spread evenly over `in_channels`; a head of another number of
        classes stays random.

Returns:
    The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

Raises:
    OptionError: a number is too small, or the weights cannot be read or do not fit.
"""
"""What the documentation of every network of the two tables goes on with."""


@hookimpl
def register_backbones(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add R(2+1)D-18, and deeper networks as pytorchvideo builds them."""
    register("pytorchvideo-r2plus1d-18", r2plus1d_18)
    for name, description in WIDE_NETWORKS.items():
        register(f"pytorchvideo-{name}", wide_network(name, description))
    for name, description in X3D_NETWORKS.items():
        register(f"pytorchvideo-{name}", x3d_network(name, description))


def r2plus1d_18(
    num_classes: int,
    in_channels: int,
    *,
    width: int = 64,
    weights: str = "none",
    cam: str = "stage4",
) -> R2Plus1D18:
    """R(2+1)D with 18 layers: each 3D convolution is a spatial and then a temporal one.

    Tran et al., CVPR 2018, doi:10.1109/CVPR.2018.00675; the backbone of the paper's section 2.3.
    At width 64 it computes what `torchvision.models.video.r2plus1d_18` computes. Any number of
    frames (from 1) and any frame size works.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: number of input channels C, at least 1; 1 for grey frames.
        width: channels after the stem, at least 1; 64 as published (31.3 M parameters), doubled
            by each of the stages 2 to 4. 16 has 2 M parameters and trains on a laptop.
        weights: `none` for random ones; `kinetics400` for those that torchvision publishes
            (fetched once, 126 MB); in a recipe `demo` for the network of the same view that comes
            with it; or the path of a `.pth`, `.pt` or `.safetensors` state dict of torchvision's
            `r2plus1d_18` or of this network. The file's input channels are summed
            and spread evenly over `in_channels`, so a grey frame gives what it would give as RGB;
            a head of another number of classes stays random.
        cam: the stage that class-activation maps are taken from, `stage1` to `stage4`: the last as
            in the paper; an earlier one is finer, which frames far below 224 pixels need.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: a number is below 1, `cam` is not a stage, or the weights cannot be read or do
            not fit.
    """
    check_whole(
        "backbone 'pytorchvideo-r2plus1d-18'",
        num_classes=num_classes,
        in_channels=in_channels,
        width=width,
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


def wide_network(name: str, description: str) -> Callable[..., nn.Module]:
    """Make the factory of a network with the option `width`.

    Args:
        name: key of `WIDE_NETWORKS`.
        description: first part of the factory's documentation.
    """

    def factory(
        num_classes: int, in_channels: int, *, width: int = 64, weights: str = "none"
    ) -> nn.Module:
        from echokit_pytorchvideo.library import build

        component = f"backbone 'pytorchvideo-{name}'"
        check_whole(component, num_classes=num_classes, in_channels=in_channels)
        check_whole(component, least=4, width=width)  # a bottleneck divides the width by 4
        return build(name, num_classes, in_channels, weights, stem_dim_out=width)

    width = "\n    width: channels after the stem, at least 4; 64 as published."
    return _documented(factory, name, description + CALL.format(width=width))


def x3d_network(name: str, description: str) -> Callable[..., nn.Module]:
    """Make the factory of a network without options of its own.

    Args:
        name: key of `X3D_NETWORKS`.
        description: first part of the factory's documentation.
    """

    def factory(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
        from echokit_pytorchvideo.library import build

        check_whole(
            f"backbone 'pytorchvideo-{name}'", num_classes=num_classes, in_channels=in_channels
        )
        return build(name, num_classes, in_channels, weights)

    return _documented(factory, name, description + CALL.format(width=""))


def _documented(
    factory: Callable[..., nn.Module], name: str, documentation: str
) -> Callable[..., nn.Module]:
    factory.__doc__ = documentation
    factory.__name__ = factory.__qualname__ = name.replace("-", "_")
    return factory
