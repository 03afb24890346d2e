"""One network: a (task, approach, view, split) in; weights and the history of training out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from echokit.clips.sequences import SequenceSpec, digest
from echokit.clips.store import Store
from echokit.errors import TrainingError
from echokit.networks.checkpoint import Checkpoint, channels_last, save_tensors
from echokit.networks.job import Job, Labelled, data_digest, device_of
from echokit.networks.sampling import BalancedSampler, TrainingSequences
from echokit.system.files import write_json
from echokit.system.prefetch import prefetch
from echokit.system.progress import Tick

SECONDS_BETWEEN_CHECKPOINTS = 20.0


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What a network learns from."""

    items: Sequence[Labelled]
    """Clips of training patients, or training patients, each with its label."""
    classes: tuple[str, ...]
    """Label names, least severe first."""
    store: Store
    spec: SequenceSpec
    sequences: Callable[..., Dataset[tuple[Tensor, int]]] = TrainingSequences
    """Makes the dataset of drawn sequences from `items`, `store` and `spec`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a network is trained: the recipe's `[train]` and `[compute]` for one job."""

    epochs: int
    n: int
    """Sequences drawn for each clip in an epoch, on average."""
    batch: int
    lr: float
    weight_decay: float
    schedule: str
    balanced: bool
    seed: int
    """Of this job: the same seed gives the same weights on the same machine."""
    device: str
    workers: int
    """Processes that make sequences; 0 makes them here, in a thread beside a GPU."""
    compile: bool
    """Whether the network goes through `torch.compile`."""
    digest: str
    """Of the recipe; a checkpoint of another recipe or of other clips is not resumed."""


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
    on CUDA (paper, section 3.1). The last epoch's weights are kept: nothing is chosen on held-out
    patients. A checkpoint beside the result lets an interrupted training go on where it stopped.

    Raises:
        TrainingError: the loss stopped being a finite number.
    """
    # Fabric takes seconds to import, and only training needs it
    from lightning_fabric import Fabric

    cuda = device_of(settings.device).type == "cuda"
    fabric = Fabric(
        accelerator="cuda" if cuda else "cpu",
        devices=1,
        precision="bf16-mixed" if cuda else "32-true",
    )
    with torch.random.fork_rng():  # layers draw their first weights from the global generator
        torch.manual_seed(settings.seed)
        network = channels_last(make_model())
    sampler = BalancedSampler(
        [item.label for item in data.items],
        settings.n * len(data.items),
        settings.seed,
        settings.balanced,
    )
    loader: Any = DataLoader(
        data.sequences(data.items, data.store, data.spec),
        batch_size=settings.batch,
        sampler=sampler,
        num_workers=settings.workers,
        persistent_workers=settings.workers > 0,
        generator=torch.Generator().manual_seed(settings.seed),  # dropout has the global one alone
        pin_memory=cuda,
        drop_last=len(sampler) % settings.batch == 1,  # batch norm cannot train on one sample
    )
    optimizer = torch.optim.Adam(
        network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
    )
    steps = settings.epochs * len(loader)
    schedule: Any = (
        torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, total_steps=max(steps, 2))
        if settings.schedule == "one-cycle"
        else torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    )
    result = folder / job.stem
    learned_from = data_digest(data.items)
    checkpoint = Checkpoint(
        result.with_suffix(".partial.safetensors"), f"{settings.digest} {learned_from}"
    )
    compiled: Any = torch.compile(network) if settings.compile else network
    model, adam = fabric.setup(compiled, optimizer)
    history = checkpoint.load(network, optimizer, schedule)  # once the weights are on the device
    tick(len(history) * len(sampler))
    loader = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
    saved = time.monotonic()
    shape: list[int] = history[-1]["input_shape"] if history else []
    for epoch in range(len(history), settings.epochs):
        sampler.epoch = epoch
        started, total, right, seen = time.monotonic(), 0.0, 0, 0
        model.train()
        with torch.random.fork_rng():  # dropout draws from the global generator
            torch.manual_seed(digest(settings.seed, "dropout", epoch))
            batches: Any = prefetch(loader) if cuda and not settings.workers else loader
            for sequences, labels in batches:  # (B, 1, k, H, W), (B,)
                shape = list(sequences.shape[1:])
                logits = model(sequences.to(memory_format=torch.channels_last_3d))
                loss = F.cross_entropy(logits, labels)
                value = loss.item()
                if not math.isfinite(value):
                    raise TrainingError(
                        f"The loss became {value} in epoch {epoch + 1} of {job}. Lower the "
                        f"learning rate (--set train.lr={settings.lr / 10:g}) or check the clips "
                        "with `echokit data check`."
                    )
                adam.zero_grad()
                fabric.backward(loss)
                adam.step()
                schedule.step()
                total += value * len(labels)
                right += int((logits.argmax(1) == labels).sum())
                seen += len(labels)
                tick(len(labels))
        history.append(
            {
                "epoch": epoch + 1,
                "loss": total / seen,
                "accuracy": right / seen,
                "lr": schedule.get_last_lr()[0],
                "seconds": round(time.monotonic() - started, 3),
                "input_shape": shape,
            }
        )
        if time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
            checkpoint.save(network, optimizer, schedule, history)
            saved = time.monotonic()
    save_tensors(result.with_suffix(".safetensors"), network.state_dict())
    write_json(
        result.with_suffix(".json"),
        {
            "schema": 1,
            **job.place,
            "fold": job.fold,
            "classes": list(data.classes),
            "input_shape": shape,
            "recipe_digest": settings.digest,
            "data_digest": learned_from,
            "seed": settings.seed,
            "clips": len(data.items),
            "parameters": sum(p.numel() for p in network.parameters()),
            "history": [{k: v for k, v in row.items() if k != "input_shape"} for row in history],
        },
    )
    checkpoint.path.unlink(missing_ok=True)
