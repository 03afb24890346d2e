"""What the paper found, asked of a run's own figures (paper, section 3.3 and Tables 1 and 3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from echokit.report.paper.compared import LackingError, Pair, Rows, RunFigures, named
from echokit.report.paper.questions import FINDINGS, Asked
from echokit.report.results import Results
from echokit.report.words import number


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement of the paper, and whether a run agrees."""

    name: str
    sentence: str
    holds: bool | None
    """None where the run lacks a figure that it needs."""
    within_noise: bool | None
    """Whether the intervals allow that it is otherwise; None where there are none."""
    detail: str
    """The figures, or what is lacking."""

    @property
    def verdict(self) -> str:
        """`holds`, `does not hold`, with how sure that is; `cannot be said`."""
        if self.holds is None:
            return "cannot be said"
        noise = {True: ", within noise", False: ", beyond noise", None: ""}[self.within_noise]
        return ("holds" if self.holds else "does not hold") + noise


def paper_findings(rows: Rows, paired: Rows = ()) -> tuple[Finding, ...]:
    """Ask a run's figures for each finding of the paper.

    Args:
        rows: those of metrics.json.
        paired: its comparisons of approaches on the same patients.
    """
    figures = RunFigures(rows, paired)
    found = []
    for name, (sentence, ask, ties) in FINDINGS.items():
        try:
            asked = ask(figures)
        except LackingError as lacking:
            found.append(Finding(name, sentence, None, None, str(lacking)))
        else:
            found.append(_judge(name, sentence, asked, ties))
    return tuple(found)


def run_findings(results: Results) -> tuple[Finding, ...]:
    """What a run says to the paper's findings; nothing where its recipe has no `[published]`."""
    found = paper_findings(results.rows, results.paired) if results.recipe.get("published") else ()
    return found if any(finding.holds is not None for finding in found) else ()


def findings_json(found: Iterable[Finding], synthetic: bool) -> dict[str, Any]:
    """The findings as `report/tables/findings.json` holds them."""
    said = [asdict(finding) | {"verdict": finding.verdict} for finding in found]
    return {"schema": 1, "synthetic": synthetic, "findings": said}


def _judge(name: str, sentence: str, asked: Asked, ties: bool) -> Finding:
    def agrees(pair: Pair) -> bool:
        return pair.high.mean >= pair.low.mean if ties else pair.high.mean > pair.low.mean

    against = [pair for pair in asked.pairs if not agrees(pair)]
    if against:  # one surely against it is enough, of as many as were looked at
        sure = [pair.surely(above=False, of=len(asked.pairs)) for pair in against]
        beyond = True if True in sure else None if None in sure else False
    else:  # all must be surely for it
        sure = [pair.surely() for pair in asked.pairs]
        beyond = False if False in sure else None if None in sure else True
        beyond = beyond if asked.also else None
    within = None if beyond is None else not beyond
    return Finding(name, sentence, not against and asked.also, within, _detail(asked))


def _detail(asked: Asked) -> str:
    parts = [_one_by_one(pair) for pair in asked.pairs if pair.row]
    shown: dict[str, dict[str, str]] = {}
    for pair in asked.pairs:
        if not pair.row:
            ends = zip(pair.names, (pair.high, pair.low), strict=True)
            shown.setdefault(pair.metric, {}).update({n: number(f.mean) for n, f in ends})
    parts += [
        f"{named(metric)}: {', '.join(f'{n} {value}' for n, value in of.items())}"
        for metric, of in shown.items()
    ]
    return "; ".join([*parts, asked.aside] if asked.aside else parts)


def _one_by_one(pair: Pair) -> str:
    """A pair by itself, and whether it differs within noise."""
    higher = pair.high.mean > pair.low.mean
    noise = ", within noise" if pair.surely(above=higher) is False else ""
    first, second = pair.names
    return f"{pair.row} {number(pair.high.mean)} {first}, {number(pair.low.mean)} {second}{noise}"
