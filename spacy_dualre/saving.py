"""How the component is saved, and checked when it is loaded.

What was learned is stored: the predicates and the weights. The settings follow the
config, so that an edited config and the overrides of `spacy.load` count. Predicates,
threshold and type map can be changed after training as well; what they were changed to
is stored beside what the config then said, and holds as long as the config says the
same.

Checksums tell files that were damaged, or that belong to another component: "cfg" has
that of "model", and its own.
"""

import json
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import srsly
from spacy.pipeline import TrainablePipe
from spacy.util import ensure_path

Pipe = TypeVar("Pipe", bound="SavedPipe")


class SavedPipe(TrainablePipe):
    """A component with three files: "model", "cfg" and "vocab".

    cfg (Dict[str, Any]): What can be changed after training.
    configured (Dict[str, Any]): What the config says of that.
    """

    cfg: dict[str, Any]
    configured: dict[str, Any]

    def set_cfg(self, cfg: dict[str, Any]) -> None:
        """Change what can be changed after training.

        cfg (Dict[str, Any]): As it should be.
        """
        raise NotImplementedError

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Turn the component into bytes.

        exclude (Iterable[str]): What is left out.
        RETURNS (bytes): The bytes.
        """
        return srsly.msgpack_dumps(self._pack(exclude))

    def from_bytes(
        self: Pipe, bytes_data: bytes, *, exclude: Iterable[str] = ()
    ) -> Pipe:
        """Load what `to_bytes` returned.

        bytes_data (bytes): The bytes.
        exclude (Iterable[str]): What is not loaded.
        RETURNS (SavedPipe): The component.
        RAISES (ValueError): If they are damaged.
        """
        files = srsly.msgpack_loads(bytes_data)
        self._unpack(files.__getitem__, "bytes", exclude)
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the component.

        path (Union[str, Path]): A directory, which is made if it is not there.
        exclude (Iterable[str]): What is left out.
        """
        folder = ensure_path(path)
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in self._pack(exclude).items():
            (folder / name).write_bytes(data)

    def from_disk(self: Pipe, path: str | Path, *, exclude: Iterable[str] = ()) -> Pipe:
        """Load the component.

        path (Union[str, Path]): The directory.
        exclude (Iterable[str]): What is not loaded.
        RETURNS (SavedPipe): The component.
        RAISES (ValueError): If a file is damaged, or files do not belong together.
        """
        folder = ensure_path(path)

        def read(name: str) -> bytes:
            data: bytes = (folder / name).read_bytes()
            return data

        self._unpack(read, str(folder.absolute()), exclude)
        return self

    def _pack(self, exclude: Iterable[str]) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        state = {**self.cfg, "configured": self.configured}
        if "model" not in exclude:
            files["model"] = self.model.to_bytes()
            state["model_sha256"] = sha256(files["model"]).hexdigest()
        if "cfg" not in exclude:
            plain = json.loads(json.dumps(state))  # as it is read
            plain["sha256"] = _sha256_of(plain)
            files["cfg"] = json.dumps(plain).encode()
        if "vocab" not in exclude:
            files["vocab"] = self.vocab.to_bytes(exclude=exclude)
        return files

    def _unpack(
        self, read: Callable[[str], bytes], where: str, exclude: Iterable[str]
    ) -> None:
        if "vocab" not in exclude:
            with Naming("vocab", where):
                self.vocab.from_bytes(read("vocab"), exclude=exclude)
        state: dict[str, Any] = {}
        if "cfg" not in exclude:
            with Naming("cfg", where):
                state = _checked_state(read("cfg"))
                cfg = dict(self.configured)
                for key, before in state["configured"].items():
                    now = self.configured[key]
                    if now in (None, [], {}) or _same(now, before):
                        cfg[key] = state[key]
                self.set_cfg(cfg)
        if "model" not in exclude:
            with Naming("model", where):
                self.model.from_bytes(_checked_model(read("model"), state))


def read_model(folder: Path) -> bytes:
    """Read the model of a saved component, and check it.

    folder (Path): The component's directory.
    RETURNS (bytes): What the model's `to_bytes` returned.
    RAISES (ValueError): If a file is damaged, or they do not belong together.
    """
    where = str(folder.absolute())
    with Naming("cfg", where):
        state = _checked_state((folder / "cfg").read_bytes())
    with Naming("model", where):
        return _checked_model((folder / "model").read_bytes(), state)


class Naming:
    """Names the file in errors that come from its contents.

    name (str): The file.
    where (str): Its directory.
    """

    def __init__(self, name: str, where: str) -> None:
        self.name, self.where = name, where

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, OSError | MemoryError):
            return
        if "alloc" in str(error):  # torch has no exception of its own for it
            return
        raise ValueError(
            f"Can't load '{self.name}' from {self.where}: it is damaged, or belongs to "
            f"another pipeline or config ({type(error).__name__}: {str(error)[:500]}). "
            "Copy the whole folder of the pipeline again. (Change settings in its "
            "config.cfg, and predicates with `set_predicates`.)"
        ) from error


def _same(one: Any, other: Any) -> bool:
    """Whether a config says the same. A saved one has its keys in another order."""
    if isinstance(one, list) and isinstance(other, list):
        return sorted(map(srsly.json_dumps, one)) == sorted(
            map(srsly.json_dumps, other)
        )
    return bool(one == other)


def _sha256_of(state: dict[str, Any]) -> str:
    """The SHA-256 of what is in "cfg", whatever the order of keys and the blanks."""
    own = {key: value for key, value in state.items() if key != "sha256"}
    return sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def _checked_state(data: bytes) -> dict[str, Any]:
    """What is in "cfg"."""
    state: dict[str, Any] = json.loads(data)
    _check_sha256(_sha256_of(state), state.get("sha256"), "it was saved as")
    return state


def _checked_model(data: bytes, state: dict[str, Any]) -> bytes:
    """What is in "model", as "cfg" knows it."""
    expected = state.get("model_sha256")
    _check_sha256(sha256(data).hexdigest(), expected, "'cfg' was saved with")
    return data


def _check_sha256(found: str, expected: str | None, was: str) -> None:
    if expected is not None and found != expected:
        raise ValueError(
            f"it is not what {was}: its SHA-256 is {found}, expected {expected}"
        )
