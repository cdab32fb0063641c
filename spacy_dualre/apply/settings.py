"""What documents are read from and how they are worked on."""

from typing import Any, NamedTuple

SPLITS = ("file", "line", "block")


class Settings(NamedTuple):
    """How documents are read, and what the pipeline does with them.

    component (str): The name of the relation extractor.
    ner (Optional[str]): The pipeline that finds the entities, where the trained one
        does not.
    predicates (Optional[List[Dict[str, Any]]]): Predicates to look for instead of the
        pipeline's own, as `read_predicates` returns them.
    split (Optional[str]): What a text is in a text file: the whole "file", each "line"
        that is not blank, or each "block" of such lines.
    text_field (str): The field of a JSONL object that has the text.
    id_field (str): The field that has the id. Where there is none, the id is the file
        and the line.
    batch_size (int): How many documents go through the pipeline together.
    stop_on_error (bool): Whether a document that can't be read or processed is an
        error. Otherwise it is recorded, and the others go on.
    gpu_id (int): The GPU, or -1.
    digest (str): Tells pipelines of the same name apart: its SHA-256, say.
    """

    component: str = "dual_relation_extractor"
    ner: str | None = None
    predicates: list[dict[str, Any]] | None = None
    split: str | None = None
    text_field: str = "text"
    id_field: str = "id"
    batch_size: int = 128
    stop_on_error: bool = False
    gpu_id: int = -1
    digest: str = ""

    def check(self) -> None:
        """RAISES (ValueError): If they can't be used."""
        if self.split is not None and self.split not in SPLITS:
            raise ValueError(
                f"Unknown split {self.split!r}. Choose one of {', '.join(SPLITS)}."
            )
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, not {self.batch_size}.")

    def identity(self) -> dict[str, Any]:
        """RETURNS (Dict[str, Any]): Those that the result depends on."""
        elsewhere = ("stop_on_error", "gpu_id", "digest", "ner")
        return {k: v for k, v in self._asdict().items() if k not in elsewhere}
