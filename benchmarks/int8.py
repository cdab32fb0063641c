"""Measures what 8-bit integers would bring on a CPU. See docs/speed.md.

pip install onnxruntime onnx
python benchmarks/int8.py MODEL DATA.spacy
"""

import copy
import statistics
import tempfile
import time
import warnings
from pathlib import Path
from typing import Annotated, Any

import onnxruntime
import spacy
import torch
import typer
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from wasabi import msg
from workloads import NAME

from spacy_dualre.corpus import build_corpus
from spacy_dualre.gold import copy_gold_entities
from spacy_dualre.shim import get_shim

ENCODERS = ("instance_encoder", "predicate_encoder")


class HiddenStates(nn.Module):
    """An encoder that returns its last hidden states alone, as the exporter wants it.

    encoder (Module): The encoder.
    """

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """RETURNS (Tensor): The last hidden states, (n, length, H)."""
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
        hidden: Tensor = self.encoder(**inputs)[0]
        return hidden


class OnnxEncoder(nn.Module):
    """An encoder in ONNX Runtime.

    path (Path): The exported encoder.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        providers = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(str(path), options, providers)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor]:
        """RETURNS (Tuple[Tensor]): The last hidden states, (n, length, H)."""
        inputs = [input_ids.numpy(), attention_mask.numpy()]
        names = [node.name for node in self.session.get_inputs()]
        return (torch.from_numpy(self.session.run(None, dict(zip(names, inputs)))[0]),)


def make_encoders(encoder: Any, folder: Path) -> dict[str, nn.Module]:
    """Make the versions of an encoder that are compared.

    encoder (Module): The encoder, in float32.
    folder (Path): Where exported encoders are written.
    RETURNS (Dict[str, Module]): The versions by name.
    """
    path, path8 = folder / "float32.onnx", folder / "int8.onnx"
    ids = torch.ones((2, 8), dtype=torch.long)
    axes = {0: "batch", 1: "length"}
    names = ["input_ids", "attention_mask"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer
        torch.onnx.export(
            HiddenStates(encoder).eval(),
            (ids, ids),
            str(path),
            input_names=names,
            dynamic_axes=dict.fromkeys(names, axes),
            dynamo=False,
        )
        quantized = torch.ao.quantization.quantize_dynamic(
            copy.deepcopy(encoder), {nn.Linear}, dtype=torch.qint8
        )
    quantize_dynamic(path, path8, weight_type=QuantType.QInt8, per_channel=True)
    return {
        "torch float32": encoder,
        "torch int8": quantized,
        "ONNX Runtime float32": OnnxEncoder(path),
        "ONNX Runtime int8": OnnxEncoder(path8),
    }


def main(
    model: Annotated[Path, typer.Argument(help="Trained pipeline", exists=True)],
    data: Annotated[Path, typer.Argument(help="Gold .spacy file", exists=True)],
    repeats: Annotated[int, typer.Option(help="Runs of each version", min=1)] = 3,
) -> None:
    """Compare versions of a pipeline's encoders by time and micro F1."""
    nlp = spacy.load(model)
    component: Any = nlp.get_pipe(NAME)
    module = get_shim(component.model).module.eval()
    component.model.get_ref("dual_encoder").attrs["cache"].size = 0
    spans_key = component.cfg["spans_key"]
    examples = copy_gold_entities(build_corpus(str(data))(nlp), spans_key)
    docs = [example.predicted for example in examples]
    with tempfile.TemporaryDirectory() as folder:
        versions: dict[str, dict[str, nn.Module]] = {}
        for name in ENCODERS:
            encoder = getattr(module, name)
            if encoder is not None:
                (Path(folder) / name).mkdir()
                made = make_encoders(encoder, Path(folder) / name)
                for version, other in made.items():
                    versions.setdefault(version, {})[name] = other
        seconds: dict[str, list[float]] = {version: [] for version in versions}
        f1 = {}
        for _ in range(repeats):
            for version, encoders in versions.items():
                for name, encoder in encoders.items():
                    setattr(module, name, encoder)
                start = time.perf_counter()
                scored = component.predict(docs)
                seconds[version].append(time.perf_counter() - start)
                component.set_annotations(docs, scored)
                f1[version] = component.score(examples)["rel_micro_f"]
    base = statistics.median(seconds["torch float32"])
    rows = []
    for version in versions:
        median = statistics.median(seconds[version])
        rows.append(
            [
                version,
                f"{median:.1f}",
                f"{base / median:.2f}",
                f"{100 * f1[version]:.2f}",
            ]
        )
    header = ["encoders", "seconds", "x float32", "micro F1"]
    msg.table(rows, header=header, aligns=["l", "r", "r", "r"], divider=True)


if __name__ == "__main__":
    typer.run(main)
