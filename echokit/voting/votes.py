"""Let sequences vote for the label of a clip, and views for that of a subject."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float, Float32
from scipy.special import softmax

from echokit.clips.sequences import Item, SequenceSpec, voting_starts
from echokit.clips.store import Store
from echokit.interfaces import Aggregator, Forward
from echokit.system.prefetch import prefetch
from echokit.types import Clip, Prediction, Votes


@dataclass(frozen=True, slots=True)
class ClipVotes:
    """The votes of the sequences of one clip, and the resulting prediction."""

    item: Item
    starts: tuple[int, ...]
    """First frame of each sequence."""
    votes: Votes
    prediction: Prediction


def vote_clips(
    forward: Forward,
    items: Sequence[Item],
    classes: tuple[str, ...],
    store: Store,
    spec: SequenceSpec,
    aggregate: Aggregator,
    batch: int = 16,
) -> Iterable[ClipVotes]:
    """Let `spec.n` sequences of `spec.k` frames vote for each clip (paper, section 2.3).

    Args:
        forward: the network, as an engine runs it.
        items: the clips.
        classes: label names, least severe first.
        store: holds the clips.
        spec: the sequences, and how frames become the input of the network.
        aggregate: the voting rule.
        batch: sequences in one forward pass, of one clip or several.

    Yields:
        One `ClipVotes` per clip, in order.

    Raises:
        ClipError: a clip has fewer than `spec.k` frames.
    """
    starts = [voting_starts(item.clip, item.frames, spec.k, spec.n) for item in items]
    # a batch may end within a clip: probabilities wait until all sequences of the clip are there
    waiting: list[np.ndarray] = []
    done = 0
    for sequences in prefetch(_batches(voting_sequences(items, store, spec), batch)):
        waiting += list(softmax(forward(sequences), axis=1))
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


def voting_sequences(
    items: Iterable[Item], store: Store, spec: SequenceSpec
) -> Iterator[Float32[np.ndarray, "1 k H W"]]:
    """Yield every voting sequence of every clip, in order.

    A clip is read once, since its sequences overlap. Each sequence is normalised by itself, because
    a transform may use statistics of the whole sequence.
    """
    for item in items:
        starts = voting_starts(item.clip, item.frames, spec.k, spec.n)
        first = min(starts)
        frames = store.window(item.key, first, max(starts) + spec.k - first)
        sector = store.sector(item.key)
        for start in starts:
            shown = frames[start - first : start - first + spec.k]
            yield spec.plain(Clip(frames=shown, sector=sector))


def sample(
    items: Iterable[Item], store: Store, spec: SequenceSpec, count: int = 2
) -> Float32[np.ndarray, "count 1 k H W"]:
    """Return the first voting sequences of some clips, repeated if there are too few.

    Engines are compared with torch on them.
    """
    first = list(islice(voting_sequences(items, store, spec), count))
    return np.stack([first[i % len(first)] for i in range(count)])


def _batches(
    sequences: Iterable[Float32[np.ndarray, "1 k H W"]], size: int
) -> Iterator[Float32[np.ndarray, "B 1 k H W"]]:
    remaining = iter(sequences)
    while gathered := list(islice(remaining, size)):
        yield np.stack(gathered)


def vote_views(
    predictions: Sequence[tuple[str, Prediction]],
    classes: tuple[str, ...],
    aggregate: Aggregator,
) -> Prediction:
    """Let the views of a subject vote.

    Args:
        predictions: (view, prediction) of every clip of the subject.
        classes: label names, least severe first.
        aggregate: the voting rule.
    """
    return aggregate(votes_of_views(predictions, classes))


def votes_of_views(
    predictions: Sequence[tuple[str, Prediction]], classes: tuple[str, ...]
) -> Votes:
    """Return the predictions of a subject's clips as votes, each voter named by its view."""
    return Votes(
        classes=classes,
        voters=tuple(view for view, _ in predictions),
        labels=np.array([classes.index(p.label) for _, p in predictions]),
        probabilities=np.stack([p.probabilities for _, p in predictions]),
        confidences=np.array([p.confidence for _, p in predictions]),
    )


def sequence_predictions(votes: Votes) -> Iterable[Prediction]:
    """Yield the prediction of each sequence; its confidence is its highest probability."""
    for label, probabilities in zip(votes.labels, votes.probabilities, strict=True):
        yield Prediction(votes.classes[label], _confidence(probabilities), probabilities)


def _confidence(probabilities: Float[np.ndarray, " K"]) -> float:
    return float(probabilities.max())
