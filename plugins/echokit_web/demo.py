"""The synthetic study that a page shows at its first start, so that it is never empty."""

from __future__ import annotations

import hashlib

import numpy as np

from echokit import EchokitError, resolve, whole_file
from echokit_web.site import DEMO, Site

HEARTS = {"patients": 4, "frames": 48, "frames_sd": 1, "size": 224, "seed": 11}
"""Options of the synthetic cohort of which one patient is shown."""


def add_demo(site: Site) -> None:
    """Put a synthetic study into a queue that never had one; nothing where no phantom is."""
    if site.model is None or site.queue.studies(limit=1) or site.queue.events():
        return
    try:
        loader = resolve("loader", "phantom", source="", views=list(site.model.views), **HEARTS)
    except EchokitError:  # its plugin is not installed, or does not know these views
        return
    refs = list(loader.index())
    last = refs[-1].patient
    for number, ref in enumerate((ref for ref in refs if ref.patient == last), start=1):
        clip = loader.read(ref)
        path = site.folder.file(DEMO, f"{number:04d}-{ref.view}.npz")
        with whole_file(path) as partial, partial.open("wb") as file:
            fps, synthetic = np.float64(clip.fps or 25.0), np.bool_(True)
            np.savez_compressed(file, frames=clip.frames, fps=fps, synthetic=synthetic)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        relative = path.relative_to(site.folder.path).as_posix()
        site.queue.receive(DEMO, path.name[:4], relative, digest, source="echokit")
    site.queue.complete(DEMO)
