"""pytorchvideo's networks, adapted to any number of frames, any frame size and grey input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from echokit import fit_weights, read_weights
from echokit_pytorchvideo.weights import check_published_width

with warnings.catch_warnings():
    # pytorchvideo 0.1.5 calls torch.jit.script when imported, which newer torch deprecates
    warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated")
    from pytorchvideo.models.csn import create_csn
    from pytorchvideo.models.r2plus1d import create_r2plus1d
    from pytorchvideo.models.resnet import create_resnet
    from pytorchvideo.models.x3d import create_x3d

ZOO = "https://dl.fbaipublicfiles.com/pytorchvideo/model_zoo/kinetics"
"""Address of the model zoo, as in `pytorchvideo.models.hub`, whose import warns.

The zoo publishes no digests, so only the connection vouches for a file; it is read as plain
tensors, so it cannot run code."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One of pytorchvideo's builders, called as its model zoo calls it."""

    make: Callable[..., nn.Module]
    """pytorchvideo's builder."""
    zoo: str
    """File name of the weights in the model zoo."""
    options: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the builder, of many types."""
    pool: str = "pool"
    """Name, within the head, of the pooling of fixed size."""


# X3D's Swish is torch's SiLU; differentiating pytorchvideo 0.1.5's own raises warnings

ARCHITECTURES = {
    "r2plus1d-50": Architecture(
        create_r2plus1d, "R2PLUS1D_16x4_R50.pyth", {"model_depth": 50, "dropout_rate": 0.5}
    ),
    "slow-r50": Architecture(
        create_resnet, "SLOW_8x8_R50.pyth", {"model_depth": 50, "stem_conv_kernel_size": (1, 7, 7)}
    ),
    "csn-r101": Architecture(
        create_csn,
        "CSN_32x2_R101.pyth",
        {"model_depth": 101, "stem_pool": nn.MaxPool3d, "head_pool_kernel_size": (4, 7, 7)},
    ),
    "x3d-s": Architecture(
        create_x3d,
        "X3D_S.pyth",
        {"input_clip_length": 13, "input_crop_size": 160, "inner_act": nn.SiLU},
        pool="pool.pool",
    ),
    "x3d-m": Architecture(
        create_x3d,
        "X3D_M.pyth",
        {"input_clip_length": 16, "input_crop_size": 224, "inner_act": nn.SiLU},
        pool="pool.pool",
    ),
}


class Blocks(nn.Module):
    """A network of pytorchvideo: a sequence of blocks, the last of which is the head.

    The pooling of fixed size is replaced by one for any size, and the network returns logits in
    training and in eval mode, where some of pytorchvideo's return probabilities.

    Args:
        network: the network as pytorchvideo builds it.
        pool: name of the pooling within the head.
    """

    def __init__(self, network: nn.Module, pool: str) -> None:
        super().__init__()
        self.blocks = network.get_submodule("blocks")
        head = self.blocks.get_submodule(self.head)
        parent, _, leaf = pool.rpartition(".")
        setattr(head.get_submodule(parent), leaf, nn.AdaptiveAvgPool3d(1))
        # some heads end in a softmax
        head.activation = None  # type: ignore[assignment]

    @property
    def head(self) -> str:
        """Index of the last block, as the name of the module."""
        return str(len(list(self.blocks.children())) - 1)

    def forward(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map sequences to one logit per class."""
        x = sequences
        for block in self.blocks.children():
            x = block(x)
        return x

    def cam_layer(self) -> nn.Module:
        """Return the last residual stage, whose output is `(B, C', T', H', W')`."""
        return self.blocks.get_submodule(str(int(self.head) - 1))


def build(name: str, num_classes: int, in_channels: int, weights: str, **options: Any) -> nn.Module:
    """Build one of pytorchvideo's networks with echokit's input and output.

    Args:
        name: key of `ARCHITECTURES`.
        num_classes: number of classes K.
        in_channels: number of input channels C.
        weights: `none`, `kinetics400`, or the path of a state dict with pytorchvideo's own names.
        options: options of pytorchvideo's builder; they override those of its model zoo.

    Raises:
        OptionError: the weights cannot be read or do not fit.
    """
    architecture = ARCHITECTURES[name]
    check_published_width(weights, options.get("stem_dim_out", 64))
    network = architecture.make(
        input_channel=in_channels,
        model_num_class=num_classes,
        **architecture.options,
        **options,
    )
    blocks = Blocks(network, architecture.pool)
    if weights != "none":
        wanted = blocks.state_dict()
        fitted = fit_weights(
            read_weights(weights, {"kinetics400": f"{ZOO}/{architecture.zoo}"}),
            wanted,
            first=next(name for name, tensor in wanted.items() if tensor.ndim == 5),
            head=f"blocks.{blocks.head}.proj",
            source=weights,
        )
        blocks.load_state_dict(fitted)
    return blocks
