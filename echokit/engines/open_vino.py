"""Convert networks for OpenVINO and run them, on the CPU."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from echokit.engines.engine import Engine, Precision, Running


def _openvino() -> Any:
    """Import OpenVINO without its telemetry package, which looks up a host on the internet."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@cache
def _core() -> Any:
    """Return the OpenVINO runtime, of which a process may make one only.

    Each runtime installs a stack for signals in the thread that makes it. Once two runtimes have
    been deleted, that stack is freed but still in use, and Ctrl-C ends in a segmentation fault.
    """
    core = _openvino().Core()
    _use_once(core)
    return core


def _use_once(core: Any) -> None:
    """Run a network of one addition, so that OpenVINO's bindings were used before threads use them.

    Their first use takes a lock of C++ while it waits for Python's. If two threads are the first,
    each holds one of the locks and waits for the other for ever.
    """
    openvino = _openvino()
    one = openvino.opset8.parameter([1], np.float32)
    model = openvino.Model([openvino.opset8.add(one, one)], [one])
    request = core.compile_model(model, "CPU").create_infer_request()
    request.infer({0: np.ones(1, np.float32)})[0].copy()


def save_openvino(network: Any, example: Float32[np.ndarray, "B C T H W"], file: Path) -> None:
    """Write a network in OpenVINO's format: an XML file, with the weights in a .bin file beside it.

    A network that returns features too gets a second output, `features`.

    Args:
        network: in evaluation mode, on the CPU.
        example: two or more sequences of the size that the converted network will take.
        file: path of the XML file; its name ends in .xml.
    """
    import torch

    openvino = _openvino()
    batch = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(network, (torch.from_numpy(example),), dynamic_shapes=batch)
    model = openvino.convert_model(program)
    model.inputs[0].get_tensor().set_names({"sequences"})
    for output, name in zip(model.outputs, ("logits", "features"), strict=False):
        output.get_tensor().set_names({name})
    openvino.save_model(model, file, compress_to_fp16=False)


def load_openvino(file: Path, precision: Precision) -> Running:
    """Load a network in OpenVINO's format or in ONNX, to run on every core."""
    openvino = _openvino()
    core = _core()
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    fast = next((kind for kind in ("BF16", "FP16") if kind in capabilities), None)
    hint, computes_in = "f32", "float32"
    if precision == "fast" and fast:
        hint, computes_in = fast.lower(), {"BF16": "bfloat16", "FP16": "float16"}[fast]
    # sequences run side by side on the cores, a quarter faster than all cores on one sequence
    settings = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "THROUGHPUT"}
    model = core.read_model(file)
    sizes = [output.get_partial_shape()[1].get_length() for output in model.outputs]
    compiled = core.compile_model(model, "CPU", settings)
    streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def run(sequences: Float32[np.ndarray, "B C T H W"]) -> list[Float32[np.ndarray, "B n"]]:
        def infer(indices: range) -> list[list[Float32[np.ndarray, " n"]]]:
            request = compiled.create_infer_request()
            found = (request.infer({0: sequences[i : i + 1]}) for i in indices)
            return [[one[place][0].copy() for place in range(len(sizes))] for one in found]

        # OpenVINO's AsyncInferQueue sometimes deadlocks when it is deleted, so threads do its work
        count = min(streams, len(sequences))
        outputs = [np.empty((len(sequences), size), np.float32) for size in sizes]
        with ThreadPoolExecutor(count, "openvino") as threads:
            shares = [range(first, len(sequences), count) for first in range(count)]
            for share, rows in zip(shares, threads.map(infer, shares), strict=True):
                for output, values in zip(outputs, zip(*rows, strict=True), strict=True):
                    output[share] = values
        return outputs

    def forward(sequences: Float32[np.ndarray, "B C T H W"]) -> Float32[np.ndarray, "B K"]:
        return run(sequences)[0]

    def both(
        sequences: Float32[np.ndarray, "B C T H W"],
    ) -> tuple[Float32[np.ndarray, "B K"], Float32[np.ndarray, "B F"] | None]:
        logits, features = run(sequences)
        return logits, features

    return Running(
        forward,
        "openvino",
        openvino.__version__.partition("-")[0],
        computes_in,
        both if len(sizes) == 2 else None,
    )


OPENVINO = Engine("openvino", "openvino", "openvino", "model.xml", save_openvino, load_openvino)
