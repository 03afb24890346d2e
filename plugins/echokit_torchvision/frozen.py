"""A frozen encoder that a user has, and a head that is trained on what it sees."""

from __future__ import annotations

from typing import Self

from jaxtyping import Float
from torch import Tensor, nn

from echokit import OptionError, read_weights
from echokit_torchvision.video import Multiscale, build


class FrozenEncoder(nn.Module):
    """MViTv2-S whose weights stay, and a linear head on its embedding.

    Args:
        num_classes: number of classes K.
        in_channels: 1, which is shown to the encoder as grey RGB, or 3.
        embedding: length of the encoder's embedding.
        weights: `none`, or the path of the encoder's state dict.

    Raises:
        OptionError: the file cannot be read, or is of another encoder.
    """

    def __init__(self, num_classes: int, in_channels: int, embedding: int, weights: str) -> None:
        super().__init__()
        network = build("mvit-v2-s", embedding, 3, "none")
        if weights != "none":
            _load(network, weights, embedding)
        self.encoder = Multiscale(network).eval().requires_grad_(False)
        self.head = nn.Linear(embedding, num_classes)

    def train(self, mode: bool = True) -> Self:
        """Set the head's mode; the encoder stays in eval mode, its dropout off."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map sequences to one logit per class."""
        seen = sequences.expand(-1, 3, -1, -1, -1)  # B, 3, T, H, W: grey as RGB
        logits: Tensor = self.head(self.encoder(seen))
        return logits


def _load(network: nn.Module, weights: str, embedding: int) -> None:
    wanted = network.state_dict()
    state = {name.removeprefix("module."): t for name, t in read_weights(weights).items()}
    faults = [f"{name} is missing" for name in wanted if name not in state]
    faults += [f"{name} is not in the encoder" for name in state if name not in wanted]
    faults += [
        f"{name} is {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if faults:
        raise OptionError(
            f"weights={weights!r} are not of an MViTv2-S with an embedding of {embedding}: "
            f"{'; '.join(faults[:3])}. Give the state dict of torchvision's mvit_v2_s whose last "
            "layer gives the embedding (EchoPrime's encoder: 512), or its length as `embedding`."
        )
    network.load_state_dict(state)
