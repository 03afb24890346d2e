"""Keeps what decoders say of odd files from the terminal and the logs."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Drop the warnings and log records that decoders make of odd files.

    pydicom's quote header values, and so might show a patient's name; what is wrong with a file is
    said by a `ClipError` instead. Use it around calls, never around a `yield`: warning filters
    and log levels belong to the whole process.
    """
    loggers = [logging.getLogger(name) for name in ("pydicom", "nibabel.global")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:  # a filter would not reach the loggers below it
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
