"""From a template and its values to a page on disk."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, PackageLoader

from echokit.evaluation.metric_names import LABEL_NAMES
from echokit.report import words
from echokit.report.charts.svg import colour
from echokit.saliency.overlay import palette
from echokit.system.files import write_text


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("echokit.report"),
        autoescape=True,
        undefined=ChainableUndefined,  # a result file may lack any field; the page goes without
        trim_blocks=True,
        lstrip_blocks=True,
    )
    helpers = ("plural", "listing", "duration", "memory", "number", "sureness", "lies_in")
    environment.filters |= {name: getattr(words, name) for name in helpers}
    environment.globals |= {
        "disclaimer": words.DISCLAIMER,
        "synthetic_banner": words.SYNTHETIC,
        "colour": colour,
        "label_headings": [name.heading for name in LABEL_NAMES.values()],
        "scale": _scale(),
    }
    return environment


def _scale() -> str:
    """The colours of saliency as the stops of a CSS gradient."""
    return ", ".join("#{:02x}{:02x}{:02x}".format(*palette()[i]) for i in range(0, 256, 17))


def render(template: str, **values: Any) -> str:
    """Render a template."""
    return _templates().get_template(template).render(**values)


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Render a template and write the page whole; return its path."""
    write_text(path, render(template, **values))
    return path
