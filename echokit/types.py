"""The values that travel through echokit: frozen, documented field by field, free of torch.

Frame axes are always time, row, column: `T H W`. A prepared sequence is `C k H W`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a tenth of a second that `echokit --help` need not wait
    import numpy as np
    from jaxtyping import Bool, Float, Float32, Int, UInt8

USUAL_FPS = 25.0
"""Frames per second to play a clip at whose source does not say (the paper's frame rate)."""

MOVIE_FRAMES, MOVIE_SIDE = 100, 320
"""Most frames, and longest side in pixels, of the movie that a notebook shows of a clip."""

VIEWS = ("PLAX", "A4C", "PSAX-P", "PSAX-S", "PSAX-A")
"""The canonical view names: parasternal long axis, apical four chamber, and the parasternal short
axis at the papillary muscles, the semilunar valves and the apex."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels: rows `top` to `top + height`, columns `left` to `left + width`."""

    top: int
    left: int
    height: int
    width: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """The rectangle as (row, column) slices, to index an `H W` array with."""
        return (
            slice(self.top, self.top + self.height),
            slice(self.left, self.left + self.width),
        )


@dataclass(frozen=True, slots=True)
class ClipRef:
    """One clip that a loader found: who it is of and where it is, without its pixels."""

    clip: str
    """Identifier, unique in a cohort and stable between runs; never a patient's name."""
    patient: str
    """Pseudonym of the patient. Compared exactly: '30' and '130' are two patients."""
    view: str | None
    """Canonical view name, a site's own name (a recipe's alias table maps it), or None."""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Annotations as written, by column: `{"grade": "1.5"}`."""
    where: str = ""
    """Address that the loader that made this reference reads the clip by; it is never shown."""
    synthetic: bool = False
    """True where the clip is simulated; every figure that comes of it must say so."""
    study: str = ""
    """Pseudonym of the examination, where the source tells examinations of one patient apart; their
    clips never vote together in `echokit predict`."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """One file or clip that is not used, and why. Nothing is dropped without one."""

    where: str
    """Clip identifier, or number of a file or row; it is shown, so that it must name nobody."""
    reason: str
    """One sentence: what is wrong with it."""
    patient: str | None = None
    """Pseudonym of the patient, where it is known."""
    view: str | None = None
    """View, where it is known."""


@dataclass(frozen=True, slots=True, repr=False)
class Clip:
    """The pixels of one cine loop and what is known of their geometry.

    In a notebook a clip plays.

    >>> import numpy as np
    >>> echokit.Clip(np.zeros((30, 480, 640), np.uint8), fps=25.0, spacing=(0.3, 0.3))
    Clip(30 frames of 480×640 uint8, 25 frames/s, 0.3×0.3 mm/pixel)
    """

    frames: UInt8[np.ndarray, "T H W"] | Float32[np.ndarray, "T H W"]
    """Grey frames: uint8 0-255 until a sequence is drawn, float32 in [0, 1] while augmenting."""
    fps: float | None = None
    """Frames per second; None where the source does not say."""
    spacing: tuple[float, float] | None = None
    """Millimetres per pixel (row, column); None where the source does not say."""
    region: Box | None = None
    """The B-mode (2D tissue) rectangle by the file's own tags; None if absent or unsound."""
    sector: Bool[np.ndarray, "H W"] | None = None
    """True inside the scanning sector; None until a transform has found it."""
    structures: UInt8[np.ndarray, "T H W"] | None = None
    """Ground-truth label map for judging saliency: 0 background, n = `structure_names[n - 1]`."""
    structure_names: tuple[str, ...] = ()
    """Name of each label in `structures`, label 1 first."""
    box: Box | None = None
    """The rectangle of the source frame that `frames` now shows; None means all of it."""
    times: Float[np.ndarray, " T"] | None = None
    """Seconds of each frame since the first, where frames are not evenly spaced; None where they
    are, or where the source does not say."""
    source_fps: float | None = None
    """Frames per second of the source, of a clip that was resampled in time; else None."""

    def __repr__(self) -> str:
        count, height, width = self.frames.shape
        facts = [f"{count} frames of {height}×{width} {self.frames.dtype}"]
        if self.fps is not None:
            facts.append(f"{self.fps:.4g} frames/s")
        if self.spacing is not None:
            facts.append("{:.3g}×{:.3g} mm/pixel".format(*self.spacing))
        return f"Clip({', '.join(facts)})"

    def _repr_html_(self) -> str:
        movie = _movie(self.frames, self.fps or USUAL_FPS)
        return f'<img alt="{self!r}" src="data:image/webp;base64,{movie}">'


@dataclass(frozen=True, slots=True)
class ClipStream:
    """A long clip that is read block by block, with a few of its frames at hand."""

    few: Clip
    """The frames that were asked for, in order, with all that is known of the clip."""
    length: int
    """Number of frames of the clip."""
    blocks: Callable[[], Iterator[UInt8[np.ndarray, "t H W"]]]
    """Reads the clip from its first frame to its last, some frames at a time; may be called again.
    Raises ClipError where the clip is not what it was."""


def _movie(frames: UInt8[np.ndarray, "T H W"] | Float32[np.ndarray, "T H W"], fps: float) -> str:
    """Return at most `MOVIE_FRAMES` frames as an endless WebP in base64."""
    import base64
    import io

    import numpy as np
    from PIL import Image

    step = -(-len(frames) // MOVIE_FRAMES)
    pages = []
    for frame in frames[::step]:
        grey = frame if frame.dtype == np.uint8 else (frame.clip(0, 1) * 255).astype(np.uint8)
        page = Image.fromarray(grey)
        page.thumbnail((MOVIE_SIDE, MOVIE_SIDE))
        pages.append(page)
    made = io.BytesIO()
    pages[0].save(
        made, "WEBP", save_all=True, append_images=pages[1:], quality=60,
        duration=max(1, round(1000 * step / fps)), loop=0,
    )  # fmt: skip
    return base64.b64encode(made.getvalue()).decode()


@dataclass(frozen=True, slots=True)
class Cohort:
    """Every usable clip of a study population, and every one that was rejected."""

    clips: tuple[ClipRef, ...]
    rejected: tuple[Rejection, ...] = ()
    view_confidence: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Clip -> confidence in (0, 1] of its view, of clips whose view a network found."""

    @property
    def synthetic(self) -> bool:
        """True if any clip is simulated."""
        return any(clip.synthetic for clip in self.clips)

    @property
    def patients(self) -> tuple[str, ...]:
        """Every patient once, sorted."""
        return tuple(sorted({clip.patient for clip in self.clips}))


@dataclass(frozen=True, slots=True)
class Votes:
    """What n voters say of one subject: sequences voting for a view, or views for a patient."""

    classes: tuple[str, ...]
    """Label names, least severe first: a later one wins where a rule says 'the more severe'."""
    voters: tuple[str, ...]
    """Name of each voter, n of them: a sequence's start frame, or a view."""
    labels: Int[np.ndarray, " n"]
    """Index into `classes` that each voter chose."""
    probabilities: Float[np.ndarray, "n K"]
    """Class probabilities of each voter, in [0, 1], rows summing to 1."""
    confidences: Float[np.ndarray, " n"] | None = None
    """Confidence of each voter in (0, 1]; None where voters carry none (single sequences)."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The outcome of a vote."""

    label: str
    """The label name that won."""
    confidence: float
    """Confidence in (0, 1]; what it means is the aggregator's to say."""
    probabilities: Float[np.ndarray, " K"]
    """Class probabilities in [0, 1] in the order of the votes' `classes`, summing to 1."""


@dataclass(frozen=True, slots=True)
class Saliency:
    """Which pixels of which frames a model's choice of `target` rests on."""

    values: Float32[np.ndarray, "T H W"]
    """Relevance in [0, 1], scaled over the whole sequence so that frames compare."""
    target: int
    """Index of the class explained: the predicted one unless asked otherwise."""
    method: str
    """Name of the explainer."""
