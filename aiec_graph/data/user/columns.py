"""What a column of a table means: numbers, categories, truth values or dates; or a question.

`read_column` is one pure function from a pandas column and what was declared about it to its
values. What it cannot be sure of becomes a fault that says what to declare.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user import date_columns, dates, notation
from aiec_graph.data.user.column_values import (
    MOST_NAMED,
    ColumnValues,
    Fault,
    Options,
    refuse,
    show,
)
from aiec_graph.data.user.words import Words, full_match, spell, split_words
from aiec_graph.graph.column import Column

MOST_CATEGORIES = 1000
FEW = 20
"""Rows below which nothing is said about how many different texts there are."""
NEARLY_ALL = 0.8
TRUTH = {
    **dict.fromkeys(("true", "1", "1.0", "yes", "y", "t"), "true"),
    **dict.fromkeys(("false", "0", "0.0", "no", "n", "f"), "false"),
}
"""What words mean in a column that held truth values in the training data."""
MARK = "|"
"""Stands in a notation before the currency or percent sign."""
PLAIN = Options()
LARGEST = float(np.finfo(np.float32).max)
ABSENT = {
    *("na", "n/a", "#n/a", "nan", "nat", "null", "none", "(null)", "nil", "missing", "unknown"),
    *("-", "--", "?", ".", "\\n", "#ref!", "#div/0!", "#value!", "#num!", "#name?"),
}
"""Words, in small letters, that often stand where a number or a date is missing."""


def read_column(values: pd.Series, options: Options = PLAIN) -> ColumnValues:
    """Reads one column as features.

    Args:
        values: [N], of any type; not changed.
        options: what was declared about it.

    Returns:
        Its kind, its values, and what to say about it. Where there are faults, the values are not
        to be used.
    """
    found, trained = _read(values, options), options.trained
    if trained is None or found.faults or found.kind == trained.kind:
        return found
    what = {"number": "numbers", "date": "dates", "boolean": "truth values"}
    is_now, was = (what.get(kind, "categories") for kind in (found.kind, trained.kind))
    message = f"holds {is_now}, and held {was} in the training data"
    return refuse(len(values), Fault(message), kind=found.kind)


def _read(values: pd.Series, options: Options) -> ColumnValues:
    trained = options.trained
    if trained is not None:
        options = replace(
            options,
            is_categorical=trained.categories is not None,
            is_numeric=options.is_numeric or trained.kind == "number",
            is_date=options.is_date or trained.kind == "date",
        )
    if values.isna().all():
        return _read_empty(values, options)
    if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) == "timedelta":
        values = pd.to_timedelta(values)
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype) and not pd.api.types.is_string_dtype(
        dtype.categories.dtype
    ):
        is_number = options.is_numeric or options.is_date or trained is not None
        options = replace(options, is_categorical=options.is_categorical or not is_number)
    if not options.is_categorical:
        if pd.api.types.is_complex_dtype(values):
            return refuse(len(values), Fault("complex numbers are no features"))
        if pd.api.types.is_timedelta64_dtype(values):
            days = values.dt.total_seconds().to_numpy(np.float64) / dates.DAY
            return ColumnValues("number", days, notes=("lengths of time, read in days",))
        if pd.api.types.is_datetime64_any_dtype(values):
            return date_columns.read_date_type(values, options)
        is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        if is_number and not options.is_date:
            numbers = values.to_numpy(np.float64, na_value=np.nan)
            numbers = _without_missing(numbers, options.missing_values)
            found = _compare_marks(ColumnValues("number", numbers), "", options)
            return _check_range(found, values.iloc.__getitem__, options)
    words = split_words(values, options.missing_values)
    if not len(words.text):
        return _read_empty(values, options)
    return _read_words(words, options)


def _read_words(words: Words, options: Options) -> ColumnValues:
    if options.is_categorical:
        return _as_categories(words, options)
    text = words.text
    if not options.is_date and notation.is_plain(text).all():
        return _read_numbers(words, np.ones(len(text), bool), options)
    if full_match(text, "(?i:true|false)").all():
        if options.is_numeric:
            truth = (text.str.lower() == "true").to_numpy(np.float64)
            note = "true and false read as 1 and 0"
            return ColumnValues("number", words.spread(truth, np.nan), notes=(note,))
        return replace(_as_categories(words, options), kind="boolean")
    given = ~text.str.lower().isin(ABSENT).to_numpy(dtype=bool)
    if date_columns.is_wanted(text[given], words.counts[given], options):
        return date_columns.read_dates(words, options)
    for looks_like, what in (
        (dates.looks_like_times, "times of the day"),
        (dates.looks_like_months, "months or weeks"),
    ):
        if given.any() and looks_like(text[given]).all():
            message = (
                f"holds {what}, such as {show(text[given])}; say {options.advise('drop')} or "
                f"{options.advise('categorical')}"
            )
            return refuse(len(words.codes), Fault(message), kind="date")
    return _read_numbers(words, given, options)


def _read_numbers(words: Words, given: NDArray[np.bool_], options: Options) -> ColumnValues:
    """Reads words as numbers where half or more look like some, and else as categories."""
    text, counts = words.text, words.counts
    is_nan = (text.str.lower() == "nan").to_numpy(dtype=bool)
    if is_nan.all():
        return _read_empty(pd.Series(words.codes), options)
    found = notation.read_numbers(text[~is_nan], options.decimal, options.thousands)
    hint = options.trained.notation.partition(MARK)[0] if options.trained is not None else ""
    if found.doubt and hint:
        found = notation.read_numbers(text[~is_nan], hint[0], hint[1:])
    fits, numbers = is_nan.copy(), np.full(len(text), np.nan)
    fits[~is_nan], numbers[~is_nan] = found.fits, found.values
    is_number = fits & given
    if not is_number[given].all():
        is_number |= given & notation.looks_like_numbers(text)
    share = counts[is_number].sum() / max(counts[given].sum(), 1)
    if share < 0.5 and not options.is_numeric:
        return _as_categories(words, options)
    number = len(words.codes)
    if found.doubt:
        return refuse(number, _ask_notation(text[~is_nan], found, options))
    bad = words.first_rows(~fits)
    if len(bad):
        return refuse(number, *_name_words(words, fits & ~is_nan, bad, options))
    codes = full_match(text, "0[0-9]+")
    if codes.any() and not options.is_numeric:
        row = int(words.rows_of(codes)[0])
        message = (
            f"{text[codes].iloc[0]!r} begins with 0, as codes do and numbers do not; say "
            f"{options.advise('categorical')} or {options.advise('numeric')}"
        )
        return refuse(number, Fault(message, row))
    notes = (found.note,) if found.note else ()
    if is_nan.any():
        notes = (*notes, "'nan' among numbers read as missing")
    kept = "" if found.notation == "." and not found.note else found.notation
    kept += f"{MARK}{found.mark}" if found.mark else ""
    values = words.spread(numbers, np.nan)
    result = ColumnValues("number", values, notation=kept, notes=notes)
    result = _compare_marks(result, found.mark, options)
    return _check_range(result, lambda row: text[words.codes[row]], options)


def _compare_marks(found: ColumnValues, mark: str, options: Options) -> ColumnValues:
    """Refuses percent in place of plain numbers and the reverse; tells other currencies."""
    if options.trained is None or options.trained.kind != "number" or found.faults:
        return found
    before = options.trained.notation.partition(MARK)[2]
    if before == mark or (not (before and mark) and "%" not in (before, mark)):
        return found
    was, is_now = (f"with {m!r}" if m else "as plain numbers" for m in (before, mark))
    message = f"is written {is_now}, and was written {was} in the training data"
    if "%" in (before, mark):
        return replace(found, faults=(Fault(f"{message}; write it in the same way"),))
    return replace(found, warnings=(*found.warnings, message))


def _ask_notation(text: pd.Series, found: notation.Numbers, options: Options) -> Fault:
    if found.doubt != "several notations fit":
        return Fault(
            f"{found.doubt}, such as {show(text)}; bring them to one, or list it under drop"
        )
    marked = text[text.str.contains("[.,]", regex=True)]
    sign = "." if "." in str(marked.iloc[0]) else ","
    return Fault(
        f"{show(marked)} can be thousands or fractions; say {options.advise('decimal', sign)} "
        f"for fractions, {options.advise('thousands', sign)} for thousands"
    )


def _name_words(
    words: Words, fits: NDArray[np.bool_], bad: NDArray[np.int64], options: Options
) -> list[Fault]:
    """Says which cells are no numbers, or are written in another way than the numbers are."""
    unit = notation.shared_unit(words.text)
    if unit:
        return [_refuse_unit(unit, words, options)]
    faults = []
    like = notation.looks_like_numbers(words.text)
    for row in bad[:MOST_NAMED]:
        word = str(words.text[words.codes[row]])
        if word.lower().strip("+-") in ("inf", "infinity"):
            faults.append(Fault(f"{word!r} is not a finite number", int(row)))
            continue
        missing = f"say {options.advise('missing_values', [word])} if it means a missing one"
        kinds = "" if options.is_measure else f", or say {options.advise('categorical')}"
        if like[words.codes[row]]:
            message = f"{word!r} is no number such as 1234.5 or 1.234,5; write it so{kinds}"
            if fits.any():
                usual = str(words.text[fits].iloc[0])
                message = f"{word!r} is not written as {usual!r} is; write all in one way{kinds}"
        elif options.is_measure:
            message = f"{word!r} is not a number; {missing}"
        else:
            message = f"{word!r} among numbers; {missing}{kinds} if the column holds categories"
        faults.append(Fault(message, int(row)))
    if len(bad) > MOST_NAMED:
        faults.append(Fault(f"and {len(bad) - MOST_NAMED} more that are no numbers"))
    return faults


def _refuse_unit(unit: str, words: Words, options: Options) -> Fault:
    otherwise = "" if options.is_measure else f", or say {options.advise('categorical')}"
    return Fault(
        f"numbers with the unit {unit!r}, such as {show(words.text)}; leave the unit out{otherwise}"
    )


def _as_categories(words: Words, options: Options) -> ColumnValues:
    if not options.is_categorical:
        unit = notation.shared_unit(words.text)
        if unit:
            return refuse(len(words.codes), _refuse_unit(unit, words, options))
    trained = options.trained
    text, notes = words.text, ()
    if trained is not None and trained.kind == "boolean":
        text, notes = _as_truth(words.text)
    again, spelt = pd.factorize(spell(text), sort=True)
    codes = words.spread(again.astype(np.float64), np.nan)
    names = tuple(str(word) for word in spelt)
    given = int((words.codes >= 0).sum())
    is_many = len(names) > MOST_CATEGORIES or (
        not options.is_categorical and given >= FEW and len(names) >= NEARLY_ALL * given
    )
    if is_many and trained is None:
        ways = f"say {options.advise('drop')}"
        if len(names) <= MOST_CATEGORIES:
            ways += f" or {options.advise('categorical')}"
        message = (
            f"{len(names)} different texts in {given} rows, such as {show(words.text)}, are too "
            f"many for categories; {ways}"
        )
        return ColumnValues("text", codes, faults=(Fault(message),))
    if trained is None or trained.categories is None:
        return ColumnValues("category", codes, names)
    found = _recode(codes, names, trained)
    return replace(found, notes=(*notes, *found.notes))


def _as_truth(text: pd.Series) -> tuple[pd.Series, tuple[str, ...]]:
    """Words that mean true and false throughout, such as 1 and 0, as these; and a note."""
    truth = text.str.lower().map(TRUTH)
    if truth.isna().any() or (truth == text.str.lower()).all():
        return text, ()
    shown = ", ".join(f"{word!r} as {meant}" for word, meant in zip(text, truth, strict=True))
    return truth, (f"truth values, which they were in the training data: {shown}",)


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


def _check_range(
    result: ColumnValues, written: Callable[[int], Any], options: Options
) -> ColumnValues:
    """Refuses what is infinite, or is too large for the network's 32-bit floats."""
    values = result.values
    wrong = np.flatnonzero(np.abs(values) > LARGEST)
    faults = tuple(
        Fault(
            f"{written(row)} is not a finite number that fits 32 bits (at most 3.4e38); write "
            "the column in larger units",
            int(row),
        )
        for row in wrong[:MOST_NAMED]
    )
    warnings = result.warnings
    if not options.is_numeric and dates.are_compact(values):
        given = values[~np.isnan(values)]
        warnings += (
            f"{given[0]:.0f} and {given[1]:.0f} look like dates and are read as numbers; say "
            f"{options.advise('date_format', {options.name: '%Y%m%d'})}, or "
            f"{options.advise('numeric')}",
        )
    if not options.is_measure and not options.is_numeric and dates.are_since_1970(values):
        warnings += (
            f"{written(int(np.flatnonzero(~np.isnan(values))[0]))} and the like look like seconds "
            "or milliseconds since 1970 and are read as numbers, which only grow; say "
            f"{options.advise('drop')} or {options.advise('numeric')}",
        )
    return replace(result, faults=(*result.faults, *faults), warnings=warnings)


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
