"""Pretrained weights for ResNet-18: reading a state dict, and fitting it to the network."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from echokit import OptionError
from echokit_torchvision.resnet import ResNet18

IMAGENET = "ResNet18_Weights.IMAGENET1K_V1"
SUFFIXES = (".pth", ".pt", ".safetensors")
_FIRST = "conv1.weight"


def load_weights(network: ResNet18, weights: str) -> None:
    """Load `imagenet` or a file into a network, in place.

    Args:
        network: the network; its head stays as it is where the file has other classes.
        weights: `imagenet`, or the path of a state dict.

    Raises:
        OptionError: the weights cannot be fetched or read, or do not fit.
    """
    width = network.conv1.out_channels
    if weights == "imagenet":
        if width != 64:
            raise OptionError(
                f"weights='imagenet' are published for width=64, not width={width}: "
                "leave width out, or give weights='none'."
            )
        state = _fetch()
    else:
        state = _read(Path(weights).expanduser())
    network.load_state_dict(fit(state, network.state_dict(), source=weights))


def fit(
    given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str
) -> dict[str, Tensor]:
    """Bring a state dict to this network's names, kernels, input channels and head.

    Args:
        given: state dict of torchvision's `resnet18` or of this network.
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
        # a kernel of an image is one of a single frame
        state[f"{theirs.get(module, module)}.{leaf}"] = (
            tensor.unsqueeze(2) if tensor.ndim == 4 else tensor
        )
    if _FIRST in state and state[_FIRST].ndim == 5:
        state[_FIRST] = _spread(state[_FIRST], wanted[_FIRST].shape[1])
    if "fc.weight" in state and state["fc.weight"].shape[:1] != wanted["fc.weight"].shape[:1]:
        state |= {name: wanted[name] for name in ("fc.weight", "fc.bias")}
    # a counter that files of before torch 0.4.1 lack, and that nothing here reads
    state = {n: t for n, t in wanted.items() if n.endswith("num_batches_tracked")} | state

    faults = [f"{name} is missing" for name in wanted if name not in state]
    faults += [f"{name} is not in the network" for name in state if name not in wanted]
    faults += [
        f"{name} is {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise OptionError(
            f"weights={source!r} do not fit ResNet-18: {'; '.join(faults[:3])}{more}. "
            f"{_advice(state, wanted)}"
        )
    return state


def torchvision_names() -> dict[str, str]:
    """Name of each module of torchvision's `resnet18` that is called otherwise here."""
    names: dict[str, str] = {}
    for layer, block, number in product((1, 2, 3, 4), (0, 1), (1, 2)):
        place = f"layer{layer}.{block}"
        names[f"{place}.conv{number}"] = f"{place}.conv{number}.0"
        names[f"{place}.bn{number}"] = f"{place}.conv{number}.1"
    return names


def _spread(weight: Tensor, channels: int) -> Tensor:
    """Sum over the input channels and share out evenly: equal channels then act as before."""
    if weight.shape[1] == channels:
        return weight
    return weight.sum(dim=1, keepdim=True).expand(-1, channels, -1, -1, -1) / channels


def _advice(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> str:
    if _FIRST in state and state[_FIRST].shape[:1] != wanted[_FIRST].shape[:1]:
        return f"The file is of width={state[_FIRST].shape[0]}: give that width."
    return "Give the state dict of torchvision's resnet18, or weights='none'."


def _fetch() -> dict[str, Any]:
    from torchvision.models import get_weight

    published = get_weight(IMAGENET)
    try:
        state: dict[str, Any] = published.get_state_dict(
            progress=False, check_hash=True, map_location="cpu", weights_only=True
        )
    except Exception as error:  # no network, a bad hash, a full disk: torch.hub raises many kinds
        raise OptionError(
            f"weights='imagenet' could not be had from {published.url} ({error}): fetch the "
            "file where there is a network and give its path as weights."
        ) from error
    return state


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix not in SUFFIXES:
        raise OptionError(
            f"weights={str(path)!r} is neither 'none' nor 'imagenet' nor a file that ends in "
            f"{', '.join(SUFFIXES)}: give one of these."
        )
    if not path.is_file():
        raise OptionError(f"There is no file {str(path)!r}: give the path of a state dict.")
    try:
        state = _load(path)
    except Exception as error:  # a damaged file makes either reader raise nearly anything
        # torch's own message suggests weights_only=False, which would run the file's code
        reason = f"{type(error).__name__}: {str(error).split('.')[0]}"
        raise OptionError(
            f"{str(path)!r} cannot be read as plain tensors ({reason}): write it by "
            "torch.save(model.state_dict(), path) or safetensors.torch.save_file."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise OptionError(
            f"{str(path)!r} holds no state dict, a mapping of names to tensors: write it by "
            "torch.save(model.state_dict(), path)."
        )
    return state


def _load(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)
