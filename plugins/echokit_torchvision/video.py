"""torchvision's video networks, adapted to any number of frames, any frame size and grey input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import video

from echokit import fit_weights, read_weights


def build(name: str, num_classes: int, in_channels: int, weights: str, **options: Any) -> nn.Module:
    """Build one of torchvision's networks with echokit's input and output.

    Args:
        name: key of `ARCHITECTURES`.
        num_classes: number of classes K.
        in_channels: number of input channels C.
        weights: `none`, `kinetics400`, or the path of a state dict of the same network.
        options: options of torchvision's own constructor.

    Returns:
        The network as torchvision defines it, with torchvision's module names.

    Raises:
        OptionError: the weights cannot be read or do not fit.
    """
    architecture = ARCHITECTURES[name]
    with warnings.catch_warnings():
        # torchvision announces that S3D's and MViT's dropout will have another default
        warnings.filterwarnings("ignore", "The .* default of .*")
        network = architecture.make(weights=None, num_classes=num_classes, **options)
    replace_first(network, architecture.first, in_channels)
    if weights != "none":
        state = read_weights(weights, {"kinetics400": architecture.weights.KINETICS400_V1.url})
        fitted = fit_weights(
            state,
            network.state_dict(),
            first=f"{architecture.first}.weight",
            head=architecture.head,
            source=weights,
        )
        network.load_state_dict(fitted)
    return network


def build_adapted(
    name: str, num_classes: int, in_channels: int, weights: str, **options: Any
) -> nn.Module:
    """Build one of the networks as `build` does, adapted to any number of frames and any size."""
    return ARCHITECTURES[name].adapt(build(name, num_classes, in_channels, weights, **options))


def replace_first(network: nn.Module, name: str, in_channels: int) -> None:
    """Replace the first convolution by one of another number of input channels."""
    old = network.get_submodule(name)
    assert isinstance(old, nn.Conv3d)
    if old.in_channels == in_channels:
        return
    new = nn.Conv3d(
        in_channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, new)


class Residual(nn.Module):
    """R(2+1)D, R3D and MC3, which average over any size already.

    Args:
        network: torchvision's `VideoResNet`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map sequences to one logit per class."""
        logits: Tensor = self.network(sequences)
        return logits

    def cam_layer(self) -> nn.Module:
        """Return the last stage, whose output is `(B, 512, T/8, H/16, W/16)`, rounded up."""
        return self.network.get_submodule("layer4")


class Separable(nn.Module):
    """S3D with a last pooling for any size.

    Args:
        network: torchvision's `S3D`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for module in network.modules():
            if isinstance(module, nn.MaxPool3d) and module.kernel_size == (2, 2, 2):
                module.ceil_mode = True  # an odd last frame is kept; even sizes are unaffected
        network.avgpool = nn.AdaptiveAvgPool3d(1)
        self.network = network

    def forward(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map sequences to one logit per class."""
        logits: Tensor = self.network(sequences)
        return logits

    def cam_layer(self) -> nn.Module:
        """Return the last inception block, whose output is `(B, 1024, T', H', W')`."""
        return self.network.get_submodule("features")


class ChannelsFirst(nn.Module):
    """Permutes a feature map `(B, T', H', W', C')` to `(B, C', T', H', W')`."""

    def forward(self, x: Tensor) -> Tensor:
        """Move the channels to the second axis."""
        return x.permute(0, 4, 1, 2, 3)


class Shifted(nn.Module):
    """Swin3D with its last feature map in the order that Grad-CAM expects.

    Args:
        network: torchvision's `SwinTransformer3d`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.map = ChannelsFirst()

    def forward(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map sequences to one logit per class."""
        network: Any = self.network
        x = network.pos_drop(network.patch_embed(sequences))  # B, T/2, H/4, W/4, C'
        x = self.map(network.norm(network.features(x)))  # B, C', T/2, H/32, W/32
        logits: Tensor = network.head(network.avgpool(x).flatten(1))  # B, K
        return logits

    def cam_layer(self) -> nn.Module:
        """Return the last feature map, whose output is `(B, 768, T/2, H/32, W/32)`."""
        return self.map


class Multiscale(nn.Module):
    """MViT with relative positions interpolated to the size of its input.

    Args:
        network: torchvision's `MViT`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map sequences to one logit per class."""
        network: Any = self.network
        x = network.conv_proj(sequences)  # B, C', T/2, H/4, W/4
        size = tuple(x.shape[2:])
        x = network.pos_encoding(x.flatten(2).transpose(1, 2))  # B, 1 + T/2 H/4 W/4, C'
        for block in network.blocks:
            x, size = block(x, size)
        logits: Tensor = network.head(network.norm(x)[:, 0])  # B, K: of the class token
        return logits


@dataclass(frozen=True, slots=True)
class Architecture:
    """One of torchvision's video networks, and how it differs from the others."""

    make: Callable[..., nn.Module]
    """torchvision's constructor."""
    adapt: Callable[[nn.Module], nn.Module]
    """Wraps the network so that it takes any number of frames and any frame size."""
    first: str
    """Name of the first convolution."""
    head: str
    """Name of the last linear layer, or of the convolution in its place."""
    weights: Any
    """torchvision's enumeration of the weights it publishes."""


ARCHITECTURES = {
    "r2plus1d-18": Architecture(
        video.r2plus1d_18, Residual, "stem.0", "fc", video.R2Plus1D_18_Weights
    ),
    "r3d-18": Architecture(video.r3d_18, Residual, "stem.0", "fc", video.R3D_18_Weights),
    "mc3-18": Architecture(video.mc3_18, Residual, "stem.0", "fc", video.MC3_18_Weights),
    "s3d": Architecture(video.s3d, Separable, "features.0.0.0", "classifier.1", video.S3D_Weights),
    "swin3d-t": Architecture(
        video.swin3d_t, Shifted, "patch_embed.proj", "head", video.Swin3D_T_Weights
    ),
    "mvit-v2-s": Architecture(
        video.mvit_v2_s, Multiscale, "conv_proj", "head.1", video.MViT_V2_S_Weights
    ),
}
"""torchvision's video networks by echokit's names."""
