"""What can be changed after training: predicates, threshold and type map."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy.errors import Errors

from .output.decoder import Threshold
from .predicates import (
    NO_RELATION,
    Predicate,
    PredicateData,
    describe,
    parse_predicates,
    read_predicates,
    to_data,
)
from .saving import SavedPipe


class ChangeablePipe(SavedPipe):
    """A component with predicates, a threshold and a type map, which are saved as they
    are. `spacy find-threshold` replaces `cfg`.
    """

    def set_up(
        self,
        predicates: PredicateData | None,
        threshold: Threshold,
        type_map: Mapping[str, str] | None,
    ) -> None:
        """Set what the config says.

        predicates (Optional[PredicateData]): The predicates. None: there are none yet.
        threshold (Optional[Union[float, Dict[str, float]]]): The threshold.
        type_map (Optional[Mapping[str, str]]): The type map.
        RAISES (ValueError): If a value can't be used.
        """
        self.cfg = {"predicates": [], "threshold": None, "type_map": {}}
        self._predicates: tuple[Predicate, ...] = ()
        self.threshold, self.type_map = threshold, type_map or {}
        if predicates:
            self.set_predicates(predicates)
        self.configured = dict(self.cfg)

    def set_cfg(self, cfg: dict[str, Any]) -> None:
        """Change all, as a saved component has it.

        cfg (Dict[str, Any]): Predicates, threshold and type map.
        """
        self.threshold, self.type_map = cfg["threshold"], cfg["type_map"]
        if cfg["predicates"]:
            self.set_predicates(cfg["predicates"])

    @property
    def predicates(self) -> tuple[Predicate, ...]:
        """RETURNS (Tuple[Predicate, ...]): The predicates, "no_relation" first."""
        return self._predicates

    @property
    def labels(self) -> tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): The predicates' labels, without "no_relation"."""
        return tuple(predicate.label for predicate in self._predicates[1:])

    @property
    def label_data(self) -> list[dict[str, Any]]:
        """RETURNS (List[Dict[str, Any]]): The predicates as plain data."""
        return to_data(self._predicates)

    @property
    def threshold(self) -> Threshold:
        """RETURNS (Optional[Union[float, Dict[str, float]]]): The threshold, which can
        be set.
        RAISES (ValueError): If it is set to what is no probability.
        """
        return self.cfg["threshold"]

    @threshold.setter
    def threshold(self, value: Threshold) -> None:
        for number in value.values() if isinstance(value, dict) else [value]:
            is_number = isinstance(number, float | int) and 0 <= number <= 1
            if number is not None and not is_number:
                raise ValueError(
                    f"threshold must be in [0, 1] or null, not {value!r:.200}."
                )
        self.cfg["threshold"] = value

    @property
    def type_map(self) -> dict[str, str]:
        """RETURNS (Dict[str, str]): Entity types, and as what they are read. It can be
        set.
        RAISES (ValueError): If it is set to what maps no strings to strings.
        """
        return self.cfg["type_map"]

    @type_map.setter
    def type_map(self, value: Mapping[str, str]) -> None:
        if not isinstance(value, Mapping) or not all(
            isinstance(type_, str) for pair in value.items() for type_ in pair
        ):
            raise ValueError(
                "type_map must name for entity types as what they are read, as in "
                f'{{"PERSON": "Peop"}}, but is {value!r:.200}.'
            )
        self.cfg["type_map"] = dict(value)

    def set_predicates(self, predicates: PredicateData | str | Path) -> None:
        """Replace the predicates, before training or after it.

        predicates (Union[PredicateData, str, Path]): The predicates, as
            `parse_predicates` takes them, or a JSON or YAML file with them.
        RAISES (ValueError): If they can't be used.
        """
        if isinstance(predicates, (str, Path)):
            predicates = read_predicates(str(predicates))
        parsed = parse_predicates(predicates)
        for predicate in parsed:
            self.vocab.strings.add(predicate.label)
        self.cfg["predicates"] = to_data(parsed)
        self._predicates = parsed

    def add_label(self, label: str) -> int:
        """Add a predicate, with a description made from its label.

        label (str): The label.
        RETURNS (int): 1 if it was added, 0 if it was there.
        RAISES (ValueError): If the label is no string.
        """
        if not isinstance(label, str):
            raise ValueError(Errors.E187)
        if label in self.labels or label == NO_RELATION:
            return 0
        added = {"label": label, "description": describe(label)}
        self.set_predicates([*self.label_data, added])
        return 1
