"""Measure where a saliency map lies: inside the sector, and on known structures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float

from echokit.saliency.moved_maps import compare_to_moved, moved
from echokit.types import Clip

PLACES = 99
"""Number of moved maps with which the location of a map is compared."""


@dataclass(frozen=True, slots=True)
class Energy:
    """The share of a map in one region, beside the share that a meaningless map would have."""

    energy: float
    """Share of all relevance inside the region, in [0, 1]."""
    area: float
    """Share of the sector's pixels inside the region; for the sector, its share of the frame."""


@dataclass(frozen=True, slots=True)
class Location:
    """The shares of a map in the sector and in each known structure."""

    sector: Energy
    structures: Mapping[str, Energy] | None
    """Structure -> energy, without structures that are not visible; None if none is known."""

    def as_json(self) -> dict[str, object]:
        """Convert to plain values, without `structures` if none is known."""
        plain: dict[str, object] = {"sector": asdict(self.sector)}
        if self.structures is not None:
            plain["structures"] = {name: asdict(part) for name, part in self.structures.items()}
        return plain


@dataclass(frozen=True, slots=True)
class PlaceTest:
    """The share of a map in a region, compared with the shares of its moved copies."""

    energy: float
    chance: float
    """Mean share of `PLACES` moved maps."""
    sd: float
    """Standard deviation over the moved maps."""
    p: float
    """As in `echokit.saliency.moved_maps.Chance`."""


def measure_location(values: Float[np.ndarray, "T H W"], clip: Clip) -> Location:
    """Measure the shares of a map in the sector and in each ground-truth structure."""
    inside = np.ones(clip.frames.shape[1:], bool) if clip.sector is None else clip.sector
    sector = Energy(_energy(values, np.broadcast_to(inside, values.shape)), float(inside.mean()))
    if clip.structures is None:
        return Location(sector, None)
    structures = {}
    for number, name in enumerate(clip.structure_names, start=1):
        region = clip.structures == number
        if region.any():
            area = float(region.sum() / (inside.sum() * len(values)))
            structures[name] = Energy(_energy(values, region), area)
    return Location(sector, structures)


def compare_places(
    values: Float[np.ndarray, "T H W"], clip: Clip, seed: int
) -> dict[str, PlaceTest]:
    """Test whether a map lies in the expected regions more than its moved copies do.

    Returns:
        `sector`, the share inside the sector, absent if the sector fills the frame; `structures`,
        of that the share on any known structure, absent if none is known.
    """
    sector = np.ones(clip.frames.shape[1:], bool) if clip.sector is None else clip.sector
    inside = np.ascontiguousarray(np.broadcast_to(sector, values.shape))
    maps = [values, *moved(values, PLACES, np.random.default_rng(seed))]
    energies = {}
    if not inside.all():  # in a sector that fills the frame every map has all of its energy
        energies["sector"] = [_energy(saliency, inside) for saliency in maps]
    if clip.structures is not None and (region := (clip.structures > 0) & inside).any():
        energies["structures"] = [_energy(np.where(inside, m, 0), region) for m in maps]
    tests = {}
    for name, (energy, *of_moved) in energies.items():
        chance = compare_to_moved(energy, np.array(of_moved))
        tests[name] = PlaceTest(energy, chance.mean, chance.sd, chance.p)
    return tests


def _energy(values: Float[np.ndarray, "T H W"], inside: Bool[np.ndarray, "T H W"]) -> float:
    """Compute the share of all relevance inside a region; 0 for an empty map."""
    total = float(values.sum())
    return float(values[inside].sum()) / total if total else 0.0
