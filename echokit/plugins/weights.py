"""Pretrained weights for a backbone: read without running any code, and fitted to its network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.errors import OptionError

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".pth", ".pyth", ".pt", ".safetensors")


def read_weights(
    weights: str, published: Mapping[str, str | Callable[[], Mapping[str, Tensor]]] | None = None
) -> dict[str, Tensor]:
    """Read the state dict that a backbone's option `weights` names.

    Args:
        weights: a name in `published`, or the path of a `.pth`, `.pyth`, `.pt` or `.safetensors`
            file. Nothing is unpickled but tensors.
        published: name -> the address of weights that a library publishes, or a function that
            returns them. Fetched only if `weights` is that name, and kept by torch.hub, so that
            they are fetched once.

    Returns:
        Names to tensors, on the CPU. A file that keeps its state dict under `model_state`,
        `state_dict`, `model` or `weights` is looked into.

    Raises:
        OptionError: there is no such file, it is not one, or the weights cannot be had.
    """
    published = published or {}
    if weights in published:
        source = published[weights]
        try:
            return _fetch(source) if isinstance(source, str) else dict(source())
        except Exception as error:  # no network, a bad hash, a full disk: hubs raise many kinds
            raise OptionError(
                f"weights={weights!r} could not be had ({error}): fetch the file where there is a "
                "network and give its path as weights."
            ) from error
    path = Path(weights).expanduser()
    if path.suffix not in SUFFIXES:
        names = "".join(f" nor {name!r}" for name in published)
        raise OptionError(
            f"weights={str(path)!r} is neither 'none'{names} nor a file that ends in "
            f"{', '.join(SUFFIXES)}: give one of these."
        )
    if not path.is_file():
        raise OptionError(
            f"There is no file {str(path)!r}: give the path of a state dict, as in "
            "--set backbone.weights=PATH."
        )
    try:
        state = _load(path)
    except Exception as error:  # a damaged file makes either reader raise nearly anything
        # torch's own message suggests weights_only=False, which would run the file's code
        reason = f"{type(error).__name__}: {str(error).split('.')[0]}"
        raise OptionError(
            f"{str(path)!r} cannot be read as plain tensors ({reason}): write it by "
            "torch.save(model.state_dict(), path) or safetensors.torch.save_file."
        ) from error
    return _state_dict(state, path)


def _fetch(url: str) -> dict[str, Tensor]:
    """Fetch a state dict once; a digest in the file's name (`-f37072fd.pth`) is checked."""
    from torch.hub import load_state_dict_from_url

    try:
        state = load_state_dict_from_url(
            url, progress=False, map_location="cpu", check_hash=True, weights_only=True
        )
        return _state_dict(state, Path(url))
    except Exception as error:
        # torch's own message suggests weights_only=False, which would run the file's code
        unsafe = type(error).__name__ == "UnpicklingError"
        reason = "it holds more than plain tensors" if unsafe else error
        raise RuntimeError(f"{url}: {reason}") from error


def _load(path: Path) -> Any:
    import torch

    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _state_dict(state: Any, path: Path) -> dict[str, Tensor]:
    from torch import Tensor

    if isinstance(state, dict):
        for inner in ("model_state", "state_dict", "model", "weights"):
            if isinstance(state.get(inner), dict):
                state = state[inner]
    if not isinstance(state, dict) or not all(isinstance(t, Tensor) for t in state.values()):
        raise OptionError(
            f"{str(path)!r} holds no state dict, a mapping of names to tensors: write it by "
            "torch.save(model.state_dict(), path)."
        )
    return state


def fit_weights(
    given: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    *,
    first: str,
    head: str,
    source: str,
    advice: str = "",
) -> dict[str, Tensor]:
    """Fit a state dict to a network of other input channels or classes.

    The first kernel's input channels are summed and spread evenly, so that a grey frame gives what
    it would give as RGB. A head of another number of classes is left as the network has it.

    Args:
        given: the state dict that was read, in the network's names.
        wanted: the network's own state dict, from which the rest is taken.
        first: name of the first kernel, `(out, in, ...)`.
        head: name of the last linear layer, without `.weight`.
        source: what to call `given` in an error.
        advice: what to say besides where it does not fit.

    Returns:
        A state dict with exactly the names and shapes of `wanted`.

    Raises:
        OptionError: names or shapes do not fit; the first few are named.
    """
    state = dict(given)
    if first in state and state[first].ndim == wanted[first].ndim:
        state[first] = _spread(state[first], wanted[first].shape[1])
    weight = f"{head}.weight"
    if weight in state and state[weight].shape[:1] != wanted[weight].shape[:1]:
        state |= {name: tensor for name, tensor in wanted.items() if name.startswith(f"{head}.")}
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
            f"weights={source!r} do not fit: {'; '.join(faults[:3])}{more}. "
            f"{advice or 'Give the state dict of this network, or weights=' + repr('none') + '.'}"
        )
    return state


def _spread(weight: Tensor, channels: int) -> Tensor:
    """Sum over the input channels and share out evenly: equal channels then act as before."""
    if weight.shape[1] == channels:
        return weight
    shared = weight.sum(dim=1, keepdim=True).expand(-1, channels, *weight.shape[2:])
    return shared / channels
