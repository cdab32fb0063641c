"""A whole run: from the input to the output, at once or after interruptions."""

import csv
import json
import os
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import srsly
from filelock import FileLock, Timeout
from tqdm import tqdm

from ..output.writers import find_writer
from ..output.writers.results import Results, Selection
from .files import remove, remove_unfinished, replacing
from .inputs import SAVED, STDIN, find_sources, save_stdin
from .local import run_local
from .manifest import NAME, Manifest, compare, make_manifest
from .settings import Settings
from .shard import load, part_of

LOCK = "lock"
OWNER = "owner.json"
ENGINES = ("local", "ray")
PART = re.compile(r"\d{6,}\.jsonl")


class Outcome(NamedTuple):
    """What a run has done.

    documents (int): How many documents there are.
    new (int): How many of them this run has worked on.
    relations (int): How many relations were found, whatever of them is written.
    errors (int): How many documents could not be read or processed.
    errors_path (Path): The file that says which, and why. It is there if there are any.
    """

    documents: int
    new: int
    relations: int
    errors: int
    errors_path: Path


def apply(
    model: str | Path,
    input_path: str | Path,
    output: str | Path,
    *,
    settings: Settings = Settings(),  # noqa: B008
    selection: Selection = Selection(),  # noqa: B008
    format_: str | None = None,
    parts: str | Path | None = None,
    shard_size: int = 512,
    engine: str = "local",
    n_process: int = 1,
    gpus_per_worker: float = 0,
    overwrite: bool = False,
    clean: bool = False,
    progress: bool = False,
) -> Outcome:
    """Find the relations in documents, and write them.

    The documents are worked on in shards, each of which is written as one part. A run
    that was interrupted is taken up by the same call. Its result is the same, byte by
    byte, as long as the processor and the number of its threads are, on which the last
    digits of a score may depend.

    model (Union[str, Path]): The trained pipeline: a folder or an installed package.
    input_path (Union[str, Path]): A file with documents, or a folder of such files,
        here or at a URL that fsspec knows; or "-" for the standard input.
    output (Union[str, Path]): The file or folder to write.
    settings (Settings): How documents are read and processed.
    selection (Selection): Which relations are written.
    format_ (Optional[str]): The name of the format. None: the ending of the output.
    parts (Optional[Union[str, Path]]): The folder of the parts. None: the name
        of the output with ".parts" behind it. Another format can be written from the
        same parts without working again.
    shard_size (int): How many documents a shard has.
    engine (str): What works on the shards: "local" (this machine) or "ray".
    n_process (int): How many processes work.
    gpus_per_worker (float): Of Ray: how many GPUs each of them has.
    overwrite (bool): Whether an output and parts of something else are removed.
    clean (bool): Whether the parts are removed when the output is written.
    progress (bool): Whether to show a progress bar on stderr, if that is a terminal.
    RETURNS (Outcome): What was done.
    RAISES (ValueError): If something can't be used, another run is at work on the same
        parts, or they are those of another input, model or settings.
    """
    output = Path(output)
    folder = output.with_name(f"{output.name}.parts") if parts is None else Path(parts)
    # Processes elsewhere may have another working directory.
    model = _absolute(str(model))
    if settings.ner is not None:
        settings = settings._replace(ner=_absolute(settings.ner))
    settings.check()
    selection.check()
    _check_numbers(shard_size, n_process, engine)
    writer = find_writer(output, format_, selection)
    _check_places(str(input_path), output, folder)
    _refuse_other_files(folder)
    known = (folder / NAME).exists()
    if not known and output.exists() and not (overwrite and output.is_file()):
        raise ValueError(
            f"{output} is there, but not {folder / NAME}, so this command has not made "
            "it. Give another output, or if it is a file, --overwrite."
        )
    with _locked(folder):
        if overwrite:
            _remove_parts(folder)
        remove_unfinished(output)
        for path in folder.glob(".*.new"):  # of a process that was killed
            remove(path)
        if str(input_path) == STDIN:
            sources = [save_stdin(folder, settings.split)]
        else:
            sources = find_sources(input_path, settings.split)
        manifest = make_manifest(model, sources, settings, shard_size)
        pipelines = [manifest.identity[name] for name in ("model", "ner")]
        settings = settings._replace(digest=json.dumps(pipelines))
        if overwrite or not (folder / NAME).exists():
            labels = _read_labels(model, settings, engine, n_process)
            _write_manifest(manifest, labels, folder)
        else:
            compare(manifest, folder)
        predicates = srsly.read_json(folder / NAME)["predicates"]
        _check_labels(selection, predicates)
        new = _work(
            *(manifest, folder, model, settings, engine, n_process),
            *(gpus_per_worker, progress),
        )
        results = Results(
            [(part_of(shard, folder), shard.documents) for shard in manifest.shards],
            manifest.model,
            predicates["symmetric"],
            selection,
        )
        relations, errors, errors_path = _write_errors(results, output)
        with replacing(output) as path, _csv_errors(output):
            writer.write(results, path)
        if clean:
            _remove_parts(folder)
            for name in (SAVED, NAME):
                remove(folder / name)
            _remove_lock(folder)
    return Outcome(manifest.documents, new, relations, errors, errors_path)


def _work(
    manifest: Manifest,
    folder: Path,
    model: str,
    settings: Settings,
    engine: str,
    n_process: int,
    gpus_per_worker: float,
    progress: bool,
) -> int:
    """Work on the shards that have no part, and return how many documents they have."""
    left = [shard for shard in manifest.shards if not part_of(shard, folder).exists()]
    new = sum(shard.documents for shard in left)
    if not left:
        return 0
    with tqdm(
        total=manifest.documents,
        initial=manifest.documents - new,
        unit=" documents",
        disable=None if progress else True,
    ) as bar:
        common = (model, left, folder.absolute(), settings, bar.update, n_process)
        if engine == "ray":
            from .ray_engine import run_ray

            run_ray(*common, gpus_per_worker)
        else:
            run_local(*common)
    return new


def _read_labels(
    model: str, settings: Settings, engine: str, n_process: int
) -> dict[str, list[str]]:
    """Read the labels of the pipeline, which shows that it can be loaded."""
    here = engine == "local" and n_process == 1
    _, extractor = load(model, settings if here else settings._replace(gpu_id=-1))
    return {
        "labels": list(extractor.labels),
        "symmetric": [p.label for p in extractor.predicates if p.symmetric],
    }


def _write_manifest(
    manifest: Manifest, labels: dict[str, list[str]], folder: Path
) -> None:
    # At once, and in the place of another one: without a manifest, what is in the
    # folder and the output that belongs to it would be taken for somebody else's.
    with replacing(folder / NAME) as path:
        srsly.write_json(path, {**manifest.to_data(), "predicates": labels})


@contextmanager
def _csv_errors(output: Path) -> Iterator[None]:
    try:
        yield
    except csv.Error as e:
        raise ValueError(
            f"{output} can't be written: {e}. Before Python 3.11 a CSV file can't hold "
            "a NUL character, which one of the texts has: write another format, such "
            "as .jsonl, or take a later Python."
        ) from e


def _write_errors(results: Results, output: Path) -> tuple[int, int, Path]:
    path = output.with_name(f"{output.name}.errors.jsonl")
    n_relations = n_errors = 0
    with replacing(path) as new, new.open("w", encoding="utf8", newline="\n") as file:
        for record in results.records():
            if "error" in record:
                n_errors += 1
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
            else:
                n_relations += len(record["relations"])
    if not n_errors:
        remove(path)
    return n_relations, n_errors, path


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other runs out. The system gives the lock of a process that ended to the
    next one, so no lock is left behind by a process that was killed."""
    folder.mkdir(parents=True, exist_ok=True)
    owner = folder / OWNER
    try:
        with FileLock(folder / LOCK, timeout=0):
            with replacing(owner) as new:
                srsly.write_json(new, {"pid": os.getpid(), "host": platform.node()})
            yield
    except Timeout:
        found = srsly.read_json(owner) if owner.exists() else {}
        raise ValueError(
            f"Another run is at work in {folder}: process {found.get('pid')} on "
            f"{found.get('host')}. Wait until it is done, or end it."
        ) from None


def _remove_parts(folder: Path) -> None:
    for path in folder.iterdir():
        if PART.fullmatch(path.name):
            remove(path)


def _remove_lock(folder: Path) -> None:
    # Windows removes no file that is open, and the folder may have other files.
    with suppress(OSError):
        remove(folder / OWNER)
        remove(folder / LOCK)
        folder.rmdir()


def _refuse_other_files(folder: Path) -> None:
    """A folder of something else could have files with the names of parts."""
    own = (LOCK, OWNER, SAVED)
    if folder.exists() and not (folder / NAME).exists():
        names = (path.name for path in folder.iterdir())
        if any(name not in own and not name.startswith(".") for name in names):
            raise ValueError(
                f"{folder} has files that are not of this command. Give another folder."
            )


def _check_numbers(shard_size: int, n_process: int, engine: str) -> None:
    if engine not in ENGINES:
        known = ", ".join(ENGINES)
        raise ValueError(f"Unknown engine '{engine}'. Choose one of {known}.")
    if engine == "ray" and find_spec("ray") is None:
        raise ValueError(
            "The engine 'ray' needs the package ray. Install it: "
            'pip install "spacy-dualre[ray]".'
        )
    for name, number in (("shard_size", shard_size), ("n_process", n_process)):
        if number < 1:
            raise ValueError(f"{name} must be at least 1, not {number}.")


def _check_places(input_path: str, output: Path, folder: Path) -> None:
    if input_path == STDIN or "://" in input_path:
        return
    source = Path(input_path).resolve()
    for path in (output, folder):
        if path.resolve().is_relative_to(source):
            raise ValueError(
                f"{path} is in the input, {input_path}, where it would be read, or "
                "would replace what is read. Give an output elsewhere."
            )


def _absolute(model: str) -> str:
    return str(Path(model).absolute()) if Path(model).is_dir() else model


def _check_labels(selection: Selection, predicates: dict[str, Any]) -> None:
    known: Sequence[str] = predicates["labels"]
    unknown = [label for label in selection.labels or () if label not in known]
    if unknown:
        raise ValueError(
            f"The pipeline has no predicate {', '.join(unknown)}. It has "
            f"{', '.join(known)}."
        )
