"""Rows of the GPU benchmark: what was measured, in which part, and what was left out."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from echokit.system.files import write_json
from echokit.system.machine import machine


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    name: str
    value: float | None
    """Samples or studies in a second; None if it was not measured."""
    unit: str
    against: str = ""
    """Name of the row that `ratio` compares with."""
    ratio: float | None = None
    """This value over that row's value."""
    at_least: float | None = None
    """Goal of the ratio."""
    peak_mb: float | None = None
    """Peak of the memory allocated on the device, in MiB."""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal was reached; None without goal or ratio."""
        if self.at_least is None or self.ratio is None:
            return None
        return self.ratio >= self.at_least


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement to be made."""

    name: str
    unit: str
    work: Callable[[], tuple[float, str]]
    """Measures; returns the value and a note."""
    against: str = ""
    at_least: float | None = None


def measure_cases(
    part: str, cases: Iterable[Case], path: Path, seconds: float, device: torch.device
) -> list[Row]:
    """Measure cases in order until the time is up; the file is complete after every case.

    A case that fails, or for which no time is left, gives a row without a value, and the next one
    is measured all the same.

    Args:
        part: name of the part.
        cases: what to measure; a case may be compared with an earlier one.
        path: JSON file to write.
        seconds: time budget; a case begun within it is finished.
        device: device that the cases run on.
    """
    started, rows = time.monotonic(), list[Row]()
    for case in cases:
        if time.monotonic() - started > seconds:
            rows.append(Row(case.name, None, case.unit, note="not measured: out of time"))
        else:
            rows.append(_measured(case, {row.name: row for row in rows}, device))
        write_json(
            path,
            {
                "schema": 1,
                "part": part,
                "machine": machine(),
                "torch": torch.__version__,
                "device": device.type,
                "rows": [asdict(row) | {"reached": row.reached} for row in rows],
            },
        )
        print(text_of(rows[-1]), flush=True)
    return rows


def _measured(case: Case, earlier: dict[str, Row], device: torch.device) -> Row:
    """Measure a case from an empty device."""
    cuda = device.type == "cuda"
    gc.collect()
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    try:
        value, note = case.work()
    except Exception as error:  # the next case is measured whatever this one raises
        first_line = next(iter(str(error).splitlines()), "")
        return Row(case.name, None, case.unit, note=f"{type(error).__name__}: {first_line}")
    other = earlier[case.against].value if case.against in earlier else None
    return Row(
        case.name,
        value,
        case.unit,
        case.against,
        value / other if other else None,
        case.at_least,
        torch.cuda.max_memory_allocated() / 2**20 if cuda else None,
        note,
    )


def text_of(row: Row) -> str:
    """Format a row as one line of a Markdown table."""
    value = "–" if row.value is None else f"{row.value:.4g}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}× of {row.against}"
    goal = "" if row.at_least is None else f"≥ {row.at_least:g}"
    verdict = {True: " reached", False: " not reached", None: ""}[row.reached]
    memory = "" if row.peak_mb is None else f"{row.peak_mb:,.0f} MiB"
    return (
        f"| {row.name} | {value} {row.unit} | {ratio} | {goal}{verdict} | {memory} | {row.note} |"
    )


AGREEMENT = "agreement.json"
"""File of the figures that the CUDA tests measure."""
HEAD = (
    "| case | value | ratio | goal | peak memory | note |",
    "|---|--:|---|---|--:|---|",
)


def write_table(out: Path) -> str:
    """Write `RESULTS.md` from the JSON files of all parts in a folder, and return its text."""
    lines = ["# echokit on one GPU", ""]
    agreement = out / AGREEMENT
    if agreement.is_file():
        figures = json.loads(agreement.read_text("utf-8"))
        lines += ["## Agreement", "", *(f"- {k}: {v:.3g}" for k, v in figures.items()), ""]
    for path in sorted(out.glob("*.json")):
        result = json.loads(path.read_text("utf-8"))
        if "part" not in result:  # figures of agreement, and those of a whole run
            continue
        about = f"{result['machine'].get('device', result['device'])}, PyTorch {result['torch']}"
        lines += [f"## {result['part']}", "", f"{about}.", "", *HEAD]
        for row in result["rows"]:
            row.pop("reached")
            lines.append(text_of(Row(**row)))
        lines.append("")
    text = "\n".join(lines)
    (out / "RESULTS.md").write_text(text, "utf-8")
    return text
