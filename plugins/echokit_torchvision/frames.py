"""PanEcho's video encoder: ConvNeXt-T on each frame, then a transformer over the frames."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import convnext_tiny

from echokit import OptionError

WIDTH = 768
"""Number of features of a frame, and of a sequence."""
SMALLEST = 32
"""Side in pixels below which ConvNeXt's halvings leave nothing."""
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's red, green and blue in [0, 1], by which the encoder normalises its frames."""


class FrameEncoder(nn.Module):
    """Encodes each frame by ConvNeXt-T and relates the frames by a transformer.

    The transformer has four layers of eight heads and sinusoids for the frames' positions; its
    output is averaged over the frames (Holste et al. 2025, doi:10.1001/jama.2025.8731).
    """

    mean: Tensor
    sd: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.frames = convnext_tiny(weights=None)
        self.frames.classifier[-1] = nn.Identity()
        self.map = nn.Identity()  # a module whose output Grad-CAM can hook
        layer = nn.TransformerEncoderLayer(WIDTH, 8, WIDTH, dropout=0.0, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        for name, values in (("mean", MEAN), ("sd", SD)):
            # not persistent: PanEcho's file has no such entries
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, sequences: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B 768"]:
        """Map RGB frames in [0, 1] to one embedding per sequence."""
        b, _, t, height, width = sequences.shape
        x = sequences.transpose(1, 2).flatten(0, 1)  # BT, 3, H, W
        # pad with black: the encoder's own normalisation comes after
        x = F.pad(x, (0, max(0, SMALLEST - width), 0, max(0, SMALLEST - height)))
        x = self.frames.features((x - self.mean) / self.sd)  # BT, 768, H/32, W/32
        x = self.map(x.unflatten(0, (b, t)).transpose(1, 2))  # B, 768, T, H/32, W/32
        x = self.frames.avgpool(x.transpose(1, 2).flatten(0, 1))  # BT, 768, 1, 1
        x = self.frames.classifier(x).unflatten(0, (b, t))  # B, T, 768
        related: Tensor = self.transformer(x + position_codes(t).to(x))
        return related.mean(dim=1)


def position_codes(n: int) -> Float[Tensor, "n 768"]:
    """Compute the sinusoids of the first n positions (Vaswani et al. 2017, arXiv:1706.03762).

    PanEcho learned from 16 frames; the formula continues beyond them.
    """
    wave = torch.exp(torch.arange(0, WIDTH, 2) * (-math.log(10_000) / WIDTH))
    angle = torch.arange(n)[:, None] * wave
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def rename_state(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Rename a state dict of PanEcho, or of its video encoder alone, to this encoder's names.

    The heads are left out, and so are the sinusoids, which follow from their formula.

    Args:
        state: names to tensors.
        source: name of `state` for an error.

    Raises:
        OptionError: the positions in the file are not encoded by these sinusoids.
    """
    renamed = {}
    for name, tensor in state.items():
        bare = name.removeprefix("module.")
        if bare.partition(".")[0].endswith("_head"):
            continue
        if bare.startswith(("encoder.encoder.", "encoder.transformer.", "encoder.time_encoder.")):
            bare = bare.removeprefix("encoder.")  # the whole model holds the encoder by this name
        renamed[bare.replace("encoder.model.", "frames.", 1)] = tensor
    positions = renamed.pop("time_encoder.pe", None)
    if positions is not None and not _are_sinusoids(positions):
        raise OptionError(
            f"weights={source!r} encode the positions of frames by other values than sinusoids "
            f"(time_encoder.pe, {tuple(positions.shape)}): give a state dict in PanEcho's layout."
        )
    return renamed


def _are_sinusoids(positions: Tensor) -> bool:
    if positions.ndim != 3 or positions.shape[0] != 1 or positions.shape[2] != WIDTH:
        return False
    # the tolerance is that of a file in half precision
    return torch.allclose(positions[0].float(), position_codes(positions.shape[1]), atol=1e-2)
