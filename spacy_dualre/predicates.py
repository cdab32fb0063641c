"""Predicates: their labels, descriptions, type signatures and symmetry."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from reprlib import Repr
from typing import Any, NamedTuple

import numpy
import srsly
from thinc.api import Config

from .json_files import parse_json
from .text_files import read_text

NO_RELATION = "no_relation"
SLOTS = ("{subject}", "{object}")
PROPERTIES = ("description", "subject_types", "object_types", "symmetric")
# A YAML file of a few lines can name a list of lists of lists with billions of items.
SHORT = Repr()
SHORT.maxlevel, SHORT.maxstring = 2, 100
MAX_PROBLEMS = 20

# What users write: label -> description or properties, or a list of properties.
PredicateData = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Predicate(NamedTuple):
    """A predicate (relation type).

    label (str): Its name.
    descriptions (Tuple[str, ...]): Sentences with the slots `{subject}` and `{object}`,
        once each: different wordings of the same.
    subject_types (Tuple[str, ...]): Entity types a subject may have. Empty: any.
    object_types (Tuple[str, ...]): Entity types an object may have. Empty: any.
    symmetric (bool): Whether it holds both ways round. A pair is then scored in text
        order only, and may fit the signature either way round.
    """

    label: str
    descriptions: tuple[str, ...]
    subject_types: tuple[str, ...] = ()
    object_types: tuple[str, ...] = ()
    symmetric: bool = False

    def admits(self, subject_type: str, object_type: str) -> bool:
        """Whether the signature allows a subject and an object of these types."""
        directed = _fits(subject_type, self.subject_types) and _fits(
            object_type, self.object_types
        )
        if directed or not self.symmetric:
            return directed
        return _fits(object_type, self.subject_types) and _fits(
            subject_type, self.object_types
        )


def describe(label: str) -> str:
    """Make a description from a label: "USED-FOR" -> "{subject} used for {object}".

    label (str): The predicate's label.
    RETURNS (str): A description with both slots.
    """
    if label == NO_RELATION:
        return "there are no relations between {subject} and {object}"
    words = label.lower()
    for separator in "-_:/{}":
        words = words.replace(separator, " ")
    return " ".join(["{subject}", *words.split(), "{object}"])


def parse_predicates(data: PredicateData) -> tuple[Predicate, ...]:
    """Check predicates and bring them into their fixed order.

    data (Mapping[str, Any]): Label -> description, or label -> properties
        (`description`, `subject_types`, `object_types`, `symmetric`); or a list of
        properties with a `label` each, as `to_data` returns it. A description may be a
        list of several wordings.
    RETURNS (Tuple[Predicate, ...]): "no_relation" first (with its default description
        where the data has none), then the others in the order of the data.
    RAISES (ValueError): With every problem that was found, each with its label.
    """
    problems: list[str] = []
    predicates: dict[str, Predicate] = {}
    for label, properties in _items(data, problems):
        if not isinstance(label, str) or not label:
            problems.append(
                f"a label must be a non-empty string, but one is {SHORT.repr(label)}"
            )
            continue
        if label in predicates:
            problems.append(f"{SHORT.repr(label)} is there more than once")
        predicates[label] = _parse_predicate(label, properties, problems)
    if not set(predicates) - {NO_RELATION}:
        problems.append(f"there is no predicate beside '{NO_RELATION}'")
    if problems:
        more = len(problems) - MAX_PROBLEMS
        shown = "; ".join(problems[:MAX_PROBLEMS])
        raise ValueError(
            f"Can't use these predicates: {shown}{f'; and {more} more' * (more > 0)}."
        )
    first = predicates.pop(
        NO_RELATION, Predicate(NO_RELATION, (describe(NO_RELATION),))
    )
    return (first, *predicates.values())


def to_data(predicates: Iterable[Predicate]) -> list[dict[str, Any]]:
    """Turn predicates into plain data that can be written as JSON.

    predicates (Iterable[Predicate]): The predicates.
    RETURNS (List[Dict[str, Any]]): One dict for each, in the same order, to be read
        back by `parse_predicates`.
    """
    return [
        {
            "label": predicate.label,
            "description": _one_or_list(predicate.descriptions),
            "subject_types": list(predicate.subject_types),
            "object_types": list(predicate.object_types),
            "symmetric": predicate.symmetric,
        }
        for predicate in predicates
    ]


def read_predicates(path: str | None) -> list[dict[str, Any]]:
    """Read predicates from a file, to be used as a component's labels in
    `[initialize.components.dual_relation_extractor.labels]`.

    path (Optional[str]): A JSON or YAML file (by its ending) of what `parse_predicates`
        takes. None: no predicates, so that they are made from the training data.
    RETURNS (List[Dict[str, Any]]): The predicates as `to_data` returns them.
    RAISES (ValueError): If the file is not there, is not JSON or YAML, or describes
        predicates wrongly.
    """
    if path is None:
        return []
    file = Path(path)
    if not file.is_file():
        raise ValueError(f"Can't find the predicates file {file.absolute()}.")
    is_yaml = file.suffix.lower() in (".yml", ".yaml")
    try:
        data = (srsly.yaml_loads if is_yaml else parse_json)(read_text(file))
    except Exception as e:
        raise ValueError(f"Can't read the predicates file {file}: {e!s:.500}") from e
    try:
        return to_data(parse_predicates(data))
    except ValueError as e:
        raise ValueError(f"{file}: {e}") from None


def refuse_lossy_labels(predicates: PredicateData) -> None:
    """Refuse labels that are not the same after the config is saved and read, where
    ":", "=", "." and others mean something in a key.

    predicates (PredicateData): The predicates of a config.
    RAISES (ValueError): If a label is such a key.
    """
    if not isinstance(predicates, Mapping):
        return
    for label, properties in predicates.items():
        if not _is_kept(label, properties):
            raise ValueError(
                f"The label '{label}' can't be a key in a config file. Give the "
                'predicates as a list, [{"label": ..., "description": ...}, ...], or '
                "read them from a file with spacy-dualre.read_predicates.v1."
            )


def refuse_lossy_types(type_map: Mapping[str, str]) -> None:
    """Refuse entity types that are not the same after the config is saved and read.

    type_map (Mapping[str, str]): The type map of a config.
    RAISES (ValueError): If a type is such a key.
    """
    for type_, other in type_map.items():
        if not _is_kept(type_, other):
            raise ValueError(
                f"The entity type '{type_}' can't be a key in a config file. Set the "
                "component's `type_map` in Python, which is saved with it."
            )


def _is_kept(key: str, value: Any) -> bool:
    """Whether a key of a config is the same after it is saved and read."""
    config = {"section": {key: value}}
    try:
        return bool(Config().from_str(Config(config).to_str()) == config)
    except ValueError:
        return False


@lru_cache(maxsize=256)
def admission_table(
    predicates: tuple[Predicate, ...], types: tuple[str, ...]
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Tabulate which predicates the signatures allow. Most Docs have the same types.

    predicates (Tuple[Predicate, ...]): R + 1 predicates, "no_relation" first.
    types (Tuple[str, ...]): T entity types.
    RETURNS (Tuple[ndarray, ndarray]): Two bool arrays of shape (T, T, R + 1), indexed
        by subject type, object type and predicate: for pairs whose subject comes first
        in the text, and for the others, which no symmetric predicate may have.
        "no_relation" is always allowed.
    """
    subjects, objects = (
        _fitting(predicates, types, side) for side in ("subject_types", "object_types")
    )
    symmetric = numpy.asarray([predicate.symmetric for predicate in predicates])
    in_order = subjects[:, None] & objects[None, :]
    in_order |= symmetric & objects[:, None] & subjects[None, :]
    in_order[:, :, 0] = True
    symmetric[:1] = False
    reverse = in_order & ~symmetric
    for table in (in_order, reverse):
        table.flags.writeable = False  # it is shared
    return in_order, reverse


def _fitting(predicates: Sequence[Predicate], types: Sequence[str], side: str) -> Any:
    """Which types fit one side of which predicates, bool, (T, R + 1)."""
    fitting = [[_fits(t, getattr(p, side)) for p in predicates] for t in types]
    shape = (len(types), len(predicates))
    return numpy.asarray(fitting, dtype=bool).reshape(shape)


def _fits(type_: str, allowed: Sequence[str]) -> bool:
    return not allowed or type_ in allowed


def _items(data: PredicateData, problems: list[str]) -> list[tuple[str, Any]]:
    if isinstance(data, Mapping):
        return list(data.items())
    if not isinstance(data, Sequence) or isinstance(data, str):
        problems.append(
            "expected a mapping of labels to descriptions or properties, but found "
            f"{type(data).__name__}"
        )
        return []
    items = []
    for i, properties in enumerate(data):
        if isinstance(properties, Mapping) and "label" in properties:
            rest = {key: value for key, value in properties.items() if key != "label"}
            items.append((properties["label"], rest))
        else:
            problems.append(f"entry {i} has no 'label'")
    return items


def _parse_predicate(label: str, properties: Any, problems: list[str]) -> Predicate:
    named = SHORT.repr(label)
    if isinstance(properties, str | list):
        properties = {"description": properties}
    if properties is None:
        properties = {}
    if not isinstance(properties, Mapping):
        problems.append(f"{named} must have a description or properties")
        return Predicate(label, (describe(label),))
    unknown = set(properties) - set(PROPERTIES)
    if unknown:
        problems.append(
            f"{named} has unknown properties {_join(unknown)} "
            f"(known: {', '.join(PROPERTIES)})"
        )
    given = properties.get("description")
    descriptions = [given] if isinstance(given, str) else given
    if given is None or given == "":
        descriptions = [describe(label)]
    if not isinstance(descriptions, list | tuple) or not descriptions:
        problems.append(
            f"{named}: the description must be a string or a list of strings, but is "
            f"{SHORT.repr(given)}"
        )
        descriptions = [describe(label)]
    for description in descriptions:
        problems.extend(_check_description(named, description))
    symmetric = properties.get("symmetric", False)
    if not isinstance(symmetric, bool):
        problems.append(f"{named}: symmetric must be true or false")
    sides = []
    for side in ("subject_types", "object_types"):
        types = properties.get(side)
        types = () if types is None else types
        is_list = isinstance(types, Sequence) and not isinstance(types, str)
        if not is_list or not all(isinstance(type_, str) for type_ in types):
            problems.append(f"{named}: {side} must be a list of entity types")
            types = ()
        sides.append(tuple(types))
    texts = tuple(dict.fromkeys(d for d in descriptions if isinstance(d, str)))
    for text in (label, *texts, *sides[0], *sides[1]):
        if any("\ud800" <= char <= "\udfff" for char in text):
            problems.append(f"{named} has half of a surrogate pair: {SHORT.repr(text)}")
    return Predicate(label, texts, sides[0], sides[1], bool(symmetric))


def _check_description(named: str, description: Any) -> Iterator[str]:
    if not isinstance(description, str):
        shown = SHORT.repr(description)
        yield f"{named}: a description must be a string, not {shown}"
        return
    for slot in SLOTS:
        if description.count(slot) != 1:
            yield (
                f"{named}: the description must have {slot} exactly once, but has it "
                f"{description.count(slot)} times: {description!r:.200}"
            )


def _join(keys: Iterable[Any]) -> str:
    shown = (key if isinstance(key, str) else SHORT.repr(key) for key in keys)
    return f"{', '.join(sorted(shown)):.200}"


def _one_or_list(descriptions: tuple[str, ...]) -> str | list[str]:
    return descriptions[0] if len(descriptions) == 1 else list(descriptions)
