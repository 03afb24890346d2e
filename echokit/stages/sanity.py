"""Which saliency maps can be trusted to show what a network does: the checks, and their verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor, nn

from echokit.interfaces import Explainer
from echokit.stages.perturbation import Curve, FrameOrder, deletion_insertion, frame_order
from echokit.stages.randomisation import Randomisation, randomisation
from echokit.types import Saliency

FLAT = "The map is the same everywhere inside the sector: it points at nothing."
RANDOMISATION = (
    "The map hardly changes when all that the network learned is replaced by random numbers: "
    "it shows the picture, not the network's reason."
)
CURVES = (
    "Neither blurring the marked parts nor showing them alone matters more to the network than "
    "doing so with parts picked at random: the prediction does not rest on what is marked."
)
SECTOR = "The map lies inside the scanning sector no more than chance would put it there."
STRUCTURES = "The map lies on the known structures no more than chance would put it there."


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
        `flat`, and `randomisation`, `deletion`, `insertion` (None for a flat map, which has no
        order) and `shuffle` (None for a single frame): the fields of `Randomisation`, `Curve` and
        `FrameOrder`.
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
        "shuffle": plain(order) if order else None,
    }
    if not scores["flat"]:
        target, values = saliency.target, saliency.values
        found = randomisation(model, explainer, sequence, saliency, inside, seed)
        deletion, insertion = deletion_insertion(model, sequence, target, values, inside, seed)
        scores["randomisation"] = plain(found)
        scores["deletion"], scores["insertion"] = plain(deletion), plain(insertion)
    return scores


def verdict(scores: Mapping[str, Any]) -> Verdict:
    """Judge a map by its scores; what was not measured does not count.

    A map is flagged if any of these holds:

    - it is flat;
    - it fails the randomisation test (see `echokit.stages.randomisation`);
    - its deletion curve has no less area than chance *and* its insertion curve no more;
    - its share inside the sector is no more than the sector's share of the frame;
    - of what lies inside the sector, the share on the ground-truth structures, where there are any,
      is no more than their share of the sector.

    The rules on curves are mild, since both must fail: of maps of smooth noise a third are flagged.
    Shuffling frames is no test of the map and does not count: it says how the network works.
    """
    reasons = tuple(_reasons(scores))
    return Verdict(not reasons, reasons)


def _reasons(scores: Mapping[str, Any]) -> Iterator[str]:
    if scores.get("flat"):
        yield FLAT
        return
    if (scores.get("randomisation") or {}).get("passed") is False:
        yield RANDOMISATION
    deletion, insertion = scores.get("deletion"), scores.get("insertion")
    if deletion and insertion:
        falls = deletion["auc"] < deletion["chance"]
        if not falls and insertion["auc"] <= insertion["chance"]:
            yield CURVES
    sector = scores.get("sector")
    if sector and sector["area"] < 1 and sector["energy"] <= sector["area"]:
        yield SECTOR
    structures = (scores.get("structures") or {}).values()
    if structures:
        energy, area = (sum(s[kind] for s in structures) for kind in ("energy", "area"))
        if energy <= area * (sector or {"energy": 1.0})["energy"]:
            yield STRUCTURES


def plain(record: Randomisation | Curve | FrameOrder | Verdict) -> dict[str, Any]:
    """A record's fields in values that JSON has."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(record).items()
    }
