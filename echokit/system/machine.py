"""Describe the machine and the installed versions."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points, requires, version
from pathlib import Path
from types import ModuleType

OWN = "echokit-cardiac"


def packages() -> tuple[str, ...]:
    """Names of the distributions that results depend on, sorted.

    Those are what echokit and the distributions of installed plugins require, and the latter
    themselves; not what only an extra requires.
    """
    plugins = {point.dist.name for point in entry_points(group="echokit") if point.dist}
    names = set(plugins)
    for distribution in plugins | {OWN}:
        with contextlib.suppress(PackageNotFoundError):
            for requirement in requires(distribution) or ():
                name = re.match(r"[\w.-]+", requirement)
                if name and "extra ==" not in requirement:
                    names.add(name[0])
    return tuple(sorted(names - {OWN}))


def machine() -> dict[str, str | int | float | None]:
    """Describe the machine: system, processor, cores, memory and GPU."""
    memory = None
    with contextlib.suppress(ValueError, OSError, AttributeError):
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    torch = installed_torch()
    cuda = torch.cuda if torch is not None and torch.cuda.is_available() else None
    return {
        "system": platform.system(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": memory,
        "device": cuda.get_device_name(0) if cuda else "cpu",
    }


def installed_torch() -> ModuleType | None:
    """Import torch; None where a light install predicts without it."""
    try:
        return import_module("torch")
    except ModuleNotFoundError:
        return None


def has_no_gpu() -> bool:
    """Return True if this machine surely has no CUDA device, without importing torch."""
    devices = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/kfd", "/dev/nvmap")
    return platform.system() == "Linux" and not any(Path(device).exists() for device in devices)


def _cpu() -> str:
    """Return the name of the processor, and its model where the name may be that of several.

    A virtual machine may call processors of different years by one name, and they differ in the
    last digits of a sum.
    """
    known = dict[str, str]()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            key, _, value = line.partition(":")
            known.setdefault(key.strip(), value.strip())
    if "model name" not in known:
        return platform.processor() or platform.machine()
    if "cpu family" not in known:
        return known["model name"]
    return f"{known['model name']} (family {known['cpu family']}, model {known['model']})"


def version_of(package: str) -> str | None:
    """Return the installed version of a distribution; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
