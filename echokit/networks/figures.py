"""The figures of an epoch while it is trained: sums that stay on the device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from echokit.errors import TrainingError
from echokit.networks.job import Job

STEPS_BETWEEN_CHECKS = 50
"""Steps on CUDA after which the loss is checked: reading it waits for all work on the device."""


class Figures:
    """Sums over the sequences of an epoch, kept on the device of the network."""

    def __init__(self, epoch: int, job: Job, lr: float, device: torch.device) -> None:
        """Start an epoch.

        Args:
            epoch: number of the epoch, from 0.
            job: the network, named in an error.
            lr: learning rate of the recipe, for the advice in an error.
            device: device of the losses.
        """
        self.epoch, self.job, self.lr = epoch, job, lr
        # float64, as Python's own numbers are
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._right = torch.zeros((), dtype=torch.int64, device=device)
        self._between_checks = STEPS_BETWEEN_CHECKS if device.type == "cuda" else 1
        self._count = self._steps = 0

    def add(self, loss: Tensor, right: Tensor, count: int) -> None:
        """Add a batch, without waiting for the device.

        Args:
            loss: mean loss of the batch, a tensor without dimensions.
            right: number of sequences that were classified right, a tensor without dimensions.
            count: number of sequences in the batch.

        Raises:
            TrainingError: a loss was not a finite number. On CUDA this is noticed only every
                `STEPS_BETWEEN_CHECKS` batches and at the end of the epoch.
        """
        self._loss += loss.double() * count
        self._right += right
        self._count += count
        self._steps += 1
        if self._steps % self._between_checks == 0:
            self.loss()

    def loss(self) -> float:
        """Return the mean loss of a sequence.

        Raises:
            TrainingError: a loss was not a finite number.
        """
        total = float(self._loss)
        if not math.isfinite(total):
            raise TrainingError(
                f"The loss became {total} in epoch {self.epoch + 1} of {self.job}. Lower the "
                f"learning rate (--set train.lr={self.lr / 10:g}) or check the clips "
                "with `echokit data check`."
            )
        return total / self._count

    def accuracy(self) -> float:
        """Return the share of the sequences that were classified right."""
        return int(self._right) / self._count
