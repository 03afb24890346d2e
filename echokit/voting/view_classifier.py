"""Predict the view of clips without one, and doubt given views, by a network trained on views.

The network knows the views it was trained on only and takes a clip of any other view for one of
them. The threshold rejects most of these clips, but not all. Annotated views are therefore never
replaced; a clip whose annotated view the network contradicts is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from echokit.clips.preparation import Preparation, prepare, too_short
from echokit.clips.sequences import Item, SequenceSpec
from echokit.clips.store import Store
from echokit.errors import ClipError
from echokit.interfaces import Aggregator, Forward, Loader
from echokit.system.progress import Progress
from echokit.types import ClipRef, Rejection
from echokit.voting.votes import vote_clips


@dataclass(frozen=True, slots=True)
class ViewClassifier:
    """A network that predicts views, and the smallest accepted confidence."""

    run: str
    """Name of the run that trained the network."""
    classes: tuple[str, ...]
    """The views that it can predict."""
    preparation: Preparation
    """Prepares clips as for its training."""
    voting: SequenceSpec
    """The sequences of a clip that vote."""
    rule: Aggregator
    """Voting rule of the sequences."""
    open: Callable[[], Forward]
    """Loads the network; called when the first clip needs it."""
    threshold: float
    """Smallest accepted confidence, in [0, 1]."""
    synthetic: bool
    """True if the network was trained on a synthetic cohort."""


def find_views(
    found: Iterable[ClipRef | Rejection],
    loader: Loader,
    classifier: ViewClassifier,
    store: Store,
    progress: Progress,
) -> tuple[list[ClipRef | Rejection], dict[str, float]]:
    """Give every clip without a view the one that the network sees; leave all others alone.

    Args:
        found: what the loader found.
        loader: reads the clips.
        classifier: the network that tells views.
        store: where clips prepared for that network are kept.
        progress: receives the progress.

    Returns:
        What was found, in order, where a clip whose view stays unclear has become a rejection;
        and clip -> confidence in (0, 1] of each view that was filled in: the mean probability,
        over the voting sequences, of the view that won their vote. The share of sequences that
        agree would say less: ten sequences of one clip agree on a guess, too.
    """
    items = list(found)
    unknown = [(n, ref) for n, ref in enumerate(items) if isinstance(ref, ClipRef) and not ref.view]
    confidences: dict[str, float] = {}
    if not unknown:
        return items, confidences
    forward = classifier.open()
    with progress.bar("Finding views", len(unknown), "clips") as tick:
        prepared = prepare(loader, [ref for _, ref in unknown], classifier.preparation, store)
        for (place, _), (ref, key) in zip(unknown, prepared, strict=True):
            try:
                view, confidence = _find_view(forward, classifier, ref, key, store)
            except ClipError as error:
                items[place] = Rejection(ref.clip, str(error), ref.patient)
            else:
                items[place] = replace(ref, view=view)
                confidences.setdefault(ref.clip, confidence)
            tick(1)
    return items, confidences


def doubt_views(
    clips: Sequence[ClipRef],
    loader: Loader,
    classifier: ViewClassifier,
    store: Store,
    progress: Progress,
) -> dict[str, str]:
    """Find the clips whose given view the network contradicts.

    Args:
        clips: clips with a view. One whose view the network does not know is not checked, nor one
            that cannot be prepared for it.
        loader: reads the clips.
        classifier: the network that tells views.
        store: where clips prepared for that network are kept.
        progress: receives the progress.

    Returns:
        Clip -> why its view is doubted: another one is at least as probable as the threshold.
    """
    known = [ref for ref in clips if ref.view in classifier.classes]
    doubted: dict[str, str] = {}
    if not known:
        return doubted
    forward = classifier.open()
    with progress.bar("Checking views", len(known), "clips") as tick:
        for ref, key in prepare(loader, known, classifier.preparation, store):
            if isinstance(key, str) and not too_short(store, key, classifier.voting.k):
                view, mean = _vote(forward, classifier, ref, key, store)
                if view != ref.view and mean[view] >= classifier.threshold:
                    doubted[ref.clip] = (
                        f"it was given as {ref.view}, and the view network (run {classifier.run}) "
                        f"sees {view} with probability {mean[view]:.2f} (threshold "
                        f"{classifier.threshold:.2f})"
                    )
            tick(1)
    return doubted


def _find_view(
    forward: Forward, classifier: ViewClassifier, ref: ClipRef, key: str | ClipError, store: Store
) -> tuple[str, float]:
    """Return the view of one clip and its confidence.

    Raises:
        ClipError: it cannot be told; the message is the reason.
    """
    spec = classifier.voting
    reason = str(key) if isinstance(key, ClipError) else too_short(store, key, spec.k)
    if isinstance(key, ClipError) or reason:
        raise ClipError(f"its view is unknown and cannot be found: {reason}")
    view, mean = _vote(forward, classifier, ref, key, store)
    if mean[view] < classifier.threshold:
        likeliest = sorted(mean, key=lambda name: (name == view, mean[name]), reverse=True)[:2]
        shares = ", ".join(f"{name} {mean[name]:.2f}" for name in likeliest)
        raise ClipError(f"its view is unclear: {shares} (threshold {classifier.threshold:.2f})")
    return view, min(mean[view], 1.0)


def _vote(
    forward: Forward, classifier: ViewClassifier, ref: ClipRef, key: str, store: Store
) -> tuple[str, dict[str, float]]:
    """Let the sequences of a prepared clip vote for its view.

    Returns:
        The view that won, and view -> mean probability.
    """
    spec = classifier.voting
    item = Item(ref.clip, key, store.length(key), -1)
    [voted] = vote_clips(forward, [item], classifier.classes, store, spec, classifier.rule)
    means = voted.votes.probabilities.mean(0).tolist()
    return voted.prediction.label, dict(zip(classifier.classes, means, strict=True))
