"""JSON, read strictly: what another reader might take otherwise is an error."""

import json
import re
from collections.abc import Callable, Iterator
from json.decoder import WHITESPACE  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

from .text_files import input_error, read_lines, shorten

Fail = Callable[[ValueError], None]

SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
KINDS = {
    str: "a string that is not empty",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def read_json_lines(path: Path, fail: Fail) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read one JSON object per line; blank lines are skipped.

    path (Path): The file.
    fail (Callable[[ValueError], None]): Is called with the error of a line.
    YIELDS (Tuple[int, Dict[str, Any]]): The line's number and the object.
    """
    for number, line in read_lines(path):
        if not line.strip():
            continue
        try:
            data = parse_json(line)
        except ValueError as e:
            fail(input_error(path, number, str(e)))
            continue
        if isinstance(data, dict):
            yield number, data
        else:
            problem = f"expected a JSON object, but found {shorten(data)}."
            fail(input_error(path, number, problem))


def read_json_list(
    path: Path, fail: Fail, key: str | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the objects of a JSON list.

    path (Path): The file.
    fail (Callable[[ValueError], None]): Is called with the error of an object.
    key (Optional[str]): Where the file is an object: the key that has the list.
    YIELDS (Tuple[int, Dict[str, Any]]): The line on which an object begins, and the
        object.
    """
    text = "\n".join(line for _, line in read_lines(path))
    whole = "a JSON list" if key is None else f"a JSON object with a list '{key}'"
    try:
        data = parse_json(text)
    except _JSONError as e:
        line = text.count("\n", 0, e.position) + 1
        fail(input_error(path, line, str(e)))
        return
    if key is not None:
        data = data.get(key) if isinstance(data, dict) else None
    if not isinstance(data, list):
        fail(input_error(path, 1, f"expected {whole}."))
        return
    lines = _lines_of_items(text, key)
    for item, line in zip(data, lines):
        if not isinstance(item, dict):
            problem = f"expected an object in the list, but found {shorten(item)}."
            fail(input_error(path, line, problem))
        else:
            yield line, item


def parse_json(text: str) -> Any:
    """Parse JSON.

    text (str): The text.
    RETURNS (Any): The data.
    RAISES (ValueError): If it is not JSON, or has a key twice in one object, half of a
        surrogate pair, NaN or Infinity, or is nested too deeply.
    """
    try:
        data = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        if SURROGATE.search(text):
            _refuse_surrogates(data, "")
    except json.JSONDecodeError as e:
        raise _JSONError(
            f"expected JSON, but: {e.msg} (column {e.colno}). Is it complete?", e.pos
        ) from None
    except RecursionError:
        raise _JSONError("expected JSON, but it is nested too deeply.") from None
    except _KeyTwice as e:
        position = [m.start() for m in re.finditer(re.escape(json.dumps(e.key)), text)]
        raise _JSONError(str(e), position[-1] if position else 0) from None
    except ValueError as e:
        raise _JSONError(str(e)) from None
    return data


def get_field(data: dict[str, Any], key: str, kind: type) -> Any:
    """Get a field of a JSON object.

    data (Dict[str, Any]): The object.
    key (str): The field.
    kind (type): What it must be: str, int, bool, list or dict.
    RETURNS (Any): Its value.
    RAISES (ValueError): If it is missing or something else.
    """
    value = data.get(key)
    # bool is an int to Python, and no empty string is a label.
    is_bool = isinstance(value, bool) and kind is not bool
    if not isinstance(value, kind) or is_bool or (kind is str and not value):
        found = f"found {shorten(value)}" if key in data else "there is none"
        raise ValueError(f"expected {KINDS[kind]} as '{key}', but {found}.")
    return value


def get_id(data: dict[str, Any], key: str, other: str) -> str:
    """Get the optional id of a JSON object, which may be a number, 0 included.

    data (Dict[str, Any]): The object.
    key (str): The field.
    other (str): The id of an object without one.
    RETURNS (str): The id.
    """
    value = data.get(key)
    return other if value in (None, "") else str(value)


def get_strings(data: dict[str, Any], key: str) -> list[str] | None:
    """Get an optional list of strings of a JSON object.

    data (Dict[str, Any]): The object.
    key (str): The field.
    RETURNS (Optional[List[str]]): Its value. None: there is none.
    RAISES (ValueError): If it is something else.
    """
    value = data.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(s, str) for s in value):
        raise ValueError(
            f"expected a list of strings as '{key}', but found {shorten(value)}."
        )
    return value


def get_objects(data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Get a field that is a list of objects; an empty one where it is missing.

    data (Dict[str, Any]): The object.
    key (str): The field.
    RETURNS (List[Dict[str, Any]]): The objects.
    RAISES (ValueError): If it is something else.
    """
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        found = shorten(value)
        raise ValueError(f"expected a list of objects as '{key}', but found {found}.")
    return value


class _JSONError(ValueError):
    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


class _KeyTwice(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(
            f"expected each key once in an object, but {shorten(key)} is there twice. "
            "Remove one."
        )
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _KeyTwice(next(key for key in keys if keys.count(key) > 1))
    return data


def _no_constant(name: str) -> None:
    raise ValueError(f"expected JSON, but found {name}, which is no number in JSON.")


def _refuse_surrogates(data: Any, field: str) -> None:
    """Half of a surrogate pair is no character, and can't be written to a file."""
    if isinstance(data, dict):
        for key, value in data.items():
            _refuse_surrogates(key, f"the key {shorten(key)}")
            _refuse_surrogates(value, f"{field}.{key}" if field else key)
    elif isinstance(data, list):
        for i, value in enumerate(data):
            _refuse_surrogates(value, f"{field}[{i}]")
    elif isinstance(data, str) and any("\ud800" <= c <= "\udfff" for c in data):
        raise ValueError(
            f"expected characters in {field or 'the string'}, but found half of a "
            f"surrogate pair: {shorten(data)}. Write both halves, or the character "
            "itself."
        )


def _lines_of_items(text: str, key: str | None) -> Iterator[int]:
    """Yields the line on which each item of the list begins, of text that is valid."""
    decode = json.JSONDecoder().raw_decode

    def skip(position: int) -> int:
        end: int = WHITESPACE.match(text, position).end()
        return end

    position = skip(0) + 1
    if key is not None:
        while True:
            position = skip(position)
            found, position = decode(text, position)
            position = skip(skip(position) + 1)  # ":"
            if found == key:
                break
            position = skip(decode(text, position)[1]) + 1  # ","
        position += 1
    line, counted = 1, 0
    while text[position := skip(position)] != "]":
        line += text.count("\n", counted, position)
        counted = position
        yield line
        position = skip(decode(text, position)[1])
        position += text[position] == ","
