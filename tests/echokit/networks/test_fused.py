"""Feature fusion: any subset of views, absent ones without influence, drawn as they should be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from echokit.clips.sequences import SequenceSpec
from echokit.networks.fused import (
    FusedNetwork,
    Subject,
    SubjectSequences,
    encode_subject,
    side_by_side,
    votes_of_subsets,
)

K, SIDE, VIEWS, WIDTH = 4, 16, 3, 6
SPEC = SequenceSpec(3, K)


class MeanFeatures(nn.Module):
    """Features that are linear in the mean of the sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(1, WIDTH)

    def forward(self, sequences):
        return self.linear(sequences.mean((1, 2, 3, 4), keepdim=False)[:, None])


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        made = FusedNetwork([MeanFeatures() for _ in range(VIEWS)], WIDTH, 3)
        nn.init.normal_(made.trust)
        return made.eval()


@pytest.fixture
def subjects(prepared):
    """Patients with all views, with one, and with two clips of one view."""
    store, items = prepared(6)
    one, two, three, four, five, six = ((item,) for item in items[:6])
    return store, [
        Subject("a", (one, two, three), 0),
        Subject("b", ((), four, ()), 1),
        Subject("c", (five + six, (), one), 2),
    ]


def patients(views):
    """Two patients; the second lacks the views that are not named."""
    rng = torch.Generator().manual_seed(0)
    full = {v: torch.rand(K, SIDE, SIDE, generator=rng) for v in range(VIEWS)}
    some = {v: torch.rand(K, SIDE, SIDE, generator=rng) for v in views}
    return torch.stack([side_by_side(full, VIEWS), side_by_side(some, VIEWS)])


@pytest.mark.parametrize("views", [(0,), (2,), (0, 1), (0, 1, 2)])
def test_any_subset_of_views_gives_finite_logits_and_gradients(network, views):
    logits = network(patients(views))
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()
    logits.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_a_patient_is_judged_alike_whoever_else_is_in_the_batch(network):
    both = patients((1,))
    torch.testing.assert_close(network(both)[1:], network(both[1:]))


def test_one_view_alone_is_its_encoder_under_the_head(network):
    sequences = patients((1,))[1:]
    alone = network.head(network.norm(network.encoders[1](sequences[:, 1:2])))
    torch.testing.assert_close(network(sequences), alone)


def test_a_view_left_out_is_nan_and_one_is_always_kept(subjects):
    store, people = subjects
    draws = SubjectSequences(people, store, SPEC, drop=0.9)
    seen = torch.zeros(VIEWS)
    for seed in range(60):
        sequences, label = draws[0, seed]
        assert label == 0
        assert sequences.shape == (VIEWS, K, SIDE, SIDE)
        there = ~sequences.isnan().flatten(1).any(1)
        assert torch.equal(there, ~sequences.isnan().flatten(1).all(1))
        assert there.any()
        seen += there
    assert (seen > 0).all()
    assert seen.sum() < 2 * 60


def test_without_dropping_every_view_a_patient_has_is_there(subjects):
    store, people = subjects
    draws = SubjectSequences(people, store, SPEC, drop=0.0)
    for index, subject in enumerate(people):
        sequences, _ = draws[index, 7]
        assert (~sequences[:, 0, 0, 0].isnan()).nonzero()[:, 0].tolist() == subject.present


def test_the_same_seed_draws_the_same_and_another_does_not(subjects):
    store, people = subjects
    draws = SubjectSequences(people, store, SPEC, drop=0.0)
    torch.testing.assert_close(draws[0, 5][0], draws[0, 5][0])
    assert any(not torch.equal(draws[0, 5][0], draws[0, s][0]) for s in range(6, 16))


def test_two_clips_of_a_view_take_turns_in_voting(network, subjects):
    store, people = subjects
    features = encode_subject(network, people[2], store, SPEC)
    assert features.shape == (SPEC.n, VIEWS, WIDTH)
    assert features[:, 1].isnan().all()
    assert features[:, [0, 2]].isfinite().all()
    single = Subject("c", (people[2].clips[0][:1], (), people[2].clips[2]), 2)
    assert not torch.equal(features[:, 0], encode_subject(network, single, store, SPEC)[:, 0])


def test_votes_of_a_subset_are_those_of_a_patient_who_has_no_other_view(network, subjects):
    store, people = subjects
    features = encode_subject(network, people[0], store, SPEC)
    lacking = Subject("a", (people[0].clips[0], (), people[0].clips[2]), 0)
    fewer = encode_subject(network, lacking, store, SPEC)
    ((_, asked),) = votes_of_subsets(network, features, [(0, 2)])
    ((_, had),) = votes_of_subsets(network, fewer, [(0, 1, 2)])
    np.testing.assert_allclose(asked, had, rtol=1e-6)
    np.testing.assert_allclose(asked.sum(1), 1, rtol=1e-6)


def test_a_subset_without_any_view_of_the_patient_has_no_vote(network, subjects):
    store, people = subjects
    features = encode_subject(network, people[1], store, SPEC)
    found = [subset for subset, _ in votes_of_subsets(network, features, [(0,), (1,), (0, 2)])]
    assert found == [(1,)]
