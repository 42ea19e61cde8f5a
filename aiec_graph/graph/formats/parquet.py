"""Tables in Parquet: a file, or a folder of them as Spark and pandas write it."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pa_parquet

from aiec_graph.errors import InputError
from aiec_graph.graph.formats.file_table import FileTable


def read(path: Path) -> FileTable:
    """Reads a Parquet file, or a folder of parts with the same columns.

    An index that pandas saved under a name becomes a column; one without a name is left out with
    a note.

    Raises:
        InputError: a file is damaged, the parts differ, or a text is not UTF-8; names the column.
    """
    try:
        if path.is_dir():
            table = _read_parts(path)
        else:
            table = pa_parquet.ParquetFile(path, page_checksum_verification=True).read()
        for i, name in enumerate(table.column_names):
            _check_text(path, name, table.column(i))
    except (pa.ArrowException, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: {' '.join(str(error).split())[:300]}") from None
    try:
        names, kept, notes = _name_index(table)
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # what pandas wrote of it
        raise InputError(f"{path}: damaged ({' '.join(str(error).split())[:200]})") from None
    columns = [_plain(table.column(i)) for i in kept]
    plain = pa.table(columns, names=[str(i) for i in range(len(columns))])
    frame = plain.to_pandas(date_as_object=False, types_mapper=None)
    for i, column in enumerate(columns):
        if pa.types.is_integer(column.type) and column.null_count:
            frame[str(i)] = column.to_pandas(types_mapper=_keep_digits)
    frame.columns = pd.Index([names[i] for i in kept])
    return FileTable(frame, None, notes)


def _keep_digits(kind: pa.DataType) -> pd.api.extensions.ExtensionDtype:
    """Whole numbers with gaps, which would lose digits as floats."""
    return pd.UInt64Dtype() if pa.types.is_unsigned_integer(kind) else pd.Int64Dtype()


def _read_parts(path: Path) -> pa.Table:
    checked = pa_dataset.ParquetFragmentScanOptions(page_checksum_verification=True)
    form = pa_dataset.ParquetFileFormat(default_fragment_scan_options=checked)
    data = pa_dataset.dataset(path, format=form, partitioning="hive")
    parts = sorted(data.get_fragments(), key=lambda part: str(part.path))
    if not parts:
        raise InputError(f"{path}: the folder holds no .parquet file")
    first = parts[0].physical_schema.names
    for part in parts[1:]:
        if set(part.physical_schema.names) != set(first):
            raise InputError(
                f"{path}: {Path(part.path).name} has other columns than {Path(parts[0].path).name}"
            )
    kinds = pa.unify_schemas([part.physical_schema for part in parts], promote_options="permissive")
    folders = [field for field in data.schema if field.name not in kinds.names]
    whole = pa.schema([*kinds, *folders], kinds.metadata)
    return pa_dataset.dataset(path, whole, form, partitioning="hive").to_table()


def _check_text(path: Path, name: str, column: pa.ChunkedArray) -> None:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        cells = column.cast(pa.binary()).to_pylist() if pa.types.is_string(column.type) else []
        row = next((i for i, cell in enumerate(cells) if not _is_utf8(cell or b"")), 0)
        raise InputError(f"{path}, row {row}, column {name}: not UTF-8 text") from None


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _name_index(table: pa.Table) -> tuple[list[str], list[int], tuple[str, ...]]:
    """Names of all columns, the numbers of those to keep, and notes."""
    names, notes = list(table.column_names), []
    kept = list(range(len(names)))
    meta = table.schema.pandas_metadata or {}
    described = {c.get("field_name"): c.get("name") for c in meta.get("columns", [])}
    for field in meta.get("index_columns", []):
        if not isinstance(field, str) or field not in names:
            continue  # a plain count of the rows
        place = names.index(field)
        if described.get(field) is None:
            kept.remove(place)
            notes.append("the index without a name that pandas saved is left out")
        else:
            names[place] = str(described[field])
    return names, kept, tuple(notes)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in a type that pandas keeps without loss."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_decimal(kind) or pa.types.is_time(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pc.cast(column, pa.string())
    return column
