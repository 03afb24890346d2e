"""The checks of a saliency map in words, for one who reads hearts and not networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from echokit.report.documents import Json
from echokit.report.words import number, plural

if TYPE_CHECKING:
    from echokit.report.charts.perturbation import Perturbation


@dataclass(frozen=True, slots=True)
class Checks:
    """What the checks of one map found."""

    passed: bool
    reasons: tuple[str, ...]
    """Why the map is flagged, a sentence each."""
    details: tuple[str, ...]
    """Each check with its figures, a sentence each."""
    chart: Markup | None
    """Deletion and insertion curves; None where they were not measured."""


def checks(scores: Json | None) -> Checks | None:
    """The verdict on a map, its reasons and figures; None where it was not checked."""
    verdict = (scores or {}).get("verdict")
    if not scores or not verdict:
        return None
    return Checks(
        passed=bool(verdict.get("passed")),
        reasons=tuple(map(str, verdict.get("reasons") or ())),
        details=tuple(_details(scores)),
        chart=_chart(scores),
    )


def frame_orders(networks: Iterable[Json]) -> dict[str, str]:
    """What shuffling the frames does to the networks of each task and approach, in a sentence."""
    said: dict[str, list[str]] = {}
    for one in networks:
        if one.get("shuffle") is not None:
            words = f"{one['view']} {number(one['shuffle'])}"
            if one.get("changed") is not None:
                words += f" (changes {float(one['changed']) * 100:.0f} % of {one['n']} predictions)"
            said.setdefault(f"{one['task']}, {one['approach']}", []).append(words)
    return {
        heading: "Mean loss of probability when frames are shuffled, held-out clips: "
        f"{', '.join(words)}. Near 0 the network hardly uses motion."
        for heading, words in said.items()
    }


def left_out(networks: Iterable[Json]) -> str:
    """How many predictions were not explained to save time, in a sentence; or nothing."""
    counts = {
        f"{one['task']}, {one['approach']}, {one['view']}": int(one.get("left_out") or 0)
        for one in networks
    }
    if not any(counts.values()):
        return ""
    told = "; ".join(f"{n} of {name}" for name, n in counts.items() if n)
    return (
        f"{plural(sum(counts.values()), 'prediction')} that could have been explained "
        f"{'was' if sum(counts.values()) == 1 else 'were'} not, because this method takes long "
        f"(report.passes): {told}."
    )


def network_verdicts(
    networks: Iterable[Json],
) -> dict[str, list[tuple[bool, str]]]:
    """Of each task and approach: whether a network is flagged, and how many of its maps pass."""
    said: dict[str, list[tuple[bool, str]]] = {}
    for one in networks:
        if one.get("maps"):  # absent in what earlier versions left
            flagged = bool(one.get("flagged"))
            words = f"{one['view']}: {one.get('passed')} of {plural(one['maps'], 'map')} passed"
            if flagged:
                words += "; do not read this network's maps as its reasons, even those that passed"
            said.setdefault(f"{one['task']}, {one['approach']}", []).append((flagged, words + "."))
    return said


def _details(scores: Json) -> Iterator[str]:
    if found := scores.get("randomisation"):
        steps = zip(found["layers"], found["similarity"], strict=True)
        yield (
            "Weight randomisation, from the last layer to the first: similarity to this map "
            "(1 the same, 0 unrelated): "
            + ", ".join(f"{name} {number(value)}" for name, value in steps)
        )
    for kind, words, better in (
        ("deletion", "Deletion, marked parts blurred first", "lower"),
        ("insertion", "Insertion, marked parts shown first", "higher"),
    ):
        if curve := scores.get(kind):
            figures = _beside_chance("mean probability", curve["auc"], curve)
            yield f"{words}: {figures} ({better} is better)"
    if gap := scores.get("gap"):
        yield _beside_chance("Insertion less deletion:", gap["value"], gap)
    for name, words in (
        ("sector", "Saliency inside the sector:"),
        ("structures", "Of that, on known structures:"),
    ):
        if place := (scores.get("places") or {}).get(name):
            yield _beside_chance(words, place["energy"], place)
    if order := scores.get("shuffle"):
        yield (
            f"Order of the frames: probability {number(order['probability'])} as recorded, "
            f"{number(order['shuffled'])} shuffled, {number(order['flat'])} on a still frame"
        )


def _beside_chance(words: str, own: object, score: Json) -> str:
    """A figure, and what chance gives; earlier versions had the mean of random orders alone."""
    if "sd" not in score:
        return f"{words} {number(own, 3)}, with parts in random order {number(score['chance'], 3)}"
    chance = f"{number(score['chance'], 3)} ± {number(score['sd'], 3)}"
    rank = f" (p = {number(score['p'])})" if "p" in score else ""
    return f"{words} {number(own, 3)}, with the map shifted at random {chance}{rank}"


def _chart(scores: Json) -> Markup | None:
    """The target's probability as marked parts are blurred, and as they are shown."""
    curves = perturbations(scores)
    if not curves:
        return None
    # not at the top: a prediction's page without tested maps would start 0.3 s later
    from echokit.report.charts.figure import to_svg
    from echokit.report.charts.perturbation import perturbation_chart, perturbation_words

    return to_svg(perturbation_chart(curves), perturbation_words(curves))


def perturbations(scores: Json) -> tuple[Perturbation, ...]:
    """Read the curves of deletion and insertion; none unless both were measured."""
    if not {"deletion", "insertion"} & set(scores):
        return ()
    from echokit.report.charts.perturbation import Perturbation

    found = []
    for kind, ink in (("deletion", "c0"), ("insertion", "c2")):
        score = scores.get(kind) or {}
        curve = list(score.get("curve") or ())
        if len(curve) < 2:
            return ()
        at = score.get("at") or [i / (len(curve) - 1) for i in range(len(curve))]
        found.append(Perturbation(kind, ink, tuple(map(float, at)), tuple(map(float, curve))))
    return tuple(found)
