"""UIMA CAS, as INCEpTION writes it: XMI with its TypeSystem.xml, and JSON.

Mentions are the annotations of all layers of a project's own, and named entities.
Relations are those of the layers that have the features `Governor` (the subject) and
`Dependent` (the object). The type of a mention or relation is its feature `label` or
`value`, or else the only feature of its layer. Sentences are those of the file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cassis
from lxml import etree

from ..json_files import Fail, parse_json
from ..text_files import input_error, read_text, shorten
from .docs import Document, Mention
from .documents import DocumentReader
from .format import Format
from .report import CHANGED, LOST, SplitReport

NAMED_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
SENTENCE = "de.tudarmstadt.ukp.dkpro.core.api.segmentation.type.Sentence"
BUILT_IN = ("uima.", "de.tudarmstadt.", "org.dkpro.")
TYPES_FILE = "TypeSystem.xml"
SUBJECT, OBJECT, IDENTIFIER = "Governor", "Dependent", "identifier"
# Features that are a mention's or relation's place, and no annotation.
PLACE = ("sofa", "begin", "end", SUBJECT, OBJECT)
LABELS = ("label", "value")
# What cassis raises for files that are none.
BAD = (ValueError, LookupError, TypeError, AttributeError, SyntaxError, RuntimeError)


def read_document(path: Path, fail: Fail) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the document of a file: line 1, its "id" and its "cas"."""
    try:
        if path.name.lower().endswith(".json"):
            parse_json(text := read_text(path))
            cas = cassis.load_cas_from_json(text)
        else:
            cas = _read_xmi(path)
    except (*BAD, cassis.typesystem.TypeNotFoundError, etree.LxmlError) as e:
        problem = shorten(f"{type(e).__name__}: {e}", 200)
        problem = f"expected a UIMA CAS, but could not read it ({problem})."
        fail(input_error(path, 1, problem))
    else:
        yield 1, {"id": path.stem, "cas": cas}


def parse(data: dict[str, Any], name: str, report: SplitReport) -> Document:
    """Read a document. See `DocumentReader`."""
    doc_id, cas = data["id"], data["cas"]
    mentions: list[Mention] = []
    index: dict[Any, int] = {}
    rows = []
    for annotation in cas.select_all():
        layer = annotation.type.name
        if layer.startswith(BUILT_IN) and layer != NAMED_ENTITY:
            continue
        features = {feature.name for feature in annotation.type.all_features}
        if {SUBJECT, OBJECT} <= features:
            label = _read_label(annotation, features, "relation", doc_id, report)
            rows.append((annotation[SUBJECT], annotation[OBJECT], label))
            continue
        index[annotation.xmiID] = len(mentions)
        label = _read_label(
            annotation, features - {IDENTIFIER}, "mention", doc_id, report
        )
        start, end = annotation.begin, annotation.end
        mentions.append(Mention(start, end, label, annotation[IDENTIFIER] or ""))
    relations = []
    for subject, object_, label in rows:
        s, o = (index.get(getattr(end, "xmiID", None)) for end in (subject, object_))
        if s is not None and o is not None:
            relations.append((s, o, label))
        else:
            report.rows["relation"] += 1
            report.record(LOST, "relation", "an argument is no mention", doc_id)
    sentences = None
    if cas.typesystem.contains_type(SENTENCE):
        sentences = [sentence.begin for sentence in cas.select(SENTENCE)] or None
    text = cas.sofa_string or ""
    return Document(doc_id, text, mentions, relations, sentences=sentences)


def _read_xmi(path: Path) -> cassis.Cas:
    types = path.with_name(TYPES_FILE)
    if not types.is_file():
        raise ValueError(f"there is no {TYPES_FILE} beside it")
    for file in (types, path):
        if "<!ENTITY" in read_text(file):
            raise ValueError("entities of a file's own are not read")
    return cassis.load_cas_from_xmi(path, cassis.load_typesystem(types))


def _read_label(
    annotation: Any, features: set[str], what: str, doc_id: str, report: SplitReport
) -> str:
    """The type of a mention or relation. Records what else is annotated of it."""
    names = sorted(features.difference(PLACE))
    label = next((name for name in LABELS if name in names), None)
    if label is None and len(names) == 1:
        label = names[0]
    for name in names:
        if name != label and annotation[name]:
            reason = f"of a {what} has no place on a Doc"
            report.record(LOST, f"feature {shorten(name)}", reason, doc_id)
    if label is not None and annotation[label]:
        return str(annotation[label])
    if label is not None:
        report.record(CHANGED, what, "has no label: that of its layer", doc_id)
    return str(annotation.type.short_name)


FORMAT = Format(
    DocumentReader((".xmi", ".json"), read_document, parse, "a UIMA CAS with a text")
)
