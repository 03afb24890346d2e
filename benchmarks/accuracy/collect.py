"""Take a finished benchmark run's tables into this folder, with seed, machine and minutes.

Type `python benchmarks/accuracy/collect.py runs/bench`, and a sentence on how the run was made if
it needs one.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from echokit.errors import UsageError
from echokit.report import write_tables
from echokit.report.judged import judged
from echokit.report.paper.findings import run_findings
from echokit.report.paper.publication import Key, publication
from echokit.report.paper.tables import CONFIDENCE, paper_table, run_tables
from echokit.report.results import Results, read_results
from echokit.report.sections.calibration import raised_by_temperature
from echokit.report.sections.fusion_words import difference_words, interval_words, winners
from echokit.report.words import duration, guess_f1, interval, mean_sd, memory, number

HERE = Path(__file__).parent


def collect(run: Path, note: str = "", out: Path = HERE) -> Path:
    """Write `RESULTS.md` and `tables/` of one finished run below `out`; return the former.

    Args:
        run: folder of the run.
        note: a sentence on how it was made, to stand beside the minutes.
        out: where to write.

    Raises:
        UsageError: the run is not finished.
    """
    results = read_results(run)
    if not results.run.get("finished"):
        raise UsageError(f"{run} is not finished: echokit run --resume {run}")
    tables = out / "tables"
    shutil.rmtree(tables, ignore_errors=True)
    tables.mkdir(parents=True)
    for path in write_tables(run):
        if path.suffix in (".csv", ".json"):
            shutil.copy(path, tables / path.name)
    fusion, saliency = read(run / "fusion.json"), read(run / "saliency" / "index.json")
    pd.DataFrame(fused(fusion["rows"])).to_csv(tables / "fusion.csv", index=False)
    pd.DataFrame(mapped(saliency["maps"])).to_csv(tables / "saliency.csv", index=False)
    calibration = read(run / "calibration.json")
    paper = publication(results.recipe)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {
        "duration": duration,
        "interval": interval,
        "interval_words": interval_words,
        "difference_words": difference_words,
        "mean_sd": mean_sd,
        "memory": memory,
        "number": number,
    }
    text = environment.get_template("RESULTS.md.j2").render(
        results=results,
        stages=results.run["stages"],
        seconds=sum(stage["seconds"] for stage in results.run["stages"]),
        trained=trained(run),
        table=paper_table(results, run_tables(results)["3"]),
        confidence=paper_table(results, CONFIDENCE),
        findings=run_findings(results),
        guess=guesses(results),
        follow_up=paper.follow_up if paper else "",
        fusion=fusion,
        winners=winners(fusion["summary"]),
        calibration=calibration,
        raised=list(raised(calibration["rows"])),
        saliency=saliency,
        judged_maps=judged_maps(saliency["maps"]),
        reasons=reasons(saliency["maps"]),
        energies=energies(saliency["maps"]),
        note=note,
    )
    page = out / "RESULTS.md"
    page.write_text(text, "utf-8")
    return page


def read(path: Path) -> dict[str, Any]:
    """A JSON document."""
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def trained(run: Path) -> dict[str, dict[str, float]]:
    """Networks of each approach and kind: how many, parameters, seconds of training each."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted((run / "models").glob("*/*/*/*.json")):
        network = read(path)
        joint = network["view"] == "feature-fusion"
        inner = "inner" if network.get("fold") is not None else "of one view"
        kind = "over all views" if joint else inner
        found.setdefault(f"{network['approach']}, {kind}", []).append(network)
    return {
        name: {
            "networks": len(group),
            "parameters": group[0]["parameters"],
            "seconds": sum(e["seconds"] for n in group for e in n["history"]) / len(group),
        }
        for name, group in found.items()
    }


def guesses(results: Results) -> dict[Key, float]:
    """The F1-score of always giving the most frequent label, for each row of the figures."""
    if results.predictions is None:
        return {}
    return {
        (task, group.approach, group.views): guess_f1(Counter(map(str, group.truth.tolist())))
        for task in results.tasks
        for group in judged(results.predictions, task, results.classes(task))
    }


def fused(rows: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The rows of fusion.json as a flat table: every rule on every subset of the views."""
    for row in rows:
        flat = {name: value for name, value in row.items() if not isinstance(value, dict | list)}
        flat["views"] = "+".join(row["views"])
        for metric, cell in row.items():
            if isinstance(cell, dict):
                flat |= {metric: cell["mean"], f"{metric}_sd": cell["sd"]}
        yield flat


def raised(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where a temperature raises the calibration error, a sentence for each task and approach."""
    for (task, approach), some in groupby(rows, lambda row: (row["task"], row["approach"])):
        for sentence in raised_by_temperature(list(some)):
            yield f"{task}, {approach}: {sentence}"


def mapped(maps: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The judged maps as a flat table: verdict, reasons, and what was measured of each."""
    place = ("task", "approach", "view", "split", "clip", "label", "predicted", "confidence")
    for one in maps:
        scores = one.get("scores") or {}
        verdict = scores.get("verdict") or {}
        flat = {name: one.get(name) for name in (*place, "method")}
        flat |= {"passed": verdict.get("passed"), "reasons": " ".join(verdict.get("reasons") or ())}
        for kind in ("deletion", "insertion"):
            curve = scores.get(kind) or {}
            flat |= {f"{kind}_{name}": curve.get(name) for name in ("auc", "chance")}
        for name, found in lies(scores):
            flat |= {f"{name} {share}": found[share] for share in ("energy", "area")}
        yield flat


def lies(scores: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, float]]]:
    """Where a map lies: the sector, every structure, and all structures together."""
    if scores.get("sector"):
        yield "sector", scores["sector"]
    structures: dict[str, Mapping[str, float]] = scores.get("structures") or {}
    yield from structures.items()
    if structures:
        whole = {s: sum(one[s] for one in structures.values()) for s in ("energy", "area")}
        yield "all structures", whole


def judged_maps(maps: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[int, int]]:
    """(task, approach) -> maps that pass every check, and maps."""
    found: dict[tuple[str, str], list[bool]] = {}
    for one in maps:
        passed = ((one.get("scores") or {}).get("verdict") or {}).get("passed")
        found.setdefault((one["task"], one["approach"]), []).append(bool(passed))
    return {place: (sum(passed), len(passed)) for place, passed in found.items()}


def reasons(maps: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """Why maps are flagged, the most frequent reason first; a map may have several."""
    said: Counter[str] = Counter()
    for one in maps:
        said.update(((one.get("scores") or {}).get("verdict") or {}).get("reasons") or ())
    return said.most_common()


def energies(maps: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, int, float, float]]:
    """(approach, part, maps, mean share of the saliency, mean share of the area) of each part.

    Of the sector, shares of the frame; of structures, shares of what lies inside the sector.
    """
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for one in maps:
        within = 1.0
        for name, share in lies(one.get("scores") or {}):
            shares = (share["energy"] / (within or 1.0), share["area"])
            found.setdefault((one["approach"], name), []).append(shares)
            within = share["energy"] if name == "sector" else within
    return [
        (approach, name, len(some), fmean(e for e, _ in some), fmean(a for _, a in some))
        for (approach, name), some in found.items()
    ]


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    print(collect(Path(sys.argv[1]), *sys.argv[2:]))
