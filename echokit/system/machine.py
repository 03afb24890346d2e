"""Describe the machine and the installed versions."""

from __future__ import annotations

import contextlib
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "captum",
    "lightning-fabric",
    "monai",
    "numpy",
    "pydicom",
    "pytorchvideo",
    "scikit-learn",
)


def machine() -> dict[str, str | int | float | None]:
    """Describe the machine: system, processor, cores, memory and GPU."""
    import torch  # not at the top: commands that only read a run need no torch

    memory = None
    with contextlib.suppress(ValueError, OSError, AttributeError):
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    cuda = torch.cuda.is_available()
    return {
        "system": platform.system(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": memory,
        "device": torch.cuda.get_device_name(0) if cuda else "cpu",
    }


def _cpu() -> str:
    """Return the model name of the processor."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def version_of(package: str) -> str | None:
    """Return the installed version of a distribution; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
