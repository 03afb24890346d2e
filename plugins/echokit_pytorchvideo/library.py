"""pytorchvideo's own networks, for any number of frames, any frame size and grey input."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from echokit import OptionError, fit_weights, read_weights
from echokit_pytorchvideo.zoo import of_the_zoo

with warnings.catch_warnings():
    # pytorchvideo 0.1.5 calls torch.jit.script when imported, which newer torch deprecates
    warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated")
    from pytorchvideo.models.csn import create_csn
    from pytorchvideo.models.r2plus1d import create_r2plus1d
    from pytorchvideo.models.resnet import create_resnet
    from pytorchvideo.models.x3d import create_x3d


# X3D's Swish is torch's SiLU; pytorchvideo's own of 0.1.5 cannot be differentiated unwarned


@dataclass(frozen=True, slots=True)
class Architecture:
    """One of pytorchvideo's builders, and how its model zoo calls it."""

    make: Callable[..., nn.Module]
    zoo: str
    """File of its weights in the model zoo."""
    options: dict[str, Any] = field(default_factory=dict)
    pool: str = "pool"
    """Where in the head the pooling of fixed size stands."""


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
    """A network of pytorchvideo: blocks in a row, the head last.

    Its pooling of fixed size is taken to any size, and it gives logits in training and in eval
    mode alike, where some of pytorchvideo's give probabilities.

    Args:
        network: as pytorchvideo builds it.
        pool: where in the head its pooling stands.
    """

    def __init__(self, network: nn.Module, pool: str) -> None:
        super().__init__()
        self.blocks = network.get_submodule("blocks")
        head = self.blocks.get_submodule(self.head)
        parent, _, leaf = pool.rpartition(".")
        setattr(head.get_submodule(parent), leaf, nn.AdaptiveAvgPool3d(1))
        head.activation = None  # type: ignore[assignment]

    @property
    def head(self) -> str:
        """Name of the last block."""
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
        weights: `none`, `kinetics400`, or the path of a state dict in pytorchvideo's own names.
        options: of pytorchvideo's builder, over those of its model zoo.

    Raises:
        OptionError: the weights cannot be read or do not fit.
    """
    architecture = ARCHITECTURES[name]
    width = options.get("stem_dim_out", 64)
    if weights == "kinetics400" and width != 64:
        raise OptionError(
            f"weights='kinetics400' are published for width=64, not width={width}: "
            "leave width out, or give weights='none'."
        )
    made = architecture.make(
        input_channel=in_channels,
        model_num_class=num_classes,
        **architecture.options,
        **options,
    )
    network = Blocks(made, architecture.pool)
    if weights != "none":
        wanted = network.state_dict()
        fitted = fit_weights(
            read_weights(weights, {"kinetics400": of_the_zoo(architecture.zoo)}),
            wanted,
            first=next(n for n, tensor in wanted.items() if tensor.ndim == 5),
            head=f"blocks.{network.head}.proj",
            source=weights,
        )
        network.load_state_dict(fitted)
    return network
