"""Explainers on captum: Grad-CAM over space and time, and others to compare it with."""

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

    Selvaraju et al., ICCV 2017, doi:10.1109/ICCV.2017.74, extended to 3D: channels of the layer
    are weighted by the mean gradient of the target's logit, summed, cut at zero, enlarged to the
    sequence's size `(T, H, W)` (trilinear) and scaled to [0, 1] by the smallest and largest value
    of the *whole* sequence, so that frames can be compared. A map without contrast, such as one
    that is zero everywhere because no evidence supports the target, is returned as zeros.

    Args:
        layer: dotted name of the module whose output is explained, such as `stage3`; the output
            must be `(1, C', T', H', W')`. None uses the model's own `cam_layer()`.

    Returns:
        An explainer for any model. It explains the model in eval mode, and restores its mode,
        gradients and `requires_grad`.
    """
    from echokit_captum.gradcam import GradCam

    return GradCam(layer)


def hirescam(*, layer: str | None = None) -> Explainer:
    """HiResCAM: Grad-CAM with each place of a channel weighted by its own gradient.

    Draelos and Carin 2020, arXiv:2011.08891. Grad-CAM's mean gradient can mark places that the
    class does not depend on; the product of gradient and activation at each place cannot, if a
    linear layer follows. It costs the same and is enlarged, cut and scaled as Grad-CAM is.

    Args:
        layer: as for `captum-gradcam`; the difference is largest at an earlier, finer layer.

    Returns:
        An explainer for any model, which it does not change.
    """
    from echokit_captum.gradcam import GradCam

    return GradCam(layer, by_place=True)


def integrated_gradients(
    *, steps: int = 32, baseline: str = "least", batch: int = 4, smooth: float = 0.0
) -> Explainer:
    """Integrated gradients: summed along the straight path from a baseline to the sequence.

    Sundararajan, Taly and Yan, ICML 2017, arXiv:1703.01365. Signed attributions sum to the
    difference of the class's logit between sequence and baseline (completeness). The map shows the
    positive ones, scaled by the largest value of the whole sequence.

    Args:
        steps: points on the path (Gauss-Legendre), at least 1.
        baseline: the sequence without information: `least` (its smallest value, black), `mean` (its
            mean), `still` (its mean frame repeated, so that motion is explained), or `blurred`
            (each frame blurred by an eighth of its side, so that structures are explained and not
            how bright a region is; Sturmfels et al. 2020, doi:10.23915/distill.00022).
        batch: points that the network processes at once, at least 1; limits memory.
        smooth: standard deviation of a blur of the signed attributions in space, as a share of the
            frame's longer side, with that of one frame in time; 0 leaves them as they are. Signs
            of neighbouring pixels alternate, and their sum over a region is what a reader sees.

    Returns:
        An explainer for any model, which it does not change.

    Raises:
        OptionError: a number is out of range, or there is no such baseline.
    """
    from echokit_captum.path_gradients import IntegratedGradients

    return IntegratedGradients(steps, baseline, batch, smooth)


def gradient_shap(
    *, samples: int = 24, noise: float = 0.1, batch: int = 4, seed: int = 0
) -> Explainer:
    """Expected gradients between noisy copies of the sequence and two baselines, black and grey.

    Lundberg and Lee, NeurIPS 2017, arXiv:1705.07874; Erion et al. 2021,
    doi:10.1038/s42256-021-00343-w. The map shows the positive attributions, scaled by the largest
    value of the whole sequence.

    Args:
        samples: number of draws, at least 1; more draws give a smoother map.
        noise: standard deviation of the noise added to the normalised sequence, at least 0.
        batch: draws that the network processes at once, at least 1; limits memory.
        seed: seed of the draws, so that the same sequence always has the same map.

    Returns:
        An explainer for any model, which it does not change.

    Raises:
        OptionError: a number is out of range.
    """
    from echokit_captum.path_gradients import GradientShap

    return GradientShap(samples, noise, batch, seed)


def occlusion(
    *, frames: int = 4, cells: int = 7, baseline: str = "least", batch: int = 4
) -> Explainer:
    """Occlusion: the fall of the class's logit when a block of space and time is hidden.

    Zeiler and Fergus, ECCV 2014, doi:10.1007/978-3-319-10590-1_53, extended to 3D. Blocks overlap
    by half. It uses the network's outputs and not its gradients, and is slow: the default options
    take about 800 forward passes for 12 frames.

    Args:
        frames: length of a block in frames; a shorter sequence is one block long.
        cells: number of blocks side by side across a frame, at least 1: 7 hides a 49th of the
            frame at a time.
        baseline: content of a hidden block: `least`, `mean`, `still` or `blurred`, as for
            integrated gradients.
        batch: copies with a hidden block that the network processes at once, at least 1; limits
            memory.

    Returns:
        An explainer for any model, which it does not change.

    Raises:
        OptionError: a number is below 1, or there is no such baseline.
    """
    from echokit_captum.occlusion_blocks import Occlusion

    return Occlusion(frames, cells, baseline, batch)


def guided_gradcam(*, layer: str | None = None) -> Explainer:
    """Guided Grad-CAM: Grad-CAM's coarse map times the fine map of guided backpropagation.

    Selvaraju et al., ICCV 2017, doi:10.1109/ICCV.2017.74. Guided backpropagation by itself is
    close to an edge detector: its maps hardly change when a network's weights are made random
    (Adebayo et al. 2018, arXiv:1810.03292), so trust a map only as far as a run's sanity checks
    support it.

    Args:
        layer: as for `captum-gradcam`.

    Returns:
        An explainer for models whose ReLUs are modules, which it does not change.
    """
    from echokit_captum.guided_backprop import GuidedGradCam

    return GuidedGradCam(layer)
