"""Weights as safetensors, and training as it stands, to go on with bit for bit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from echokit.errors import UsageError
from echokit.system.files import whole_file


def save_tensors(
    path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write tensors as safetensors, whole or not at all."""
    from safetensors.torch import save_file

    with whole_file(path) as partial:
        save_file({name: t.contiguous() for name, t in tensors.items()}, partial, metadata)


def load_weights(model: nn.Module, path: Path, device: str | torch.device = "cpu") -> nn.Module:
    """Load a trained network's weights, set it to evaluation and put it on a device.

    Raises:
        UsageError: the file is not there, or is of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise UsageError(f"There is no trained network at {path}. Finish the run first.")
    try:
        model.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} does not fit the recipe's backbone: {reason}") from error
    return channels_last(model.eval()).to(device)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Training as it stands after an epoch: weights, Adam's moments, schedule, history."""

    path: Path
    digest: str
    """Of what is trained, on what; another's is not taken up."""

    def save(
        self, network: nn.Module, optimizer: Any, schedule: Any, history: list[dict[str, Any]]
    ) -> None:
        """Write the state, whole or not at all."""
        state = optimizer.state_dict()
        tensors = {f"model/{name}": t for name, t in network.state_dict().items()}
        for index, moments in state["state"].items():
            tensors |= {f"adam/{index}/{name}": t for name, t in moments.items()}
        kept = {
            "digest": self.digest,
            "groups": state["param_groups"],
            "schedule": schedule.state_dict(),
            "history": history,
        }
        save_tensors(self.path, tensors, {"echokit": json.dumps(kept)})

    def load(self, network: nn.Module, optimizer: Any, schedule: Any) -> list[dict[str, Any]]:
        """Bring everything to where it stopped; return the history, empty for a fresh start."""
        from safetensors import safe_open

        if not self.path.is_file():
            return []
        with safe_open(self.path, "pt") as file:
            kept = json.loads(file.metadata()["echokit"])
            if kept["digest"] != self.digest:
                return []
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network.load_state_dict(
            {n.removeprefix("model/"): t for n, t in tensors.items() if n.startswith("model/")}
        )
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("adam/"):
                _, index, moment = name.split("/")
                moments.setdefault(int(index), {})[moment] = tensor
        optimizer.load_state_dict({"state": moments, "param_groups": kept["groups"]})
        schedule.load_state_dict(kept["schedule"])
        history: list[dict[str, Any]] = kept["history"]
        return history


def channels_last(network: nn.Module) -> nn.Module:
    """Put the weights of 3D convolutions in channels_last_3d, in place; others stay as they are.

    That is the layout in which a CPU convolves faster. `network.to(memory_format=...)` would refuse
    a network that holds a 2D convolution too.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.ndim == 5:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last_3d)
    return network
