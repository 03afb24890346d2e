"""A chart as a page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with its heading and legend."""

    title: str
    note: str
    drawing: Markup
    legend: tuple[tuple[str, str], ...] = ()
    """(CSS class, words)."""
