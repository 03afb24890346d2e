"""Draw lines, dots and words as SVG that takes its colours from the page.

Every figure is composed by `Markup.format`, which escapes what it inserts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

Point = tuple[float, float]


def colour(index: int, of: int) -> str:
    """The CSS class of a label's colour: blue for the first, vermilion for the most severe.

    The hues are Okabe and Ito's, which colour-blind eyes tell apart; lines differ by dash too.
    """
    if index == 0:
        return "c0"
    return "c2" if index == of - 1 else ("c1", "c3", "c4")[(index - 1) % 3]


@dataclass(frozen=True, slots=True)
class Plot:
    """A rectangle of a chart and the data range that it shows."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]
    """Data at the bottom and at the top."""
    left: float = 30
    top: float = 8
    right: float = 8
    bottom: float = 24

    def at(self, x: float, y: float) -> Point:
        """Where a data point lies in the drawing."""
        (x0, x1), (y0, y1) = self.x, self.y
        w, h = self.width - self.left - self.right, self.height - self.top - self.bottom
        across = (x - x0) / (x1 - x0 or 1)
        up = (y - y0) / (y1 - y0 or 1)
        return self.left + across * w, self.top + (1 - up) * h

    def line(self, points: Iterable[Point], classes: str) -> Markup:
        """Draw a line through data points."""
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (self.at(x, y) for x, y in points))
        return Markup('<polyline class="{}" points="{}"/>').format(classes, path)

    def dot(self, x: float, y: float, classes: str) -> Markup:
        """Draw a mark at a data point."""
        px, py = self.at(x, y)
        return Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(
            classes, px, py
        )

    def grid(self, xs: Sequence[float]) -> Markup:
        """Draw upright grid lines with their figures below."""
        parts = []
        for x in xs:
            parts.append(self.line([(x, self.y[0]), (x, self.y[1])], "gridline"))
            px, py = self.at(x, self.y[0])
            parts.append(text(px, py + 14, f"{x:.1f}", "tick mid"))
        return Markup("").join(parts)


def text(x: float, y: float, words: str, classes: str) -> Markup:
    """Write words at a place in the drawing."""
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(classes, x, y, words)


def drawing(width: float, height: float, label: str, parts: Iterable[Markup]) -> Markup:
    """Put the parts of a drawing together; `label` says what it shows to those who cannot see."""
    return Markup('<svg viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">{}</svg>').format(
        width, height, label, Markup("").join(parts)
    )
