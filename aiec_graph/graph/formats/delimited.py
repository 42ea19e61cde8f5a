"""Tables in text files: any usual encoding, separator and packing; every cell as it is written.

The rows that come back are the rows in the file: what an odd quote would swallow is refused.
"""

import codecs
import csv
import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from aiec_graph.errors import InputError
from aiec_graph.graph.formats.file_table import FileTable
from aiec_graph.graph.progress import CountedBytes

SEPARATORS = (",", ";", "\t", "|")
SEPARATOR_NAMES = {"\t": "tabs"}
NO_TEXT = (
    (rb"PAR1", "a Parquet file; give it the suffix .parquet"),
    (rb"\xd0\xcf\x11\xe0", "an old Excel file; save it as .xlsx or CSV"),
    (rb"SQLite format 3", "an SQLite database; save its tables as CSV"),
    (rb"%PDF-", "a PDF; save the table as CSV"),
    (rb"\s*<(?:!doctype|html|\?xml)", "a web page or XML, not a table; is a log-in page saved?"),
    (rb"version https://git-lfs", "a pointer of Git LFS; fetch the file by git lfs pull"),
    (rb"\s*\[?\s*\{\s*\"", "JSON; save the table as CSV"),
)
"""How files begin that are no text tables, whatever they are called."""
PACKED = {b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"7z": "7z"}
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SNIFFED = 50
"""Rows that are looked at to find the separator."""
MOST_NAMED = 3
SAFE_SIZE, MOST_RATIO = 2**26, 200
"""A packed file may be this large unpacked, or this many times its own size."""
ONE_BLOCK = 2**28
BLANK_BEFORE_QUOTE = re.compile(r"[ \u00a0]+\".*\"\s*", re.DOTALL)
OTHER_QUOTES = re.compile("['‘’‚`´“”„«»‹›].*['‘’‚`´“”„«»‹›]", re.DOTALL)


def read(path: Path) -> FileTable:
    """Reads a text table; the first line that is not blank names the columns.

    UTF-8, UTF-16 and UTF-32 are told by their first bytes; other text is taken for Latin-1 with a
    note. The separator is the comma, semicolon, tab or bar that divides all rows alike, or the one
    that a first line such as `sep=;` names. A packed file (.gz, or .zip with one file) is unpacked.

    Returns:
        Every column as text, an empty cell as a missing one.

    Raises:
        InputError: the file is empty or damaged, a row has another number of cells than the
            header, or a quote swallows rows; names the lines.
    """
    content, encoding = _decode(path, _as_text(path, _unpack(path, path.read_bytes())))
    notes = [f"not UTF-8; read as {encoding}"] if encoding == "Latin-1" else []
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    first_line, separator = 1, ""
    declared = re.match(rb'"?sep=(.)"?[ ,;\t|]*\n', content)
    if declared:
        separator, first_line = declared[1].decode("latin-1"), 2
        content = content[declared.end() :]
    if not content.strip():
        raise InputError(f"{path}: the file is empty")
    separator = separator or _find_separator(content)
    if separator != ",":
        notes.append(
            f"its cells are separated by {SEPARATOR_NAMES.get(separator, repr(separator))}"
        )
    names, length, lines = _read_header(path, content, separator)
    if any(BLANK_BEFORE_QUOTE.fullmatch(name) for name in names):
        content = _without_blanks(path, content, separator)
        notes.append("blanks before quotes are left out")
        names, length, lines = _read_header(path, content, separator)
    body = content[length:]
    text = _Text(path, body, separator, len(names), first_line + lines)
    frame, rows = text.to_frame()
    dropped = frame.shape[1] > 1 and frame.isna().all(axis=1).to_numpy()
    if np.any(dropped):
        rows = np.flatnonzero(~dropped)
        frame = frame.iloc[rows].reset_index(drop=True)
        notes.append(f"rows without any value are left out: {int(np.sum(dropped))}")
    frame.columns = pd.Index(names)
    return FileTable(frame, lambda row: text.line_of(int(rows[row])), tuple(notes))


class _Text:
    """The rows of a text below its header."""

    def __init__(
        self, path: Path, content: bytes, separator: str, width: int, first_line: int
    ) -> None:
        self.path, self.content, self.separator = path, content, separator
        self.width, self.first_line = width, first_line

    def to_frame(self) -> tuple[pd.DataFrame, NDArray[np.int64]]:
        """Reads all rows, and sees to it that none is lost."""
        count, has_breaks = self._count()
        names = [str(i) for i in range(self.width)]
        if not count:
            return pd.DataFrame({name: pd.Series(dtype="str") for name in names}), np.arange(0)
        wrong: list[tuple[int, int]] = []

        def keep_wrong(row: pa_csv.InvalidRow) -> str:
            wrong.append((row.number or 1, row.actual_columns))
            return "skip"

        block = len(self.content) + 1 if len(self.content) < ONE_BLOCK else ONE_BLOCK
        try:
            table = pa_csv.read_csv(
                CountedBytes(self.content, f"reading {self.path}"),
                pa_csv.ReadOptions(use_threads=False, column_names=names, block_size=block),
                pa_csv.ParseOptions(
                    delimiter=self.separator,
                    newlines_in_values=has_breaks,
                    invalid_row_handler=keep_wrong,
                    ignore_empty_lines=True,
                ),
                pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()),
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                    null_values=[""],
                ),
            )
        except pa.ArrowException as error:
            raise InputError(f"{self.path}: {' '.join(str(error).split())[:300]}") from None
        if wrong:
            listed = ", ".join(
                f"line {self.line_of(number - 1)} has {found}"
                for number, found in wrong[:MOST_NAMED]
            )
            more = f" and {len(wrong) - MOST_NAMED} more lines" if len(wrong) > MOST_NAMED else ""
            expected = f"Expected {self.width} columns"
            if self.width == 1:
                expected = (
                    f"Expected 1 column, as line {self.first_line - 1} has (is it no header?)"
                )
            raise InputError(f"{self.path}: {expected}; {listed}{more}")
        if table.num_rows != count:
            raise InputError(
                f"{self.path}: {table.num_rows} rows were read of {count} in the file; a stray "
                "quote or line break swallows some"
            )
        return table.to_pandas(), np.arange(count)

    def line_of(self, row: int) -> int:
        """Returns the line of the file on which a row begins."""
        before, count = 0, 0
        reader = self._reader()
        try:
            for record in reader:
                if record:
                    if count == row:
                        break
                    count += 1
                before = reader.line_num
                # Blank lines before the next row are records of their own.
        except csv.Error:
            pass
        return self.first_line + before

    def _reader(self) -> Any:
        text = io.TextIOWrapper(io.BytesIO(self.content), encoding="utf-8", newline="\n")
        return csv.reader(text, delimiter=self.separator, strict=True)

    def _count(self) -> tuple[int, bool]:
        """The number of rows, and whether a cell holds a line break."""
        content = self.content if self.content.endswith(b"\n") else self.content + b"\n"
        data = np.frombuffer(content, np.uint8)
        ends = np.flatnonzero(data == ord("\n"))
        filled = int((np.diff(ends, prepend=-1) > 1).sum())
        quotes = np.flatnonzero(data == ord('"'))
        if not len(quotes):
            return filled, False
        per_line = np.bincount(np.searchsorted(ends, quotes), minlength=len(ends))
        if not (per_line % 2).any():
            return filled, False
        return self._count_slowly(), True

    def _count_slowly(self) -> int:
        reader, count, before = self._reader(), 0, 0
        lines = self.content.decode("utf-8").split("\n")
        try:
            for record in reader:
                count += bool(record)
                span = lines[before : reader.line_num]
                if len(span) > 1 and self.width > 1:
                    alike = [line.count(self.separator) == self.width - 1 for line in span]
                    if np.mean(alike) >= 0.8:
                        raise InputError(
                            f"{self.path}, line {self.first_line + before}: a quote is opened here "
                            f"and swallows the {len(span) - 1} lines after it; remove the quote"
                        )
                before = reader.line_num
        except csv.Error:
            raise InputError(
                f"{self.path}, line {self.first_line + before}: a quote is opened here and never "
                "closed, or closed within a cell; remove it, or write it twice"
            ) from None
        return count


def _unpack(path: Path, content: bytes) -> bytes:
    for magic, kind in PACKED.items():
        if content.startswith(magic):
            raise InputError(f"{path}: a {kind} file; unpack it first")
    try:
        if content.startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
                return _read_limited(path, cast(IO[bytes], stream), len(content))
        if content.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                names = _list_files(archive)
                if "xl/workbook.xml" in names:
                    raise InputError(f"{path}: an Excel file; give it the suffix .xlsx")
                if len(names) != 1:
                    raise InputError(f"{path}: a zip of {len(names)} files; it must hold one")
                with archive.open(names[0]) as stream:
                    return _read_limited(path, stream, len(content))
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: a damaged archive ({error})") from None
    return content


def holds_text(path: Path) -> bool:
    """Whether a file is a zip with one file in it, which has the suffix of a text table."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = _list_files(archive)
    except (OSError, zipfile.BadZipFile, ValueError):
        return False
    return len(names) == 1 and names[0].lower().endswith((".csv", ".tsv", ".txt"))


def _list_files(archive: zipfile.ZipFile) -> list[str]:
    return [n for n in archive.namelist() if not n.endswith("/") and "__MACOSX" not in n]


def _read_limited(path: Path, stream: IO[bytes], size: int) -> bytes:
    limit = max(SAFE_SIZE, MOST_RATIO * size)
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise InputError(f"{path}: more than {MOST_RATIO} times as large unpacked; unpack it first")
    return content


def _as_text(path: Path, content: bytes) -> bytes:
    for beginning, what in NO_TEXT:
        if re.match(beginning, content.removeprefix(codecs.BOM_UTF8), re.IGNORECASE):
            raise InputError(f"{path}: this is {what}")
    return content


def _decode(path: Path, content: bytes) -> tuple[bytes, str]:
    """The content in UTF-8, and the encoding that it had."""
    for mark, encoding in BOMS:
        if content.startswith(mark):
            return _transcode(path, content[len(mark) :], encoding), encoding
    if b"\0" in content:
        half = content[: 2 * (min(len(content), 2000) // 2)]
        for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
            if half[start::2].count(0) > 0.8 * len(half) / 2:
                return _transcode(path, content, encoding), encoding
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: holds a zero byte, so this is no text")
    try:
        content.decode("utf-8")
        return content, "utf-8"
    except UnicodeDecodeError as error:
        if re.search(rb"[\xc3-\xf4][\x80-\xbf]", content):
            line = content[: error.start].count(b"\n") + 1
            raise InputError(
                f"{path}, line {line}: not UTF-8 text, though other lines are; save the file anew"
            ) from None
    return _transcode(path, content, "cp1252"), "Latin-1"


def _transcode(path: Path, content: bytes, encoding: str) -> bytes:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: damaged {encoding} text") from None
    return text.lstrip("\ufeff").encode("utf-8")


def _find_separator(content: bytes) -> str:
    head = "\n".join(content[: 2**18].decode("utf-8", errors="ignore").split("\n")[:SNIFFED])
    best, score = ",", (0.0, 1)
    for separator in SEPARATORS:
        try:
            rows = [row for row in csv.reader(io.StringIO(head), delimiter=separator) if row]
        except csv.Error:
            continue
        width = len(rows[0])
        if width > 1:
            alike = sum(len(row) == width for row in rows) / len(rows)
            if (alike, width) > score:
                best, score = separator, (alike, width)
    return best


def _without_blanks(path: Path, content: bytes, separator: str) -> bytes:
    """The same rows, line by line, without the blanks that stand between separators and quotes."""
    text, written = io.StringIO(content.decode("utf-8"), newline="\n"), io.StringIO(newline="\n")
    reader = csv.reader(text, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        csv.writer(written, delimiter=separator, lineterminator="\n").writerows(reader)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from None
    return written.getvalue().encode("utf-8")


def _read_header(path: Path, content: bytes, separator: str) -> tuple[list[str], int, int]:
    """The names, the bytes of the header and its lines."""
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", newline="\n")
    reader = csv.reader(text, delimiter=separator)
    try:
        names = next(row for row in reader if row)
    except (csv.Error, StopIteration):
        raise InputError(f"{path}: no header can be read") from None
    end = 0
    for _ in range(reader.line_num):
        found = content.find(b"\n", end)
        end = len(content) if found < 0 else found + 1
    if all(OTHER_QUOTES.fullmatch(name.strip()) for name in names):
        raise InputError(
            f"{path}: the names of the columns stand within {names[0].strip()[0]} quotes, which "
            'are part of a cell in CSV; replace them by "'
        )
    numbers = [re.fullmatch(r"\s*[+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?\s*", name) for name in names]
    if len(names) > 1 and all(numbers):
        raise InputError(
            f"{path}: the first line holds numbers ({', '.join(names)[:80]}), not the names of the "
            "columns; put a line with names above it"
        )
    return names, end, reader.line_num
