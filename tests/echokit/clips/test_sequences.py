"""Sequences: which windows are cut, how often each class is seen, and what chance may decide."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from echokit import Clip, ClipError
from echokit.clips.sequences import DRAWS, Item, SequenceSpec, digest, voting_starts
from echokit.networks.sampling import (
    BalancedSampler,
    TrainingSequences,
    VotingSequences,
    draw_start,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_start_is_drawn_and_equally_often_the_last_one_too():
    rng = generator()
    seen = Counter(draw_start(20, 12, rng) for _ in range(4500))
    assert sorted(seen) == list(range(9))
    chi_square = sum((n - 500) ** 2 / 500 for n in seen.values())
    assert chi_square < 26.1, "p < 0.001 at 8 degrees of freedom"


def test_a_clip_of_one_sequence_has_one_start():
    assert {draw_start(12, 12, generator(seed)) for seed in range(5)} == {0}


@given(st.text(), st.integers(1, 40), st.integers(1, 40), st.integers(1, 60))
def test_voting_starts_are_fixed_possible_and_distinct_as_far_as_possible(clip, k, more, n):
    frames = k + more - 1
    starts = voting_starts(clip, frames, k, n)
    assert starts == voting_starts(clip, frames, k, n)
    assert len(starts) == n
    assert list(starts) == sorted(starts)
    assert set(starts) <= set(range(more))
    counts = Counter(starts)
    assert len(counts) == min(n, more)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_voting_starts_reach_the_last_window_and_differ_between_clips():
    drawn = [voting_starts(f"clip {i}", 30, 12, 10) for i in range(40)]
    assert {start for starts in drawn for start in starts} == set(range(19))
    assert len(set(drawn)) == 40


@pytest.mark.parametrize(("frames", "words"), [(11, "11 frames"), (1, "1 frame;")])
def test_a_clip_that_is_too_short_is_refused_by_name(frames, words):
    with pytest.raises(ClipError, match=rf"study-7/A4C has {words}.* needs 12"):
        voting_starts("study-7/A4C", frames, 12, 10)


def test_the_digest_is_the_same_in_every_process():
    # of Python's own hash this would not be true
    assert digest("clip", 3) == 4401228843602371430 == digest("clip", "3")
    assert digest("a", "b") != digest("ab")
    assert all(0 <= digest(i) < 2**62 for i in range(100))


def draws(labels, *, epoch=0, seed=0, balanced=True, n=3000):
    sampler = BalancedSampler(labels, n, seed, balanced)
    sampler.epoch = epoch
    assert len(sampler) == n
    return list(sampler)


@pytest.mark.parametrize("counts", [(90, 10), (50, 5, 5), (10, 10, 10)])
def test_classes_are_drawn_equally_often_however_rare_they_are(counts):
    labels = [c for c, n in enumerate(counts) for _ in range(n)]
    seen = Counter(labels[index] for index, _ in draws(labels))
    expected = 3000 / len(counts)
    assert sum((n - expected) ** 2 / expected for n in seen.values()) < 13.8, "p < 0.001"


def test_without_balance_every_clip_is_drawn_equally_often():
    labels = [0] * 90 + [1] * 10
    seen = Counter(labels[index] for index, _ in draws(labels, balanced=False))
    assert 240 < seen[1] < 360


def test_the_same_seed_and_epoch_draw_the_same_and_others_do_not():
    labels = [0, 0, 1]
    assert draws(labels) == draws(labels)
    assert draws(labels, epoch=1) != draws(labels)
    assert draws(labels, seed=1) != draws(labels)
    seeds = [seed for epoch in range(3) for _, seed in draws(labels, epoch=epoch)]
    assert len(set(seeds)) == len(seeds), "every draw makes its own random choices"


def noisy(clip: Clip, rng: torch.Generator) -> Clip:
    noise = torch.rand(clip.frames.shape, generator=rng).numpy()
    return replace(clip, frames=(clip.frames * noise).astype(np.float32))


def test_an_index_decides_everything_and_each_epoch_draws_afresh(prepared):
    store, items = prepared(4)
    data = TrainingSequences(items, store, SequenceSpec(1, 4, (noisy,), 0.5))
    assert all(torch.equal(data[0, seed][0], data[0, seed][0]) for seed in range(3))
    pictures = {data[0, seed][0].numpy().tobytes() for seed in range(20)}
    assert len(pictures) > 12, "7 windows alone, if the augmentation froze"
    assert [data[i, 0][1] for i in range(4)] == [0, 1, 0, 1]
    assert len(data) == 4


def test_training_reaches_every_window_of_a_clip(prepared):
    store, items = prepared(1)
    data = TrainingSequences(items, store, SequenceSpec(1, 4))
    whole = store.clip(items[0].key).frames.astype(np.float32) / 255
    starts = set()
    for seed in range(100):
        sequence = data[0, seed][0][0].numpy()
        starts |= {s for s in range(7) if np.array_equal(whole[s : s + 4], sequence)}
    assert starts == set(range(7))


def brighter(calls: list[str], name: str = "", acts: float = 1.0):
    """A transform that notes its calls, and changes a share `acts` of the clips it is given."""

    def change(clip: Clip, rng: torch.Generator) -> Clip:
        calls.append(name)
        if torch.rand((), generator=rng).item() >= acts:
            return clip
        return replace(clip, frames=clip.frames + np.float32(0.125))

    return change


def test_nine_sequences_in_ten_are_augmented_each_by_all_transforms_in_order(parts):
    clip = parts.square("0", 0)
    calls: list[str] = []
    spec = SequenceSpec(1, 4, (brighter(calls, "a"), brighter(calls, "b")), 0.9)
    for seed in range(1000):
        spec(clip, generator(seed))
    assert calls == ["a", "b"] * (len(calls) // 2)
    assert 0.87 < len(calls) / 2000 < 0.93


@pytest.mark.parametrize(("share", "times"), [(0.0, 0), (1.0, 50)])
def test_none_or_all_can_be_augmented(prepared, share, times):
    store, items = prepared(1)
    calls: list[str] = []
    spec = SequenceSpec(1, 4, (brighter(calls),), share)
    for seed in range(50):
        TrainingSequences(items, store, spec)[0, seed]
    assert len(calls) == times


@pytest.mark.parametrize("acts", [0.5, 0.1])
def test_an_augmented_sequence_meets_at_least_one_transform_that_acts(parts, acts):
    clip, count = parts.square("0", 0), 2000
    spec = SequenceSpec(1, 4, (brighter([], "a", acts), brighter([], "b", acts)), 0.9)
    added = Counter()
    for seed in range(count):
        difference = spec(clip, generator(seed)) - SequenceSpec(1, 4)(clip, generator())
        added[round(float(difference.mean()) / 0.125)] += 1
    # a draw again leaves what acts as it is given that something acts
    some = acts * (2 - acts)
    expected = [0.1, 0.9 * 2 * acts * (1 - acts) / some, 0.9 * acts**2 / some]
    seen = [added[steps] for steps in range(3)]
    assert stats.chisquare(seen, np.array(expected) * count).pvalue > 1e-3, seen


def test_transforms_that_never_act_are_tried_no_more_than_a_bounded_number_of_times(parts):
    clip, calls = parts.square("0", 0), []
    sequence = SequenceSpec(1, 4, (brighter(calls, acts=0.0),), 1.0)(clip, generator())
    assert torch.equal(sequence, SequenceSpec(1, 4)(clip, generator()))
    assert len(calls) == DRAWS


def test_a_new_clip_with_the_same_frames_counts_as_unchanged(parts):
    clip, calls = parts.square("0", 0), []

    def copy(clip: Clip, rng: torch.Generator) -> Clip:
        calls.append(1)
        return replace(clip, frames=clip.frames.copy())

    SequenceSpec(1, 4, (copy,), 1.0)(clip, generator())
    assert len(calls) == DRAWS


def test_transforms_are_given_float_frames_and_the_sector_and_change_nothing_stored(prepared):
    store, items = prepared(1)
    met: list[Clip] = []

    def ruin(clip: Clip, rng: torch.Generator) -> Clip:
        met.append(clip)
        clip.frames[:] = 0.5
        return clip

    TrainingSequences(items, store, SequenceSpec(1, 4, (ruin,), 1.0))[0, 0]
    assert met[0].frames.dtype == np.float32
    assert met[0].sector is not None
    assert met[0].sector.shape == met[0].frames.shape[1:]
    assert (VotingSequences([(items[0].key, 0)], store, SequenceSpec(1, 4))[0] != 0.5).all()


def test_a_sequence_is_float32_of_one_channel_between_zero_and_one(prepared):
    store, items = prepared(1)
    sequence = VotingSequences([(items[0].key, 3)], store, SequenceSpec(1, 5))[0]
    assert sequence.shape == (1, 5, 16, 16)
    assert sequence.dtype == torch.float32
    assert sequence.is_contiguous()
    frames = store.window(items[0].key, 3, 5)
    assert torch.equal(sequence[0], torch.from_numpy(frames).float() / 255)


def test_black_is_zero_and_white_is_one():
    frames = np.array([[[0, 255]]], np.uint8)
    assert SequenceSpec(1, 1)(Clip(frames), generator()).flatten().tolist() == [0.0, 1.0]


def test_normalising_comes_last_and_also_when_voting(prepared):
    store, items = prepared(1)

    def normalise(clip: Clip, rng: torch.Generator) -> Clip:
        return replace(clip, frames=(clip.frames - 0.3) / 0.3)

    def whiten(clip: Clip, rng: torch.Generator) -> Clip:
        return replace(clip, frames=np.ones_like(clip.frames))

    spec = SequenceSpec(1, 4, (whiten,), 1.0, normalise)
    training = TrainingSequences(items, store, spec)[0, 0][0]
    assert torch.allclose(training, torch.tensor(0.7 / 0.3))
    spec = SequenceSpec(1, 4, normalise=normalise)
    plain = VotingSequences([(items[0].key, 0)], store, SequenceSpec(1, 4))[0]
    voting = VotingSequences([(items[0].key, 0)], store, spec)[0]
    assert torch.allclose(voting, (plain - 0.3) / 0.3)


def test_voting_does_not_depend_on_chance(prepared):
    store, items = prepared(2)
    windows = [(item.key, start) for item in items for start in (0, 6)]
    data = VotingSequences(windows, store, SequenceSpec(2, 4))
    before = torch.get_rng_state()
    first = [data[i] for i in range(4)]
    torch.rand(3)
    assert all(torch.equal(a, data[i]) for i, a in enumerate(first))
    torch.set_rng_state(before)
    assert len(data) == 4


def test_a_view_flipped_in_space_is_still_a_sequence(prepared, parts):
    store, items = prepared(1)
    spec = SequenceSpec(1, 4, (parts.flip(axis=2),), 1.0)  # gives a view with negative strides
    sequence, label = TrainingSequences(items, store, spec)[0, 0]
    assert sequence.shape == (1, 4, 16, 16)
    assert label == items[0].label == Item("c", "k", 9, 0).label
