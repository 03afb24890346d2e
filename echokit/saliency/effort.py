"""How many predictions are explained, where an explainer takes many passes through a network.

It is counted in passes and not in seconds, so that the same predictions are explained everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from echokit.interfaces import Explainer, SupportsPasses
from echokit.saliency.randomisation import COPIES, STEPS

MAPS = 1 + COPIES * STEPS
"""Maps that are made of one prediction: its own, and those of randomised networks to test it."""


def passes_of(explainer: Explainer | None, shape: tuple[int, int, int, int]) -> int:
    """Return the passes that explaining one prediction takes; 0 where the explainer does not say.

    Args:
        explainer: the method.
        shape: `(C, T, H, W)` of the sequence.
    """
    return MAPS * explainer.passes(shape) if isinstance(explainer, SupportsPasses) else 0


def take_in_turn(asked: Sequence[int], passes: Sequence[int], most: int) -> list[int]:
    """Return how many predictions of each network are explained.

    Each network has one, whatever that takes; then one more of each in turn, while passes are left.

    Args:
        asked: predictions of each network that are to be explained.
        passes: what one of each network takes.
        most: passes in all.
    """
    taken = [min(1, count) for count in asked]
    left = most - sum(count * each for count, each in zip(taken, passes, strict=True))
    grows = True
    while grows:
        grows = False
        for i, each in enumerate(passes):
            if taken[i] < asked[i] and each <= left:
                taken[i], left, grows = taken[i] + 1, left - each, True
    return taken
