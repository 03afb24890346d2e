"""What a publication found, asked of a run's own figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from echokit.recipe.published import PublishedFinding
from echokit.report.documents import Json
from echokit.report.paper.asked import Asked, Question
from echokit.report.paper.compared import LackingError, Pair, Rows, RunFigures, named
from echokit.report.paper.publication import publication
from echokit.report.results import Results
from echokit.report.words import number


@dataclass(frozen=True, slots=True)
class Finding:
    """A statement of a publication, and whether a run agrees."""

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


def ask_findings(
    findings: Iterable[PublishedFinding], rows: Rows, paired: Rows = ()
) -> tuple[Finding, ...]:
    """Ask a run's figures for each finding of a publication.

    Args:
        findings: what the publication states.
        rows: those of metrics.json.
        paired: its comparisons of approaches on the same patients.
    """
    figures = RunFigures(rows, paired)
    answers = []
    for finding in findings:
        try:
            asked = Question(finding, figures).answer()
        except LackingError as lacking:
            answers.append(Finding(finding.name, finding.sentence, None, None, str(lacking)))
        else:
            answers.append(_answer(finding, asked))
    return tuple(answers)


def run_findings(results: Results) -> tuple[Finding, ...]:
    """What a run says to the findings of its recipe's publication; nothing where it says none.

    Raises:
        RecipeError: the recipe's `[published]` does not validate.
    """
    published = publication(results.recipe)
    found = ask_findings(published.findings, results.rows, results.paired) if published else ()
    return found if any(finding.holds is not None for finding in found) else ()


def findings_json(found: Iterable[Finding], synthetic: bool) -> Json:
    """The findings as `report/tables/findings.json` holds them."""
    said = [asdict(finding) | {"verdict": finding.verdict} for finding in found]
    return {"schema": 1, "synthetic": synthetic, "findings": said}


def _answer(finding: PublishedFinding, asked: Asked) -> Finding:
    def agrees(pair: Pair) -> bool:
        return pair.high.mean > pair.low.mean or (finding.ties and pair.high.mean == pair.low.mean)

    against = [pair for pair in asked.pairs if not agrees(pair)]
    if against:  # one surely against it is enough, of as many as were looked at
        sure = [pair.surely(above=False, of=len(asked.pairs)) for pair in against]
        beyond = True if True in sure else None if None in sure else False
    else:  # all must be surely for it
        sure = [pair.surely() for pair in asked.pairs]
        beyond = False if False in sure else None if None in sure else True
        beyond = beyond if asked.also else None
    within = None if beyond is None else not beyond
    holds = not against and asked.also
    return Finding(finding.name, finding.sentence, holds, within, _detail(asked))


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
    return "; ".join([*parts, asked.remark] if asked.remark else parts)


def _one_by_one(pair: Pair) -> str:
    """A pair by itself, and whether it differs within noise."""
    higher = pair.high.mean > pair.low.mean
    noise = ", within noise" if pair.surely(above=higher) is False else ""
    first, second = pair.names
    return f"{pair.row} {number(pair.high.mean)} {first}, {number(pair.low.mean)} {second}{noise}"
