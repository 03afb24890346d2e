"""Pictures carried inside a page, so that it opens offline and can be passed on as one file."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a page shows it."""

    uri: str
    """`data:` URI."""
    width: int
    height: int


class Album:
    """Takes pictures into a page until its budget is spent.

    Only pictures within `root` are taken, whatever a result file says: a report of a run that came
    from elsewhere must not carry a file of the reader's own machine.
    """

    def __init__(self, root: Path, budget: int) -> None:
        self.root = root.resolve()
        self.left = budget
        """Characters of page that are left."""

    def movie(self, path: Path) -> Picture | None:
        """Take an animated WebP as it is; None if it is absent, unreadable or too large."""
        return self._take(path, None)

    def still(self, path: Path, width: int = 760) -> Picture | None:
        """Take a picture as WebP, at most `width` pixels wide; None as for `movie`."""
        return self._take(path, width)

    def _take(self, path: Path, width: int | None) -> Picture | None:
        if not path.resolve().is_relative_to(self.root) or not path.is_file():
            return None
        try:
            with Image.open(path, formats=["WEBP", "PNG"]) as image:
                image.load()
                kind = (image.format or "").lower()
                size = image.size
                data = path.read_bytes()
                if width is not None:
                    size = (min(width, size[0]), max(1, round(size[1] * min(1, width / size[0]))))
                    small, kind = io.BytesIO(), "webp"
                    image.convert("RGB").resize(size).save(small, "WEBP", quality=80)
                    data = small.getvalue()
        except (
            OSError,
            UnidentifiedImageError,
            ValueError,
            SyntaxError,
            Image.DecompressionBombError,
        ):
            return None
        uri = f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
        if len(uri) > self.left:
            return None
        self.left -= len(uri)
        return Picture(uri, *size)
