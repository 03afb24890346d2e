"""Loaders of public data sets in their published layouts; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from echokit import hookimpl
from echokit_datasets.camus import camus
from echokit_datasets.cardiacnet import cardiacnet_pah
from echokit_datasets.echonet import echonet_dynamic
from echokit_datasets.hmc_qu import hmc_qu
from echokit_datasets.lvh import echonet_lvh
from echokit_datasets.mimic import mimic_iv_echo
from echokit_datasets.ned import ned
from echokit_datasets.pediatric import echonet_pediatric
from echokit_datasets.tmed2 import tmed2


@hookimpl
def register_loaders(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add a loader of each data set."""
    register("echonet-dynamic", echonet_dynamic)
    register("echonet-pediatric", echonet_pediatric)
    register("camus", camus)
    register("cardiacnet-pah", cardiacnet_pah)
    register("ned", ned)
    register("echonet-lvh", echonet_lvh)
    register("tmed2", tmed2)
    register("mimic-iv-echo", mimic_iv_echo)
    register("hmc-qu", hmc_qu)
