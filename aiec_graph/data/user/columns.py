"""What a column of a table means: numbers, categories, truth values or dates; or a question.

`read_column` is one pure function from a pandas column and what was declared about it to its
values. What it cannot be sure of becomes a fault that says what to declare.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.column import Column
from aiec_graph.data.user import dates, notation
from aiec_graph.data.user.words import Words, spell, split_words

MOST_CATEGORIES = 1000
MOST_NAMED = 3
"""Rows of one column that are named for one fault."""
FEW = 20
"""Rows below which nothing is said about how many different texts there are."""
NEARLY_ALL = 0.8
LARGEST = float(np.finfo(np.float32).max)
EXACT = 2.0**53


@dataclass(frozen=True)
class Fault:
    """Why a column cannot be used, and what to do."""

    message: str
    row: int | None = None
    """Counted from 0."""


@dataclass(frozen=True)
class Options:
    """What was declared about one column."""

    name: str = ""
    is_categorical: bool = False
    is_numeric: bool = False
    as_of: str = ""
    """The day against which dates become an age, such as 2026-02-01."""
    date_format: str = ""
    decimal: str = ""
    thousands: str = ""
    missing_values: tuple[str, ...] = ()
    trained: Column | None = None
    """The column of the training data whose kind this one takes."""
    is_measure: bool = False
    """Whether it must hold numbers, as an amount or a weight does."""
    in_python: bool = True
    """Whether advice names arguments of `Declaration` instead of lines of graph.yaml."""

    def advise(self, key: str, value: Any = None) -> str:
        """Says how to declare something: by default that the column is in the list `key`."""
        value = [self.name] if value is None else value
        if self.in_python:
            return f"Declaration({key}={value!r})"
        return f"'{key}: {to_yaml(value)}' in graph.yaml"


@dataclass(frozen=True)
class ColumnValues:
    """What a column turned out to be."""

    kind: str
    """number, category, boolean, date or text (which is no input)."""
    values: NDArray[np.float64]
    """Numbers, ages in days, or the codes of the categories; NaN where missing [N]."""
    categories: tuple[str, ...] | None = None
    notation: str = ""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = field(default=())


def to_yaml(value: Any) -> str:
    """Writes a text, a list of texts or a mapping of one text as YAML takes it on one line."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(to_yaml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_yaml(k)}: {to_yaml(v)}" for k, v in value.items()) + "}"
    text = str(value)
    is_plain = text.replace("_", "").replace(" ", "").replace("-", "").replace(".", "").isalnum()
    keyword = text.lower() in ("yes", "no", "on", "off", "true", "false", "null", "none")
    starts = text[:1].isalpha() or text[:1] == "_"
    if is_plain and starts and not keyword and text == text.strip():
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_column(values: pd.Series, options: Options = Options()) -> ColumnValues:
    """Reads one column as features.

    Args:
        values: [N], of any type; not changed.
        options: what was declared about it.

    Returns:
        Its kind, its values, and what to say about it. Where there are faults, the values are not
        to be used.
    """
    trained = options.trained
    if trained is not None:
        options = replace(
            options,
            is_categorical=trained.categories is not None,
            is_numeric=options.is_numeric or trained.kind == "number",
        )
    if values.isna().all():
        return _read_empty(values, options)
    if not options.is_categorical:
        if pd.api.types.is_complex_dtype(values):
            return _refuse(len(values), Fault("complex numbers are no features"))
        if pd.api.types.is_timedelta64_dtype(values):
            days = values.dt.total_seconds().to_numpy(np.float64) / dates.DAY
            return ColumnValues("number", days, notes=("lengths of time, read in days",))
        if pd.api.types.is_datetime64_any_dtype(values):
            return _read_date_type(values, options)
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            numbers = values.to_numpy(np.float64, na_value=np.nan)
            numbers = _without_missing(numbers, options.missing_values)
            return _check_range(ColumnValues("number", numbers), values)
    words = split_words(values, options.missing_values)
    if not len(words.text):
        return _read_empty(values, options)
    return _read_words(words, options)


def _read_words(words: Words, options: Options) -> ColumnValues:
    if options.is_categorical:
        return _as_categories(words, options)
    text = words.text
    if set(text.str.lower()) <= {"true", "false"}:
        if options.is_numeric:
            truth = (text.str.lower() == "true").to_numpy(np.float64)
            note = "true and false read as 1 and 0, as in the training data"
            return ColumnValues("number", words.spread(truth, np.nan), notes=(note,))
        return replace(_as_categories(words, options), kind="boolean")
    wanted_date = options.date_format or (options.trained and options.trained.kind == "date")
    like_dates = dates.looks_like_dates(text)
    if wanted_date or 2 * words.counts[like_dates].sum() >= words.counts.sum():
        return _read_dates(words, options)
    if dates.looks_like_times(text).all():
        return _refuse(
            len(words.codes),
            Fault(
                f"holds times of the day, such as {_show(text)}; list it under drop, or say "
                f"{options.advise('categorical')}"
            ),
            kind="date",
        )
    return _read_numbers(words, options)


def _read_numbers(words: Words, options: Options) -> ColumnValues:
    """Reads words as numbers where most are, and as categories where most are not."""
    text = words.text
    is_nan = (text.str.lower() == "nan").to_numpy(dtype=bool)
    found = notation.read_numbers(text[~is_nan], options.decimal, options.thousands)
    hint = options.trained.notation if options.trained is not None else ""
    if found.doubt and hint:
        found = notation.read_numbers(text[~is_nan], hint[0], hint[1:])
    fits, numbers = is_nan.copy(), np.full(len(text), np.nan)
    fits[~is_nan], numbers[~is_nan] = found.fits, found.values
    counts = words.counts
    share = counts[fits & ~is_nan].sum() / max(counts[~is_nan].sum(), 1)
    if share <= 0.5 and not (options.is_numeric or options.decimal or options.thousands):
        return _as_categories(words, options)
    number = len(words.codes)
    if found.doubt:
        return _refuse(number, _ask_notation(text[~is_nan], found, options))
    bad = words.rows_of(~fits)
    if len(bad):
        return _refuse(number, *_name_words(words, bad, options))
    codes = text.str.fullmatch(r"0[0-9]+").to_numpy(dtype=bool)
    if codes.any() and not options.is_numeric:
        row = int(words.rows_of(codes)[0])
        message = (
            f"{text[codes].iloc[0]!r} begins with 0, as codes do and numbers do not; say "
            f"{options.advise('categorical')} or {options.advise('numeric')}"
        )
        return _refuse(number, Fault(message, row))
    notes = (found.note,) if found.note else ()
    if is_nan.any():
        notes = (*notes, "'nan' among numbers read as missing")
    values = words.spread(numbers, np.nan)
    kept = "" if found.notation == "." and not found.note else found.notation
    result = ColumnValues("number", values, notation=kept, notes=notes)
    return _check_range(result, pd.Series(words.spread(text.to_numpy(dtype=object), "")))


def _ask_notation(text: pd.Series, found: notation.Numbers, options: Options) -> Fault:
    if found.doubt != "several notations fit":
        return Fault(
            f"{found.doubt}, such as {_show(text)}; bring them to one, or list it under drop"
        )
    marked = text[text.str.contains("[.,]", regex=True)]
    sign = "." if "." in str(marked.iloc[0]) else ","
    return Fault(
        f"{_show(marked)} can be thousands or fractions; say {options.advise('decimal', sign)} "
        f"for fractions, {options.advise('thousands', sign)} for thousands"
    )


def _name_words(words: Words, bad: NDArray[np.int64], options: Options) -> list[Fault]:
    unit = notation.shared_unit(words.text)
    if unit:
        return [
            Fault(
                f"numbers with the unit {unit!r}, such as {_show(words.text)}; leave the unit "
                f"out, or say {options.advise('categorical')}"
            )
        ]
    faults = []
    for row in bad[:MOST_NAMED]:
        word = words.text[words.codes[row]]
        if word.lower().strip("+-") in ("inf", "infinity"):
            faults.append(Fault(f"{word!r} is not a finite number", int(row)))
            continue
        found = "is not a number" if options.is_measure else "among numbers"
        message = (
            f"{word!r} {found}; say {options.advise('missing_values', [word])} if it means a "
            "missing one"
        )
        if not options.is_measure:
            message += f", or {options.advise('categorical')} if the column holds categories"
        faults.append(Fault(message, int(row)))
    if len(bad) > MOST_NAMED:
        faults.append(Fault(f"and {len(bad) - MOST_NAMED} more cells that are no numbers"))
    return faults


def _as_categories(words: Words, options: Options) -> ColumnValues:
    if not options.is_categorical:
        unit = notation.shared_unit(words.text)
        if unit:
            return _refuse(len(words.codes), *_name_words(words, np.array([], int), options))
    again, spelt = pd.factorize(spell(words.text), sort=True)
    codes = words.spread(again.astype(np.float64), np.nan)
    names = tuple(str(word) for word in spelt)
    given = int((words.codes >= 0).sum())
    is_many = len(names) > MOST_CATEGORIES or (
        not options.is_categorical and given >= FEW and len(names) >= NEARLY_ALL * given
    )
    trained = options.trained
    if is_many and trained is None:
        ways = f"list it under drop: {options.advise('drop')}"
        if len(names) <= MOST_CATEGORIES:
            ways += f", or say {options.advise('categorical')}"
        message = (
            f"{len(names)} different texts in {given} rows, such as {_show(words.text)}, are too "
            f"many for categories; {ways}"
        )
        return ColumnValues("text", codes, faults=(Fault(message),))
    if trained is None or trained.categories is None:
        return ColumnValues("category", codes, names)
    return _recode(codes, names, trained)


def _recode(codes: NDArray[np.float64], names: tuple[str, ...], trained: Column) -> ColumnValues:
    """Gives categories the codes of the training data; one that it lacked has a code beyond."""
    known = {name: code for code, name in enumerate(trained.categories or ())}
    new = [name for name in names if name not in known]
    table = np.array([known.get(name, len(known)) for name in names], dtype=np.float64)
    values = np.full(len(codes), np.nan)
    given = ~np.isnan(codes)
    values[given] = table[codes[given].astype(np.int64)]
    rows = int((values == len(known)).sum())
    notes: tuple[str, ...] = ()
    if new:
        shown = ", ".join(repr(name) for name in new[:2])
        notes = (
            f"{rows} of {len(codes)} rows hold {len(new)} "
            f"{'category' if len(new) == 1 else 'categories'} that the training data did not have "
            f"({shown})",
        )
    warn = notes if 10 * rows > len(codes) else ()
    return ColumnValues(
        trained.kind, values, trained.categories, notes=() if warn else notes, warnings=warn
    )


def _read_dates(words: Words, options: Options) -> ColumnValues:
    hint = options.trained.notation if options.trained is not None else ""
    found = dates.read_dates(words.text, options.date_format, hint)
    faults = list_date_faults(words, found, options)
    if not faults and not options.as_of:
        faults = [_ask_as_of(_show(words.text), options)]
    if faults:
        return _refuse(len(words.codes), *faults, kind="date")
    age = (_as_of_seconds(options.as_of) - found.seconds) / dates.DAY
    return ColumnValues("date", words.spread(age, np.nan), notation=found.order)


def list_date_faults(words: Words, found: dates.Dates, options: Options) -> list[Fault]:
    """Lists why words that were read as dates cannot be trusted."""
    if found.doubt:
        ways = " or ".join(
            options.advise("date_format", {options.name: _format_of(words.text, order)})
            for order in found.doubt
        )
        return [Fault(f"{_show(words.text)} can be read in several orders; say {ways}")]
    if found.is_mixed:
        return [
            Fault(
                f"times with and without an offset from UTC, such as {_show_mixed(words.text)}; "
                "write them in one way"
            )
        ]
    faults = []
    bad = words.rows_of(~found.is_possible)
    for row in bad[:MOST_NAMED]:
        word = words.text[words.codes[row]]
        faults.append(
            Fault(
                f"{word!r} is no date between {dates.FIRST_YEAR} and {dates.LAST_YEAR} in the "
                f"order of the others; say {options.advise('missing_values', [word])} if it means "
                "a missing one",
                int(row),
            )
        )
    if len(bad) > MOST_NAMED:
        faults.append(Fault(f"and {len(bad) - MOST_NAMED} more cells that are no such dates"))
    return faults


def _read_date_type(values: pd.Series, options: Options) -> ColumnValues:
    if not options.as_of:
        shown = " and ".join(repr(str(v)) for v in values.dropna().unique()[:2])
        return _refuse(len(values), _ask_as_of(shown, options), kind="date")
    utc = values.dt.tz_localize("UTC") if values.dt.tz is None else values.dt.tz_convert("UTC")
    seconds = (utc - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(np.float64)
    wrong = np.flatnonzero((utc.dt.year < dates.FIRST_YEAR) | (utc.dt.year >= dates.LAST_YEAR))
    if len(wrong):
        row = int(wrong[0])
        message = f"{str(values.iloc[row])!r} is no date between 1800 and 2200"
        return _refuse(len(values), Fault(message, row), kind="date")
    return ColumnValues("date", (_as_of_seconds(options.as_of) - seconds) / dates.DAY)


def _ask_as_of(shown: str, options: Options) -> Fault:
    return Fault(
        f"holds dates, such as {shown}; say {options.advise('as_of', '2026-01-31')} (a day of "
        f"yours) to use their age in days, or {options.advise('drop')}"
    )


def _as_of_seconds(day: str) -> float:
    return float(dates.read_dates(pd.Series([day], dtype="str")).seconds[0])


def _format_of(text: pd.Series, order: str) -> str:
    first = str(text.iloc[0])
    sign = next((c for c in first if c in "/-."), "/")
    year = "%Y" if any(len(part) == 4 for part in first.split()[0].split(sign)) else "%y"
    names = {"d": "%d", "m": "%m", "y": year}
    clock = {0: "", 1: " %H:%M", 2: " %H:%M:%S"}[min(first.count(":"), 2)]
    return sign.join(names[letter] for letter in order) + clock


def _show_mixed(text: pd.Series) -> str:
    has = text.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True)
    return f"{text[has].iloc[0]!r} and {text[~has].iloc[0]!r}" if has.any() else _show(text)


def _show(text: pd.Series) -> str:
    """Two of the words."""
    return " and ".join(repr(str(word)[:40]) for word in text[:2])


def _check_range(result: ColumnValues, written: pd.Series) -> ColumnValues:
    """Refuses what is infinite, or is too large for the network's 32-bit floats."""
    wrong = np.flatnonzero(~np.isnan(result.values) & (np.abs(result.values) > LARGEST))
    faults = tuple(
        Fault(
            f"{written.iloc[row]} is not a finite number that fits 32 bits (at most 3.4e38); write "
            "the column in larger units",
            int(row),
        )
        for row in wrong[:MOST_NAMED]
    )
    return replace(result, faults=(*result.faults, *faults))


def _without_missing(
    numbers: NDArray[np.float64], missing_values: tuple[str, ...]
) -> NDArray[np.float64]:
    for word in missing_values:
        try:
            numbers = np.where(numbers == float(word), np.nan, numbers)
        except ValueError:
            continue
    return numbers


def _read_empty(values: pd.Series, options: Options) -> ColumnValues:
    """A column without a value: of its trained kind, or a number that is always missing."""
    nothing = np.full(len(values), np.nan)
    trained = options.trained
    if trained is not None:
        note = "is empty throughout; all its values count as missing"
        return ColumnValues(trained.kind, nothing, trained.categories, warnings=(note,))
    return ColumnValues("number", nothing, warnings=("is empty throughout",))


def _refuse(rows: int, *faults: Fault, kind: str = "number") -> ColumnValues:
    return ColumnValues(kind, np.full(rows, np.nan), faults=faults)
