"""Loaders of public data sets in their published layouts; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echokit import hookimpl
from echokit_datasets.camus import camus
from echokit_datasets.cardiacnet import cardiacnet_pah
from echokit_datasets.echonet import echonet_dynamic
from echokit_datasets.ned import ned
from echokit_datasets.pediatric import echonet_pediatric


@hookimpl
def register_loaders(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add a loader of each data set."""
    register("echonet-dynamic", echonet_dynamic)
    register("echonet-pediatric", echonet_pediatric)
    register("camus", camus)
    register("cardiacnet-pah", cardiacnet_pah)
    register("ned", ned)
