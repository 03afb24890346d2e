"""Which sequences are explained, their saliency, and the numbers that judge a saliency map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from torch import nn

from echokit.clips.sequences import SequenceSpec
from echokit.clips.store import Store
from echokit.interfaces import Explainer
from echokit.saliency.moved_maps import against, moved
from echokit.saliency.verdict import check_map, plain, verdict
from echokit.types import Clip, Saliency
from echokit.voting.table import CLIP, CONFIDENCE, START, PredictionTable

PLACES = 99
"""Moved maps that the place of a map is compared with."""


def choose(views: PredictionTable, classes: tuple[str, ...], examples: int) -> PredictionTable:
    """Choose the view predictions to explain: for each true label the most confident correct ones.

    Where too few were correct, the most confident wrong ones fill up: those are worth looking at
    most.

    Args:
        views: rows of views of one task, approach and view.
        classes: label names.
        examples: how many for each label.
    """
    chosen = [views.frame.head(0)]
    for name in classes:
        rows = views.where(label=name)
        if len(rows):
            order = rows.frame.assign(correct=rows.correct).sort_values(
                ["correct", CONFIDENCE, CLIP], ascending=[False, False, True]
            )
            chosen.append(order.head(examples).drop(columns="correct"))
    return PredictionTable(pd.concat(chosen))


def typical_sequence(sequences: PredictionTable, predicted: str, classes: tuple[str, ...]) -> int:
    """Return the start of the sequence whose probability of the predicted label is highest."""
    clearest = int(sequences.probabilities[:, classes.index(predicted)].argmax())
    return int(sequences.frame[START].iloc[clearest])


def explain(
    model: nn.Module,
    explainer: Explainer,
    store: Store,
    key: str,
    start: int,
    target: int,
    spec: SequenceSpec,
) -> tuple[Clip, Saliency]:
    """Explain one sequence: its prepared frames, and the saliency of class `target` on them."""
    clip = store.clip(key, start, spec.k)
    sequence = spec(clip, torch.Generator())
    return clip, explainer(model, sequence, target)


def examine(
    model: nn.Module,
    explainer: Explainer,
    clip: Clip,
    saliency: Saliency,
    spec: SequenceSpec,
    seed: int,
) -> dict[str, Any]:
    """All that is measured of a map: where it lies, and whether it can be trusted.

    Args:
        model: the network that was explained; it stays as it is.
        explainer: made the map.
        clip: the frames that were explained, as prepared.
        saliency: the map.
        spec: how frames become what the network sees.
        seed: of all that is random in the checks.

    Returns:
        What `judge` and `echokit.saliency.verdict.check_map` return, `places` of
        `compare_places`, and `verdict`: `passed` and `reasons`.
    """
    sequence = spec(clip, torch.Generator())
    scores = judge(saliency.values, clip)
    scores["places"] = compare_places(saliency.values, clip, seed)
    scores |= check_map(model, explainer, sequence, saliency, clip.sector, seed)
    return scores | {"verdict": plain(verdict(scores))}


def judge(values: Float[np.ndarray, "T H W"], clip: Clip) -> dict[str, Any]:
    """Where the saliency lies, against where it would lie by chance.

    Returns:
        `sector` and each ground-truth structure -> `energy`, the share of all relevance inside it,
        and `area`, its share of the sector's pixels, which is the energy of a map that means
        nothing (for the sector itself, its share of the frame).
    """
    inside = np.ones(clip.frames.shape[1:], bool) if clip.sector is None else clip.sector
    result: dict[str, Any] = {
        "sector": {
            "energy": _energy(values, np.broadcast_to(inside, values.shape)),
            "area": float(inside.mean()),
        }
    }
    if clip.structures is not None:
        result["structures"] = {
            name: {
                "energy": _energy(values, clip.structures == number),
                "area": float((clip.structures == number).sum() / (inside.sum() * len(values))),
            }
            for number, name in enumerate(clip.structure_names, start=1)
            if (clip.structures == number).any()
        }
    return result


def compare_places(
    values: Float[np.ndarray, "T H W"], clip: Clip, seed: int
) -> dict[str, dict[str, float]]:
    """Whether the saliency lies where it should more than the same map moved elsewhere does.

    Returns:
        `sector`, absent if all of the frame is inside, and `structures`, absent if none is known:
        `energy`, the share of relevance inside the sector, and of that the share on any structure;
        `chance` and `sd`, mean and standard deviation for `PLACES` moved maps; and `p`, as in
        `echokit.saliency.moved_maps.Chance`.
    """
    whole = np.ones(clip.frames.shape[1:], bool) if clip.sector is None else clip.sector
    inside = np.ascontiguousarray(np.broadcast_to(whole, values.shape))
    maps = [values, *moved(values, PLACES, np.random.default_rng(seed))]
    places = {}
    if not inside.all():
        places["sector"] = [_energy(one, inside) for one in maps]
    if clip.structures is not None and (on := (clip.structures > 0) & inside).any():
        places["structures"] = [_energy(np.where(inside, one, 0), on) for one in maps]
    result = {}
    for name, (own, *others) in places.items():
        chance = against(own, np.array(others))
        result[name] = {"energy": own, "chance": chance.mean, "sd": chance.sd, "p": chance.p}
    return result


def _energy(values: Float[np.ndarray, "T H W"], inside: Bool[np.ndarray, "T H W"]) -> float:
    total = float(values.sum())
    return float(values[inside].sum()) / total if total else 0.0
