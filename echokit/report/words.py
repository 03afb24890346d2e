"""Figures and findings in the words of a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from echokit.report.documents import Json

DISCLAIMER = "Research software, not a medical device"
SYNTHETIC = "Synthetic cohort: software test only, no clinical validity"


def number(value: object, digits: int = 2) -> str:
    """A figure with fixed digits; an en dash where there is none."""
    if not isinstance(value, int | float):
        return "–"
    said = f"{value:.{digits}f}"
    return said.lstrip("-") if float(said) == 0 else said.replace("-", "−")


def mean(cell: Json | None) -> float | None:
    """The mean of one metric, or None where it could not be computed."""
    value = (cell or {}).get("mean")
    return float(value) if value is not None else None


def mean_sd(cell: Json | None) -> str:
    """`0.84 ± 0.06`; without a deviation `0.84`, without a figure an en dash."""
    if mean(cell) is None or cell is None:
        return "–"
    return number(cell["mean"]) + (f" ± {number(cell['sd'])}" if cell.get("sd") is not None else "")


def is_best(value: float | None, among: Iterable[float | None]) -> bool:
    """True for the highest figure as printed: two that look the same are both the best."""
    printed = [number(other) for other in among if other is not None]
    return value is not None and bool(printed) and number(value) == max(printed)


def interval(cell: Json | None) -> str:
    """`0.78–0.90`, `−0.10 to 0.20`, or an en dash where there is no interval."""
    ends = (cell or {}).get("ci95")
    if not ends:
        return "–"
    return f"{number(ends[0])}{' to ' if ends[0] < 0 else '–'}{number(ends[1])}"


def signed(value: float) -> str:
    """`+0.05`, `−0.05`, `0.00`: with three digits where two would hide that it is not 0."""
    digits = 3 if 0 < abs(value) < 0.005 else 2
    said = f"{value:+.{digits}f}".replace("-", "−")
    return said[1:] if float(f"{value:.{digits}f}") == 0 else said


def plural(n: int, noun: str) -> str:
    """`1 patient`, `2 patients`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def listing(items: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = list(items) or ["none"]
    return f"{', '.join(most)} and {last}" if most else last


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 0.05:
        return "< 0.1 s"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def memory(megabytes: object) -> str:
    """`850 MB`, `1.4 GB`."""
    if not isinstance(megabytes, int | float):
        return "–"
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def label_set(labels: Sequence[str], level: object) -> str:
    """`none or mild (90 % set)`: the labels that cannot be left out."""
    share = f"{100 * level:.0f} % set" if isinstance(level, int | float) else "label set"
    if not labels:
        return f"no label fits ({share})"
    *most, last = labels
    named = f"{', '.join(most)} or {last}" if most else f"{last} alone"
    return f"{named} ({share})"


def sureness(confidence: float) -> str:
    """How sure a vote is, in a word; it says nothing of how often such a vote is right."""
    for least, word in ((0.9, "very consistent"), (0.75, "consistent"), (0.6, "divided")):
        if confidence >= least:
            return word
    return "strongly divided"


def lies_in(name: str, score: Mapping[str, float]) -> str:
    """Where saliency lies against its share by chance: one line for one structure."""
    energy, area = float(score["energy"]), float(score["area"])
    where = "image" if name == "sector" else "sector"
    text = f"{name}: {energy * 100:.0f} % of the saliency ({area * 100:.0f} % of the {where}"
    return f"{text}; {energy / area:.1f}×)" if area > 0 else f"{text})"


def findings(scores: Json | None) -> list[str]:
    """Where saliency lies, one line for the sector and each structure that was judged."""
    scores = scores or {}
    found = {"sector": scores.get("sector"), **(scores.get("structures") or {})}
    return [lies_in(name, score) for name, score in found.items() if score]


def guess_f1(counts: Mapping[str, int]) -> float:
    """Class-weighted F1-score of always giving the most frequent label.

    With p the share of that label its precision is p and its recall 1; all others score 0.
    """
    p = max(counts.values()) / sum(counts.values())
    return p * 2 * p / (1 + p)
