"""Suppression of the messages that decoders print about unusual files."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def muted_decoders() -> Iterator[None]:
    """Drop the warnings and log records of decoders.

    pydicom's messages quote header values and might show a patient's name; a `ClipError` states
    the fault of a file instead. Use it around calls, never around a `yield`: warning filters and
    log levels belong to the whole process.
    """
    loggers = [logging.getLogger(name) for name in ("pydicom", "nibabel.global")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:  # a filter would not affect child loggers
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
