"""Plain training sequences, and batch norm re-estimated on them."""

from __future__ import annotations

import copy
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix
from torch import nn
from torch.optim.swa_utils import update_bn

from echokit.clips.sequences import SequenceSpec
from echokit.networks.data import TrainingSet
from echokit.networks.plain import DRAWS, confusion_of, plain_batches, re_estimate_batch_norm

CPU = torch.device("cpu")


def darkened(clip, rng):
    raise AssertionError("a plain sequence was augmented")


@pytest.fixture
def data(prepared):
    store, items = prepared(9)
    return TrainingSet(items, ("none", "severe"), store, SequenceSpec(2, 4, (darkened,), 1.0))


def test_each_clip_gives_as_many_sequences_none_augmented(data):
    batches = list(plain_batches(data, 4, 3, CPU))
    labels = torch.cat([y for _, y in batches]).tolist()
    truth = Counter(item.label for item in data.items)
    assert Counter(labels) == {label: DRAWS * n for label, n in truth.items()}
    assert labels != sorted(labels), "labels are mixed"


def test_the_same_seed_gives_the_same_sequences(data):
    first, again = (torch.cat([x for x, _ in plain_batches(data, 4, 3, CPU)]) for _ in range(2))
    other = torch.cat([x for x, _ in plain_batches(data, 4, 4, CPU)])
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_no_batch_of_one_reaches_batch_norm(data):
    assert min(len(y) for _, y in plain_batches(data, DRAWS * 9 - 1, 3, CPU)) > 1


@pytest.fixture
def network():
    torch.manual_seed(0)
    layers = (
        nn.Conv3d(1, 3, 3),
        nn.BatchNorm3d(3),
        nn.Dropout(0.5),
        nn.Flatten(),
        nn.LazyLinear(2),
    )
    return nn.Sequential(*layers)


def test_statistics_are_those_of_torchs_own_update(network, data):
    batches = list(plain_batches(data, 6, 3, CPU))
    network(batches[0][0])
    reference = copy.deepcopy(network).train()
    update_bn([x for x, _ in batches], reference)
    re_estimate_batch_norm(network, iter(batches))
    assert torch.allclose(network[1].running_mean, reference[1].running_mean)
    assert torch.allclose(network[1].running_var, reference[1].running_var)
    assert network[1].momentum == 0.1
    assert not any(module.training for module in network.modules())


def test_the_confusion_matrix_is_scikit_learns(network, data):
    batches = list(plain_batches(data, 6, 3, CPU))
    network(batches[0][0])
    found = confusion_of(network, iter(batches), 2)
    with torch.no_grad():
        predicted = np.concatenate([network(x).argmax(1).numpy() for x, _ in batches])
    truth = np.concatenate([y.numpy() for _, y in batches])
    assert np.array_equal(found, confusion_matrix(truth, predicted, labels=[0, 1]))
