"""The contract of a backbone.

It maps `(B, C, T, H, W)` to finite logits `(B, K)` for any K, batch, number of frames (from 1) and
frame size, also odd ones, black sequences too; gradients reach every frame of every sequence. In
eval mode its answer for a sequence is the same every time, whatever else is in the batch, and
nothing in it changes. In training mode it gives logits as well, and has something to learn. Its
state dict goes through safetensors and back. If it has `cam_layer()`, that layer gives a 5D output
that the logits rest on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from echokit.interfaces import SupportsCam
from echokit.testing.contracts.rules import attempt, expect
from echokit.testing.contracts.suite import Contract, keep

CLASSES = 3
OTHER_CLASSES = 2
"""Another number of classes, of which it must give as many logits."""
SHAPES = ((2, 1, 8, 32, 32), (1, 1, 1, 33, 47), (3, 3, 5, 50, 31))
"""Batch, channels, frames, height, width that are tried: plain, one frame, odd sizes and RGB."""
TOLERANCE = 1e-4
"""Of logits that should be equal: another batch size may sum in another order."""


def check_backbone(factory: Callable[..., nn.Module], *, skips_frames: bool = False) -> None:
    """Check a backbone's contract.

    Args:
        factory: called as `factory(num_classes=3, in_channels=1)`; bind other options, such as a
            small width, with `functools.partial`.
        skips_frames: True for a network that leaves out frames on purpose.

    Raises:
        ContractError: the contract is broken; the message says how.
    """
    keep(BackboneContract.of(factory, skips_frames=skips_frames))


class BackboneContract(Contract):
    """Made as `factory(num_classes=3, in_channels=1)`; see this module."""

    kind = "backbone"
    skips_frames: bool = False
    """True for a network that leaves out frames on purpose."""
    has_cam_layer: bool | None = None
    """Whether it has `cam_layer()`; None looks at the network."""

    def inapplicable(self) -> Mapping[str, str]:
        """A network without `cam_layer()` may say so."""
        if self.has_cam_layer is False:
            return {"test_cam_layer": "It has no cam_layer(), so there is no Grad-CAM of it."}
        return {}

    def test_shapes(self) -> None:
        """Any batch, number of frames from 1 and frame size, odd ones too, has finite logits."""
        for shape in SHAPES:
            _check_shape(self.make, shape)

    def test_classes(self) -> None:
        """It gives one logit for each class, however many classes there are."""
        _check_shape(self.make, SHAPES[0], OTHER_CLASSES)

    def test_black(self) -> None:
        """A sequence that is 0 all over has finite logits."""
        _check_black(_make(self.make, in_channels=1))

    def test_eval_mode(self) -> None:
        """In eval mode a sequence's logits are the same every time, whatever is beside it."""
        _check_eval(_make(self.make, in_channels=1))

    def test_gradient(self) -> None:
        """Gradients of the logits reach every frame of every sequence in the batch."""
        _check_gradient(_make(self.make, in_channels=1), self.skips_frames)

    def test_training(self) -> None:
        """In training mode it gives logits too, and their gradients reach a parameter."""
        _check_training(_make(self.make, in_channels=1).train())

    def test_state(self) -> None:
        """Its state dict goes through safetensors into a second network of the same logits."""
        _check_state(self.make, _make(self.make, in_channels=1))

    def test_cam_layer(self) -> None:
        """If it has `cam_layer()`, the logits rest on its output (B, C', T', H', W')."""
        model = _make(self.make, in_channels=1)
        if isinstance(model, SupportsCam):
            _check_cam(model)
        expect(
            not self.has_cam_layer or isinstance(model, SupportsCam),
            "It has no cam_layer(), and `has_cam_layer` says that it has.",
        )


def _make(factory: Callable[..., nn.Module], in_channels: int, classes: int = CLASSES) -> nn.Module:
    model = factory(num_classes=classes, in_channels=in_channels)
    expect(
        isinstance(model, nn.Module),
        f"The factory made a {type(model).__name__}: a torch.nn.Module is expected.",
    )
    return model.eval()


def _sequences(shape: tuple[int, ...], seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _logits(model: nn.Module, sequences: Tensor) -> Tensor:
    with attempt(f"Mapping sequences of shape {tuple(sequences.shape)}"):
        logits: Tensor = model(sequences)
    mode = "training" if model.training else "eval"
    expect(
        isinstance(logits, Tensor),
        f"In {mode} mode it gave a {type(logits).__name__}: a tensor of logits is expected.",
    )
    return logits


def _check_shape(
    factory: Callable[..., nn.Module], shape: tuple[int, ...], classes: int = CLASSES
) -> None:
    model = _make(factory, in_channels=shape[1], classes=classes)
    with torch.no_grad():
        logits = _logits(model, _sequences(shape))
    expect(
        logits.shape == (shape[0], classes),
        f"Sequences {shape} gave logits {tuple(logits.shape)}: {(shape[0], classes)} is expected, "
        f"one row per sequence and one logit for each of num_classes={classes}.",
    )
    expect(logits.isfinite().all(), f"Sequences {shape} gave logits that are not finite.")


def _check_black(model: nn.Module) -> None:
    with torch.no_grad():
        logits = _logits(model, torch.zeros(SHAPES[0]))
    expect(
        logits.isfinite().all(),
        "Black sequences gave logits that are not finite: where something is divided by what may "
        "be 0, such as a standard deviation, add a small number to it.",
    )


def _check_eval(model: nn.Module) -> None:
    sequences = _sequences(SHAPES[0])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        logits = _logits(model, sequences)
        again = _logits(model, sequences)
        alone = torch.cat([_logits(model, one[None]) for one in sequences])
        beside = _logits(model, torch.cat([sequences[:1], 100 * _sequences(SHAPES[0], seed=1)]))
    expect(
        torch.equal(logits, again),
        "In eval mode the same sequences gave other logits the second time: "
        "dropout, noise or a state that forward changes must be off in eval mode.",
    )
    for other, company in ((alone, "alone"), (beside[:1], "beside other sequences")):
        expect(
            torch.allclose(logits[: len(other)], other, atol=TOLERANCE, rtol=TOLERANCE),
            f"In eval mode a sequence's logits are others {company}: they must not depend on the "
            "batch; normalise by running statistics or per sequence.",
        )
    changed = [n for n, tensor in model.state_dict().items() if not torch.equal(before[n], tensor)]
    expect(not changed, f"In eval mode forward changed {', '.join(changed)}: it must not.")


def _check_gradient(model: nn.Module, skips_frames: bool) -> None:
    _wake(model)
    sequences = _sequences(SHAPES[0]).requires_grad_()
    logits = _logits(model, sequences)
    expect(logits.requires_grad, "No gradient can be taken of the logits: do not detach them.")
    with attempt("Taking the gradient of a logit"):
        (gradient,) = torch.autograd.grad(logits[:, 0].sum(), sequences, allow_unused=True)
    expect(
        gradient is not None and gradient.isfinite().all() and gradient.any(),
        "The gradient of a logit by the input is missing, zero everywhere or not finite: "
        "training and saliency need it.",
    )
    reached = gradient.abs().sum(dim=(1, 3, 4)) > 0  # (B, T)
    expect(
        reached.any(dim=1).all(),
        "The gradient of the logits reaches "
        f"{int(reached.any(dim=1).sum())} of {len(reached)} sequences: each must have its own.",
    )
    expect(
        skips_frames or reached.all(),
        f"The gradient of a logit reaches {int(reached.all(dim=0).sum())} of {reached.shape[1]} "
        "frames: look at all of them, or where frames are left out on purpose say so by "
        "`skips_frames = True` (--skips-frames).",
    )


def _wake(model: nn.Module) -> None:
    """Give parameters that are 0 all over a value: fresh networks may begin with blocks off."""
    for parameter in model.parameters():
        if not parameter.any():
            parameter.data.fill_(0.5)


def _check_training(model: nn.Module) -> None:
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    expect(learned, "It has no parameter that requires a gradient: there is nothing to train.")
    logits = _logits(model, _sequences(SHAPES[0]))
    expected = (SHAPES[0][0], CLASSES)
    expect(
        logits.shape == expected and logits.isfinite().all(),
        f"In training mode it gave {tuple(logits.shape)}: finite logits {expected} are expected.",
    )
    with attempt("Taking the gradient of the logits in training mode"):
        found = torch.autograd.grad(logits[:, 0].sum(), learned, allow_unused=True)
    gradients = [gradient for gradient in found if gradient is not None]
    expect(
        any(bool(g.any()) for g in gradients) and all(bool(g.isfinite().all()) for g in gradients),
        "The gradient of the logits by the parameters is missing, zero everywhere or not finite: "
        "nothing would be learned.",
    )


def _check_state(factory: Callable[..., nn.Module], model: nn.Module) -> None:
    other = _make(factory, in_channels=1)
    with tempfile.TemporaryDirectory() as folder, attempt("A round trip through safetensors"):
        path = Path(folder) / "weights.safetensors"
        save_file({n: t.contiguous() for n, t in model.state_dict().items()}, path)
        other.load_state_dict(load_file(path))
    sequences = _sequences(SHAPES[0])
    with torch.no_grad():
        expect(
            torch.equal(_logits(model, sequences), _logits(other, sequences)),
            "A second network gave other logits after loading the state dict of the first: "
            "whatever forward depends on must be a parameter or a registered buffer.",
        )


def _check_cam(model: nn.Module) -> None:
    assert isinstance(model, SupportsCam)
    with attempt("cam_layer()"):
        layer = model.cam_layer()
    expect(
        any(layer is module for module in model.modules()),
        "cam_layer() did not return a module of the network itself.",
    )
    outputs: list[Any] = []
    hook = layer.register_forward_hook(lambda _module, _inputs, output: outputs.append(output))
    try:
        logits = _logits(model, _sequences(SHAPES[0]).requires_grad_())
    finally:
        hook.remove()
    expect(outputs, "The layer of cam_layer() did not run when the network did.")
    output = outputs[-1]
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    expect(
        isinstance(output, Tensor) and output.ndim == 5 and output.shape[0] == SHAPES[0][0],
        f"The layer of cam_layer() gave {shape}: (B, C', T', H', W') is expected.",
    )
    with attempt("Taking the gradient of a logit by the output of cam_layer()"):
        gradients = torch.autograd.grad(
            logits[:, 0].sum(), [o for o in outputs if o.requires_grad], allow_unused=True
        )
    expect(
        any(gradient is not None and bool(gradient.any()) for gradient in gradients),
        "The logits do not rest on the output of cam_layer(): give the last layer of space and "
        "time on the way to them.",
    )
