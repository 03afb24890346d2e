"""Grad-CAM of one class, against the forward pass that it includes, and another library."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from echokit import Explainer, resolve
from echokit.bench.timing import Claim, paired, timing_row

AT_MOST_MEMORY = 1.2
"""Goal of Grad-CAM's peak memory, relative to the forward pass."""


def measure(quick: bool) -> list[dict[str, Any]]:
    """Measure time and memory of Grad-CAM against the forward pass, and time a peer."""
    side, width = (48, 12) if quick else (112, 64)
    model = resolve(
        "backbone", "pytorchvideo-r2plus1d-18", num_classes=3, in_channels=1, width=width
    )
    model = model.eval().to(memory_format=torch.channels_last_3d)
    sequence = torch.randn(1, 12, side, side, generator=torch.Generator().manual_seed(0))
    explain = resolve("explainer", "captum-gradcam")

    def forward() -> None:
        _predict(model, sequence)

    claim = Claim(
        f"Grad-CAM of a given class, R(2+1)D-18, 12×{side}×{side}", "the forward pass", at_most=1.35
    )
    row = timing_row(
        claim, *paired(lambda: explain(model, sequence, 0), forward, 3 if quick else 15)
    )
    ours, theirs = _peak(lambda: explain(model, sequence, 0)), _peak(forward)
    memory = {
        "name": f"memory of Grad-CAM, R(2+1)D-18, 12×{side}×{side}",
        "against": "the forward pass",
        "ours_mb": round(ours),
        "theirs_mb": round(theirs),
        "ratio": ours / theirs if theirs else None,
        "spread": None,
        "goal": f"at most {AT_MOST_MEMORY:g}× the memory",
        "reached": ours <= AT_MOST_MEMORY * theirs,
        "repeats": 1,
    }
    return [row, memory, *_peers(model, sequence, explain, 3 if quick else 9)]


def _peers(
    model: nn.Module, sequence: Tensor, explain: Explainer, repeats: int
) -> list[dict[str, Any]]:
    """Time pytorch-grad-cam, if it is installed (`echokit-cardiac[test]` installs it)."""
    if find_spec("pytorch_grad_cam") is None:
        return []
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    with GradCAM(model=model, target_layers=[model.cam_layer()]) as peer:  # type: ignore[operator]
        theirs = partial(peer, input_tensor=sequence[None], targets=[ClassifierOutputTarget(0)])
        ours = partial(explain, model, sequence, 0)
        claim = Claim("Grad-CAM of the same network", "pytorch-grad-cam")
        return [timing_row(claim, *paired(ours, theirs, repeats))]


def _predict(model: nn.Module, sequence: Tensor) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = model(sequence[None].to(memory_format=torch.channels_last_3d))
        return logits.softmax(1)


def _peak(work: Callable[[], object]) -> float:
    """Measure the peak memory of tensors during the work in MiB, without weights."""
    with profile(
        activities=[ProfilerActivity.CPU], profile_memory=True, record_shapes=False
    ) as recorded:
        work()
    current = most = 0
    for event in sorted(recorded.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]":
            current += event.nbytes()
            most = max(most, current)
    return most / 2**20
