"""The network R(2+1)D-18."""

from __future__ import annotations

import operator
import warnings
from collections import OrderedDict
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

with warnings.catch_warnings():
    # pytorchvideo 0.1.5 calls torch.jit.script when imported, which newer torch deprecates
    warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated")
    from pytorchvideo.layers.convolutions import create_conv_2plus1d
    from pytorchvideo.models.resnet import ResBlock
    from pytorchvideo.models.weight_init import init_net_weights

STEM_WIDTH = 45 / 64
"""Channels between the stem's two convolutions, relative to its width, as published."""

_ReLU = partial(nn.ReLU, inplace=True)


class R2Plus1D18(nn.Module):
    """R(2+1)D-18: a stem, four stages of two residual blocks, mean over space and time, a head.

    Args:
        num_classes: number of classes K.
        in_channels: number of input channels C.
        width: channels of the stem and of stage 1.
        cam: name of the stage that class-activation maps are taken from.
    """

    def __init__(self, num_classes: int, in_channels: int, width: int, cam: str = "stage4") -> None:
        super().__init__()
        self.cam = cam
        self.stem = _stem(in_channels, width)
        self.stage1 = _stage(width, width, stride=1)
        self.stage2 = _stage(width, 2 * width, stride=2)
        self.stage3 = _stage(2 * width, 4 * width, stride=2)
        self.stage4 = _stage(4 * width, 8 * width, stride=2)
        self.head = nn.Linear(8 * width, num_classes)
        init_net_weights(self, init_std=0.01, style="resnet")

    def forward(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map sequences to one logit per class."""
        x = self.stem(sequences)  # B, width, T, H/2, W/2
        x = self.stage2(self.stage1(x))  # B, 2 width, T/2, H/4, W/4
        x = self.stage4(self.stage3(x))  # B, 8 width, T/8, H/16, W/16
        logits: Tensor = self.head(x.mean(dim=(2, 3, 4)))  # B, K
        return logits

    def cam_layer(self) -> nn.Module:
        """Return the stage named by `cam`.

        The last one's output is `(B, 8 width, T/8, H/16, W/16)`, rounded up.
        """
        return self.get_submodule(self.cam)


def _stem(in_channels: int, width: int) -> nn.Sequential:
    conv = create_conv_2plus1d(
        in_channels=in_channels,
        out_channels=width,
        inner_channels=max(1, round(STEM_WIDTH * width)),
        conv_xy_first=True,
        kernel_size=(3, 7, 7),
        stride=(1, 2, 2),
        padding=(1, 3, 3),
        activation=_ReLU,
    )
    return nn.Sequential(
        OrderedDict(conv=conv, norm=nn.BatchNorm3d(width), activation=nn.ReLU(inplace=True))
    )


def _stage(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        _block(in_channels, out_channels, stride), _block(out_channels, out_channels, stride=1)
    )


def _block(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """Build a residual block with as many parameters as its 3D twin (Tran et al., section 3.5)."""
    # 27 weights of a 3x3x3 kernel against 9 spatial and 3 temporal ones
    inner = (27 * in_channels * out_channels) // (9 * in_channels + 3 * out_channels)
    branch = OrderedDict(
        conv_a=_conv(in_channels, inner, out_channels, stride),
        norm_a=nn.BatchNorm3d(out_channels),
        act_a=nn.ReLU(inplace=True),
        conv_b=_conv(out_channels, inner, out_channels, stride=1),
        norm_b=nn.BatchNorm3d(out_channels),
    )
    reshapes = stride != 1 or in_channels != out_channels
    block: nn.Module = ResBlock(
        branch1_conv=nn.Conv3d(in_channels, out_channels, 1, stride, bias=False)
        if reshapes
        else None,
        branch1_norm=nn.BatchNorm3d(out_channels) if reshapes else None,
        branch2=nn.Sequential(branch),
        activation=nn.ReLU(inplace=True),
        branch_fusion=operator.add,
    )
    return block


def _conv(in_channels: int, inner: int, out_channels: int, stride: int) -> nn.Module:
    conv: nn.Module = create_conv_2plus1d(
        in_channels=in_channels,
        out_channels=out_channels,
        inner_channels=inner,
        conv_xy_first=True,
        stride=(stride, stride, stride),
        activation=_ReLU,
    )
    return conv
