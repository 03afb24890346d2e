"""From sequences to votes, from votes to a view's prediction, from views to a subject's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import nn
from torch.utils.data import DataLoader

from echokit.errors import UsageError
from echokit.interfaces import Aggregator
from echokit.stages.sequences import Item, SequenceSpec, VotingSequences, voting_starts
from echokit.stages.store import Store
from echokit.types import Prediction, Votes


@dataclass(frozen=True, slots=True)
class ClipVotes:
    """What the sequences of one clip said, and what came of it."""

    item: Item
    starts: tuple[int, ...]
    """First frame of each sequence."""
    votes: Votes
    prediction: Prediction


def load_weights(model: nn.Module, path: Path, device: str | torch.device = "cpu") -> nn.Module:
    """Load a trained network's weights, set it to evaluation and put it on a device.

    Raises:
        UsageError: the file is not there, or is of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise UsageError(f"There is no trained network at {path}. Finish the run first.")
    try:
        model.load_state_dict(load_file(path))
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{path} does not fit the recipe's backbone: {reason}") from error
    return model.eval().to(memory_format=torch.channels_last_3d).to(device)


def vote_clips(
    model: nn.Module,
    items: Sequence[Item],
    classes: tuple[str, ...],
    store: Store,
    spec: SequenceSpec,
    aggregate: Aggregator,
    batch: int = 16,
) -> Iterable[ClipVotes]:
    """Let `spec.n` sequences of `spec.k` frames vote for each clip (paper, section 2.3).

    Yields:
        One `ClipVotes` per clip, in order.

    Raises:
        ClipError: a clip has fewer than `spec.k` frames.
    """
    starts = [voting_starts(item.clip, item.frames, spec.k, spec.n) for item in items]
    windows = [(i.key, s) for i, drawn in zip(items, starts, strict=True) for s in drawn]
    # a generator of its own: a loader draws from the global one otherwise
    loader = DataLoader(
        VotingSequences(windows, store, spec), batch_size=batch, generator=torch.Generator()
    )
    device = next(model.parameters()).device
    waiting: list[np.ndarray] = []
    done = 0
    for sequences in loader:  # (B, 1, k, H, W)
        with torch.inference_mode():
            seen = sequences.to(device).to(memory_format=torch.channels_last_3d)
            waiting += list(model(seen).float().softmax(1).cpu().numpy())
        while done < len(items) and len(waiting) >= spec.n:
            probabilities, waiting = np.stack(waiting[: spec.n]), waiting[spec.n :]
            votes = Votes(
                classes=classes,
                voters=tuple(map(str, starts[done])),
                labels=probabilities.argmax(1),
                probabilities=probabilities,
            )
            yield ClipVotes(items[done], starts[done], votes, aggregate(votes))
            done += 1


def vote_views(
    predictions: Sequence[tuple[str, Prediction]],
    classes: tuple[str, ...],
    aggregate: Aggregator,
) -> Prediction:
    """Let the views of a subject vote.

    Args:
        predictions: (view, its prediction) of every clip of the subject.
        classes: label names, least severe first.
        aggregate: who counts.
    """
    return aggregate(
        Votes(
            classes=classes,
            voters=tuple(view for view, _ in predictions),
            labels=np.array([classes.index(p.label) for _, p in predictions]),
            probabilities=np.stack([p.probabilities for _, p in predictions]),
            confidences=np.array([p.confidence for _, p in predictions]),
        )
    )


def row(level: str, label: str, prediction: Prediction, **place: Any) -> dict[str, Any]:
    """One row of `predictions.parquet`: a sequence's, a view's or a subject's prediction."""
    return {
        "level": level,
        **{"clip": "", "start": -1} | place,
        "label": label,
        "predicted": prediction.label,
        "confidence": float(prediction.confidence),
        "probabilities": [float(p) for p in prediction.probabilities],
    }


def sequence_predictions(votes: Votes) -> Iterable[Prediction]:
    """Each sequence's own prediction; its confidence is its highest probability."""
    for label, probabilities in zip(votes.labels, votes.probabilities, strict=True):
        yield Prediction(votes.classes[label], _confidence(probabilities), probabilities)


def _confidence(probabilities: Float[np.ndarray, " K"]) -> float:
    return float(probabilities.max())
