"""ONNX Runtime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.engines.engine import Engine, Precision, Running

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32


def save_onnx(network: Any, example: Float32[np.ndarray, "B C T H W"], file: Path) -> None:
    """Write a network as ONNX: input `sequences`, output `logits`, any number of sequences.

    Args:
        network: in evaluation, on the CPU.
        example: two sequences or more, of the size that the file will take.
        file: where to.
    """
    import torch

    program = torch.onnx.export(
        network,
        (torch.from_numpy(example),),
        dynamo=True,
        verbose=False,
        input_names=["sequences"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # where in whose files each was made
        node.doc_string = None
    program.save(file, external_data=False)


def _load(file: Path, precision: Precision) -> Running:
    del precision  # on CPUs it computes in float32 alone
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # nothing leaves the machine unasked
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    def forward(sequences: Float32[np.ndarray, "B C T H W"]) -> Float32[np.ndarray, "B K"]:
        import numpy as np

        # one at a time: as fast, in less memory
        each = [session.run(["logits"], {"sequences": one[None]})[0] for one in sequences]
        return np.concatenate(each)

    return Running(forward, "onnxruntime", onnxruntime.__version__, "float32")


ONNX_RUNTIME = Engine("onnxruntime", "onnxruntime", "onnx", "model.onnx", save_onnx, _load)
