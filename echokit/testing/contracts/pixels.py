"""Refuses to decode pixels for a while, in the libraries that clips are decoded by.

NumPy arrays of three axes or more, PyAV, pydicom, Pillow, and where they are installed OpenCV and
NiBabel. Headers may be read. What decodes by other means is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from unittest.mock import patch

from numpy.lib import format as npy

from echokit.testing.contracts.rules import ContractError

METHODS = (
    ("pydicom", "pydicom.dataset", "Dataset", ("convert_pixel_data",)),
    (
        "pydicom",
        "pydicom.pixels.decoders.base",
        "Decoder",
        ("as_array", "iter_array", "as_buffer", "iter_buffer"),
    ),
    ("PIL", "PIL.ImageFile", "ImageFile", ("load",)),
    ("nibabel", "nibabel.dataobj_images", "DataobjImage", ("get_fdata",)),
    ("nibabel", "nibabel.arrayproxy", "ArrayProxy", ("__array__", "__getitem__")),
)
"""Library, module, class, and the methods of it that decode."""
OPENERS = (
    ("av", "open", ("decode",), ("demux",)),
    ("cv2", "VideoCapture", ("read", "retrieve", "grab"), ()),
)
"""Library, what opens a video, methods of the video that decode, and those whose items decode."""


@contextmanager
def no_pixels(doing: str) -> Iterator[None]:
    """Raise a `ContractError` that names `doing` where pixels are decoded inside."""
    seen: list[str] = []

    def refuse(library: str) -> Callable[..., Any]:
        def refused(*_given: object, **_options: object) -> Any:
            seen.append(library)
            raise ContractError(_broken(doing, library))

        return refused

    with ExitStack() as stack:
        for library, module, name, methods in METHODS:
            if find_spec(library):
                owner = getattr(import_module(module), name)
                for method in methods:
                    stack.enter_context(patch.object(owner, method, refuse(library)))
        for library, opener, decoding, holding in OPENERS:
            if find_spec(library):
                _guard(stack, library, opener, refuse(library), decoding, holding)
        stack.enter_context(_no_arrays(refuse("numpy")))
        yield
    if seen:  # the loader may have taken the refusal for a damaged file
        raise ContractError(_broken(doing, seen[0]))


def _broken(doing: str, library: str) -> str:
    return (
        f"{doing} decodes pixels with {library}: it must list clips without their pixels; read "
        "headers alone."
    )


def _guard(
    stack: ExitStack,
    library: str,
    opener: str,
    refuse: Callable[..., Any],
    decoding: tuple[str, ...],
    holding: tuple[str, ...],
) -> None:
    module = import_module(library)
    original = getattr(module, opener)

    def opened(*given: Any, **options: Any) -> Guarded:
        return Guarded(original(*given, **options), refuse, decoding, holding)

    stack.enter_context(patch.object(module, opener, opened))


def _no_arrays(refuse: Callable[..., Any]) -> Any:
    """NumPy reads `.npy`, and each member of an `.npz`, by one function."""
    module = import_module(npy.read_array.__module__)
    original = module.read_array

    def read_array(*given: Any, **options: Any) -> Any:
        array = original(*given, **options)
        return refuse() if array.ndim >= 3 else array

    stack = ExitStack()
    for place in {module, npy}:
        stack.enter_context(patch.object(place, "read_array", read_array))
    return stack


class Guarded:
    """An open video, or a packet of it, that may be asked anything but to decode."""

    def __init__(
        self,
        video: Any,
        refuse: Callable[..., Any],
        decoding: tuple[str, ...],
        holding: tuple[str, ...] = (),
    ) -> None:
        self._video, self._refuse = video, refuse
        self._decoding, self._holding = decoding, holding

    def __getattr__(self, name: str) -> Any:
        if name in self._decoding:
            return self._refuse
        found = getattr(self._video, name)
        if name not in self._holding:
            return found

        def items(*given: Any, **options: Any) -> Iterator[Guarded]:
            for item in found(*given, **options):
                yield Guarded(item, self._refuse, self._decoding)

        return items

    def __enter__(self) -> Guarded:
        self._video.__enter__()
        return self

    def __exit__(self, *raised: Any) -> Any:
        return self._video.__exit__(*raised)
