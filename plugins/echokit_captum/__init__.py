"""Explainers on captum: Grad-CAM over space and time, and others to hold it against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echokit import Explainer, hookimpl


@hookimpl
def register_explainers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add Grad-CAM, HiResCAM, integrated gradients, gradient SHAP, occlusion, guided Grad-CAM."""
    register("captum-gradcam", captum_gradcam)
    register("captum-hirescam", hirescam)
    register("captum-integrated-gradients", integrated_gradients)
    register("captum-gradient-shap", gradient_shap)
    register("captum-occlusion", occlusion)
    register("captum-guided-gradcam", guided_gradcam)


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


def hirescam(*, layer: str | None = None) -> Explainer:
    """HiResCAM: Grad-CAM with each place of a channel weighted by its own gradient.

    Draelos and Carin 2020, arXiv:2011.08891. Grad-CAM's mean gradient over places can mark what the
    class does not rest on; the product of gradient and activation, place by place, cannot where a
    linear layer follows. It costs the same and is enlarged, cut and scaled as Grad-CAM is.

    Args:
        layer: as of `captum-gradcam`; an earlier, finer one gains most.

    Returns:
        An explainer for any model, which it leaves as it found it.
    """
    from echokit_captum.gradcam import GradCam

    return GradCam(layer, by_place=True)


def integrated_gradients(*, steps: int = 32, baseline: str = "least", batch: int = 4) -> Explainer:
    """Gradients summed on the way from a baseline to the sequence, times the way.

    Sundararajan, Taly and Yan, ICML 2017, arXiv:1703.01365. Signed attributions sum to the
    difference of the class's logit between sequence and baseline (completeness). Shown is what
    speaks for the class, scaled by the largest value of the whole sequence.

    Args:
        steps: points on the path (Gauss-Legendre), at least 1.
        baseline: what stands for nothing: `least` (the sequence's least value, black), `mean` (its
            mean), or `still` (its mean frame throughout: what is explained then is motion).
        batch: points that go through the network at once, at least 1; bounds memory.

    Returns:
        An explainer for any model, which it leaves as it found it.

    Raises:
        OptionError: a number is below 1, or there is no such baseline.
    """
    from echokit_captum.paths import IntegratedGradients

    return IntegratedGradients(steps, baseline, batch)


def gradient_shap(
    *, samples: int = 24, noise: float = 0.1, batch: int = 4, seed: int = 0
) -> Explainer:
    """Expected gradients between noisy copies of the sequence and two baselines, black and grey.

    Lundberg and Lee, NeurIPS 2017, arXiv:1705.07874; Erion et al. 2021,
    doi:10.1038/s42256-021-00343-w. Shown is what speaks for the class, scaled by the largest value
    of the whole sequence.

    Args:
        samples: draws, at least 1; more give a calmer map.
        noise: standard deviation of what is added to the normalised sequence, at least 0.
        batch: draws that go through the network at once, at least 1; bounds memory.
        seed: of the draws: the same sequence has the same map.

    Returns:
        An explainer for any model, which it leaves as it found it.

    Raises:
        OptionError: a number is out of its range.
    """
    from echokit_captum.paths import GradientShap

    return GradientShap(samples, noise, batch, seed)


def occlusion(
    *, frames: int = 4, cells: int = 7, baseline: str = "least", batch: int = 4
) -> Explainer:
    """How much the class's logit falls where a block of space and time is hidden.

    Zeiler and Fergus, ECCV 2014, doi:10.1007/978-3-319-10590-1_53, taken to 3D. Blocks overlap by
    half. It asks the network alone, not its gradients, and is slow: with the options as they
    stand some 800 forward passes for 12 frames.

    Args:
        frames: length of a block; a shorter sequence is one block long.
        cells: blocks side by side across a frame, at least 1: 7 hides a 49th of it at a time.
        baseline: what a block is hidden by: `least`, `mean` or `still`, as for integrated
            gradients.
        batch: hidden copies that go through the network at once, at least 1; bounds memory.

    Returns:
        An explainer for any model, which it leaves as it found it.

    Raises:
        OptionError: a number is below 1, or there is no such baseline.
    """
    from echokit_captum.covering import Occlusion

    return Occlusion(frames, cells, baseline, batch)


def guided_gradcam(*, layer: str | None = None) -> Explainer:
    """Grad-CAM's map times guided backpropagation's: fine detail where the class is.

    Selvaraju et al., ICCV 2017, doi:10.1109/ICCV.2017.74. Guided backpropagation by itself is
    close to an edge detector: its maps hardly change when a network's weights are made random
    (Adebayo et al. 2018, arXiv:1810.03292), so believe this one no further than its tests beside
    it say.

    Args:
        layer: as for `captum-gradcam`.

    Returns:
        An explainer for models whose ReLUs are modules, which it leaves as it found them.
    """
    from echokit_captum.guided import GuidedGradCam

    return GuidedGradCam(layer)
