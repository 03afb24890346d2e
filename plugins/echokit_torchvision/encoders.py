"""Factories of backbones on a frozen encoder from the user's own file; only a head is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from echokit import check_whole
from echokit_torchvision.options import check_colour

if TYPE_CHECKING:
    from torch import nn


def frozen_mvit_v2_s(
    num_classes: int, in_channels: int, *, embedding: int = 512, weights: str = "none"
) -> nn.Module:
    """Frozen MViTv2-S encoder from your own file, with a linear head that is trained on it.

    The layout is that of EchoPrime's video encoder (Vukadinovic et al. 2024, arXiv:2410.09704):
    the state dict of torchvision's `mvit_v2_s` whose last layer gives 512 values. No weights come
    with echokit and none are fetched; mind the licence of those you use. The encoder keeps its
    weights and stays in eval mode; grey frames are given to it as RGB. A run saves the encoder with
    its networks, so predicting no longer needs the file.

    EchoPrime's encoder learned from 16 frames of 224x224 with a mean of 0.113 and a standard
    deviation of 0.185, so prepare your frames in the same way:

        --set backbone=frozen-mvit-v2-s --set backbone.weights=echo_prime_encoder.pt
        --set sequences.k=16 --set normalise.mean=0.113 --set normalise.sd=0.185

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: 1 for grey frames, or 3.
        embedding: length of the encoder's output, at least 1.
        weights: the path of the encoder's `.pth`, `.pt` or `.safetensors` state dict; `none` for a
            random encoder, which is only useful to load weights into.

    Returns:
        The network, which maps `(B, C, T, H, W)` float to logits `(B, K)`.

    Raises:
        OptionError: the file cannot be read or is of another encoder, or a number is out of range.
    """
    from echokit_torchvision.frozen import mvit

    check_whole("backbone 'frozen-mvit-v2-s'", num_classes=num_classes, embedding=embedding)
    check_colour("frozen-mvit-v2-s", in_channels)
    return mvit(num_classes, embedding, weights)


def frozen_convnext_t(num_classes: int, in_channels: int, *, weights: str = "none") -> nn.Module:
    """Frozen encoder of frames and their order from your own file, with a linear head on it.

    The layout is that of PanEcho's video encoder (Holste et al. 2025, doi:10.1001/jama.2025.8731;
    42.0 M parameters), as its published code builds it: torchvision's `convnext_tiny` on each
    frame, four transformer layers over the frames, and their mean; the heads in the file are left
    out. No weights come with echokit and none are fetched; mind the licence of those you use. The
    encoder keeps its weights and stays in eval mode; grey frames are given to it as RGB. A run
    saves the encoder with its networks, so predicting no longer needs the file.

    PanEcho learned from 16 frames of 112x112, normalised by ImageNet's means and standard
    deviations. The encoder normalises by itself, so give it frames in [0, 1]:

        --set backbone=frozen-convnext-t --set backbone.weights=panecho.pt
        --set sequences.k=16 --set prepare.resize.size=112
        --set normalise.mean=0 --set normalise.sd=1

    Any number of frames (from 1) and any frame size works: the positions of frames are encoded by
    sinusoids, which continue beyond 16 frames; frames below 32 pixels are padded with black.

    Args:
        num_classes: number of classes K, at least 1.
        in_channels: 1 for grey frames, or 3.
        weights: the path of a `.pth`, `.pt` or `.safetensors` file with the state dict of the whole
            model, which may stand under `weights`, or of its video encoder alone; `none` for a
            random encoder, which is only useful to load weights into.

    Returns:
        The network, which maps `(B, C, T, H, W)` float in [0, 1] to logits `(B, K)`.

    Raises:
        OptionError: the file cannot be read or is of another encoder, or a number is out of range.
    """
    from echokit_torchvision.frozen import convnext

    check_whole("backbone 'frozen-convnext-t'", num_classes=num_classes)
    check_colour("frozen-convnext-t", in_channels)
    return convnext(num_classes, weights)
