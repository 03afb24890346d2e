"""Pretrained weights for R(2+1)D-18: reading a state dict, and fitting it to the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

from torch import Tensor

from echokit import OptionError, fit_weights, read_weights
from echokit_pytorchvideo.r2plus1d import R2Plus1D18

KINETICS400 = "R2Plus1D_18_Weights.KINETICS400_V1"
_FIRST = "stem.conv.conv_xy.weight"
_STEM_OUT = "stem.conv.conv_t.weight"


def load_weights(network: R2Plus1D18, weights: str) -> None:
    """Load `kinetics400` or a file into a network, in place.

    Args:
        network: the network; its head stays as it is where the file has other classes.
        weights: `kinetics400`, or the path of a state dict.

    Raises:
        OptionError: the weights cannot be fetched or read, or do not fit.
    """
    width = network.state_dict()[_STEM_OUT].shape[0]
    if weights == "kinetics400" and width != 64:
        raise OptionError(
            f"weights='kinetics400' are published for width=64, not width={width}: "
            "leave width out, or give weights='none'."
        )
    state = read_weights(weights, {"kinetics400": published(KINETICS400)})
    network.load_state_dict(fit(state, network.state_dict(), source=weights))


def fit(
    given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str
) -> dict[str, Tensor]:
    """Bring a state dict to this network's names, input channels and head.

    Args:
        given: state dict in torchvision's names or in this network's.
        wanted: the network's own state dict, from which the rest is taken.
        source: what to call `given` in an error.

    Returns:
        A state dict with exactly the names and shapes of `wanted`.

    Raises:
        OptionError: names or shapes do not fit; the first few are named.
    """
    theirs = torchvision_names()
    state: dict[str, Tensor] = {}
    for name, tensor in given.items():
        module, _, leaf = name.rpartition(".")
        state[f"{theirs.get(module, module)}.{leaf}"] = tensor

    return fit_weights(
        state, wanted, first=_FIRST, head="head", source=source, advice=_advice(state, wanted)
    )


def torchvision_names() -> dict[str, str]:
    """Name of each module that holds weights: torchvision's `r2plus1d_18` to ours."""
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


def published(name: str) -> Callable[[], Mapping[str, Tensor]]:
    """What fetches weights that torchvision publishes, once, when it is called."""

    def fetch() -> Mapping[str, Tensor]:
        from torchvision.models import get_weight

        found = get_weight(name)
        try:
            state: Mapping[str, Tensor] = found.get_state_dict(
                progress=False, check_hash=True, map_location="cpu", weights_only=True
            )
        except Exception as error:
            raise RuntimeError(f"{found.url}: {error}") from error
        return state

    return fetch
