"""Contact sheets: one page of pictures for each patient, to look at before giving copies away.

What no program can promise, a person sees: that no letters are left in the sector.
"""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

SIDE = 360
"""Longest side of a picture in pixels."""
HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
 body {{ background: #16181c; color: #dfe3e8; font: 15px/1.5 system-ui, sans-serif }}
 body {{ margin: 1.5rem }}
 main {{ display: flex; flex-wrap: wrap; gap: 1.5rem }}
 figure {{ margin: 0 }} figure div {{ display: flex; gap: 4px }}
 img {{ background: #000; display: block; outline: 1px solid #3a3f47; max-width: 44vw }}
 figcaption {{ font-size: 13px; color: #a9b1bb }}
</style>
<h1>{title}</h1>
<p>Left: the middle frame. Right: each pixel at its brightest in all frames, so that letters of any
frame are seen. If you see a name, a date or a number in a picture, do not give that clip away.</p>
<main>
"""


class ContactSheet:
    """The brightest picture of a clip, gathered frame by frame, and its middle frame."""

    def __init__(self, count: int) -> None:
        self.middle = count // 2
        self.frame: UInt8[np.ndarray, "H W *C"] | None = None
        self.brightest: UInt8[np.ndarray, "H W *C"] | None = None
        self._seen = 0

    def add(self, frame: UInt8[np.ndarray, "H W *C"]) -> None:
        """Add the next frame, as it was written."""
        if self.brightest is None:
            self.brightest = frame.copy()
        np.maximum(self.brightest, frame, out=self.brightest)
        if self._seen == self.middle:
            self.frame = frame.copy()
        self._seen += 1

    def write(self, page: Path, patient: str, caption: str) -> None:
        """Add the two pictures to the page of a patient; the page is begun if it is not there."""
        assert self.frame is not None
        assert self.brightest is not None
        page.parent.mkdir(exist_ok=True)
        begun = page.exists()
        with page.open("a", encoding="utf-8") as file:
            if not begun:
                file.write(HEAD.format(title=escape(patient)))
            file.write("<figure><div>")
            for name, picture in (("middle frame", self.frame), ("brightest", self.brightest)):
                file.write(f'<img alt="{name}" src="data:image/webp;base64,{_small(picture)}">')
            file.write(f"</div><figcaption>{escape(caption)}</figcaption></figure>\n")


def _small(picture: UInt8[np.ndarray, "H W *C"]) -> str:
    image, made = Image.fromarray(picture), io.BytesIO()
    image.thumbnail((SIDE, SIDE))
    image.save(made, "WEBP", quality=70)
    return base64.b64encode(made.getvalue()).decode()
