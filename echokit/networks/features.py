"""Read the features of a network: what its last linear layer turns into logits.

A backbone is any `nn.Module`, also a stranger's. Its last linear layer is found by running it once,
and is then replaced by one that returns its input beside its output. Networks changed in this way
can be exported and compiled like any other, which those with hooks cannot.
"""

from __future__ import annotations

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn


class _Beside(nn.Module):
    """A linear layer that appends its input to its output."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear, self.training = linear, linear.training

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.linear(x), x], dim=-1)


class WithFeatures(nn.Module):
    """A network that returns its features beside its logits; it shares the network's weights."""

    def __init__(self, network: nn.Module, head: str, classes: int) -> None:
        super().__init__()
        self.network = _replaced(network, head.split("."))
        self.classes, self.training = classes, network.training

    def forward(
        self, sequences: Float[Tensor, "B C T H W"]
    ) -> tuple[Float[Tensor, "B K"], Float[Tensor, "B F"]]:
        """Map sequences to logits and features."""
        both = self.network(sequences)
        return both[:, : self.classes], both[:, self.classes :]


def with_features(network: nn.Module, example: Float[Tensor, "B C T H W"]) -> WithFeatures | None:
    """Return a network that also returns its features; None if they cannot be read.

    They cannot if the network has no linear layer that makes the logits, or changes what that layer
    returned in another way than by taking means.

    Args:
        network: in evaluation mode, on the device of the example.
        example: two or more sequences.
    """
    with torch.inference_mode():
        logits = network(example)
        head = _head(network, example, logits.shape[1])
        if head is None:
            return None
        changed = WithFeatures(network, head, logits.shape[1])
        try:
            again, features = changed(example)
        except (RuntimeError, ValueError, TypeError, IndexError):
            return None  # what follows the layer takes no more columns than there are labels
        fits = features.ndim == 2 and features.shape[1] > 0 and again.shape == logits.shape
        return changed if fits and torch.allclose(again, logits, rtol=1e-3, atol=1e-4) else None


def _head(network: nn.Module, example: Tensor, classes: int) -> str | None:
    """Find the name of the linear layer that was run last, if it has one output for each label."""
    names = {module: name for name, module in network.named_modules()}
    called: list[nn.Module] = []
    hooks = [
        module.register_forward_hook(lambda module, *_: called.append(module))
        for module in names
        if isinstance(module, nn.Linear)
    ]
    try:
        network(example)
    finally:
        for hook in hooks:
            hook.remove()
    if not called or called.count(called[-1]) > 1:
        return None
    last = called[-1]
    return names[last] if isinstance(last, nn.Linear) and last.out_features == classes else None


def _replaced(module: nn.Module, path: list[str]) -> nn.Module:
    """Copy the modules on the way to a layer and replace that layer; all others are shared."""
    if path == [""]:
        assert isinstance(module, nn.Linear)
        return _Beside(module)
    own = copy.copy(module)
    own._modules = dict(module._modules)
    child = module._modules[path[0]]
    assert child is not None
    own._modules[path[0]] = _replaced(child, path[1:] or [""])
    return own
