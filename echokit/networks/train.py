"""Train one network: a job and its data in, weights and the history of training out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR
from torch.utils.data import DataLoader, Dataset

from echokit.clips.sequences import SequenceSpec, digest
from echokit.clips.store import Store
from echokit.errors import TrainingError
from echokit.networks.checkpoint import Checkpoint, Epoch, channels_last, save_tensors
from echokit.networks.job import Job, Labelled, data_digest, device_of
from echokit.networks.sampling import BalancedSampler, TrainingSequences
from echokit.system.files import write_json
from echokit.system.prefetch import prefetch
from echokit.system.progress import Tick

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SECONDS_BETWEEN_CHECKPOINTS = 20.0


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The data of one network."""

    items: Sequence[Labelled]
    """Labelled clips of the training patients, or labelled patients."""
    classes: tuple[str, ...]
    """Label names, least severe first."""
    store: Store
    spec: SequenceSpec
    sequences: Callable[..., Dataset[tuple[Tensor, int]]] = TrainingSequences
    """Makes the dataset of random sequences from `items`, `store` and `spec`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is trained: the recipe's `[train]` and `[compute]` for one job."""

    epochs: int
    n: int
    """Sequences drawn from each clip in an epoch, on average."""
    batch: int
    lr: float
    weight_decay: float
    schedule: str
    balanced: bool
    seed: int
    """Seed of this job: the same seed gives the same weights on the same machine."""
    device: str
    workers: int
    """Processes that load sequences; 0 loads them in this process, in a thread beside a GPU."""
    compile: bool
    """Whether the network is compiled by `torch.compile`."""
    digest: str
    """Digest of the recipe; a checkpoint of another recipe or of other clips is not resumed."""


def train(
    job: Job,
    make_model: Callable[[], nn.Module],
    data: TrainingSet,
    settings: Settings,
    folder: Path,
    tick: Tick,
) -> None:
    """Train one network to its last epoch and write `<stem>.safetensors` and `<stem>.json`.

    Cross-entropy, Adam, class-balanced draws, fp32 in channels_last_3d on a CPU and bf16 autocast
    on CUDA (paper, section 3.1). The weights of the last epoch are kept, so that nothing is chosen
    on held-out patients. A checkpoint beside the result lets an interrupted training resume.

    Raises:
        TrainingError: the loss stopped being a finite number.
    """
    fabric = _fabric(settings)
    network = _network(make_model, settings)
    sampler = _sampler(data, settings)
    loader = _loader(data, sampler, settings)
    optimizer = torch.optim.Adam(
        network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
    )
    schedule = _schedule(optimizer, settings, settings.epochs * len(loader))
    result = folder / job.stem
    checkpoint = Checkpoint(
        result.with_suffix(".partial.safetensors"), f"{settings.digest} {data_digest(data.items)}"
    )
    compiled: Any = torch.compile(network) if settings.compile else network
    model, adam = fabric.setup(compiled, optimizer)
    learner = _Learner(job, fabric, model, adam, schedule)
    # Adam's moments must be loaded onto the device to which `setup` moved the weights
    history = checkpoint.load(network, optimizer, schedule)
    tick(len(history) * len(sampler))
    batches = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
    saved = time.monotonic()
    for epoch in range(len(history), settings.epochs):
        sampler.epoch = epoch
        history.append(_train_epoch(epoch, learner, batches, settings, tick))
        if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            checkpoint.save(network, optimizer, schedule, history)
            saved = time.monotonic()
    save_tensors(result.with_suffix(".safetensors"), network.state_dict())
    _write_description(result.with_suffix(".json"), job, network, data, settings, history)
    checkpoint.path.unlink(missing_ok=True)


def _fabric(settings: Settings) -> Fabric:
    """Set up the device and the precision."""
    # Fabric takes seconds to import, and only training needs it
    from lightning_fabric import Fabric

    if device_of(settings.device).type == "cuda":
        return Fabric(accelerator="cuda", devices=1, precision="bf16-mixed")
    return Fabric(accelerator="cpu", devices=1, precision="32-true")


def _network(make_model: Callable[[], nn.Module], settings: Settings) -> nn.Module:
    """Make the network with first weights that depend on the job's seed alone."""
    with torch.random.fork_rng():  # layers draw their first weights from the global generator
        torch.manual_seed(settings.seed)
        return channels_last(make_model())


def _sampler(data: TrainingSet, settings: Settings) -> BalancedSampler:
    """Make the sampler, which draws `n` sequences of each item in an epoch, on average."""
    labels = [item.label for item in data.items]
    return BalancedSampler(labels, settings.n * len(labels), settings.seed, settings.balanced)


def _loader(
    data: TrainingSet, sampler: BalancedSampler, settings: Settings
) -> DataLoader[tuple[Tensor, int]]:
    """Make the loader of batches."""
    return DataLoader(
        data.sequences(data.items, data.store, data.spec),
        batch_size=settings.batch,
        sampler=sampler,
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
        # a generator of its own: by default it would draw from the global one, as dropout does
        generator=torch.Generator().manual_seed(settings.seed),
        pin_memory=device_of(settings.device).type == "cuda",
        drop_last=len(sampler) % settings.batch == 1,  # batch norm cannot train on one sample
    )


def _schedule(optimizer: torch.optim.Optimizer, settings: Settings, steps: int) -> LRScheduler:
    """Make the learning-rate schedule over all optimisation steps."""
    if settings.schedule == "one-cycle":
        return OneCycleLR(optimizer, settings.lr, total_steps=max(steps, 2))
    return ConstantLR(optimizer, factor=1.0)


@dataclass(frozen=True, slots=True)
class _Learner:
    """A network and what changes its weights, on their device."""

    job: Job
    fabric: Fabric
    model: nn.Module
    optimizer: Any
    """Fabric's wrapper of the optimizer."""
    schedule: LRScheduler

    def step(
        self, epoch: int, sequences: Tensor, labels: Tensor, settings: Settings
    ) -> tuple[float, int]:
        """Take one optimisation step; return the loss and the number of sequences classified right.

        Raises:
            TrainingError: the loss is not a finite number.
        """
        logits = self.model(sequences.to(memory_format=torch.channels_last_3d))
        loss = F.cross_entropy(logits, labels)
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingError(
                f"The loss became {value} in epoch {epoch + 1} of {self.job}. Lower the "
                f"learning rate (--set train.lr={settings.lr / 10:g}) or check the clips "
                "with `echokit data check`."
            )
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        self.schedule.step()
        return value, int((logits.argmax(1) == labels).sum())


def _train_epoch(
    epoch: int, learner: _Learner, loader: Any, settings: Settings, tick: Tick
) -> Epoch:
    """Train for one epoch and return its figures."""
    started, total, right, count = time.monotonic(), 0.0, 0, 0
    shape: list[int] = []
    learner.model.train()
    with torch.random.fork_rng():  # dropout draws from the global generator
        torch.manual_seed(digest(settings.seed, "dropout", epoch))
        for sequences, labels in _batches(loader, settings):  # (B, 1, k, H, W), (B,)
            loss, correct = learner.step(epoch, sequences, labels, settings)
            shape = list(sequences.shape[1:])
            total += loss * len(labels)
            right += correct
            count += len(labels)
            tick(len(labels))
    return Epoch(
        epoch=epoch + 1,
        loss=total / count,
        accuracy=right / count,
        lr=float(learner.schedule.get_last_lr()[0]),
        seconds=round(time.monotonic() - started, 3),
        input_shape=shape,
    )


def _batches(loader: Any, settings: Settings) -> Iterable[tuple[Tensor, Tensor]]:
    """Load batches; beside a GPU, the next in a thread while the network trains on the last."""
    in_thread = device_of(settings.device).type == "cuda" and not settings.workers
    batches: Iterable[tuple[Tensor, Tensor]] = prefetch(loader) if in_thread else loader
    return batches


def _write_description(
    path: Path,
    job: Job,
    network: nn.Module,
    data: TrainingSet,
    settings: Settings,
    history: Sequence[Epoch],
) -> None:
    """Write what the weights are: the job, the classes, the data and the history of training."""
    rows = [asdict(epoch) for epoch in history]
    shapes = [row.pop("input_shape") for row in rows]
    write_json(
        path,
        {
            "schema": 1,
            **job.place,
            "fold": job.fold,
            "classes": list(data.classes),
            "input_shape": shapes[-1],
            "recipe_digest": settings.digest,
            "data_digest": data_digest(data.items),
            "seed": settings.seed,
            "clips": len(data.items),
            "parameters": sum(p.numel() for p in network.parameters()),
            "history": rows,
        },
    )
