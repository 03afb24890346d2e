"""Prepare the clips of one study, predict each by the network of its view, and explain it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from echokit.clips.check import pixel_digest
from echokit.clips.cohort import separate
from echokit.clips.preparation import prepare, too_short
from echokit.clips.sequences import Item, digest
from echokit.clips.store import Store
from echokit.errors import ClipError
from echokit.interfaces import Loader
from echokit.novelty.detector import Verdict
from echokit.novelty.features import FeatureTap
from echokit.novelty.statistics import describe
from echokit.studies.clip_saliency import ClipSaliency
from echokit.studies.networks import Networks, Opened
from echokit.studies.outcomes import ClipResult, Inference, SequenceResult
from echokit.system.cost import Profile
from echokit.system.progress import Progress
from echokit.types import USUAL_FPS, Box, ClipRef, Prediction, Rejection
from echokit.voting.view_classifier import ViewClassifier, doubt_views, find_views
from echokit.voting.votes import ClipVotes, sample, sequence_predictions, vote_clips

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float
    from torch import nn


@dataclass(frozen=True, slots=True)
class Desk:
    """Where one study is worked on."""

    networks: Networks
    loader: Loader
    store: Store
    """Prepared clips, for as long as the study is worked on."""
    progress: Progress
    view_from: str
    """Who says the view of a clip where no network does: `--view` or `file`."""
    view_classifier: ViewClassifier | None = None
    """Checks the views of clips that have one; None where nobody does."""
    finds_views: bool = False
    """Whether it also finds the views of clips that have none, which are else refused."""
    saliency: bool = True
    """Whether clips are explained."""
    test_saliency: bool = False
    """Whether each map is tested, which takes some hundred passes through the network."""
    judge_anyway: bool = False
    """Whether clips are judged that are unlike the training clips or of another view."""
    profile: Profile = field(default_factory=Profile)
    """Seconds and memory of each step."""


@dataclass(frozen=True, slots=True)
class PreparedClips:
    """The clips of a study that a network can predict, and all others."""

    ready: Mapping[str, tuple[ClipRef, Item]]
    """Clip -> the clip, and where it stands in the store."""
    rejected: tuple[Rejection, ...]
    """Every other file and clip, with the reason."""
    view_confidence: Mapping[str, float]
    """Clip -> confidence in (0, 1] of each view that a network found."""
    doubted: Mapping[str, str]
    """Clip -> why its view is doubted, of clips that are judged anyway."""


@dataclass(frozen=True, slots=True)
class PredictedClips:
    """The outcome of every clip that was ready."""

    results: Mapping[str, ClipResult]
    """Clip -> its result."""
    rejected: tuple[Rejection, ...]
    """Clips that a network saw and that are unlike what it learned from, with the reason."""
    inference: Mapping[str, Inference]
    """View -> what ran its network."""


def prepare_clips(desk: Desk) -> PreparedClips:
    """Prepare every clip that a network can predict; name every other one with its reason."""
    networks, recipe, store = desk.networks, desk.networks.parts.recipe, desk.store
    found, confidences = desk.loader.index(), dict[str, float]()
    if desk.view_classifier is not None and desk.finds_views:
        with desk.profile.stage("tell views"):
            found, confidences = find_views(
                found, desk.loader, desk.view_classifier, store, desk.progress
            )
    clips, refused = separate(found, networks.weights, recipe.views.alias)
    ready, rejected = dict[str, tuple[ClipRef, Item]](), list(refused)
    first: dict[tuple[str, str], str] = {}  # patient and pixels -> the clip that votes
    doubted = _doubted(desk, [ref for ref in clips if ref.clip not in confidences])
    if not desk.judge_anyway:
        rejected += [
            Rejection(ref.clip, doubted[ref.clip], ref.patient, ref.view)
            for ref in clips
            if ref.clip in doubted
        ]
        clips = tuple(ref for ref in clips if ref.clip not in doubted)
    with desk.progress.bar("Preparing clips", len(clips), "clips") as tick:
        prepared = prepare(desk.loader, clips, networks.parts.preparation, store)
        for ref, key in desk.profile.each("prepare", prepared):
            tick(1)
            if isinstance(key, ClipError):
                rejected.append(Rejection(ref.clip, str(key), ref.patient, ref.view))
            elif reason := too_short(store, key, recipe.sequences.k):
                rejected.append(Rejection(ref.clip, reason, ref.patient, ref.view))
            elif (original := first.setdefault(_content(store, ref, key), ref.clip)) != ref.clip:
                reason = f"it is a copy of {original}: copies of one clip vote once"
                rejected.append(Rejection(ref.clip, reason, ref.patient, ref.view))
            else:
                ready[ref.clip] = ref, Item(ref.clip, key, store.length(key), -1)
    return PreparedClips(ready, tuple(rejected), confidences, doubted)


def _content(store: Store, ref: ClipRef, key: str) -> tuple[str, str]:
    """Return the patient, and a digest of the prepared pixels, by which copies are known."""
    return ref.patient, pixel_digest(store.shape(key), store.blocks(key))


def _doubted(desk: Desk, clips: Sequence[ClipRef]) -> Mapping[str, str]:
    """Ask the view network, where there is one, about clips whose view was given."""
    if desk.view_classifier is None or not clips:
        return {}
    with desk.profile.stage("check views"):
        return doubt_views(clips, desk.loader, desk.view_classifier, desk.store, desk.progress)


def predict_clips(desk: Desk, prepared: PreparedClips) -> PredictedClips:
    """Predict and explain every clip that is ready, view by view, unless it is too unusual."""
    results, rejected = dict[str, ClipResult](), list[Rejection]()
    inference: dict[str, Inference] = {}
    title = "Predicting and explaining" if desk.saliency else "Predicting"
    with desk.progress.bar(title, len(prepared.ready), "clips") as tick:
        for view in desk.networks.weights:
            items = [item for ref, item in prepared.ready.values() if ref.view == view]
            if not items:
                continue
            with desk.profile.stage("open networks"):
                some = sample(items, desk.store, desk.networks.parts.voting)
                count = len(items) * desk.networks.parts.voting.n
                opened = desk.networks.open(view, some, count)
            inference[view] = _inference(opened)
            judged = _judge(desk, view, opened, items)
            for clip, verdict in desk.profile.each("predict", judged):
                ref, _ = prepared.ready[clip.item.clip]
                doubt = prepared.doubted.get(ref.clip, "")
                if verdict is not None and verdict.is_novel:
                    doubt = "; ".join(filter(None, (doubt, verdict.reason)))
                    if not desk.judge_anyway:
                        rejected.append(Rejection(ref.clip, verdict.reason, ref.patient, view))
                        tick(1)
                        continue
                confidence = prepared.view_confidence.get(ref.clip)
                results[ref.clip] = _result(desk, opened, clip, ref, confidence, verdict, doubt)
                tick(1)
    return PredictedClips(results, tuple(rejected), inference)


def _judge(
    desk: Desk, view: str, opened: Opened, items: Sequence[Item]
) -> Iterator[tuple[ClipVotes, Verdict | None]]:
    """Let the sequences of each clip vote, and compare the clip with the training clips."""
    networks, parts = desk.networks, desk.networks.parts
    running, detector = opened.engine.running, networks.limits.detector(view)
    tap = None
    if detector is not None and detector.features is not None and running.both is not None:
        tap = FeatureTap(running.both, parts.voting.n)
    for clip in vote_clips(
        tap or running.forward, items, networks.classes, desk.store, parts.voting, parts.view_rule
    ):
        features = tap.take() if tap else None
        verdict = None
        if detector is not None:
            verdict = detector.judge(describe(desk.store.clip(clip.item.key)), features)
        yield clip, verdict


def _inference(opened: Opened) -> Inference:
    engine, running = opened.engine, opened.engine.running
    return Inference(
        engine=running.engine,
        version=running.version,
        precision=engine.precision,
        computes_in=running.computes_in,
        agreement=engine.agreement,
    )


def _result(
    desk: Desk,
    opened: Opened,
    clip: ClipVotes,
    ref: ClipRef,
    confidence: float | None,
    verdict: Verdict | None,
    doubt: str,
) -> ClipResult:
    """Make the result of one clip, explained where that is asked for."""
    saliency = None
    if desk.saliency and opened.network is not None:
        with desk.profile.stage("explain"):
            saliency = _explain(opened.network, clip, ref, desk)
    classes, view = desk.networks.classes, ref.view or ""
    tempered, held = desk.networks.limits.fitted().of_clip(view, clip.votes.probabilities)
    stored = desk.store.clip(clip.item.key, 0, 1)
    return ClipResult(
        *outcome(clip.prediction, classes),
        clip=ref.clip,
        patient=ref.patient,
        view=view,
        view_from=desk.view_from if confidence is None else "network",
        view_confidence=confidence,
        frames=clip.item.frames,
        fps=stored.fps,
        source_fps=stored.source_fps,
        sequences=tuple(_sequences(clip, desk.networks.parts.voting.k)),
        saliency=saliency,
        calibrated_probabilities=None if tempered is None else by_label(classes, tempered),
        label_set=None if held is None else tuple(classes[index] for index in held),
        novelty=verdict,
        study=ref.study,
        judged_anyway=doubt,
        unlearned=desk.networks.limits.unlearned.get(view, ""),
    )


def outcome(
    prediction: Prediction, classes: tuple[str, ...]
) -> tuple[str, float, Mapping[str, float]]:
    """Return label, confidence, and label -> probability of a prediction."""
    probabilities = by_label(classes, prediction.probabilities)
    return prediction.label, float(prediction.confidence), probabilities


def by_label(
    classes: tuple[str, ...], probabilities: Float[np.ndarray, " K"]
) -> Mapping[str, float]:
    """Return label -> probability."""
    shares = zip(classes, probabilities, strict=True)
    return MappingProxyType({name: float(share) for name, share in shares})


def _sequences(clip: ClipVotes, length: int) -> Iterator[SequenceResult]:
    for start, single in zip(clip.starts, sequence_predictions(clip.votes), strict=True):
        yield SequenceResult(*outcome(single, clip.votes.classes), start=start, length=length)


def _explain(network: nn.Module, clip: ClipVotes, ref: ClipRef, desk: Desk) -> ClipSaliency | None:
    """Explain the sequence that speaks most clearly for the clip's label, over its own pixels."""
    from echokit.saliency.explain import explain, score_map
    from echokit.saliency.location import measure_location
    from echokit.saliency.record import Explanation, file_stem

    parts, key = desk.networks.parts, clip.item.key
    if parts.explainer is None or desk.store.sector(key) is None:
        return None  # outside a sector names may be burned in: without one nothing is shown
    target = desk.networks.classes.index(clip.prediction.label)
    start = clip.starts[int(clip.votes.probabilities[:, target].argmax())]
    shown, saliency = explain(
        network, parts.explainer, desk.store, key, start, target, parts.voting
    )
    if desk.test_saliency:
        seed = digest(ref.clip, start)
        scores = score_map(network, parts.explainer, shown, saliency, parts.voting, seed).as_json()
    else:
        scores = measure_location(saliency.values, shown).as_json()
    masked, _ = parts.preparation.shown(desk.loader, ref, start, parts.voting.k)
    return ClipSaliency(
        Explanation(shown, start, saliency, scores),
        masked.frames,
        masked.fps or USUAL_FPS,
        masked.box or Box(0, 0, *masked.frames.shape[1:]),
        desk.networks.records.get(ref.view or ""),
        file_stem(ref.clip, ref.view, start),
        masked.sector,
    )
