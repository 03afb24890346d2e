"""What each kind of component must do, and the small powers it may have.

A plugin registers a *factory* of each; the factory's keyword arguments are the component's options.
Heavy libraries belong inside the factory, so that listing plugins stays instant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from echokit.types import Clip, ClipRef, ClipStream, Prediction, Rejection, Saliency, Votes

if TYPE_CHECKING:
    import numpy as np
    import torch
    from jaxtyping import Float, Float32, Int
    from torch import Tensor, nn

    import echokit

Factory = Callable[..., Any]
"""Makes a component from its options. Loaders take `source: str` first; backbones take
`num_classes: int, in_channels: int` first."""

Forward = Callable[["Float32[np.ndarray, 'B C T H W']"], "Float32[np.ndarray, 'B K']"]
"""A trained network as an engine runs it: normalised sequences to logits."""


@runtime_checkable
class Loader(Protocol):
    """Finds clips at a source and reads them."""

    def index(self) -> Iterable[ClipRef | Rejection]:
        """List every clip, and every file that cannot be one with the reason; reads no pixels."""
        ...

    def read(self, ref: ClipRef) -> Clip:
        """Read one clip that `index` listed.

        Raises:
            ClipError: it cannot be read; the message is the reason.
        """
        ...


@runtime_checkable
class Transform(Protocol):
    """Changes a clip: once per clip to prepare it, or per sequence to augment it."""

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Return a changed clip; the given one stays as it was.

        Args:
            clip: frames `(T, H, W)`, uint8 when preparing, float32 in [0, 1] when augmenting.
            rng: the only source of randomness; preparing transforms ignore it.

        Raises:
            ClipError: the clip cannot be used; the message is the reason.
        """
        ...


@runtime_checkable
class Backbone(Protocol):
    """A `torch.nn.Module` from sequences to logits."""

    def __call__(self, sequences: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        """Map normalised sequences to one logit per class."""
        ...


@runtime_checkable
class Aggregator(Protocol):
    """Makes one prediction of many votes: sequences to a view, views to a subject."""

    def __call__(self, votes: Votes) -> Prediction:
        """Return the outcome; the order of the voters must not matter."""
        ...


@runtime_checkable
class Explainer(Protocol):
    """Shows which pixels of which frames a model's choice rests on."""

    def __call__(
        self, model: nn.Module, sequence: Float[Tensor, "C T H W"], target: int
    ) -> Saliency:
        """Return relevance `(T, H, W)` in [0, 1] of the class `target` for one sequence."""
        ...


@runtime_checkable
class Writer(Protocol):
    """Puts the prediction of a study where it is needed: a folder, an archive, a registry."""

    def __call__(self, result: echokit.StudyResult, out: Path) -> list[Path]:
        """Write a result, and return the files and folders that were written.

        Args:
            result: what was predicted, what was not used, and why; it stays as it is.
            out: a folder, which usually does not exist yet. Files appear there whole, and none
                that is there already is replaced.

        Raises:
            EchokitError: it cannot be written there; the message says why.
        """
        ...


T = TypeVar("T")


@runtime_checkable
class Executor(Protocol):
    """Runs independent jobs: in this process, in others, on other machines."""

    def __call__(
        self,
        work: Callable[[T, Callable[[int], None]], None],
        items: Mapping[str, T],
        sizes: Mapping[str, int],
        tick: Callable[[int], None],
    ) -> None:
        """Do every item, and return when all are done; their order does not matter.

        Args:
            work: does one item, and ticks as it goes. It may be called in another process or on
                another machine, so it and the items can be pickled. It leaves a result that
                appears whole and is the same the second time: an item that was interrupted, or
                whose machine was lost, may be done again.
            items: what is to be done, by a key that names it, such as
                `severity/spatial/A4C/split-00`.
            sizes: units of each item, by its key.
            tick: told of every unit done; an executor whose jobs cannot tick tells of an item's
                size when it is done.

        Raises:
            Exception: what the first item that failed raised, or an error that quotes it; items
                that have not begun are left.
        """
        ...


@runtime_checkable
class SupportsCam(Protocol):
    """A backbone that names the layer class-activation maps are taken from."""

    def cam_layer(self) -> nn.Module:
        """Return the last convolutional stage, whose output is `(B, C', T', H', W')`."""
        ...


@runtime_checkable
class SupportsCheck(Protocol):
    """An explainer that can tell early which models it cannot explain."""

    def check(self, model: nn.Module) -> None:
        """Refuse a model that is not trained yet, without running it.

        Raises:
            PluginError: the model cannot be explained; the message says what it lacks.
        """
        ...


@runtime_checkable
class SupportsPasses(Protocol):
    """An explainer that can tell how often it runs the network for one map."""

    def passes(self, shape: tuple[int, int, int, int]) -> int:
        """Return the number of sequences that pass the network, forward or backward.

        Args:
            shape: `(C, T, H, W)` of the sequence that is explained.
        """
        ...


@runtime_checkable
class SupportsFit(Protocol):
    """An aggregator that learns from the training patients before it is used."""

    def fit(self, votes: Iterable[Votes], labels: Iterable[str]) -> None:
        """Fit on training patients only: one `Votes` and one true label each."""
        ...


@runtime_checkable
class SupportsFingerprint(Protocol):
    """A loader that can tell a clip's content apart without decoding it."""

    def fingerprint(self, ref: ClipRef) -> str:
        """Return a hexadecimal digest that changes whenever the clip's content does.

        Raises:
            ClipError: the content cannot be reached.
        """
        ...


@runtime_checkable
class SupportsFile(Protocol):
    """A loader that can tell which file holds a clip, for writers that refer to it."""

    def file(self, ref: ClipRef) -> Path:
        """Return the path of the clip's file on this machine.

        Raises:
            ClipError: it has none.
        """
        ...


@runtime_checkable
class SupportsRemarks(Protocol):
    """A loader that can tell what a user should know of its clips as a whole."""

    def remarks(self) -> Sequence[str]:
        """Return a sentence for each, such as numbers that differ from those published.

        Raises:
            DataError: the source cannot be listed.
        """
        ...


@runtime_checkable
class SupportsStream(Protocol):
    """A loader that can read a long clip block by block, without holding all of its frames."""

    def stream(self, ref: ClipRef, needed: Callable[[int], Sequence[int]]) -> ClipStream | None:
        """Check a long clip as `read` does, and make it ready to be read block by block.

        Args:
            ref: one clip that `index` listed.
            needed: given the number of frames, returns the indices of those that must be at hand,
                in ascending order.

        Returns:
            The clip, whose frames are those of `read`; None where `read` is to be called.

        Raises:
            ClipError: it cannot be read; the message is the reason.
        """
        ...


@runtime_checkable
class SupportsBlocks(Protocol):
    """A preparing transform that changes frame by frame, once it has seen a few of a clip."""

    def needed(self, length: int) -> Sequence[int]:
        """Return the frames that it must see of a clip of this many, in ascending order."""
        ...

    def settle(self, few: Clip, length: int) -> Transform | None:
        """Return a transform that makes of any frames of a clip what this one makes of them.

        None says that it needs this clip whole.

        Args:
            few: the frames that it needed.
            length: number of frames of the whole clip.

        Raises:
            ClipError: the clip cannot be used; the message is the reason.
        """
        ...


@runtime_checkable
class SupportsSelection(Protocol):
    """What `SupportsBlocks.settle` of the last step may return: it keeps some of the frames."""

    @property
    def selected(self) -> Int[np.ndarray, " n"]:
        """Indices of the frames of the clip that are kept, ascending; one may be kept twice."""
        ...

    def __call__(self, clip: Clip, rng: torch.Generator) -> Clip:
        """Return all frames that it is given, with what is known of the prepared clip."""
        ...


@runtime_checkable
class SupportsWrite(Protocol):
    """A loader that can write its cohort to disk as ordinary files with a manifest."""

    def write(self, out: Path, format: str) -> Path:
        """Write every clip in `format` below `out`; return the path of the manifest.

        Raises:
            DataError: the format is unknown, or `out` already holds something.
        """
        ...
