"""Measure a node: associations a minute, and studies an hour by stage.

A study is one clip of pydicom's A4C cine under UIDs of its own, sent by pynetdicom from the same
machine, with three copies of different pixels as further views would be.
Run `python benchmarks/node/measure.py --help`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from pydicom import Dataset, dcmread
from pydicom.examples import get_path
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    UltrasoundMultiFrameImageStorage,
    Verification,
)

from echokit import StudyQueue


def clips(study: int, number: int) -> Iterator[Dataset]:
    """Make the clips of a study: the cine, and copies of it whose pixels differ."""
    for instance in range(number):
        ds = dcmread(get_path("ybr_color"))
        pixels = ds.pixel_array
        ds.decompress()
        moved = np.roll(pixels, instance, axis=0)
        ds.PixelData = np.ascontiguousarray(moved).tobytes()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.StudyInstanceUID = generate_uid(entropy_srcs=["load", str(study)])
        ds.SOPInstanceUID = generate_uid(entropy_srcs=["load", str(study), str(instance)])
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        yield ds


@contextmanager
def listening(folder: Path, run: str, write: list[str]) -> Iterator[tuple[int, int]]:
    """Run a node in a process of its own; gives its ports of DICOM and of metrics."""
    config = folder / "node.toml"
    config.write_text(
        f'[node]\nallow = ["*"]\nport = 0\nquiet = 0.5\nmonitor = 0\n[[rule]]\nname = "load"\n'
        f'run = "{run}"\nview = "A4C"\nsaliency = {str("dicom-sc" in write).lower()}\n'
        f"write = {write}\n",
        "utf-8",
    )
    tomllib.loads(config.read_text("utf-8"))
    node = subprocess.Popen(
        [sys.executable, "-m", "echokit", "listen", str(config)], stderr=subprocess.PIPE, text=True
    )
    assert node.stderr is not None
    try:
        ports = [int(re.findall(r":(\d+)", node.stderr.readline())[0]) for _ in range(2)]
        yield ports[0], ports[1]
    finally:
        node.terminate()
        node.stderr.read()
        node.wait()


def associations(port: int, number: int) -> float:
    """Open associations one after the other, echo, and close them; return the seconds."""
    entity = AE(ae_title="LOAD")
    entity.add_requested_context(Verification)
    started = time.perf_counter()
    for _ in range(number):
        association = entity.associate("127.0.0.1", port, ae_title="ECHOKIT")
        if not association.is_established:
            raise RuntimeError("an association was refused")
        if association.send_c_echo().Status != 0:
            raise RuntimeError("an echo was not answered")
        association.release()
    return time.perf_counter() - started


def send(port: int, sent: Iterator[Dataset]) -> None:
    """Send clips over one association."""
    entity = AE(ae_title="LOAD")
    entity.add_requested_context(UltrasoundMultiFrameImageStorage, [ExplicitVRLittleEndian])
    association = entity.associate("127.0.0.1", port, ae_title="ECHOKIT")
    for ds in sent:
        if association.send_c_store(ds).Status != 0:
            raise RuntimeError("a clip was not stored")
    association.release()


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", default="demo", help="a run or a bundle, or demo")
    parser.add_argument("--write", nargs="+", default=["folder", "dicom-sr"])
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--associations", type=int, default=1000)
    asked = parser.parse_args()
    run = asked.run if asked.run == "demo" else str(Path(asked.run).resolve())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with listening(folder, run, asked.write) as (port, monitor):
            if asked.associations:
                seconds = associations(port, asked.associations)
                print(f"{asked.associations} associations: {seconds:.1f} s")
            made = [list(clips(study, asked.clips)) for study in range(asked.studies)]
            queue = StudyQueue(folder / "node" / "queue.sqlite")
            started = time.perf_counter()
            for study in made:
                send(port, iter(study))
            received = time.perf_counter() - started
            while queue.counts()["done"] < asked.studies:
                time.sleep(0.05)
                if queue.counts()["aside"]:
                    raise RuntimeError(queue.studies("aside")[0].reason)
            seconds = time.perf_counter() - started
            address = f"http://127.0.0.1:{monitor}/metrics"
            metrics = urllib.request.urlopen(address).read().decode()
    print(f"{asked.studies} studies of {asked.clips} clips, {', '.join(asked.write)}:")
    print(f"  received in {received:.1f} s, done after {seconds:.1f} s")
    print(f"  {3600 * asked.studies / seconds:.0f} studies an hour, {os.cpu_count()} cores")
    for stage, total in re.findall(r'stage_seconds_sum\{stage="(\w+)"\} (\S+)', metrics):
        print(f"  {stage}: {float(total) / asked.studies:.3f} s a study")


if __name__ == "__main__":
    main()
