"""The scanning sector: conversion of millimetres to pixels and to beams, and of beams to pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from echokit_phantom.curves import Curve

Beams = Float32[np.ndarray, "T samples beams"]
"""Values along each beam of each frame."""


@dataclass(frozen=True, slots=True)
class Sector:
    """A sector-shaped field of view in a square image; the probe is at its top centre."""

    size: int
    """Height and width of the image in pixels."""
    depth: float
    """Distance from the sector's apex to its far edge, mm."""
    half_angle: float
    """Half the opening angle, radians."""
    near: float = 2.5
    """Distance from the apex to the probe's face, mm."""
    density: float = 1.0
    """Beams per angle, relative."""

    @property
    def spacing(self) -> float:
        """Millimetres per pixel: the sector fills 96 % of the image."""
        return self.depth * max(1.0, 2 * float(np.sin(self.half_angle))) / (0.96 * self.size)

    @property
    def top(self) -> float:
        """Millimetres of image above the apex."""
        return 0.02 * self.size * self.spacing

    @property
    def samples(self) -> int:
        """Number of samples along a beam, a little finer than the pixels."""
        return round(1.15 * (self.depth - self.near) / self.spacing)

    @property
    def beams(self) -> int:
        """Number of beams across the sector, a little coarser than the pixels at its far edge."""
        return round(self.density * 0.72 * 2 * self.half_angle * self.depth / self.spacing)

    @property
    def step(self) -> float:
        """Millimetres between two samples."""
        return (self.depth - self.near) / (self.samples - 1)

    def points(self) -> Float32[np.ndarray, "samples beams 2"]:
        """Compute the place of each sample of each beam: x to the right and z downwards, mm."""
        radius = np.linspace(self.near, self.depth, self.samples)[:, None]
        angle = np.linspace(-self.half_angle, self.half_angle, self.beams)
        points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)
        return points.astype(np.float32)

    def to_pixels(self, curve: Curve) -> Curve:
        """Convert millimetres to (column, row) of the image, pixel centres at whole numbers."""
        half = np.array([0.5 * self.size * self.spacing, self.top])
        pixels: Curve = (curve + half) / self.spacing - 0.5
        return pixels

    def to_beams(self, curve: Curve) -> Curve:
        """Convert millimetres to (beam, sample), both counted from 0."""
        radius = np.hypot(curve[..., 0], curve[..., 1])
        angle = np.arctan2(curve[..., 0], curve[..., 1])
        beam = (angle / self.half_angle + 1) * 0.5 * (self.beams - 1)
        return np.stack([beam, (radius - self.near) / self.step], axis=-1)


@dataclass(frozen=True, slots=True)
class ScanConverter:
    """Conversion of beams to pixels by bilinear weights that are computed once."""

    inside: Bool[np.ndarray, "H W"]
    """True inside the sector."""
    corners: Int64[np.ndarray, "4 pixels"]
    """Flat (sample, beam) index of the four neighbours of each pixel inside."""
    weights: Float32[np.ndarray, "4 pixels"]
    """Bilinear weight of each neighbour, in [0, 1]."""

    def __call__(self, values: Beams) -> Float32[np.ndarray, "T pixels"]:
        """Interpolate the pixels inside the sector, row by row."""
        flat = values.reshape(len(values), -1)
        total: Float32[np.ndarray, "T pixels"] = flat[:, self.corners[0]] * self.weights[0]
        for corner, weight in zip(self.corners[1:], self.weights[1:], strict=True):
            total += flat[:, corner] * weight
        return total


def scan_converter(sector: Sector) -> ScanConverter:
    """Compute the scan conversion of a sector."""
    axis = (np.arange(sector.size) + 0.5) * sector.spacing
    x, z = np.meshgrid(axis - 0.5 * sector.size * sector.spacing, axis - sector.top)
    beam, sample = np.moveaxis(sector.to_beams(np.stack([x, z], axis=-1)), -1, 0)
    inside = (
        (beam >= 0) & (beam <= sector.beams - 1) & (sample >= 0) & (sample <= sector.samples - 1)
    )
    beam, sample = beam[inside], sample[inside]
    left = np.minimum(beam.astype(int), sector.beams - 2)
    above = np.minimum(sample.astype(int), sector.samples - 2)
    u, v = beam - left, sample - above
    first = above * sector.beams + left
    corners = np.stack([first, first + 1, first + sector.beams, first + sector.beams + 1])
    weights = np.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])
    return ScanConverter(inside, corners, weights.astype(np.float32))
