"""Save and load weights as safetensors, and the state of a training to resume it exactly."""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from echokit.errors import UsageError
from echokit.networks.job import weights_problem
from echokit.system.checked import damaged
from echokit.system.digests import DamageWarning
from echokit.system.files import whole_file


def save_tensors(
    path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write tensors as safetensors, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with whole_file(path) as partial:
        try:
            save_file({name: t.contiguous() for name, t in tensors.items()}, partial, metadata)
        except SafetensorError as error:
            raise system_error(error) from error


def system_error(error: SafetensorError) -> Exception:
    """Return the system's error of which the library tells in words; else its own error."""
    match = re.search(r"\(os error (\d+)\)", str(error))
    return OSError(int(match[1]), os.strerror(int(match[1]))) if match else error


def load_weights(model: nn.Module, path: Path, device: str | torch.device = "cpu") -> nn.Module:
    """Load trained weights into a network, set it to evaluation mode and move it to a device.

    Raises:
        UsageError: the file does not exist, was changed after training, or belongs to another
            network.
    """
    if not path.is_file():
        raise UsageError(f"There is no trained network at {path}. Finish the run first.")
    if problem := weights_problem(path):
        raise damaged(path, problem)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise damaged(path, error) from error
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} does not fit the recipe's backbone: {reason}") from error
    return channels_last(model.eval()).to(device)


@dataclass(frozen=True, slots=True)
class Epoch:
    """The figures of one epoch of training."""

    epoch: int
    """Number of the epoch, from 1."""
    loss: float
    """Mean cross-entropy of the training sequences."""
    accuracy: float
    """Share of the training sequences that were classified right."""
    lr: float
    """Learning rate at the end of the epoch."""
    seconds: float
    """Duration."""
    input_shape: list[int]
    """Shape of one input `(C, T, H, W)`."""


@dataclass(frozen=True, slots=True)
class State:
    """What a training changes in place."""

    network: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler
    average: AveragedModel | None
    """The moving average of the network's weights, if there is one."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file with the state of a training after an epoch.

    It holds the weights and their average, Adam's moments, the learning-rate schedule and the
    history.
    """

    path: Path
    digest: str
    """Digest of the recipe and the data; a checkpoint with another digest is ignored."""

    def save(self, training: State, history: Sequence[Epoch]) -> None:
        """Write the state, whole or not at all."""
        state = training.optimizer.state_dict()
        tensors = {f"model/{name}": t for name, t in training.network.state_dict().items()}
        if training.average is not None:
            averaged = training.average.state_dict()
            tensors |= {f"average/{name}": t for name, t in averaged.items()}
        for index, moments in state["state"].items():
            tensors |= {f"adam/{index}/{name}": t for name, t in moments.items()}
        # a schedule that is a function of the step is made anew; its function is not its state
        schedule = {k: v for k, v in training.schedule.state_dict().items() if k != "lr_lambdas"}
        metadata = {
            "digest": self.digest,
            "groups": state["param_groups"],
            "schedule": schedule,
            "history": [asdict(epoch) for epoch in history],
        }
        text = json.dumps(metadata)
        save_tensors(self.path, tensors, {"echokit": text, "content": _content(tensors, text)})

    def load(self, training: State) -> list[Epoch]:
        """Restore the saved state in place; return its history, empty without a saved state.

        A damaged state is not used: training then starts again, which a warning says.
        """
        if not self.path.is_file():
            return []
        try:
            metadata, tensors = self._read()
        except (SafetensorError, ValueError, TypeError, KeyError, OSError):
            warnings.warn(
                f"{self.path} is damaged, and this training starts again.",
                DamageWarning,
                stacklevel=2,
            )
            return []
        if metadata["digest"] != self.digest:  # of another recipe, or of other clips
            return []
        training.network.load_state_dict(_below("model/", tensors))
        if training.average is not None:
            training.average.load_state_dict(_below("average/", tensors))
        # safetensors has a flat list of names, Adam's state a table of tables
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in _below("adam/", tensors).items():
            index, moment = name.split("/")
            moments.setdefault(int(index), {})[moment] = tensor
        training.optimizer.load_state_dict({"state": moments, "param_groups": metadata["groups"]})
        schedule = training.schedule.state_dict() | metadata["schedule"]
        training.schedule.load_state_dict(schedule)
        return [Epoch(**row) for row in metadata["history"]]

    def _read(self) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
        """Read the file; raise `ValueError` if its content is not what was written."""
        with safe_open(self.path, "pt") as file:
            kept = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata: dict[str, Any] = json.loads(kept["echokit"])
        if kept.get("content", "") not in ("", _content(tensors, kept["echokit"])):
            raise ValueError("its content is not what was written")
        return metadata, tensors


def _content(tensors: dict[str, torch.Tensor], text: str) -> str:
    """Compute a digest of tensors and a text."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        flat = tensors[name].detach().cpu().contiguous().reshape(-1)
        digest.update(name.encode())
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def channels_last(network: nn.Module) -> nn.Module:
    """Convert the weights of 3D convolutions to channels_last_3d, in place.

    A CPU convolves faster in this memory format. `network.to(memory_format=...)` refuses a network
    that also holds 2D convolutions, so each tensor is converted by itself.
    """
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.ndim == 5:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last_3d)
    return network
