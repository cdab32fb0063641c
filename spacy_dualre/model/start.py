"""Where training starts: the encoders of a trained pipeline."""

import warnings
from pathlib import Path

import srsly
from spacy.util import load_config

from ..saving import Naming, read_model
from .low_rank import load_difference, read_arguments
from .settings import Settings
from .shim import DualEncoderShim

# The general model, which comes with the package.
GENERAL = Path(__file__).parent.parent / "data" / "general.safetensors"
FACTORY = "dual_relation_extractor"


def load_start(path: str, settings: Settings) -> DualEncoderShim:
    """Load the model of a trained pipeline.

    path (str): The pipeline's folder, or "general" for the general model.
    settings (Settings): The settings of the model that starts from it.
    RETURNS (DualEncoderShim): Its module and tokenizer.
    RAISES (ValueError): If there is no such pipeline, or no relation extractor in it,
        or it is damaged.
    """
    if path == "general":
        _compare_spans(path, read_arguments(GENERAL)["fill_spans"], settings)
        return load_difference(DualEncoderShim(settings), GENERAL)
    folder = Path(path)
    if not (folder / "config.cfg").is_file():
        raise ValueError(
            f"Can't start from {folder.absolute()}: there is no trained pipeline. Give "
            "the folder that `spacy train` wrote, such as training/model-best."
        )
    with Naming("config.cfg", str(folder.absolute())):
        components = load_config(folder / "config.cfg")["components"]
    names = [name for name, own in components.items() if own.get("factory") == FACTORY]
    if not names:
        raise ValueError(
            f"Can't start from {folder.absolute()}: it has no component made by "
            f"'{FACTORY}', but {', '.join(components) or 'none'}."
        )
    model = srsly.msgpack_loads(read_model(folder / names[0]))
    shim = DualEncoderShim(settings).from_bytes(model["shims"][0][0])
    if shim.module.instance_encoder is None:
        raise ValueError(
            f"Can't start from {folder.absolute()}: its '{names[0]}' has no instance "
            "encoder of its own."
        )
    filled = components[names[0]].get("model", {}).get("fill_spans", True)
    _compare_spans(path, filled, settings)
    return shim


def _compare_spans(path: str, filled: bool, settings: Settings) -> None:
    if filled != settings.fill_spans:
        warnings.warn(
            f"'{path}', where training starts, was trained with fill_spans = "
            f"{str(filled).lower()}. With {str(settings.fill_spans).lower()} what it "
            "knows of descriptions is of less use: set "
            "[components.dual_relation_extractor.model] fill_spans to what it had."
        )
