"""What a saved component consists of, and how it is checked when it is loaded.

What was learned is stored: the predicates and the weights. The settings follow the
config, so that an edited config and the overrides of `spacy.load` count. Predicates and
threshold can be changed after training as well; what they were changed to is stored
beside what the config then said, and holds as long as the config says the same.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import srsly
from spacy.pipeline import TrainablePipe


def pack(
    pipe: TrainablePipe, configured: dict[str, Any], exclude: Iterable[str]
) -> dict[str, bytes]:
    """Turn a component into the contents of its files.

    pipe (TrainablePipe): The component. Its `cfg` is what can be changed after
        training.
    configured (Dict[str, Any]): What the config says of that.
    exclude (Iterable[str]): Files that are left out.
    RETURNS (Dict[str, bytes]): The contents of "vocab", "cfg" and "model".
    """
    files: dict[str, bytes] = {}
    state = {**pipe.cfg, "configured": configured}
    if "model" not in exclude:
        files["model"] = pipe.model.to_bytes()
        state["model_sha256"] = hashlib.sha256(files["model"]).hexdigest()
    if "cfg" not in exclude:
        files["cfg"] = srsly.json_dumps(state).encode("utf8")
    if "vocab" not in exclude:
        files["vocab"] = pipe.vocab.to_bytes(exclude=exclude)
    return files


def unpack(
    pipe: TrainablePipe,
    configured: dict[str, Any],
    read: Callable[[str], bytes],
    where: str,
    exclude: Iterable[str],
) -> dict[str, Any]:
    """Load vocabulary and weights of a component, and what was changed after training.

    pipe (TrainablePipe): The component.
    configured (Dict[str, Any]): What the config says of what can be changed.
    read (Callable[[str], bytes]): Reads the contents of a file.
    where (str): Where the files are, for errors.
    exclude (Iterable[str]): Files that are not loaded.
    RETURNS (Dict[str, Any]): The component's `cfg` as it should be.
    RAISES (ValueError): If a file is damaged, or files do not belong together.
    """
    if "vocab" not in exclude:
        with _Naming("vocab", where):
            pipe.vocab.from_bytes(read("vocab"), exclude=exclude)
    cfg = dict(configured)
    state: dict[str, Any] = {}
    if "cfg" not in exclude:
        with _Naming("cfg", where):
            state = json.loads(read("cfg"))
            for key, before in state["configured"].items():
                if configured[key] in (None, [], before):
                    cfg[key] = state[key]
    if "model" not in exclude:
        with _Naming("model", where):
            data = read("model")
            expected = state.get("model_sha256")
            found = hashlib.sha256(data).hexdigest()
            if expected is not None and found != expected:
                raise ValueError(
                    f"not the one that 'cfg' was saved with: its SHA-256 is {found}, "
                    f"expected {expected}"
                )
            pipe.model.from_bytes(data)
    return cfg


class _Naming:
    """Names the file in errors that come from its contents."""

    def __init__(self, name: str, where: str) -> None:
        self.name, self.where = name, where

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception) or isinstance(
            error, (OSError, MemoryError)
        ):
            return
        if "alloc" in str(error):  # torch has no exception of its own for it
            return
        raise ValueError(
            f"Can't load '{self.name}' from {self.where}: it is damaged, or belongs to "
            f"another pipeline or config ({type(error).__name__}: {str(error)[:500]}). "
            "Copy the whole folder of the pipeline again."
        ) from error
