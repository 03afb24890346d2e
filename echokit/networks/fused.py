"""Feature fusion: one network for all views of a patient, any of which may be missing.

Each view has its own encoder. The encoders' features are pooled with learned attention (Ilse et al.
2018, arXiv:1802.04712) and classified together, so that views are weighted before a label is chosen
instead of after. During training, views are left out at random (Neverova et al. 2016,
doi:10.1109/TPAMI.2015.2461544), so that the network can classify any subset of them.

Views are passed as channels, `B V T H W`; a missing view is NaN throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.data import Dataset

from echokit.clips.sequences import Item, SequenceSpec, voting_starts, window
from echokit.clips.store import Store
from echokit.networks.sampling import draw_start


@dataclass(frozen=True, slots=True)
class Subject:
    """A patient with the clips of all views, one training example of feature fusion."""

    patient: str
    clips: tuple[tuple[Item, ...], ...]
    """The patient's clips of each view, in the network's order; empty for a missing view."""
    label: int
    """Index of the patient's label."""

    @property
    def present(self) -> list[int]:
        """Indices of the views that the patient has clips of."""
        return [view for view, clips in enumerate(self.clips) if clips]


class SubjectSequences(Dataset[tuple[Tensor, int]]):
    """One random sequence of each view of a patient; an index is `(subject, seed)`."""

    def __init__(
        self, items: Sequence[Subject], store: Store, spec: SequenceSpec, drop: float
    ) -> None:
        """Make the dataset; `TrainingSet` passes the arguments on.

        Args:
            items: training patients.
            store: prepared clips.
            spec: how sequences are cut out and augmented.
            drop: probability that a view is left out; one view is always kept.
        """
        self.items, self.store, self.spec, self.drop = items, store, spec, drop

    def __getitem__(self, index: tuple[int, int]) -> tuple[Tensor, int]:
        subject, rng = self.items[index[0]], torch.Generator().manual_seed(index[1])
        kept = _keep(subject.present, self.drop, rng)
        drawn = {view: self._draw(subject.clips[view], rng) for view in kept}
        return side_by_side(drawn, len(subject.clips)), subject.label

    def __len__(self) -> int:
        return len(self.items)

    def _draw(self, clips: Sequence[Item], rng: torch.Generator) -> Float[Tensor, "k H W"]:
        item = clips[int(torch.randint(len(clips), (), generator=rng))]
        start = draw_start(item.frames, self.spec.k, rng)
        return self.spec(window(self.store, item.key, start, self.spec.k), rng)[0]


def _keep(present: list[int], drop: float, rng: torch.Generator) -> list[int]:
    """Draw the views that are kept; one random view if all would be left out."""
    draws = torch.rand(len(present), generator=rng)
    # every view draws, kept or not, so that the stream of random numbers does not depend on `drop`
    kept = [view for view, draw in zip(present, draws.tolist(), strict=True) if draw >= drop]
    return kept or [present[int(draws.argmax())]]


def side_by_side(drawn: Mapping[int, Float[Tensor, "k H W"]], views: int) -> Tensor:
    """Stack the sequences of one patient as channels `(V, k, H, W)`; a missing view is NaN."""
    blank = torch.full_like(next(iter(drawn.values())), torch.nan)
    return torch.stack([drawn.get(view, blank) for view in range(views)])


class FusedNetwork(nn.Module):
    """One encoder for each view, attention over their features, and one classification head."""

    def __init__(self, encoders: Iterable[nn.Module], embedding: int, classes: int) -> None:
        """Combine encoders.

        Args:
            encoders: a backbone for each view, from `(B, 1, T, H, W)` to `(B, embedding)`.
            embedding: number of features of each view.
            classes: number of classes K.
        """
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        # views are compared by their features, which must therefore have one scale
        self.norm = nn.LayerNorm(embedding)
        self.score = nn.Linear(embedding, 1)
        self.trust = nn.Parameter(torch.zeros(len(self.encoders)))
        """Attention to each view that does not depend on its pixels."""
        self.head = nn.Linear(embedding, classes)

    def forward(self, sequences: Float[Tensor, "B V T H W"]) -> Float[Tensor, "B K"]:
        """Map the views of each patient to logits."""
        present = ~sequences[:, :, 0, 0, 0].isnan()  # (B, V)
        width = self.norm.normalized_shape[0]
        features = sequences.new_zeros(*present.shape, width)  # (B, V, E)
        for view in range(present.shape[1]):
            rows = present[:, view].nonzero()[:, 0]
            if len(rows):  # an encoder with batch norm cannot take an empty batch
                encoded = self.encode(view, sequences[rows, view : view + 1])
                features = features.index_put((rows, torch.tensor(view)), encoded)
        return self.fuse(features, present)

    def encode(self, view: int, sequences: Float[Tensor, "B 1 T H W"]) -> Float[Tensor, "B E"]:
        """Encode sequences of one view as features."""
        inputs = sequences.contiguous(memory_format=torch.channels_last_3d)
        features: Tensor = self.norm(self.encoders[view](inputs))
        return features

    def fuse(
        self, features: Float[Tensor, "B V E"], present: Bool[Tensor, "B V"]
    ) -> Float[Tensor, "B K"]:
        """Compute logits from the features of the views present, at least one in each row."""
        scores = self.score(features)[..., 0] + self.trust  # (B, V)
        weights = scores.masked_fill(~present, -torch.inf).softmax(1)
        logits: Tensor = self.head((weights[..., None] * features).sum(1))
        return logits


@torch.inference_mode()
def encode_subject(
    network: FusedNetwork, subject: Subject, store: Store, spec: SequenceSpec
) -> Float[Tensor, "n V E"]:
    """Encode a patient's n voting sequences of each view; a missing view is NaN.

    If a view has several clips, the n sequences are divided among them.
    """
    rows: list[Tensor | None] = []
    for view, clips in enumerate(subject.clips):
        if not clips:
            rows.append(None)
            continue
        share = -(-spec.n // len(clips))
        starts = [(c.key, s) for c in clips for s in voting_starts(c.clip, c.frames, spec.k, share)]
        sequences = [
            spec(window(store, key, start, spec.k), torch.Generator())
            for key, start in starts[: spec.n]
        ]
        inputs = torch.stack(sequences).to(network.trust.device)
        rows.append(network.encode(view, inputs))  # (n, E)
    blank = torch.full_like(next(row for row in rows if row is not None), torch.nan)
    return torch.stack([blank if row is None else row for row in rows], dim=1)


def votes_of_subsets(
    network: FusedNetwork, features: Float[Tensor, "n V E"], subsets: Iterable[Sequence[int]]
) -> Iterator[tuple[tuple[int, ...], Float[np.ndarray, "n K"]]]:
    """Compute class probabilities of each voting sequence for subsets of the views.

    Args:
        network: the trained network.
        features: features of one patient, from `encode_subject`.
        subsets: indices of views; a subset without any view of the patient is skipped.

    Yields:
        (subset, probabilities `(n, K)`).
    """
    available = ~features[0, :, 0].isnan()  # (V,)
    clean = features.nan_to_num()  # NaN times an attention weight of 0 would still be NaN
    for subset in subsets:
        selected = torch.zeros_like(available)
        selected[list(subset)] = True
        present = (available & selected).expand(len(features), -1)
        if present[0].any():
            with torch.inference_mode():
                probabilities = network.fuse(clean, present).softmax(1)
            yield tuple(subset), probabilities.cpu().numpy()
