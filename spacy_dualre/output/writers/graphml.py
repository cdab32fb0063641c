"""GraphML, for Gephi, Cytoscape, igraph and others. All of the graph is in memory."""

import json
import re
from pathlib import Path
from typing import Any

from .results import Results
from .writer import Writer

# What XML 1.0 has no place for, even escaped.
NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(results: Results, path: Path) -> None:
    """Write GraphML: a node for each entity, an edge for each fact. See `Writer`."""
    import networkx

    graph: Any = networkx.MultiDiGraph(model=_clean(results.model))
    for fact in results.facts():
        for entity in (fact.subject, fact.object):
            node = _clean(entity.key)
            if node not in graph:
                text, type_, id_ = map(_clean, entity)
                graph.add_node(node, label=text, type=type_, kb_id=id_)
        data = {
            name: _clean(value) if isinstance(value, str) else value
            for name, value in fact.best._asdict().items()
        }
        if results.selection.merge:
            places = [evidence._asdict() for evidence in fact.evidence]
            data["evidence"] = _clean(json.dumps(places, ensure_ascii=False))
        ends = (_clean(fact.subject.key), _clean(fact.object.key))
        data |= {"label": _clean(fact.predicate), "model": _clean(results.model)}
        graph.add_edge(*ends, **data)
    networkx.write_graphml_xml(graph, path, encoding="utf-8")


def _clean(text: str) -> str:
    return NOT_IN_XML.sub("\ufffd", text)


WRITER = Writer(write, requires=("networkx",), extra="graph")
