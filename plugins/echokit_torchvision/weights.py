"""Pretrained weights for ResNet-18: reading a state dict and fitting it to the network."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from torch import Tensor
from torchvision.models import ResNet18_Weights

from echokit import OptionError, fit_weights, read_weights
from echokit_torchvision.resnet import ResNet18

_FIRST = "conv1.weight"


def load_weights(network: ResNet18, weights: str) -> None:
    """Load `imagenet` or a file into a network in place.

    Args:
        network: the network; its head stays random if the file has another number of classes.
        weights: `imagenet`, or the path of a state dict.

    Raises:
        OptionError: the weights cannot be fetched or read, or do not fit.
    """
    width = network.conv1.out_channels
    if weights == "imagenet" and width != 64:
        raise OptionError(
            f"weights='imagenet' are published for width=64, not width={width}: "
            "leave width out, or give weights='none'."
        )
    state = read_weights(weights, {"imagenet": ResNet18_Weights.IMAGENET1K_V1.url})
    network.load_state_dict(fit(state, network.state_dict(), source=weights))


def fit(
    given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str
) -> dict[str, Tensor]:
    """Fit a state dict to this network's names, kernels, input channels and head.

    Args:
        given: state dict of torchvision's `resnet18` or of this network.
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
        # torchvision's 2D kernels become 3D kernels of one frame
        state[f"{names.get(module, module)}.{leaf}"] = (
            tensor.unsqueeze(2) if tensor.ndim == 4 else tensor
        )
    return fit_weights(
        state, wanted, first=_FIRST, head="fc", source=source, advice=_advice(state, wanted)
    )


def torchvision_names() -> dict[str, str]:
    """Map names of torchvision's `resnet18` modules to this network's, where they differ."""
    names: dict[str, str] = {}
    for layer, index, number in product((1, 2, 3, 4), (0, 1), (1, 2)):
        block = f"layer{layer}.{index}"
        names[f"{block}.conv{number}"] = f"{block}.conv{number}.0"
        names[f"{block}.bn{number}"] = f"{block}.conv{number}.1"
    return names


def _advice(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    if _FIRST in state and state[_FIRST].shape[:1] != wanted[_FIRST].shape[:1]:
        return f"The file is of width={state[_FIRST].shape[0]}: give that width."
    return "Give the state dict of torchvision's resnet18, or weights='none'."
