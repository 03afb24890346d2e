"""The paper preset's training from outside: who is drawn how often, and Adam (section 3.1)."""

from __future__ import annotations

import numpy as np
import torch
from safetensors.torch import load_file
from scipy import stats
from torch import nn

from echokit import VIEWS, ClipRef, Cohort
from echokit.clips.sequences import SequenceSpec
from echokit.clips.splits import split_patients
from echokit.clips.store import Store
from echokit.components.cohorts import label_tasks
from echokit.folder import RunFolder
from echokit.networks.data import TrainingSet
from echokit.networks.job import Job
from echokit.networks.sampling import BalancedSampler
from echokit.networks.settings import Settings
from echokit.networks.train import train as train_network
from echokit.recipe import load_recipe
from echokit.runs import train
from echokit.runs.context import Run
from echokit.runs.jobs import jobs_of
from echokit.runs.population import Population


def paper(*settings: str):
    return load_recipe("ph-newborn", preset="paper", settings=settings)


def test_every_epoch_shows_about_as_many_of_each_class_of_table_2():
    recipe = paper()
    labels = [0] * 126 + [1] * 32 + [2] * 36
    draws = recipe.train.n * len(labels)
    sampler = BalancedSampler(labels, draws, 0, recipe.train.balanced)
    for epoch in range(5):
        sampler.epoch = epoch
        items = np.array([index for index, _ in sampler])
        counts = np.bincount(np.array(labels)[items], minlength=3)
        assert counts.sum() == draws
        assert stats.chisquare(counts).pvalue > 1e-4
        assert len(set(items)) > 150, "every clip may be drawn"


def population_of(recipe, patients=15) -> Population:
    """A population of which no clip is ever read."""
    refs = tuple(
        ClipRef(f"{n}-{view}", f"p{n}", view, {"grade": "012"[n % 3]})
        for n in range(patients)
        for view in VIEWS
    )
    labelled = label_tasks(Cohort(refs), recipe)
    how = recipe.split
    splits = {
        task: split_patients(labels.patients, how.method, how.splits, how.held_out, 0)
        for task, labels in labelled.items()
    }
    folds = dict.fromkeys(labelled, ((),) * how.splits)
    return Population(
        Cohort(refs), labelled, splits, folds, {ref.clip: ("key", 50) for ref in refs}
    )


def test_the_papers_settings_reach_the_training_of_every_network(tmp_path, monkeypatch):
    """Two tasks, five views, ten splits, each with the settings of section 3.1."""
    met: list[tuple[Job, TrainingSet, Settings]] = []
    monkeypatch.setattr(
        "echokit.networks.train.train", lambda j, m, d, s, *_: met.append((j, d, s))
    )
    recipe = paper("crossfit.folds=0")
    population = population_of(recipe)
    run = Run(recipe, RunFolder.create(tmp_path / "run", recipe), population)
    train.step(run)
    ours = [one for one in met if one[0].approach == "spatio-temporal" and one[0].view in VIEWS]
    assert len({job for job, _, _ in ours}) == len(ours) == 2 * 5 * 10
    assert {job for job, _, _ in ours} <= set(jobs_of(run))
    assert len({settings.seed for _, _, settings in ours}) == len(ours)
    for job, data, settings in ours:
        assert (settings.epochs, settings.batch, settings.n) == (150, 8, 10)
        assert (settings.lr, settings.weight_decay) == (1e-3, 1e-3)
        assert (settings.schedule, settings.balanced) == ("constant", True)
        assert (data.spec.n, data.spec.k, data.spec.share) == (10, 12, 0.9)
        assert len(data.spec.augment) == 6
        held_out = population.splits[job.task][job.split].test
        assert len(held_out) == 3
        assert not {item.clip.split("-")[0] for item in data.items} & {p[1:] for p in held_out}


class Pictures(torch.utils.data.Dataset):
    """Small sequences that bear their label as their first voxel."""

    def __init__(self, items, store, spec) -> None:
        self.items = items

    def __getitem__(self, index):
        item, seed = index
        picture = torch.rand(1, 2, 3, 3, generator=torch.Generator().manual_seed(seed))
        picture[0, 0, 0, 0] = self.items[item]
        return picture, self.items[item]


class Number(int):
    """A label that is its own item."""

    @property
    def label(self) -> int:
        return int(self)


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(18, 2))


def test_training_is_adam_on_cross_entropy_for_150_epochs_of_batches_of_eight(
    tmp_path, monkeypatch
):
    """A loop written from the paper's words over the same batches ends at the same weights."""
    batches, optimizers, real = [], [], torch.optim.Adam

    def adam(parameters, **options):
        optimizers.append(options)
        return real(parameters, **options)

    class Watched(nn.Sequential):
        def forward(self, x):
            if self.training:  # afterwards it is judged by its training clips
                batches.append(x.clone())
            return super().forward(x)

    monkeypatch.setattr(torch.optim, "Adam", adam)
    asked = paper().train.model_dump(exclude={"augment"})
    settings = Settings(**asked, seed=3, device="cpu", workers=0, compile=False, digest="")
    data = TrainingSet(
        [Number(0), Number(1)], ("a", "b"), Store(tmp_path), SequenceSpec(1, 2), Pictures
    )
    job = Job("severity", "spatio-temporal", "A4C", 0)
    train_network(job, lambda: Watched(*linear()), data, settings, tmp_path, lambda done: None)
    assert optimizers == [{"lr": 1e-3, "weight_decay": 1e-3}]
    assert [len(x) for x in batches] == [8, 8, 4] * 150, "ten sequences of each of two clips"
    assert len({x.numpy().tobytes() for x in batches}) == len(batches)

    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = linear()
    optimizer = real(model.parameters(), lr=0.001, weight_decay=0.001)
    for x in batches:
        optimizer.zero_grad()
        nn.CrossEntropyLoss()(model(x), x[:, 0, 0, 0, 0].long()).backward()
        optimizer.step()
    kept = load_file((tmp_path / job.stem).with_suffix(".safetensors"))
    for name, value in model.state_dict().items():
        torch.testing.assert_close(kept[name], value, rtol=1e-4, atol=1e-6)
