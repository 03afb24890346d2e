"""Write the result of a study as a folder: JSON, saliency, and a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from echokit.errors import UsageError
from echokit.report.study_page import build_study_page
from echokit.saliency.record import record
from echokit.studies.clip_saliency import ClipSaliency
from echokit.system.files import whole_folder, write_json
from echokit.system.leftovers import sweep
from echokit.types import Clip


def refuse_existing(out: Path) -> None:
    """Refuse a folder that is there already.

    Raises:
        UsageError: it is.
    """
    if out.exists():
        raise UsageError(f"{out} already exists; choose another folder with --out.")


def write_folder(
    out: Path, document: Mapping[str, Any], saliency: Iterable[ClipSaliency]
) -> list[Path]:
    """Write `prediction.json`, `saliency/` and `index.html`; the folder appears whole or not.

    Args:
        out: the folder.
        document: the result in plain values.
        saliency: of each clip that was explained.

    Returns:
        What was written.

    Raises:
        UsageError: `out` exists.
    """
    refuse_existing(out)
    sweep(out.parent)
    with whole_folder(out) as partial:
        for one in saliency:
            stem = partial / "saliency" / one.stem
            shown = Clip(one.frames, fps=one.fps, sector=one.sector, box=one.box)
            record(one.explanation, stem, shown=shown)
        write_json(partial / "prediction.json", document)
        build_study_page(partial)
    written = (out / name for name in ("prediction.json", "saliency", "index.html"))
    return [path for path in written if path.exists()]
