"""The model card of a bundle: what it is for, what it learned from, how well, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from echokit.components.slots import make_abstention
from echokit.evaluation.metric_names import METRICS, NAMES
from echokit.folder import RunFolder
from echokit.recipe import Recipe
from echokit.system.checked import read_json


def model_card(facts: Mapping[str, Any], run: RunFolder, recipe: Recipe) -> str:
    """The card, in Markdown; every figure is read from the run's own results.

    Args:
        facts: what `bundle.json` says of the bundle.
        run: the run that was exported.
        recipe: of the approach that was exported.
    """
    title = recipe.title or recipe.name
    parts = [
        f"# {title}: {facts['task']}",
        "> **Research software, not a medical device.** Do not use it to diagnose or treat "
        "anybody.",
        f"{recipe.description} The answer is one of: {', '.join(facts['classes'])}.",
        "## The networks",
        _networks(facts, recipe),
        "## What they learned from",
        _data(facts),
        "## How well they did",
        _figures(facts, run),
        "## Limits",
        _limits(facts, recipe),
        "## Use",
        "```console\nechokit predict THIS-FOLDER my-study/\n```\n\n"
        "Every file is checked against its digest in `bundle.json` first. `recipe.toml` says how a "
        "clip is prepared, which sequences vote and who counts their votes.",
    ]
    return "\n\n".join(parts) + "\n"


def _networks(facts: Mapping[str, Any], recipe: Recipe) -> str:
    options = ", ".join(f"{k} = {v!r}" for k, v in recipe.backbone.options.items())
    slots = [slot.use for slot in recipe.prepare.values()]
    files = {one["file"]: one["shape"] for one in facts["views"].values()}
    lines = [
        f"- Backbone `{recipe.backbone.use}`{f' ({options})' if options else ''}, "
        f"{len(files)} of them, for the views {', '.join(facts['views'])}; format "
        f"{facts['format']}.",
        f"- Recipe `{recipe.name}`{f', preset `{recipe.preset}`' if recipe.preset else ''}, "
        f"approach `{facts['approach']}`, run `{facts['run']}`, first split, seed {recipe.seed}, "
        f"echokit {facts['echokit']}.",
        f"- Input: clips prepared by {', '.join(f'`{name}`' for name in slots) or 'nothing'}; "
        f"{recipe.sequences.n} sequences of {recipe.sequences.k} frames vote "
        f"(`{recipe.aggregate.view.use}`), then the views do (`{recipe.aggregate.subject.use}`).",
    ]
    for file, shape in files.items():
        lines.append(f"- `{file}`: float32 `(batch, {', '.join(map(str, shape))})` to logits.")
    seen = [one for view in facts["views"].values() for one in view["agreement"]]
    for engine, precision in dict.fromkeys((one["engine"], one["precision"]) for one in seen):
        rows = [r for r in seen if (r["engine"], r["precision"]) == (engine, precision)]
        most = max(row["probabilities"] for row in rows)
        lines.append(
            f"- {engine} {rows[0]['version']}, {precision}: probabilities differ from torch's by "
            f"{most:.1e} at most, on {rows[0]['sequences']} sequences of noise for each network."
        )
    return "\n".join(lines)


def _data(facts: Mapping[str, Any]) -> str:
    if facts["synthetic"]:
        return (
            "A **synthetic** cohort: simulated clips of no patient. The figures below check the "
            "machinery; they are not clinical evidence."
        )
    return "A private cohort, which is not part of this bundle; whose, the exporter must tell."


def _figures(facts: Mapping[str, Any], run: RunFolder) -> str:
    """A table of the run's own figures on held-out patients."""
    path = run.path / "metrics.json"
    rows = [
        row
        for row in (read_json(path)["rows"] if path.is_file() else ())
        if (row["task"], row["approach"]) == (facts["task"], facts["approach"])
    ]
    if not rows:
        return "The run was exported before it was evaluated: nothing is known."
    kind = "held-out **synthetic** subjects" if facts["synthetic"] else "held-out subjects"
    lines = [
        f"Means over the run's splits, on {kind}, with the 95 % bootstrap interval over subjects. "
        "The networks in this bundle are those of the first split.",
        "",
        f"| views | subjects | splits | {' | '.join(NAMES[name].heading for name in METRICS)} |",
        f"|---|--:|--:|{'--:|' * len(METRICS)}",
    ]
    for row in rows:
        cells = [_cell(row.get(name)) for name in METRICS]
        head = f"| {row['views']} | {row['n_subjects']} | {row['n_splits']} |"
        lines.append(f"{head} {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: Mapping[str, Any] | None) -> str:
    if value is None or value["mean"] is None:
        return "–"
    interval = value.get("ci95")
    return f"{value['mean']:.2f}" + (f" ({interval[0]:.2f}–{interval[1]:.2f})" if interval else "")


def _limits(facts: Mapping[str, Any], recipe: Recipe) -> str:
    lines = [
        "- Not evaluated on patients of other sites, scanners or ages than the cohort's.",
        "- Every clip must show one of the views above; another is recognised as unlike the "
        "training clips at best.",
        "- Confidence says how far the votes agree, not how likely the verdict is to be right.",
    ]
    if words := make_abstention(recipe).words:
        lines.append(f"- No verdict is given where {words}.")
    for view, reason in facts["unlearned"].items():
        lines.append(f"- The network of {view} did not learn: {reason}.")
    if facts["temperatures"]:
        fitted = ", ".join(f"{view} {t:.2f}" for view, t in facts["temperatures"].items())
        lines.append(
            f"- Probabilities are calibrated by temperatures fitted on training patients (mean of "
            f"splits: {fitted}); label sets hold the true label in about 90 of 100 patients."
        )
    if facts["format"] != "torch-export":
        lines.append("- No saliency: explaining takes the run itself.")
    return "\n".join(lines)
