"""The contract of an explainer.

It returns a finite float32 map of the sequence's own `(T, H, W)`, in [0, 1], for the class it was
asked about, and names itself. The map lies where and when the model looks: not transposed, not
shifted, another one for another class. It is the same the second time, also where the model is
frozen or gradients are off; the model is left as it was (mode, parameters, gradients,
`requires_grad`, hooks), and so are the global generators.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from echokit.interfaces import Explainer
from echokit.testing.contracts.generators import global_states
from echokit.testing.contracts.rules import attempt, expect
from echokit.testing.contracts.suite import Contract, keep
from echokit.types import Saliency

SHAPES = ((1, 6, 17, 24), (1, 1, 15, 15), (3, 5, 20, 13))
"""Channels, frames, height, width that are tried."""
CLASSES = 3
PLACES = ((slice(0, 3), slice(0, 8), slice(24, 36)), (slice(6, 9), slice(16, 24), slice(0, 12)))
"""Frames, rows and columns of a (9, 24, 36) sequence that each class of the planted net sees."""
SHARE = 0.5
"""Of the saliency that must lie within the place; the place is a 27th of the sequence."""

ALIKE = 0.8
"""Correlation, of either sign, from which the maps of two different networks are the same map."""
HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
"""Where a module keeps each kind of its hooks."""


def check_explainer(factory: Callable[[], Explainer]) -> None:
    """Check an explainer's contract on a small random net and on one that sees one place a class.

    Args:
        factory: called without arguments; bind options with `functools.partial`. The nets have a
            `cam_layer()`.

    Raises:
        ContractError: the contract is broken; the message says how.
    """
    keep(ExplainerContract.of(factory))


class ExplainerContract(Contract):
    """Made without arguments besides its options; see this module."""

    kind = "explainer"

    def test_map(self) -> None:
        """A map is (T, H, W) float32 in [0, 1], the same the second time, and names its method."""
        for shape in SHAPES:
            _check_map(self._made(), shape)

    def test_model_is_kept(self) -> None:
        """The model is left as it was: mode, parameters, gradients, requires_grad, hooks."""
        _check_model_kept(self._made())

    def test_place(self) -> None:
        """The map is not constant and lies where and when the model looks for that class."""
        _check_place(self._made())

    def test_randomised_model(self) -> None:
        """A network of other weights has another map: it does not show the sequence alone."""
        _check_randomised(self._made())

    def test_frozen_model(self) -> None:
        """A wholly frozen model has the same map, and so it has where gradients are off."""
        _check_frozen(self._made())

    def test_generators_are_kept(self) -> None:
        """The global generators of torch and numpy are left as they were."""
        _check_generators(self._made())

    def _made(self) -> Explainer:
        explainer: Explainer = self.make()
        expect(callable(explainer), f"The factory made a {type(explainer).__name__}, not callable.")
        return explainer


def _explain(
    explainer: Explainer, model: nn.Module, sequence: Tensor, target: int, where: str = ""
) -> Saliency:
    shape = tuple(sequence.shape)
    with attempt(f"Explaining class {target} of a sequence {shape}{where}"):
        saliency = explainer(model, sequence, target)
    expect(
        isinstance(saliency, Saliency),
        f"It returned a {type(saliency).__name__}: an echokit.Saliency is expected.",
    )
    values = saliency.values
    expect(
        isinstance(values, np.ndarray) and values.shape == shape[1:],
        f"A sequence {shape} gave a map of shape {getattr(values, 'shape', None)}: a numpy array "
        f"of {shape[1:]}, one value per pixel and frame, is expected.",
    )
    expect(values.dtype == np.float32, f"The map is {values.dtype}: float32 is expected.")
    expect(np.isfinite(values).all(), "The map holds values that are not finite.")
    expect(
        values.min() >= 0 and values.max() <= 1,
        f"The map runs from {values.min():.4g} to {values.max():.4g}: [0, 1] is expected.",
    )
    expect(
        saliency.target == target,
        f"Asked about class {target}, it says it explains class {saliency.target}.",
    )
    expect(saliency.method, "It does not name itself in `Saliency.method`.")
    return saliency


def _check_map(explainer: Explainer, shape: tuple[int, int, int, int]) -> None:
    model, sequence = _random_net(shape[0]).eval(), _sequence(shape)
    maps = [_explain(explainer, model, sequence, target).values for target in range(CLASSES)]
    again = _explain(explainer, model, sequence, 0).values
    expect(
        np.allclose(maps[0], again, atol=1e-5),
        "The same sequence and class gave another map the second time.",
    )


def _check_model_kept(explainer: Explainer) -> None:
    model, sequence = _random_net(1), _sequence(SHAPES[0])
    frozen = next(model.parameters()).requires_grad_(False)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    _explain(explainer, model, sequence, 0)
    expect(
        all(module.training for module in model.modules()),
        "A model in training mode was left in eval mode: put it back.",
    )
    expect(
        all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items()),
        "Explaining changed the model's parameters or statistics: explain it in eval mode.",
    )
    expect(
        all(p.grad is None for p in model.parameters()),
        "Explaining left gradients in the model's parameters: use torch.autograd.grad.",
    )
    expect(
        all(p.requires_grad == (p is not frozen) for p in model.parameters()),
        "Explaining changed `requires_grad` of the model's parameters.",
    )
    expect(
        not any(getattr(module, hooks) for module in model.modules() for hooks in HOOKS)
        and not any(parameter._backward_hooks for parameter in model.parameters()),
        "Explaining left a hook in the model: remove it, also after an error.",
    )


def _check_frozen(explainer: Explainer) -> None:
    model, sequence = _random_net(1).eval(), _sequence(SHAPES[0])
    expected = _explain(explainer, model, sequence, 0).values
    model.requires_grad_(False)
    frozen, off = " where all parameters are frozen", " where gradients are off"
    maps = {frozen: _explain(explainer, model, sequence, 0, frozen).values}
    with torch.no_grad():
        maps[off] = _explain(explainer, model, sequence, 0, off).values
    for where, found in maps.items():
        expect(
            np.allclose(expected, found, atol=1e-4),
            f"A model has another map{where}: take gradients by a copy of the sequence that "
            "requires them, within torch.enable_grad().",
        )


def _check_generators(explainer: Explainer) -> None:
    model, sequence = _random_net(1).eval(), _sequence(SHAPES[0])
    before = global_states()
    _explain(explainer, model, sequence, 0)
    expect(
        global_states() == before,
        "Explaining drew from torch's or numpy's global generator, or seeded it: use a generator "
        "of its own, or torch.random.fork_rng().",
    )


def _check_place(explainer: Explainer) -> None:
    model = _planted_net().eval()
    # a class needs something to see; a little texture keeps the map from being flat by chance
    sequence = torch.ones(1, 9, 24, 36) + 0.1 * _sequence((1, 9, 24, 36))
    for target, place in enumerate(PLACES):
        values = _explain(explainer, model, sequence, target).values
        total = float(values.sum())
        expect(
            total > 0,
            f"The map of class {target} is zero all over, though the model sees one place only.",
        )
        inside = float(values[place].sum()) / total
        elsewhere = float(values[PLACES[1 - target]].sum()) / total
        frames, rows, columns = (f"{s.start} to {s.stop - 1}" for s in place)
        expect(
            inside >= SHARE and inside > elsewhere,
            f"Class {target} rests on frames {frames}, rows {rows}, columns {columns} only, but "
            f"{inside:.0%} of its map lies there: a map must follow its class, and must be neither "
            "transposed nor shifted in space or time.",
        )


def _check_randomised(explainer: Explainer) -> None:
    sequence = _sequence(SHAPES[0])
    alike = []
    for target in range(CLASSES):
        one, other = (
            _explain(explainer, _random_net(1, seed).eval(), sequence, target).values
            for seed in (0, 1)
        )
        if one.std() > 0 and other.std() > 0:
            alike.append(float(np.corrcoef(one.ravel(), other.ravel())[0, 1]))
    expect(alike, "Every map of two random networks is constant.")
    expect(
        np.mean(np.abs(alike)) < ALIKE,
        f"The maps of two networks of different random weights correlate by "
        f"{', '.join(f'{r:.2f}' for r in alike)}: "
        "a map must depend on the network, not on the sequence alone.",
    )


def _sequence(shape: tuple[int, ...]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _random_net(in_channels: int, seed: int = 0) -> nn.Module:
    class RandomNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(in_channels, 8, 3, stride=2, padding=1)
            self.norm = nn.BatchNorm3d(8)
            self.drop = nn.Dropout(0.5)
            self.head = nn.Linear(8, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            features = self.norm(self.conv(x)).relu()
            logits: Tensor = self.head(self.drop(features.mean(dim=(2, 3, 4))))
            return logits

        def cam_layer(self) -> nn.Module:
            return self.norm

    model = RandomNet()
    rng = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=rng))
    return model


def _planted_net() -> nn.Module:
    class PlantedNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            where = torch.zeros(len(PLACES), 9, 24, 36)
            for target, place in enumerate(PLACES):
                where[(target, *place)] = 1
            self.register_buffer("where", where)
            self.conv = nn.Conv3d(1, len(PLACES), 1, bias=False)
            nn.init.ones_(self.conv.weight)
            self.seen = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            features: Tensor = self.seen((self.conv(x) * self.where).relu())
            return features.mean(dim=(2, 3, 4))

        def cam_layer(self) -> nn.Module:
            return self.seen

    return PlantedNet()
