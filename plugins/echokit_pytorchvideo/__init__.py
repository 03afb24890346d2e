"""The paper's backbone, R(2+1)D-18, built from pytorchvideo's own parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from echokit import OptionError, hookimpl

if TYPE_CHECKING:
    from echokit_pytorchvideo.r2plus1d import R2Plus1D18


@hookimpl
def register_backbones(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add R(2+1)D-18."""
    register("pytorchvideo-r2plus1d-18", r2plus1d_18)


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
