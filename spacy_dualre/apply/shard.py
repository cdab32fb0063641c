"""The unit of work: one shard, from its documents to one part of the result."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch
from thinc.api import require_gpu

from ..component import DualRelationExtractor
from ..model.description_cache import DescriptionCache
from ..pipelines import get_extractor, load_pipeline
from .files import replacing
from .inputs import Item, Shard, read_shard
from .records import failed, to_record
from .settings import Settings

Progress = Callable[[int], Any]


def apply_shard(
    model: str,
    shard: Shard,
    output: Path,
    settings: Settings,
    progress: Progress | None = None,
) -> Path:
    """Find the relations of the documents of a shard, and write them as one part. A
    part that is there is not made again. Any process can do it, at any time, and
    twice at a time: the part is the same.

    model (str): The trained pipeline: a folder or an installed package. It is loaded
        once in a process.
    shard (Shard): The shard.
    output (Path): The folder that the part is written to.
    settings (Settings): The settings.
    progress (Optional[Callable[[int], Any]]): Is called with a number of documents when
        they are done.
    RETURNS (Path): The part: a JSON object for each document, one per line.
    RAISES (ValueError): If the pipeline can't be used, or with `stop_on_error`, if a
        document can't be read or processed.
    """
    part = part_of(shard, output)
    if part.exists():
        return part
    nlp, extractor = load(model, settings)
    _forget_descriptions(extractor)
    with replacing(part) as new, new.open("w", encoding="utf8", newline="\n") as file:
        items = read_shard(shard, settings, nlp.vocab)
        for batch in minibatch(items, settings.batch_size):
            # Strings and words of these documents are forgotten after them.
            with nlp.memory_zone():
                for record in _process(nlp, extractor, batch, settings):
                    file.write(json.dumps(record, ensure_ascii=False) + "\n")
            if progress is not None:
                progress(len(batch))
    return part


def part_of(shard: Shard, output: Path) -> Path:
    """RETURNS (Path): Where the part of a shard is."""
    return Path(output) / f"{shard.name}.jsonl"


def load(model: str, settings: Settings) -> tuple[Language, DualRelationExtractor]:
    """Load a pipeline, once in a process.

    model (str): The trained pipeline: a folder or an installed package.
    settings (Settings): The settings.
    RETURNS (Tuple[Language, DualRelationExtractor]): The pipeline and its relation
        extractor.
    RAISES (ValueError): If it can't be used.
    """
    predicates = json.dumps(settings.predicates)
    key = (settings.ner, settings.component, predicates, settings.gpu_id)
    return _load(model, *key, settings.digest)


@lru_cache(maxsize=1)
def _load(
    model: str, ner: str | None, component: str, predicates: str, gpu_id: int, _: str
) -> tuple[Language, DualRelationExtractor]:
    if gpu_id >= 0:
        require_gpu(gpu_id)
    nlp = load_pipeline(model, ner, component)
    extractor = get_extractor(nlp, component)
    if json.loads(predicates) is not None:
        extractor.set_predicates(json.loads(predicates))
    return nlp, extractor


def _forget_descriptions(extractor: DualRelationExtractor) -> None:
    """In its last digits, a description's vector depends on those that were encoded
    with it. So that a part does not depend on what this process did before."""
    for node in extractor.model.walk():
        for shim in node.shims:
            cache = getattr(shim, "cache", None)
            if isinstance(cache, DescriptionCache):
                setattr(shim, "cache", DescriptionCache(cache.size))  # noqa: B010


def _process(
    nlp: Language,
    extractor: DualRelationExtractor,
    batch: Sequence[Item],
    settings: Settings,
) -> Iterator[dict[str, Any]]:
    """Yields a record for each document, in order: try all, then one by one."""
    good = [item for item in batch if item.error is None]
    records: dict[int, dict[str, Any]] = {}
    try:
        found = _pipe(nlp, extractor, good)
        records = {id(item): record for item, record in zip(good, found)}
    except Exception:  # of any component, and out of memory
        for item in good:
            try:
                (records[id(item)],) = _pipe(nlp, extractor, [item])
            except Exception as e:
                _refuse_broken_gpu(settings, item, e)
                error = f"can't be processed ({type(e).__name__}: {e})"
                records[id(item)] = failed(item.id, error)
    for item in batch:
        record = records.get(id(item)) or failed(item.id, item.error or "")
        if settings.stop_on_error and "error" in record:
            raise ValueError(f"Document {record['id']}: {record['error']}")
        yield record


def _pipe(
    nlp: Language, extractor: DualRelationExtractor, items: Sequence[Item]
) -> list[dict[str, Any]]:
    docs = list(nlp.pipe([content_of(item, extractor.relations_key) for item in items]))
    if len(docs) != len(items):
        raise ValueError("the pipeline left it out")
    return [
        to_record(doc, item.id, extractor.relations_key, extractor.spans_key)
        for doc, item in zip(docs, items)
    ]


def content_of(item: Item, relations_key: str) -> str | Doc:
    """What a pipeline is given: a text, or a copy of a Doc, because a batch may be
    tried twice, without relations: those that are found are asked for.

    item (Item): The document.
    relations_key (str): Where its relations are.
    RETURNS (Union[str, Doc]): The text or the Doc.
    """
    if isinstance(item.content, str):
        return item.content
    doc = item.content.copy()
    if relations_key in doc.spans:
        del doc.spans[relations_key]
    return doc


def _refuse_broken_gpu(settings: Settings, item: Item, error: Exception) -> None:
    """After some errors a GPU does nothing more in this process, whatever document it
    is given."""
    if settings.gpu_id < 0:
        return
    try:
        torch.cuda.synchronize()
    except Exception:
        raise RuntimeError(
            f"The GPU failed on document {item.id} or one before it: {error}"
        ) from error
