"""Take a finished benchmark run's tables into this folder, with seed, machine and minutes.

Type `python benchmarks/accuracy/collect.py runs/bench`, and a sentence on how the run was made if
it needs one.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from echokit.errors import UsageError
from echokit.report import write_tables
from echokit.report.findings import run_findings
from echokit.report.results import read_results
from echokit.report.tables import paper_table
from echokit.report.words import duration, interval, mean_sd, memory, number

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
        "mean_sd": mean_sd,
        "memory": memory,
        "number": number,
    }
    text = environment.get_template("RESULTS.md.j2").render(
        results=results,
        stages=results.run["stages"],
        seconds=sum(stage["seconds"] for stage in results.run["stages"]),
        trained=trained(run),
        table=paper_table(results, "3"),
        confidence=paper_table(results, "confidence"),
        findings=run_findings(results),
        fusion=read(run / "fusion.json"),
        calibration=read(run / "calibration.json"),
        saliency=read(run / "saliency" / "index.json"),
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


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    print(collect(Path(sys.argv[1]), *sys.argv[2:]))
