"""A trimmed mean of votes, and smoothed gradients."""

from echokit import hookimpl

echokit_interface = 1


def trimmed_mean(*, share: float = 0.2):
    """The mean probability of each label without its lowest and highest voters.

    What is left of all labels is made to sum to 1. A tie goes to the label that more voters chose,
    then to the more severe.

    Args:
        share: of the voters that is left out at each end, in [0, 0.5).
    """
    from echokit_second_look.voting import TrimmedMean

    return TrimmedMean(share)


def smooth_gradient(*, samples: int = 8, noise: float = 0.1, seed: int = 0):
    """The size of the class's gradient, mean over noisy copies of the sequence.

    Smilkov et al. 2017, arXiv:1706.03825.

    Args:
        samples: noisy copies, at least 1.
        noise: standard deviation of the noise, as a share of the sequence's range.
        seed: of the noise: the same sequence has the same map.
    """
    from echokit_second_look.gradient import SmoothGradient

    return SmoothGradient(samples, noise, seed)


@hookimpl
def register_aggregators(register):
    register("trimmed-mean", trimmed_mean)


@hookimpl
def register_explainers(register):
    register("smooth-gradient", smooth_gradient)
