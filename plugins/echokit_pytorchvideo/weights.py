"""Pretrained weights for R(2+1)D-18: reading a state dict and fitting it to the network."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from torch import Tensor
from torchvision.models.video import R2Plus1D_18_Weights

from echokit import OptionError, fit_weights, read_weights
from echokit_pytorchvideo.r2plus1d import R2Plus1D18

_FIRST = "stem.conv.conv_xy.weight"
_STEM_OUT = "stem.conv.conv_t.weight"


def load_weights(network: R2Plus1D18, weights: str) -> None:
    """Load `kinetics400` or a file into a network in place.

    Args:
        network: the network; its head stays random if the file has another number of classes.
        weights: `kinetics400`, or the path of a state dict.

    Raises:
        OptionError: the weights cannot be fetched or read, or do not fit.
    """
    check_published_width(weights, network.state_dict()[_STEM_OUT].shape[0])
    state = read_weights(weights, {"kinetics400": R2Plus1D_18_Weights.KINETICS400_V1.url})
    network.load_state_dict(fit(state, network.state_dict(), source=weights))


def check_published_width(weights: str, width: int) -> None:
    """Refuse published weights for another width than theirs.

    Raises:
        OptionError: `weights` is `kinetics400`, and `width` is not 64.
    """
    if weights == "kinetics400" and width != 64:
        raise OptionError(
            f"weights='kinetics400' are published for width=64, not width={width}: "
            "leave width out, or give weights='none'."
        )


def fit(
    given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str
) -> dict[str, Tensor]:
    """Fit a state dict to this network's names, input channels and head.

    Args:
        given: state dict with torchvision's names or with this network's.
        wanted: the network's own state dict, from which the rest is taken.
        source: name of `given` for an error.

    Returns:
        A state dict with exactly the names and shapes of `wanted`.

    Raises:
        OptionError: names or shapes do not fit; the first few are named.
    """
    names = torchvision_names()
    state: dict[str, Tensor] = {}
    for name, tensor in given.items():
        module, _, leaf = name.rpartition(".")
        state[f"{names.get(module, module)}.{leaf}"] = tensor

    return fit_weights(
        state, wanted, first=_FIRST, head="head", source=source, advice=_advice(state, wanted)
    )


def torchvision_names() -> dict[str, str]:
    """Map names of the modules of torchvision's `r2plus1d_18` to this network's."""
    parts = {"0": "conv_xy", "1": "norm", "3": "conv_t"}
    names = {"stem.4": "stem.norm", "fc": "head"}
    names |= {f"stem.{index}": f"stem.conv.{part}" for index, part in parts.items()}
    for stage, block in product((1, 2, 3, 4), (0, 1)):
        theirs, ours = f"layer{stage}.{block}", f"stage{stage}.{block}"
        names[f"{theirs}.downsample.0"] = f"{ours}.branch1_conv"
        names[f"{theirs}.downsample.1"] = f"{ours}.branch1_norm"
        for number, letter in ((1, "a"), (2, "b")):
            names[f"{theirs}.conv{number}.1"] = f"{ours}.branch2.norm_{letter}"
            for index, part in parts.items():
                names[f"{theirs}.conv{number}.0.{index}"] = f"{ours}.branch2.conv_{letter}.{part}"
    return names


def _advice(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    if _STEM_OUT in state and state[_STEM_OUT].shape[:1] != wanted[_STEM_OUT].shape[:1]:
        return f"The file is of width={state[_STEM_OUT].shape[0]}: give that width."
    return "Give the state dict of torchvision's r2plus1d_18, or weights='none'."
