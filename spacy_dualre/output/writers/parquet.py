"""A Parquet file with the columns of the tables: one row for each fact."""

from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from .results import Evidence, Results
from .table import COLUMNS, rows_of
from .writer import Writer

# Rows that are written together.
GROUP = 65536
TYPES = {int: "int64", float: "float64"}
TYPED = {**Evidence.__annotations__, "mentions": int}


def write(results: Results, path: Path) -> None:
    """Write a Parquet file. See `Writer`."""
    pyarrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    schema = pyarrow.schema(
        [(name, TYPES.get(TYPED.get(name, str), "string")) for name in COLUMNS]
    )
    rows = rows_of(results)
    with parquet.ParquetWriter(path, schema) as file:
        while group := list(islice(rows, GROUP)):
            file.write_table(pyarrow.Table.from_pylist(group, schema))


WRITER = Writer(write, requires=("pyarrow",), extra="parquet")
