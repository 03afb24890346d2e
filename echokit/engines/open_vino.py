"""OpenVINO, on the CPU."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.engines.engine import Engine, Precision, Running

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32


def _openvino() -> Any:
    """The library, its telemetry switched off before it is imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@cache
def _core() -> Any:
    """OpenVINO's runtime, one for the process.

    Each has the thread that makes it take signals on a stack of its own, and leaves the thread with
    a stack that is gone once two were let go of: Ctrl-C would end in a segmentation fault then.
    """
    return _openvino().Core()


def save_openvino(network: Any, example: Float32[np.ndarray, "B C T H W"], file: Path) -> None:
    """Write a network as OpenVINO's own XML, with its weights in a .bin file beside it.

    Args:
        network: in evaluation, on the CPU.
        example: two sequences or more, of the size that the file will take.
        file: where to; its name ends in .xml.
    """
    import torch

    openvino = _openvino()
    batch = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(network, (torch.from_numpy(example),), dynamic_shapes=batch)
    model = openvino.convert_model(program)
    model.inputs[0].get_tensor().set_names({"sequences"})
    model.outputs[0].get_tensor().set_names({"logits"})
    openvino.save_model(model, file, compress_to_fp16=False)


def load_openvino(file: Path, precision: Precision) -> Running:
    """Read a network, OpenVINO's own or ONNX, to run on every core."""
    import numpy as np

    openvino = _openvino()
    core = _core()
    can = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    fast = next((kind for kind in ("BF16", "FP16") if kind in can), None)
    hint, computes_in = "f32", "float32"
    if precision == "fast" and fast:
        hint, computes_in = fast.lower(), {"BF16": "bfloat16", "FP16": "float16"}[fast]
    # throughput: cores judge sequences side by side, faster by a quarter than one after the other
    settings = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "THROUGHPUT"}
    model = core.read_model(file)
    classes = model.outputs[0].get_partial_shape()[1].get_length()
    compiled = core.compile_model(model, "CPU", settings)

    streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def forward(sequences: Float32[np.ndarray, "B C T H W"]) -> Float32[np.ndarray, "B K"]:
        def judge(places: range) -> list[Float32[np.ndarray, " K"]]:
            request = compiled.create_infer_request()
            return [request.infer({0: sequences[i : i + 1]})[0][0].copy() for i in places]

        # threads of ours: OpenVINO's own queue waits for itself now and then when it is let go
        count = min(streams, len(sequences))
        logits = np.empty((len(sequences), classes), np.float32)
        with ThreadPoolExecutor(count, "openvino") as threads:
            shares = [range(first, len(sequences), count) for first in range(count)]
            for share, judged in zip(shares, threads.map(judge, shares), strict=True):
                logits[share] = judged
        return logits

    return Running(forward, "openvino", openvino.__version__.partition("-")[0], computes_in)


OPENVINO = Engine("openvino", "openvino", "openvino", "model.xml", save_openvino, load_openvino)
