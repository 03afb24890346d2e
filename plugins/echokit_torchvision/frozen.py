"""Networks of a frozen encoder and a head that is trained on its embedding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from jaxtyping import Float
from torch import Tensor, nn

from echokit import OptionError, read_weights
from echokit_torchvision.frames import WIDTH, FrameEncoder, rename_state
from echokit_torchvision.video import Multiscale, build


class FrozenEncoder(nn.Module):
    """An encoder whose weights are not trained, with a linear head on its embedding.

    Args:
        encoder: maps `(B, 3, T, H, W)` to `(B, embedding)`.
        embedding: length of the encoder's embedding.
        num_classes: number of classes K.
    """

    def __init__(self, encoder: nn.Module, embedding: int, num_classes: int) -> None:
        super().__init__()
        self.encoder = encoder.eval().requires_grad_(False)
        self.head = nn.Linear(embedding, num_classes)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the head; the encoder stays in eval mode, without dropout."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map sequences to one logit per class."""
        coloured = sequences.expand(-1, 3, -1, -1, -1)  # B, 3, T, H, W: the encoder takes RGB
        logits: Tensor = self.head(self.encoder(coloured))
        return logits


class FrozenFrameEncoder(FrozenEncoder):
    """A frozen encoder that keeps a feature map of each frame.

    Args:
        encoder: encodes each frame, then relates the frames.
        num_classes: number of classes K.
    """

    def __init__(self, encoder: FrameEncoder, num_classes: int) -> None:
        super().__init__(encoder, WIDTH, num_classes)

    def cam_layer(self) -> nn.Module:
        """Return the module that passes the last feature map, `(B, 768, T, H/32, W/32)`."""
        return self.get_submodule("encoder.map")


def mvit(num_classes: int, embedding: int, weights: str) -> FrozenEncoder:
    """Build `frozen-mvit-v2-s`.

    Raises:
        OptionError: the file cannot be read, or is of another encoder.
    """
    network = build("mvit-v2-s", embedding, 3, "none")
    if weights != "none":
        # training on several GPUs prefixes every name
        state = {name.removeprefix("module."): t for name, t in read_weights(weights).items()}
        _load(
            network,
            state,
            f"weights={weights!r} are not of an MViTv2-S with an embedding of {embedding}",
            "Give the state dict of torchvision's mvit_v2_s whose last layer gives the embedding "
            "(EchoPrime's encoder: 512), or its length as `embedding`.",
        )
    return FrozenEncoder(Multiscale(network), embedding, num_classes)


def convnext(num_classes: int, weights: str) -> FrozenFrameEncoder:
    """Build `frozen-convnext-t`.

    Raises:
        OptionError: the file cannot be read, or is of another encoder.
    """
    encoder = FrameEncoder()
    if weights != "none":
        _load(
            encoder,
            rename_state(read_weights(weights), weights),
            f"weights={weights!r} are not of a ConvNeXt-T with a transformer over frames",
            "Give a state dict in PanEcho's layout: that of the whole model or of its backbone.",
        )
    return FrozenFrameEncoder(encoder, num_classes)


def _load(network: nn.Module, state: Mapping[str, Tensor], problem: str, advice: str) -> None:
    """Load a state dict that must fit exactly: an encoder has no head to leave out.

    Raises:
        OptionError: names or shapes differ; it says `problem`, the first few, and `advice`.
    """
    wanted = network.state_dict()
    faults = [f"{name} is missing" for name in wanted if name not in state]
    faults += [f"{name} is not in the encoder" for name in state if name not in wanted]
    faults += [
        f"{name} is {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if faults:
        raise OptionError(f"{problem}: {'; '.join(faults[:3])}. {advice}")
    network.load_state_dict(state)
