"""Choose the sequences to explain, explain them and score their saliency maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from echokit.clips.sequences import SequenceSpec
from echokit.clips.store import Store
from echokit.interfaces import Explainer
from echokit.saliency.location import Location, PlaceTest, compare_places, measure_location
from echokit.saliency.verdict import MapChecks, Verdict, as_json, check_map, verdict
from echokit.types import Clip, Saliency
from echokit.voting.table import CLIP, CONFIDENCE, LABEL, START, PredictionTable


def choose(
    views: PredictionTable, classes: tuple[str, ...], examples: int, most: int | None = None
) -> PredictionTable:
    """Choose the view predictions to explain: for each true label the most confident correct ones.

    If too few are correct, the most confident wrong ones follow, which are the most interesting.

    Args:
        views: predictions of clips of one task, approach and view.
        classes: label names.
        examples: number of predictions for each label.
        most: number in all: the first of each label, then the second; None takes all.
    """
    chosen = [views.frame.head(0)]
    for name in classes:
        rows = views.where(label=name)
        if len(rows):
            order = rows.frame.assign(correct=rows.correct).sort_values(
                ["correct", CONFIDENCE, CLIP], ascending=[False, False, True]
            )
            chosen.append(order.head(examples).drop(columns="correct"))
    frame = pd.concat(chosen)
    rank = frame.groupby(LABEL, sort=False).cumcount().to_numpy()
    first = np.sort(np.argsort(rank, kind="stable")[:most])
    return PredictionTable(frame.iloc[first])


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
    """Explain one sequence; return its prepared frames and the saliency of class `target`."""
    clip = store.clip(key, start, spec.k)
    sequence = spec(clip, torch.Generator())
    return clip, explainer(model, sequence, target)


@dataclass(frozen=True, slots=True)
class MapScores:
    """Everything that is measured of one map."""

    location: Location
    places: Mapping[str, PlaceTest]
    """`sector` and `structures`, where they are known -> comparison with moved maps."""
    checks: MapChecks
    verdict: Verdict

    def as_json(self) -> dict[str, object]:
        """Convert to plain values, as in `saliency/index.json`."""
        return {
            **self.location.as_json(),
            "places": {name: asdict(test) for name, test in self.places.items()},
            **as_json(self.checks),
            "verdict": as_json(self.verdict),
        }


def score_map(
    model: nn.Module,
    explainer: Explainer,
    clip: Clip,
    saliency: Saliency,
    spec: SequenceSpec,
    seed: int,
) -> MapScores:
    """Measure where a map lies and check it on its network.

    Args:
        model: the explained network; it is not changed.
        explainer: the method that made the map.
        clip: the explained frames, as prepared.
        saliency: the map.
        spec: how frames become the input of the network.
        seed: seed of all random choices of the checks.
    """
    sequence = spec(clip, torch.Generator())
    places = compare_places(saliency.values, clip, seed)
    checks = check_map(model, explainer, sequence, saliency, clip.sector, seed)
    return MapScores(
        measure_location(saliency.values, clip),
        places,
        checks,
        verdict(checks, {name: test.p for name, test in places.items()}),
    )
