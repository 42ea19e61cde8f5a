"""The cells of a column as words: one spelling for one value, whatever the column's type is."""

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

WHOLE = r"[+-]?(?:0|[1-9][0-9]{0,14})(?:\.0*)?"
FRACTION = r"[+-]?(?:0|[1-9][0-9]{0,14})?\.[0-9]{1,15}"
pc: Any = pyarrow.compute
"""Its functions are made when it is imported, so that type checkers know none of them."""
BLANK = " \t\r\n\u00a0\u202f\u200b\u2060\ufeff"


@dataclass(frozen=True)
class Words:
    """A column by its different words."""

    codes: NDArray[np.int64]
    """For each row the number of its word, -1 where the cell is empty [N]."""
    text: pd.Series
    """The different words, as they are written but for blanks around them [W]."""
    is_trimmed: bool = False
    """Whether any word had blanks around it."""

    def rows_of(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Returns the rows that hold one of the chosen words [W], in their order."""
        mask = np.concatenate([chosen, [False]])
        return np.flatnonzero(mask[self.codes])

    def first_rows(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Returns the first row of each of the chosen words [W], in their order."""
        rows = self.rows_of(chosen)
        _, first = np.unique(self.codes[rows], return_index=True)
        return rows[np.sort(first)]

    def spread(self, values: NDArray[Any], empty: Any) -> NDArray[Any]:
        """Gives each row the value of its word."""
        return np.concatenate([values, np.array([empty], dtype=values.dtype)])[self.codes]

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows of each word [W]."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.text))


def split_words(values: pd.Series, missing_values: Collection[str] = ()) -> Words:
    """Finds the different words of a column.

    Args:
        values: a column of any type.
        missing_values: words that mean an empty cell, besides the empty one; -999 means -999.0 too.
    """
    codes, unique = pd.factorize(_hashable(values))
    raw = _as_text(pd.Series(unique))
    text = raw.str.strip(BLANK)
    is_trimmed = bool((text != raw).any())
    again, words = pd.factorize(text)
    numbers = np.arange(len(words))
    words = pd.Series(words, dtype="str")
    absent = words == ""
    if missing_values and len(words):
        wanted = pd.Series([str(word).strip() for word in missing_values], dtype="str")
        absent |= words.isin(wanted) | spell(words).isin(spell(wanted))
    kept = ~absent.to_numpy(dtype=bool)
    numbers = np.where(kept, np.cumsum(kept) - 1, -1)
    table = np.concatenate([numbers[again], [-1]]).astype(np.int64)
    return Words(table[codes], words[kept].reset_index(drop=True), is_trimmed)


def full_match(words: pd.Series | pa.Array, pattern: str) -> NDArray[np.bool_]:
    """Says of each text whether a pattern fits all of it [W].

    Patterns are Arrow's: without look-around, and a blank in them stands for any blank of Unicode.
    """
    found = pc.match_substring_regex(with_plain_blanks(words), f"^(?:{pattern})$")
    return found.to_numpy(zero_copy_only=False).astype(bool)


def extract(
    words: pd.Series | pa.Array, pattern: str
) -> tuple[NDArray[np.bool_], dict[str, pa.Array]]:
    """Takes apart each text that a pattern fits; see `full_match` about patterns.

    Returns:
        Whether it fits each text [W], and by the names of its groups the parts of those that it
        fits [H]; a group that took no part is empty.
    """
    found = pc.extract_regex(with_plain_blanks(words), pattern)
    hit = found.is_valid().to_numpy(zero_copy_only=False)
    names = [found.type.field(i).name for i in range(found.type.num_fields)]
    return hit, dict(zip(names, found.drop_null().flatten(), strict=True))


def with_plain_blanks(words: pd.Series | pa.Array) -> pa.Array:
    """Texts with one blank in place of each blank of another kind, such as the narrow one."""
    text = words if isinstance(words, pa.Array) else pa.array(words, pa.string())
    if pc.all(pc.string_is_ascii(text)).as_py() is not False:
        return text
    return pc.replace_substring_regex(text, r"\p{Z}", " ")


def spell(words: pd.Series) -> pd.Series:
    """Gives each word its one spelling: 5.0 is 5, TRUE is true, 09:00:00 is 09:00.

    Text with leading zeros, such as 007, stays as it is: it is a code and no number.
    """
    text = words.astype("str")
    result = text.astype(object)
    whole = full_match(text, WHOLE)
    result[whole] = text[whole].str.replace(r"\.0*$", "", regex=True).str.lstrip("+")
    result[result == "-0"] = "0"
    fraction = full_match(text, FRACTION) & ~whole
    result[fraction] = [repr(float(word)) for word in text[fraction]]
    lower = text.str.lower()
    truth = lower.isin(["true", "false"]).to_numpy(dtype=bool)
    result[truth] = lower[truth]
    clock = full_match(text, r"[0-9]{1,2}:[0-9]{2}(?::00(?:\.0+)?)?")
    result[clock] = (
        text[clock].str.zfill(5).str.replace(r"^([0-9]{2}:[0-9]{2}):.*$", r"\1", regex=True)
    )
    midnight = full_match(text, r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]00:00:00(?:\.0+)?")
    result[midnight] = text[midnight].str[:10]
    return result.astype("str")


def _hashable(values: pd.Series) -> pd.Series:
    """The column with what Python takes for equal kept apart: 1 is not True."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if values.dtype != object:
        return values
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind in ("string", "boolean", "integer", "floating", "empty", "decimal"):
        return values
    absent = values.isna()
    return values.map(_write, na_action="ignore").where(~absent, None)


def _as_text(unique: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(unique):
        return unique.map({True: "true", False: "false"}).astype("str")
    if pd.api.types.is_float_dtype(unique):
        return pd.Series([_write(v) for v in unique.to_numpy(np.float64)], dtype="str")
    if unique.dtype == object or not pd.api.types.is_string_dtype(unique):
        return pd.Series([_write(v) for v in unique], dtype="str")
    return unique.astype("str")


def _write(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating):
        whole = float(value)
        return str(int(whole)) if whole.is_integer() and abs(whole) < 2**63 else repr(whole)
    if isinstance(value, Fraction):
        return repr(float(value))
    if isinstance(value, dt.datetime | pd.Timestamp):
        return re.sub(r"[T ]00:00:00$", "", str(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return str(value)
