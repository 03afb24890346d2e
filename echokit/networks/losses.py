"""The losses that a network can learn from, as functions of its logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

Loss = Callable[[Tensor, Tensor], Tensor]
"""Takes logits `(B, K)` and labels `(B,)`, returns the mean loss of the batch."""


def ordinal_loss(logits: Float[Tensor, "B K"], labels: Int[Tensor, " B"]) -> Float[Tensor, ""]:
    """Compute the mean loss of the K - 1 questions "is the label above k?".

    Each question is answered by the probability of all labels above k, and scored by its binary
    cross-entropy. A label that is two steps off is then punished more than its neighbour. It is the
    ranked form of the logarithmic score (Tödter and Ahrens 2012, doi:10.1175/MWR-D-11-00266.1),
    which is proper: its smallest expected value is at the true probabilities. Networks keep their K
    logits, unlike with cumulative-link heads (Cao et al. 2020, arXiv:1901.07884), so that votes,
    explainers and exports need not know of it.

    Args:
        logits: logits whose softmax are the probabilities of the K labels, least severe first.
        labels: indices of the labels.
    """
    log_p = logits.float().log_softmax(1)  # (B, K)
    below = log_p.logcumsumexp(1)[:, :-1]  # log P(label <= k), (B, K-1)
    above = log_p.flip(1).logcumsumexp(1).flip(1)[:, 1:]  # log P(label > k), (B, K-1)
    is_above = labels[:, None] > torch.arange(below.shape[1], device=labels.device)
    return -torch.where(is_above, above, below).mean()


LOSSES: Mapping[str, Loss] = {"cross-entropy": F.cross_entropy, "ordinal": ordinal_loss}
"""Name in a recipe -> loss."""


def guess_loss(loss: Loss, shares: Float[Tensor, " K"]) -> float:
    """Compute the expected loss of a network that always predicts the shares of the labels.

    Args:
        loss: a loss.
        shares: share of each label among the sequences that are drawn; they sum to 1.
    """
    logits = shares.clamp_min(1e-12).log()[None]
    of_label = [loss(logits, torch.tensor([label])) for label in range(len(shares))]
    return float((torch.stack(of_label) * shares).sum())
