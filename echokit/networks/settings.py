"""How one network is trained: the recipe's `[train]` and `[compute]` for one job."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a network is trained. The defaults of the options are the paper's choices."""

    epochs: int
    n: int
    """Sequences drawn from each clip in an epoch, on average."""
    batch: int
    lr: float
    weight_decay: float
    schedule: str
    balanced: bool
    optimizer: str = "adam"
    loss: str = "cross-entropy"
    warm_up: float = 0.0
    """Share of the steps in which the learning rate rises to `lr`."""
    clip: float = 0.0
    """Largest norm of the gradient; 0 for no limit."""
    average: float = 0.0
    """Decay of the moving average of the weights, for each step; 0 for the last weights."""
    batch_norm: str = "running"
    scales: tuple[float, ...] = ()
    """Scales of the sequences' frames, in equal shares of the epochs; empty for full size."""
    retries: int = 0
    """How often a network that did not learn is trained again, from another seed."""
    seed: int
    """Seed of this job: the same seed gives the same weights on the same machine; on CUDA only with
    `deterministic`."""
    device: str
    workers: int
    """Processes that load sequences; 0 loads them in this process, in a thread beside a GPU."""
    compile: bool
    """Whether the network is compiled by `torch.compile`."""
    deterministic: bool = False
    """Whether only repeatable algorithms are used on CUDA; a CPU repeats its results anyway."""
    digest: str
    """Digest of the recipe; a checkpoint of another recipe or of other clips is not resumed."""

    def scale(self, epoch: int) -> float:
        """Return the scale of the frames in an epoch, counted from 0."""
        if not self.scales:
            return 1.0
        return self.scales[min(epoch * len(self.scales) // self.epochs, len(self.scales) - 1)]
