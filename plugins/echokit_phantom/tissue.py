"""Scattering of ultrasound: materials, their speckle texture, and its motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Complex64, Float32, Int32

from echokit_phantom.curves import Shape, normals
from echokit_phantom.sector import Sector

MATERIALS = {
    "background": 0.0,  # drawn by `surroundings` instead
    "blood": 0.006,
    "myocardium": 0.20,
    "papillary": 0.30,
    "vessel": 0.42,
    "leaflet": 0.55,
    "pericardium": 1.10,
}
"""Amplitude that each material scatters back; pericardium is about 1."""
CODES = {name: code for code, name in enumerate(MATERIALS)}
"""Number of each material in a painted map."""

_TRABECULAR = ("LV", "RV")
"""Chambers whose inner surface is not smooth."""
_ROUGH = 0.24
"""How far it strays from the outline, mm (standard deviation)."""
_REACH = 3.4
"""Distance from an outline up to which tissue moves with it, mm (standard deviation)."""


def speckle_tile(
    side: int,
    texel: float,
    rng: np.random.Generator,
    patches: Sequence[tuple[float, float]] = ((2.2, 0.30),),
) -> Complex64[np.ndarray, " texels"]:
    """Draw the scatterers of tissue, a flattened square of `side` by `side` that tiles seamlessly.

    They are complex Gaussian of unit power, modulated over millimetres like muscle.

    Args:
        side: texels along each side.
        texel: millimetres between two texels.
        rng: source of randomness.
        patches: size in mm and strength (standard deviation of the logarithm) of each modulation.
    """
    field = rng.standard_normal((2, side, side), dtype=np.float32)
    for axis in (1, 2):
        for _ in range(2):
            field = 0.5 * field + 0.25 * (np.roll(field, 1, axis) + np.roll(field, -1, axis))
    field /= field.std()
    modulation = np.ones((side, side), np.float32)
    for size, strength in patches:
        coarse = max(4, round(side * texel / size))
        modulation *= np.exp(strength * smooth_noise((side, side), coarse, rng, wrap=True))
    tile = (field[0] + 1j * field[1]) * modulation / np.sqrt(2)
    return np.ascontiguousarray(tile, np.complex64).ravel()


def texels(
    places: Float32[np.ndarray, "samples beams 2"],
    moved: Float32[np.ndarray, "T rows columns 2"],
    texel: float,
    side: int,
    flow: Int32[np.ndarray, "T samples beams"],
) -> Int32[np.ndarray, "T samples beams"]:
    """Look up the scatterer at each place: moving with tissue, new in each frame in blood.

    Args:
        places: place of each sample of each beam, mm.
        moved: displacement of the tissue on a coarse grid, mm.
        texel: millimetres between two texels of the tile.
        side: texels along each side of the tile, a power of two.
        flow: shift within the tile, 0 in tissue and new in each frame in blood.
    """
    samples, beams, _ = places.shape
    down = spread(samples, moved.shape[1])
    across = spread(beams, moved.shape[2]).T
    flat: Int32[np.ndarray, "T samples beams"] = np.zeros(flow.shape, np.int32)
    for axis, stride in ((0, 1), (1, side)):
        shift = down @ np.ascontiguousarray(moved[..., axis]) @ across
        place = (places[..., axis] - shift) * np.float32(1 / texel)
        place += 8 * side  # positive, so that truncating rounds down
        flat += (place.astype(np.int32) & (side - 1)) * stride
    flat += flow
    return flat & np.int32(side**2 - 1)


def uneven(shapes: Sequence[Shape], rng: np.random.Generator) -> list[Shape]:
    """Roughen the endocardium of the ventricles and the papillary muscles, as trabeculae do.

    Points of an outline move along its normal, the same in every frame, by `_ROUGH` mm (standard
    deviation) and by nothing on average, so that the shape of the cavity stays.
    """
    rough = []
    for shape in shapes:
        if shape.structure not in _TRABECULAR and shape.material != "papillary":
            rough.append(shape)
            continue
        noise = rng.standard_normal(shape.outline.shape[1])
        noise = 0.5 * noise + 0.25 * (np.roll(noise, 1) + np.roll(noise, -1))
        moved = _ROUGH / 0.61 * (noise - noise.mean())[:, None]
        outline = shape.outline + moved * normals(shape.outline, closed=True)
        rough.append(Shape(shape.material, outline, shape.structure, shape.labelled))
    return rough


def surroundings(sector: Sector, rng: np.random.Generator) -> Float32[np.ndarray, "samples beams"]:
    """Draw the amplitude of the tissue around the heart: chest wall, fat, and lung behind it."""
    points = sector.points()
    radius = np.hypot(points[..., 0], points[..., 1])
    patches = 0.7 * smooth_noise(radius.shape, 9, rng)
    wall = sum(
        0.5 * np.exp(-0.5 * ((radius - depth - shift) / 0.7) ** 2)
        for depth, shift in zip((3.5, 5.5, 8.0), rng.normal(0, 0.5, 3), strict=True)
    )
    fade = np.exp(-np.maximum(radius - 0.72 * sector.depth, 0) / (0.3 * sector.depth))
    amplitude: Float32[np.ndarray, "samples beams"] = (
        (0.13 * fade + 0.25 * wall) * np.exp(patches)
    ).astype(np.float32)
    return amplitude


def smooth_noise(
    shape: tuple[int, int], coarse: int, rng: np.random.Generator, *, wrap: bool = False
) -> Float32[np.ndarray, "H W"]:
    """Draw normal noise, interpolated from `coarse` by `coarse` values."""
    draws = rng.standard_normal((coarse, coarse), dtype=np.float32)
    if wrap:
        draws = np.pad(draws, ((0, 1), (0, 1)), mode="wrap")
    down, across = (spread(side, len(draws)) for side in shape)
    noise: Float32[np.ndarray, "H W"] = down @ draws @ across.T
    return noise


def spread(fine: int, coarse: int) -> Float32[np.ndarray, "fine coarse"]:
    """Make the matrix that interpolates `coarse` values smoothly to `fine` ones."""
    position = np.arange(fine) * (coarse - 1) / max(fine - 1, 1)
    low = np.minimum(position.astype(int), coarse - 2)
    share = position - low
    share = share * share * (3 - 2 * share)
    matrix = np.zeros((fine, coarse), np.float32)
    matrix[np.arange(fine), low] = 1 - share
    matrix[np.arange(fine), low + 1] = share
    return matrix


def displacement(
    shapes: Sequence[Shape], sector: Sector, rows: int = 18, columns: int = 14
) -> Float32[np.ndarray, "T rows columns 2"]:
    """Compute the displacement of the tissue at each place from its mean position, in mm.

    Tissue moves with the outlines near it (a normalised Gaussian mean) and stands still far from
    all outlines. The speckle is looked up at the place minus this displacement, so that it moves
    with the tissue.

    Args:
        shapes: the anatomy in millimetres.
        sector: the field of view.
        rows: coarse grid points along a beam.
        columns: coarse grid points across the beams.
    """
    marks = [s.outline[:, :: max(1, s.outline.shape[1] // 16)] for s in shapes if s.labelled]
    tracks = np.concatenate(marks, axis=1).astype(np.float32)
    moved = tracks - tracks.mean(axis=0)
    points = sector.points()
    row = np.linspace(0, points.shape[0] - 1, rows).astype(int)
    column = np.linspace(0, points.shape[1] - 1, columns).astype(int)
    places = points[np.ix_(row, column)].reshape(-1, 2)
    # squared distances by the cosine rule, as one matrix product per frame
    distance = (
        (places**2).sum(-1)[:, None] + (tracks**2).sum(-1)[:, None, :]
        - 2 * (places @ tracks.transpose(0, 2, 1))
    )  # fmt: skip
    weights = np.exp(distance * np.float32(-0.5 / _REACH**2))
    field: Float32[np.ndarray, "T places 2"] = (
        # the constant lets the displacement fade out far from every outline
        weights @ moved / (weights.sum(axis=-1, keepdims=True) + 0.3)
    )
    return field.reshape(len(tracks), rows, columns, 2)
