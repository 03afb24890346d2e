"""Which voting rule wins, and by how much, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from echokit.evaluation.rows import RuleDifference, TaskSummary
from echokit.report.words import listing, mean, mean_sd, number, signed


@dataclass(frozen=True, slots=True)
class Winner:
    """The rule of the highest F1-score in one task and approach."""

    task: str
    approach: str
    rule: str
    f1: str
    """On all views."""
    difference: str
    """From the baseline; en dashes where it is the baseline itself."""
    interval: str
    clear: str
    """Whether it is clearly ahead."""


def winners(summaries: Iterable[TaskSummary]) -> tuple[Winner, ...]:
    """One for each task and approach of fusion.json."""
    found = []
    for summary in summaries:
        best, baseline = str(summary.get("winner")), str(summary.get("baseline"))
        own = next((one for one in summary["methods"] if one["method"] == best), None)
        if own is None:
            continue
        found.append(
            Winner(
                task=str(summary["task"]),
                approach=str(summary["approach"]),
                rule=spoken(best),
                f1=mean_sd(own["all_views"].get("f1")),
                difference=difference_words(own.get("lead")),
                interval=interval_words(own.get("lead")) or "–",
                clear=_clear(summary, best == baseline),
            )
        )
    return tuple(found)


def _clear(summary: TaskSummary, is_baseline: bool) -> str:
    if not any(corrected(one.get("lead")) for one in summary["methods"]):
        return "not tested"
    if not summary.get("winner_is_clear"):
        return "no"
    return "yes, from every other rule" if is_baseline else "yes"


def spoken(rule: str) -> str:
    """A rule's name in words: `majority-vote` -> `majority vote`."""
    return rule.replace("-", " ")


def corrected(lead: RuleDifference | None) -> tuple[float, float] | None:
    """The interval of a lead that allows for the number of rules; earlier versions made none."""
    ends = lead.get("ci95_together") if lead else None
    return (float(ends[0]), float(ends[1])) if ends else None


def verdict(summary: TaskSummary) -> Iterator[str]:
    """Which rule is ahead, and whether that is more than chance, in sentences.

    A lead is called clear only where its 95 % interval, corrected for the number of rules, leaves
    out 0.
    """
    lead = {str(one["method"]): one.get("lead") for one in summary["methods"]}
    f1 = {str(one["method"]): mean(one["all_views"].get("f1")) for one in summary["methods"]}
    best, baseline = str(summary.get("winner")), str(summary.get("baseline"))
    reached = f"F1-score {number(f1.get(best))} on all views"
    judged = [one for one in lead.values() if one and corrected(one)]
    clear = bool(judged) and bool(summary.get("winner_is_clear"))
    if best == baseline:
        yield f"{'Every other rule is clearly' if clear else 'No rule is'} " + (
            f"{'behind' if clear else 'ahead of'} the {spoken(baseline)} ({reached})."
        )
    elif not judged:
        yield f"{spoken(best).capitalize()} has the highest figure ({reached})."
        yield "Without intervals corrected for the number of rules, no difference is tested."
    elif clear:
        yield (
            f"{spoken(best).capitalize()} is clearly ahead of the {spoken(baseline)}: {reached} "
            f"against {number(f1.get(baseline))}, a difference of {difference_words(lead[best])} "
            f"(95 % interval {interval_words(lead[best])})."
        )
    else:
        none = any(one["excludes_zero"] and one["mean"] > 0 for one in judged)
        yield (
            f"{'The highest figure is not the clear one' if none else 'No rule is clearly ahead'}: "
            f"{spoken(best)} has the highest figure ({reached}), and the 95 % interval of its "
            f"difference from the {spoken(baseline)}, {interval_words(lead[best])}, includes 0."
        )
    yield from _others(lead, best, spoken(baseline))


def _others(lead: Mapping[str, RuleDifference | None], best: str, baseline: str) -> Iterator[str]:
    """The other rules whose corrected interval leaves out 0."""
    sure = [
        (rule, one)
        for rule, one in lead.items()
        if one and corrected(one) and one.get("excludes_zero") and rule != best
    ]
    for side, found in (
        ("ahead of", [pair for pair in sure if pair[1]["mean"] > 0]),
        ("behind", [pair for pair in sure if pair[1]["mean"] < 0]),
    ):
        if found:
            said = listing(f"{spoken(rule)} ({difference_words(one)})" for rule, one in found)
            yield f"Clearly {side} the {baseline}: {said}."


def difference_words(lead: RuleDifference | None) -> str:
    """`+0.05`, or an en dash where there is none."""
    return "–" if not lead else signed(float(lead["mean"]))


def interval_words(lead: RuleDifference | None) -> str:
    """`−0.01 to +0.11`, corrected for the number of rules; empty where there is none."""
    ends = corrected(lead)
    return f"{signed(ends[0])} to {signed(ends[1])}" if ends else ""
