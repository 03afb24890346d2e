"""Check saliency maps on the network that they explain, and give a verdict on each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor, nn

from echokit.interfaces import Explainer
from echokit.saliency.moved_maps import EFFECT, LEVEL, PLACE_LEVEL
from echokit.saliency.perturbation import Curve, FrameOrder, Gap, deletion_insertion, frame_order
from echokit.saliency.randomisation import Randomisation, randomisation
from echokit.types import Saliency

FLAT = "The map is the same everywhere inside the sector: it marks nothing."
SAME = (
    "The map hardly changes when all that the network learned is replaced by random numbers: "
    "it shows the picture, not why the network predicts its label."
)
STAYS = (
    "The map does not change more as more of the network is replaced by random numbers: "
    "it hardly depends on what the network learned."
)
CURVES = (
    "Blurring the marked parts, or showing them alone, changes the prediction no more than with "
    "the same map moved elsewhere: the prediction does not depend on what is marked."
)
SECTOR = "The map lies inside the scanning sector hardly more than the same map moved elsewhere."
STRUCTURES = "The map lies on the known structures hardly more than the same map moved elsewhere."


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a map may be read as showing what the network looks at."""

    passed: bool
    """True if no check failed, which does not prove the map right."""
    reasons: tuple[str, ...]
    """A sentence for each failed check; empty if the map passed."""


@dataclass(frozen=True, slots=True)
class MapChecks:
    """The results of all checks of one map on its network."""

    flat: bool
    """True if the map is constant inside the sector; it then has no order to be tested."""
    randomisation: Randomisation | None
    """None for a flat map."""
    deletion: Curve | None
    """None for a flat map."""
    insertion: Curve | None
    """None for a flat map."""
    gap: Gap | None
    """None for a flat map."""
    shuffle: FrameOrder | None
    """None for a single frame."""

    def as_json(self) -> dict[str, object]:
        """Convert to plain values, as in `saliency/index.json`."""
        return as_json(self)


@dataclass(frozen=True, slots=True)
class NetworkVerdict:
    """The verdict on a network by its maps."""

    maps: int
    """Number of maps."""
    passed: int
    """Number of maps that passed."""
    flagged: bool | None
    """True if fewer than half of the maps passed; None without a map."""


def check_map(
    model: nn.Module,
    explainer: Explainer,
    sequence: Float[Tensor, "C T H W"],
    saliency: Saliency,
    sector: Bool[np.ndarray, "H W"] | None,
    seed: int,
) -> MapChecks:
    """Check a saliency map on the network that it explains.

    Args:
        model: maps `(B, C, T, H, W)` to logits `(B, K)`; it is copied and never changed.
        explainer: the method that made the map.
        sequence: the explained sequence, normalised as for the model.
        saliency: the map.
        sector: True inside the scanning sector; None means the whole frame.
        seed: seed of all random choices.
    """
    model = deepcopy(model).eval()  # hooks and randomised weights must not reach the original
    region = np.ones(sequence.shape[2:], bool) if sector is None else sector
    inside = np.ascontiguousarray(np.broadcast_to(region, saliency.values.shape))
    order = frame_order(model, sequence, saliency.target, seed)
    if not inside.any() or np.ptp(saliency.values[inside]) == 0:
        return MapChecks(True, None, None, None, None, order)
    target, values = saliency.target, saliency.values
    test = randomisation(model, explainer, sequence, saliency, inside, seed)
    deletion, insertion, gap = deletion_insertion(model, sequence, target, values, inside, seed)
    return MapChecks(False, test, deletion, insertion, gap, order)


def verdict(checks: MapChecks, place_p: Mapping[str, float]) -> Verdict:
    """Give the verdict on a map from its checks.

    A map is flagged if any of these holds:

    - it is flat;
    - it fails the randomisation test (see `echokit.saliency.randomisation`);
    - its insertion curve does not lie above its deletion curve by more than those of the same map
      moved elsewhere do: p above `LEVEL`, or a difference below `EFFECT`;
    - its share inside the sector, or of that the share on the ground-truth structures, where they
      are known, is not among the best quarter of moved maps: p above `PLACE_LEVEL`.

    The curves alone flag 19 of 20 maps of noise. The area of the sector or of the structures is not
    used as the level of chance, because a smooth map covers more or less than that by luck.
    Shuffling frames does not count: it tests the network, not the map.

    Args:
        checks: the results of the checks.
        place_p: `sector` and `structures`, where they are known -> p among moved maps.
    """
    reasons = tuple(_reasons(checks, place_p))
    return Verdict(not reasons, reasons)


def _reasons(checks: MapChecks, place_p: Mapping[str, float]) -> Iterator[str]:
    """State the reason for each failed check."""
    if checks.flat:
        yield FLAT
        return
    if checks.randomisation and not checks.randomisation.differs:
        yield SAME
    elif checks.randomisation and not checks.randomisation.falls:
        yield STAYS
    gap = checks.gap
    if gap and (gap.p > LEVEL or gap.value - gap.chance < EFFECT):
        yield CURVES
    for name, reason in (("sector", SECTOR), ("structures", STRUCTURES)):
        if place_p.get(name, 0.0) > PLACE_LEVEL:
            yield reason


def network_verdict(passed: Iterable[bool]) -> NetworkVerdict:
    """Give the verdict on a network: it is flagged if fewer than half of its maps pass.

    At most one in twenty meaningless maps passes, so that two of three pass by chance in fewer than
    one network of a hundred.

    Args:
        passed: for each map, whether it passed.
    """
    verdicts = list(passed)
    flagged = sum(verdicts) < len(verdicts) / 2 if verdicts else None
    return NetworkVerdict(len(verdicts), sum(verdicts), flagged)


def as_json(record: MapChecks | Verdict) -> dict[str, object]:
    """Convert a record to values that JSON has, tuples to lists."""
    plain: dict[str, object] = json.loads(json.dumps(asdict(record)))
    return plain
