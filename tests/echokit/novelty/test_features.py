"""Mean features: the same from voting and from a pass of its own."""

from __future__ import annotations

import numpy as np

from echokit.clips.sequences import SequenceSpec, voting_starts
from echokit.novelty.features import SEQUENCES, FeatureTap, chosen, clip_features
from echokit.voting.votes import vote_clips


def both(sequences):
    flat = sequences.reshape(len(sequences), -1)
    logits = np.stack([flat.mean(axis=1), flat.std(axis=1)], axis=1).astype(np.float32)
    return logits, flat[:, :7].astype(np.float32)


def test_the_features_that_pass_while_clips_vote_are_those_of_a_pass_of_its_own(prepared, parts):
    store, items = prepared(5)
    spec = SequenceSpec(n=6, k=4)
    tap, taken = FeatureTap(both, spec.n), []
    # a batch ends within a clip
    for _ in vote_clips(tap, items, ("none", "severe"), store, spec, parts.vote(), batch=4):
        taken.append(tap.take())
    np.testing.assert_allclose(np.stack(taken), clip_features(both, items, store, spec, 3))


def test_they_are_of_sequences_spread_over_the_clip(prepared):
    store, items = prepared(1)
    spec = SequenceSpec(n=6, k=4)
    starts = voting_starts(items[0].clip, items[0].frames, spec.k, spec.n)
    picked = chosen(spec.n)
    assert (len(picked), picked[0], picked[-1]) == (SEQUENCES, 0, 5)
    first = [store.window(items[0].key, starts[i], 4).ravel()[:7] / 255 for i in picked]
    np.testing.assert_allclose(
        clip_features(both, items, store, spec)[0], np.mean(first, axis=0), rtol=1e-5
    )
    assert list(chosen(2)) == [0, 1]


def test_a_network_without_features_gives_none():
    tap = FeatureTap(lambda sequences: (both(sequences)[0], None), 2)
    tap(np.zeros((4, 1, 2, 3, 3), np.float32))
    assert tap.take() is None
