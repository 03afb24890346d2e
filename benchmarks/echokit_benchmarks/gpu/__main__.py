"""Measure one part: `python -m echokit_benchmarks.gpu PART --out FOLDER`."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from echokit_benchmarks.gpu import inference, sharing, training
from echokit_benchmarks.gpu.rows import write_table

PARTS = {"training": training.measure, "inference": inference.measure, "sharing": sharing.measure}


def main(arguments: list[str] | None = None) -> None:
    """Measure the part that the command line names, or write the table of all parts."""
    parser = argparse.ArgumentParser(prog="python -m echokit_benchmarks.gpu", description=__doc__)
    parser.add_argument("part", choices=[*PARTS, "table"])
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--seconds", type=float, default=120, help="begin no case after this time")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to see that it works")
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.part == "table":
        print(write_table(given.out))
        return
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    PARTS[given.part](given.out, given.seconds, device, given.tiny)


if __name__ == "__main__":
    main()
