"""Convert networks to ONNX and run them with ONNX Runtime, on the CPU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from echokit.engines.engine import Engine, Precision, Running


def save_onnx(network: Any, example: Float32[np.ndarray, "B C T H W"], file: Path) -> None:
    """Write a network as ONNX: input `sequences`, output `logits`, any number of sequences.

    A network that returns features too gets a second output, `features`.

    Args:
        network: in evaluation mode, on the CPU.
        example: two or more sequences of the size that the converted network will take.
        file: path of the ONNX file.
    """
    import torch

    with torch.inference_mode():
        gives_features = isinstance(network(torch.from_numpy(example)), tuple)
    program = torch.onnx.export(
        network,
        (torch.from_numpy(example),),
        dynamo=True,
        verbose=False,
        input_names=["sequences"],
        output_names=["logits", "features"] if gives_features else ["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    for node in program.model.graph.all_nodes():
        # the exporter notes paths of this machine's source files in each node
        node.metadata_props.clear()
        node.doc_string = None
    program.save(file, external_data=False)


def _load(file: Path, precision: Precision) -> Running:
    """Load an ONNX network, which ONNX Runtime computes in float32 on any CPU."""
    del precision
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # it is read once, while the library is imported
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])

    names = [output.name for output in session.get_outputs()]

    def run(
        outputs: list[str], sequences: Float32[np.ndarray, "B C T H W"]
    ) -> list[Float32[np.ndarray, "B n"]]:
        # single sequences take as long as a batch does, and less memory
        found = [session.run(outputs, {"sequences": item[None]}) for item in sequences]
        return [np.concatenate(rows) for rows in zip(*found, strict=True)]

    def forward(sequences: Float32[np.ndarray, "B C T H W"]) -> Float32[np.ndarray, "B K"]:
        return run(["logits"], sequences)[0]

    def both(
        sequences: Float32[np.ndarray, "B C T H W"],
    ) -> tuple[Float32[np.ndarray, "B K"], Float32[np.ndarray, "B F"] | None]:
        logits, features = run(["logits", "features"], sequences)
        return logits, features

    return Running(
        forward,
        "onnxruntime",
        onnxruntime.__version__,
        "float32",
        both if "features" in names else None,
    )


ONNX_RUNTIME = Engine("onnxruntime", "onnxruntime", "onnx", "model.onnx", save_onnx, _load)
