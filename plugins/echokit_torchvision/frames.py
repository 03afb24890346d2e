"""An encoder that looks at each frame by ConvNeXt-T and relates frames by a transformer."""

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
"""Features of a frame, and of a sequence."""
LEAST = 32
"""Side in pixels below which ConvNeXt's four halvings leave nothing."""
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's red, green and blue in [0, 1], by which the encoder's frames are normalised."""


class FrameEncoder(nn.Module):
    """PanEcho's video encoder: a ConvNeXt-T for each frame, a transformer over their features.

    Four layers of eight heads, sinusoids for the frames' places, and the mean over frames (Holste
    et al. 2025, doi:10.1001/jama.2025.8731).
    """

    mean: Tensor
    sd: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.frames = convnext_tiny(weights=None)
        self.frames.classifier[-1] = nn.Identity()
        self.map = nn.Identity()
        layer = nn.TransformerEncoderLayer(WIDTH, 8, WIDTH, dropout=0.0, batch_first=True)
        self.transformer = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        for name, values in (("mean", MEAN), ("sd", SD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, sequences: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B 768"]:
        """Map RGB frames in [0, 1] to one embedding per sequence."""
        b, _, t, height, width = sequences.shape
        x = sequences.transpose(1, 2).flatten(0, 1)  # BT, 3, H, W
        x = F.pad(x, (0, max(0, LEAST - width), 0, max(0, LEAST - height)))  # black
        x = self.frames.features((x - self.mean) / self.sd)  # BT, 768, H/32, W/32
        x = self.map(x.unflatten(0, (b, t)).transpose(1, 2))  # B, 768, T, H/32, W/32
        x = self.frames.avgpool(x.transpose(1, 2).flatten(0, 1))  # BT, 768, 1, 1
        x = self.frames.classifier(x).unflatten(0, (b, t))  # B, T, 768
        related: Tensor = self.transformer(x + places(t).to(x))
        return related.mean(dim=1)


def places(n: int) -> Float[Tensor, "n 768"]:
    """Sinusoids that tell the places of n frames apart (Vaswani et al. 2017, arXiv:1706.03762).

    PanEcho learned from 16 frames; fewer have the first places, more have those that follow.
    """
    wave = torch.exp(torch.arange(0, WIDTH, 2) * (-math.log(10_000) / WIDTH))
    angle = torch.arange(n)[:, None] * wave
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def in_our_names(state: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """Bring a state dict of PanEcho, or of its video encoder alone, to the names used here.

    Its heads are left out, and so are its sinusoids, which follow from their formula.

    Args:
        state: names to tensors.
        source: what to call `state` in an error.

    Raises:
        OptionError: the places in the file are no sinusoids.
    """
    renamed = {}
    for name, tensor in state.items():
        ours = name.removeprefix("module.")
        if ours.partition(".")[0].endswith("_head"):
            continue
        if ours.startswith(("encoder.encoder.", "encoder.transformer.", "encoder.time_encoder.")):
            ours = ours.removeprefix("encoder.")  # of the whole model
        renamed[ours.replace("encoder.model.", "frames.", 1)] = tensor
    found = renamed.pop("time_encoder.pe", None)
    if found is not None and not _are_sinusoids(found):
        raise OptionError(
            f"weights={source!r} tell frames apart by other places than sinusoids "
            f"(time_encoder.pe, {tuple(found.shape)}): give a state dict in PanEcho's layout."
        )
    return renamed


def _are_sinusoids(found: Tensor) -> bool:
    if found.ndim != 3 or found.shape[0] != 1 or found.shape[2] != WIDTH:
        return False
    return torch.allclose(found[0].float(), places(found.shape[1]), atol=1e-2)  # half precision too
