"""Tables of a run as values: its figures, and published ones beside them where there are any."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from echokit.errors import UsageError
from echokit.evaluation.metric_names import NAMES, REPORTED
from echokit.recipe.published import PublishedTable
from echokit.report.documents import Json
from echokit.report.paper.publication import Figures, Key, Publication, own_figure, publication
from echokit.report.results import Gap, Results
from echokit.report.words import DISCLAIMER, SYNTHETIC, is_best, listing

ALL = PublishedTable(name="metrics", label="", columns=REPORTED)
"""Every figure of a run, for a recipe without tables of its own."""
CONFIDENCE = PublishedTable(
    name="confidence",
    label="",
    columns=("confidence", "confidence_correct", "confidence_wrong"),
)
"""How confident correct and wrong predictions are, of every run."""
INTERVALS = "Below each figure its 95 % interval over resampled subjects"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table."""

    task: str
    approach: str
    views: str
    found: bool
    """Whether the run has such a row; a table shows no other."""
    ours: Figures
    published: Figures
    n_subjects: int | None = None
    n_splits: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of one task: part (a) or (b) of a table."""

    letter: str
    task: str
    lines: tuple[Line, ...]

    @property
    def approaches(self) -> list[tuple[str, list[Line]]]:
        """The rows of each approach, in order."""
        return [(name, list(some)) for name, some in groupby(self.lines, lambda x: x.approach)]


@dataclass(frozen=True, slots=True)
class PaperTable:
    """A table that is ready to be printed in any format."""

    name: str
    """As `echokit report --table` takes it."""
    label: str
    """`Table 3`, or nothing."""
    title: str
    metrics: tuple[str, ...]
    blocks: tuple[Block, ...]
    notes: tuple[str, ...] = field(default=())
    """Sentences below the table."""
    synthetic: bool = False
    compared: bool = False
    """Whether published figures stand beside ours."""

    @property
    def stem(self) -> str:
        """The name of its files: `table-3`."""
        return f"table-{self.name}" if self.label else self.name

    @property
    def intervals(self) -> bool:
        """Whether an interval stands below each figure; elsewhere published figures do."""
        return self.name == CONFIDENCE.name

    @property
    def headings(self) -> tuple[str, ...]:
        """One for each metric."""
        return tuple(heading(metric) for metric in self.metrics)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The rows of all blocks."""
        return tuple(line for block in self.blocks for line in block.lines)


def heading(metric: str) -> str:
    """A metric's name in the tables."""
    if metric not in NAMES:
        return metric.replace("_", " ")
    return NAMES[metric].heading if metric in REPORTED else NAMES[metric].short


def run_tables(results: Results) -> dict[str, PublishedTable]:
    """The tables of a run by name: those that its recipe describes, and that of confidences.

    Raises:
        RecipeError: the recipe's `[published]` does not validate.
    """
    published = publication(results.recipe)
    every = ALL
    if published:
        columns = (metric for figures in published.figures.values() for metric in figures)
        every = ALL.model_copy(update={"columns": tuple(dict.fromkeys((*ALL.columns, *columns)))})
    described = (published.tables if published else ()) or (every,)
    return {table.name: table for table in (*described, CONFIDENCE)}


def paper_table(results: Results, asked: PublishedTable) -> PaperTable:
    """One table of a run, with published figures beside the run's own where there are any.

    Published rows that were not run are left out, and a note names them.

    The best figure of each column and task is marked, ours apart from the published ones;
    confidence is no merit in itself.

    Args:
        results: what the run left behind.
        asked: which rows and columns; one of `run_tables`.

    Raises:
        UsageError: the run has no figures.
        RecipeError: the recipe's `[published]` does not validate.
    """
    require_figures(results)
    confidence = asked.name == CONFIDENCE.name
    paper = None if confidence else publication(results.recipe)
    printed = dict(paper.figures) if paper else {}
    ours = {_key(row): row for row in results.rows}
    lines = [
        _line(key, ours.get(key), printed.get(key, {}), asked.columns)
        for key in _in_order([*printed, *ours])
        if (not asked.approaches or key[1] in asked.approaches)
        and (not asked.views or key[2] in asked.views)
    ]
    # marked among all, because the paper's best figure is that of its own table
    marked = [
        line
        for _, some in groupby(lines, lambda line: line.task)
        for line in _mark_best(list(some), asked.columns)
        if line.found
    ]
    blocks = tuple(
        Block(f"({chr(97 + i)})", task, tuple(some))
        for i, (task, some) in enumerate(groupby(marked, lambda line: line.task))
    )
    approaches = dict.fromkeys(line.approach for line in marked)
    title = f"Figures on held-out subjects, {listing(approaches)}"
    if confidence:
        title = "Confidence of all predictions, of correct and of wrong ones"
    return PaperTable(
        name=asked.name,
        label=asked.label,
        title=f"{title}. {_spread(lines)}.",
        metrics=asked.columns,
        blocks=blocks,
        notes=(
            *((INTERVALS,) if confidence else ()),
            *_notes(lines, paper, results.synthetic, asked.follow_up),
        ),
        synthetic=results.synthetic,
        compared=bool(paper),
    )


def require_figures(results: Results) -> None:
    """Refuse a run without figures.

    Raises:
        UsageError: metrics.json is absent, broken or empty; the message says which.
    """
    if not results.rows:
        gap = next((g for g in results.gaps if g.file == "metrics.json"), None)
        gap = gap or Gap("metrics.json", "holds no row")
        raise UsageError(
            f"The run {results.root} has no figures: {gap.file} {gap.reason}. "
            f"Finish it: echokit run --resume {results.root}"
        )


def _key(row: Json) -> Key:
    return str(row["task"]), str(row["approach"]), str(row["views"])


def _in_order(keys: Sequence[Key]) -> list[Key]:
    """Every key once, each task's together and each approach's within, in order of appearance."""
    tasks, approaches = ({key[i]: n for n, key in reversed([*enumerate(keys)])} for i in (0, 1))
    return sorted(dict.fromkeys(keys), key=lambda key: (tasks[key[0]], approaches[key[1]]))


def _line(key: Key, row: Json | None, printed: Figures, metrics: Iterable[str]) -> Line:
    cells = {metric: own_figure((row or {}).get(metric)) for metric in [*metrics, *printed]}
    ours = {metric: figure for metric, figure in cells.items() if figure}
    counts = [(row or {}).get(count) for count in ("n_subjects", "n_splits")]
    return Line(*key, row is not None, ours, printed, *counts)


def _mark_best(lines: list[Line], metrics: Iterable[str]) -> Iterator[Line]:
    """Mark the best of each column; a high confidence is no merit in itself."""
    ranked = {metric for metric in metrics if not metric.startswith("confidence")}
    ours, published = [line.ours for line in lines], [line.published for line in lines]
    for line in lines:
        yield replace(
            line,
            ours=_marked(line.ours, ours, ranked),
            published=_marked(line.published, published, ranked),
        )


def _marked(figures: Figures, column: Sequence[Figures], ranked: Collection[str]) -> Figures:
    def best(metric: str, mean: float | None) -> bool:
        return is_best(mean, [some[metric].mean for some in column if metric in some])

    return {m: replace(f, best=m in ranked and best(m, f.mean)) for m, f in figures.items()}


def _spread(lines: Sequence[Line]) -> str:
    counts = sorted({line.n_splits for line in lines if line.n_splits})
    over = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}" if counts else ""
    said = f"Mean ± sd over {over or 'the'} splits"
    if counts == [1]:
        said = "One split, which has no deviation"
    return f"{said}; n: held-out subjects"


def _notes(
    lines: Sequence[Line], paper: Publication | None, synthetic: bool, later: bool
) -> Iterator[str]:
    """Sentences below a table; with `later`, what the paper's authors found afterwards."""
    if synthetic:
        yield SYNTHETIC
    if paper:
        yield f"Paper: {paper.source}"
        if synthetic:
            yield "Ours is a synthetic cohort, the paper's are patients: not comparable as evidence"
        else:
            yield "Ours and the paper's are different cohorts"
        yield "Bold: the best of its column and task as printed, ours and the paper's apart"
    elif any(figure.best for line in lines for figure in line.ours.values()):
        yield "Bold: the best of its column and task as printed"
    if paper and later and paper.follow_up:
        yield paper.follow_up
    if lacking := list(_lacking(lines)):
        yield f"Not run, and so left out: {'; '.join(lacking)}"
    yield DISCLAIMER


def _lacking(lines: Sequence[Line]) -> Iterator[str]:
    """The rows that a run lacks, those of a whole task or approach in one word."""
    for task, of_task in groupby(lines, lambda line: line.task):
        some = list(of_task)
        if not any(line.found for line in some):
            yield task
            continue
        for approach, of_approach in groupby(some, lambda line: line.approach):
            rows = list(of_approach)
            absent = [line.views for line in rows if not line.found]
            if len(absent) == len(rows):
                yield f"{task}, {approach}"
            elif absent:
                yield f"{task}, {approach}: {listing(absent)}"
