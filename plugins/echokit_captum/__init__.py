"""Explainers on captum: Grad-CAM over space and time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echokit import Explainer, hookimpl


@hookimpl
def register_explainers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add Grad-CAM."""
    register("captum-gradcam", captum_gradcam)


def captum_gradcam(*, layer: str | None = None) -> Explainer:
    """Grad-CAM over space and time, the paper's section 2.4.

    Selvaraju et al., ICCV 2017, doi:10.1109/ICCV.2017.74, taken to 3D: channels of the layer are
    weighted by the mean gradient of the target's logit, summed, cut at zero, enlarged to the
    sequence's size `(T, H, W)` (trilinear) and scaled to [0, 1] by the least and largest value of
    the *whole* sequence, so that frames compare. A map without contrast, such as one that is zero
    all over because nothing speaks for the target, comes back as zeros.

    Args:
        layer: dotted name of the module to look at, such as `stage3`, whose output must be
            `(1, C', T', H', W')`; None for the model's own `cam_layer()`.

    Returns:
        An explainer for any model, which it leaves as it found it: mode, gradients and
        `requires_grad`. It explains the model in eval mode.
    """
    from echokit_captum.gradcam import GradCam

    return GradCam(layer)
