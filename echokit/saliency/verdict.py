"""Which saliency maps can be trusted to show what a network does: the checks, and their verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor, nn

from echokit.interfaces import Explainer
from echokit.saliency.moved_maps import EFFECT, LEVEL, PLACE_LEVEL
from echokit.saliency.perturbation import Curve, FrameOrder, Gap, deletion_insertion, frame_order
from echokit.saliency.randomisation import Randomisation, randomisation
from echokit.types import Saliency

FLAT = "The map is the same everywhere inside the sector: it points at nothing."
SAME = (
    "The map hardly changes when all that the network learned is replaced by random numbers: "
    "it shows the picture, not the network's reason."
)
STAYS = (
    "The map does not grow less like itself as more of the network is replaced by random numbers: "
    "it hardly depends on what the network learned."
)
CURVES = (
    "Blurring the marked parts and showing them alone matters no more to the network than doing so "
    "with the same map moved elsewhere: the prediction does not rest on what is marked."
)
SECTOR = "The map lies inside the scanning sector hardly more than the same map moved elsewhere."
STRUCTURES = "The map lies on the known structures hardly more than the same map moved elsewhere."


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a map may be read as what the network looks at."""

    passed: bool
    """True if no check speaks against the map; that does not prove it right."""
    reasons: tuple[str, ...]
    """Why it is flagged, a sentence each; empty if it passed."""


def check_map(
    model: nn.Module,
    explainer: Explainer,
    sequence: Float[Tensor, "C T H W"],
    saliency: Saliency,
    sector: Bool[np.ndarray, "H W"] | None,
    seed: int,
) -> dict[str, Any]:
    """Try a saliency map on the network that it explains.

    Args:
        model: maps `(B, C, T, H, W)` to logits `(B, K)`; a copy is worked on.
        explainer: made the map.
        sequence: what the map explains, normalised as for the model.
        saliency: the map.
        sector: True inside the scanning sector; None means all of the frame.
        seed: of all that is random here.

    Returns:
        `flat`, and `randomisation`, `deletion`, `insertion`, `gap` (None for a flat map, which has
        no order) and `shuffle` (None for a single frame): the fields of `Randomisation`, `Curve`,
        `Gap` and `FrameOrder`.
    """
    model = deepcopy(model).eval()
    whole = np.ones(sequence.shape[2:], bool) if sector is None else sector
    inside = np.ascontiguousarray(np.broadcast_to(whole, saliency.values.shape))
    order = frame_order(model, sequence, saliency.target, seed)
    scores: dict[str, Any] = {
        "flat": not inside.any() or bool(np.ptp(saliency.values[inside]) == 0),
        "randomisation": None,
        "deletion": None,
        "insertion": None,
        "gap": None,
        "shuffle": plain(order) if order else None,
    }
    if not scores["flat"]:
        target, values = saliency.target, saliency.values
        found = randomisation(model, explainer, sequence, saliency, inside, seed)
        deletion, insertion, gap = deletion_insertion(model, sequence, target, values, inside, seed)
        scores["randomisation"], scores["gap"] = plain(found), plain(gap)
        scores["deletion"], scores["insertion"] = plain(deletion), plain(insertion)
    return scores


def verdict(scores: Mapping[str, Any]) -> Verdict:
    """Judge a map by its scores; what was not measured does not count.

    A map is flagged if any of these holds:

    - it is flat;
    - it fails the randomisation test (see `echokit.saliency.randomisation`);
    - its insertion curve does not lie above its deletion curve by more than those of the same map
      moved elsewhere do: p above `LEVEL`, or a difference below `EFFECT`;
    - its share inside the sector, or of that the share on the ground-truth structures, where they
      are known, is not among the best quarter of moved maps: p above `PLACE_LEVEL`.

    The curves alone flag 19 of 20 maps of noise. The area of sector and structures is no measure of
    chance here: a smooth map lies on more or less than that by luck. Shuffling frames is no test of
    the map and does not count: it says how the network works.
    """
    reasons = tuple(_reasons(scores))
    return Verdict(not reasons, reasons)


def _reasons(scores: Mapping[str, Any]) -> Iterator[str]:
    if scores.get("flat"):
        yield FLAT
        return
    found = scores.get("randomisation") or {}
    if found.get("differs") is False:
        yield SAME
    elif found.get("falls") is False:
        yield STAYS
    gap = scores.get("gap")
    if gap and (gap["p"] > LEVEL or gap["value"] - gap["chance"] < EFFECT):
        yield CURVES
    places = scores.get("places") or {}
    for name, reason in (("sector", SECTOR), ("structures", STRUCTURES)):
        if name in places and places[name]["p"] > PLACE_LEVEL:
            yield reason


def judge_network(verdicts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Judge a network by the verdicts on its maps: it is flagged if fewer than half of them pass.

    At most one in twenty maps that mean nothing passes, so that two of three pass by chance in
    fewer than one network of a hundred.

    Returns:
        `maps`, `passed`, how many of them passed, and `flagged`, None without a map.
    """
    passed = [bool(one["passed"]) for one in verdicts]
    flagged = sum(passed) < len(passed) / 2 if passed else None
    return {"maps": len(passed), "passed": sum(passed), "flagged": flagged}


def plain(record: Randomisation | Curve | Gap | FrameOrder | Verdict) -> dict[str, Any]:
    """A record's fields in values that JSON has."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(record).items()
    }
