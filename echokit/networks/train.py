"""Train one network: a job and its data in, weights and the history of training out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from echokit.clips.sequences import digest
from echokit.networks.arithmetic import arithmetic
from echokit.networks.checkpoint import Checkpoint, Epoch, State, channels_last, save_tensors
from echokit.networks.data import TrainingSet
from echokit.networks.epochs import EPOCHS, write_epochs
from echokit.networks.figures import Figures
from echokit.networks.job import WEIGHTS, Job, data_digest, device_of
from echokit.networks.learned import Learned, judge_learning
from echokit.networks.losses import LOSSES, guess_loss
from echokit.networks.optimisation import (
    copy_average,
    make_average,
    make_optimizer,
    make_schedule,
)
from echokit.networks.plain import confusion_of, plain_batches, re_estimate_batch_norm
from echokit.networks.sampling import BalancedSampler
from echokit.networks.settings import Settings
from echokit.system.digests import WEIGHTS_DIGEST, file_digest
from echokit.system.files import write_json
from echokit.system.prefetch import prefetch
from echokit.system.progress import Tick

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SECONDS_BETWEEN_CHECKPOINTS = 20.0


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One training from one seed."""

    seed: int
    weights: dict[str, Tensor]
    """The trained network's parameters and buffers."""
    parameters: int
    """Number of its parameters."""
    history: list[Epoch]
    learned: Learned


def train(
    job: Job,
    make_model: Callable[[], nn.Module],
    data: TrainingSet,
    settings: Settings,
    folder: Path,
    tick: Tick,
) -> None:
    """Train one network to its last epoch and write `<stem>.safetensors` and `<stem>.json`.

    Class-balanced draws, fp32 in channels_last_3d on a CPU and bf16 autocast on CUDA; with the
    default settings cross-entropy and Adam (paper, section 3.1). The weights of the last epoch are
    kept, so that nothing is chosen on held-out patients. A checkpoint beside the result lets an
    interrupted training resume.

    A network that did not learn, judged by its own training patients, is trained again from other
    seeds, `settings.retries` times at most; of several that did not, the one with the highest
    balanced accuracy on training patients is kept, and its description says that it did not learn.

    Raises:
        TrainingError: the loss stopped being a finite number.
    """
    result = folder / job.stem
    attempts: list[_Attempt] = []
    checkpoints: list[Checkpoint] = []
    for number in range(settings.retries + 1):
        again = f"-{number}" if number else ""
        checkpoint = Checkpoint(
            result.with_suffix(f".partial{again}.safetensors"),
            f"{settings.digest} {data_digest(data.items)}",
        )
        checkpoints.append(checkpoint)
        seed = digest(settings.seed, "again", number) % 2**32 if number else settings.seed
        with arithmetic(device_of(settings.device), settings.deterministic):
            attempts.append(
                _attempt(job, make_model, data, replace(settings, seed=seed), checkpoint, tick)
            )
        if not attempts[-1].learned.reason:
            break
        if number < settings.retries:
            tick(-settings.epochs * settings.n * len(data.items))
    best = max(attempts, key=_success)
    save_tensors(result.with_suffix(WEIGHTS), best.weights)
    _write_description(result.with_suffix(".json"), job, best, data, settings, len(attempts))
    for checkpoint in checkpoints:
        checkpoint.path.unlink(missing_ok=True)
    result.with_name(f"{result.name}{EPOCHS}").unlink(missing_ok=True)


def _success(attempt: _Attempt) -> tuple[bool, float]:
    """Sort attempts: a network that learned comes last, then by balanced accuracy."""
    return not attempt.learned.reason, attempt.learned.balanced_accuracy


def _attempt(
    job: Job,
    make_model: Callable[[], nn.Module],
    data: TrainingSet,
    settings: Settings,
    checkpoint: Checkpoint,
    tick: Tick,
) -> _Attempt:
    """Train a network from one seed, or resume it, and judge whether it learned."""
    fabric = _fabric(settings)
    network = _network(make_model, settings)
    sampler = _sampler(data, settings)
    loader = _loader(data, sampler, settings)
    optimizer = make_optimizer(network, settings)
    schedule = make_schedule(optimizer, settings, settings.epochs * len(loader))
    compiled: Any = torch.compile(network) if settings.compile else network
    model, wrapped = fabric.setup(compiled, optimizer)
    # Adam's moments must be loaded onto the device to which `setup` moved the weights
    state = State(network, optimizer, schedule, make_average(network, settings))
    history = checkpoint.load(state)
    learner = _Learner(fabric, model, wrapped, schedule, network, state.average)
    tick(len(history) * len(sampler))
    batches = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
    saved = time.monotonic()
    for epoch in range(len(history), settings.epochs):
        sampler.epoch = epoch
        history.append(_train_epoch(epoch, job, learner, batches, settings, tick))
        write_epochs(checkpoint.path.with_name(f"{job.stem.name}{EPOCHS}"), history)
        last = epoch == settings.epochs - 1 and settings.retries > 0
        if last or time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            checkpoint.save(state, history)
            saved = time.monotonic()
    return _finished(state, data, settings, history)


def _finished(
    state: State, data: TrainingSet, settings: Settings, history: list[Epoch]
) -> _Attempt:
    """Bring a trained network into its final state, and judge whether it learned."""
    network, average = state.network, state.average

    def plain() -> Iterator[tuple[Tensor, Tensor]]:
        device = next(network.parameters()).device
        return plain_batches(data, settings.batch, settings.seed, device)

    if average is not None:
        copy_average(average, network)
    if average is not None or settings.batch_norm == "re-estimated":
        re_estimate_batch_norm(network, plain())
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    learned = judge_learning(
        confusion_of(network, plain(), len(data.classes)),
        data.classes,
        history[-1].loss,
        guess_loss(LOSSES[settings.loss], data.shares(settings.balanced)),
    )
    parameters = sum(p.numel() for p in network.parameters())
    return _Attempt(settings.seed, weights, parameters, history, learned)


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


@dataclass(frozen=True, slots=True)
class _Learner:
    """A network and what changes its weights, on their device."""

    fabric: Fabric
    model: nn.Module
    optimizer: Any
    """Fabric's wrapper of the optimizer."""
    schedule: LRScheduler
    network: nn.Module
    """The network itself, without Fabric's wrapper."""
    average: AveragedModel | None
    """The moving average of its weights."""

    def step(self, sequences: Tensor, labels: Tensor, settings: Settings, figures: Figures) -> None:
        """Take one optimisation step, and add its loss to the figures of the epoch."""
        scaled = _scaled(sequences, settings.scale(figures.epoch))
        logits = self.model(scaled.to(memory_format=torch.channels_last_3d))
        loss = LOSSES[settings.loss](logits, labels)
        figures.add(loss.detach(), (logits.argmax(1) == labels).sum(), len(labels))
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        if settings.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self.optimizer.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.network)


def _scaled(sequences: Tensor, scale: float) -> Tensor:
    """Scale the frames `(B, C, k, H, W)` of a batch in height and width."""
    if scale == 1:
        return sequences
    height, width = (max(1, round(scale * side)) for side in sequences.shape[-2:])
    # each output pixel is the mean of the pixels it covers, as in a smaller prepared clip
    return F.interpolate(sequences, (sequences.shape[2], height, width), mode="area")


def _train_epoch(
    epoch: int, job: Job, learner: _Learner, loader: Any, settings: Settings, tick: Tick
) -> Epoch:
    """Train for one epoch and return its figures."""
    started = time.monotonic()
    figures = Figures(epoch, job, settings.lr, device_of(settings.device))
    shape: list[int] = []
    learner.model.train()
    with torch.random.fork_rng():  # dropout draws from the global generator
        torch.manual_seed(digest(settings.seed, "dropout", epoch))
        for sequences, labels in _batches(loader, settings):  # (B, 1, k, H, W), (B,)
            learner.step(sequences, labels, settings, figures)
            shape = list(sequences.shape[1:])
            tick(len(labels))
    return Epoch(
        epoch=epoch + 1,
        loss=figures.loss(),
        accuracy=figures.accuracy(),
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
    attempt: _Attempt,
    data: TrainingSet,
    settings: Settings,
    attempts: int,
) -> None:
    """Write what the weights are: the job, the classes, the data and the history of training."""
    rows = [asdict(epoch) for epoch in attempt.history]
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
            "seed": attempt.seed,
            "clips": len(data.items),
            "parameters": attempt.parameters,
            WEIGHTS_DIGEST: file_digest(path.with_suffix(WEIGHTS)),
            "attempts": attempts,
            "learned": attempt.learned.row(),
            "history": rows,
        },
    )
