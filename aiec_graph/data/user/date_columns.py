"""Columns of dates: their age in days on a declared day, or why they cannot be read."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user import dates
from aiec_graph.data.user.column_values import (
    MOST_NAMED,
    ColumnValues,
    Fault,
    Options,
    refuse,
    show,
)
from aiec_graph.data.user.notation import is_plain
from aiec_graph.data.user.words import Words

A_YEAR = 366


def is_wanted(text: pd.Series, counts: NDArray[np.int64], options: Options) -> bool:
    """Says whether words [W] that stand in so many rows [W] are to be read as dates."""
    if options.is_date:
        return True
    if 2 * counts[dates.looks_like_dates(text)].sum() >= max(counts.sum(), 1):
        return True
    if not options.date_format or is_plain(text).all():
        return False
    is_possible = dates.read_dates(text, options.date_format).is_possible
    return bool(2 * counts[is_possible].sum() >= max(counts.sum(), 1))


def read_dates(words: Words, options: Options) -> ColumnValues:
    hint = options.trained.notation if options.trained is not None else ""
    found = dates.read_dates(words.text, options.date_format, hint)
    faults = list_date_faults(words, found, options)
    if not faults and not options.as_of:
        faults = [_ask_as_of(show(words.text), options)]
    if not faults and found.has_short_years and not options.hides_later:
        later = words.first_rows(_age(found.seconds, options) < -A_YEAR)[:1]
        faults = [_refuse_short_year(str(words.text[words.codes[row]]), int(row)) for row in later]
    if faults:
        return refuse(len(words.codes), *faults, kind="date")
    age = words.spread(_age(found.seconds, options), np.nan)
    warnings = (*tell_sentinels(words, found, options), *_tell_later(age, options))
    return ColumnValues("date", age, notation=found.order, warnings=warnings)


def tell_sentinels(words: Words, found: dates.Dates, options: Options) -> tuple[str, ...]:
    """A line for each date among words that often stands for no date at all."""
    sentinels = np.flatnonzero(found.find_sentinels())
    return tuple(
        f"{words.text[i]!r} (in {words.counts[i]:,} of {len(words.codes):,} rows) is far from the "
        f"other dates, and often means a missing one; then say "
        f"{options.advise('missing_values', [str(words.text[i])])}"
        for i in sentinels[:MOST_NAMED]
    )


def _tell_later(age: NDArray[np.float64], options: Options) -> tuple[str, ...]:
    later = int((age <= -1).sum())
    if not later:
        return ()
    return (
        f"{later:,} of {len(age):,} dates come after as_of ({options.as_of}), so their age is "
        "negative; what came later is not known then",
    )


def _refuse_short_year(word: str, row: int | None = None) -> Fault:
    return Fault(
        f"the year of {word!r} has two digits, and the century cannot be told; write four", row
    )


def list_date_faults(words: Words, found: dates.Dates, options: Options) -> list[Fault]:
    """Lists why words that were read as dates cannot be trusted."""
    if found.doubt:
        ways = " or ".join(
            options.advise("date_format", {options.name: _format_of(words.text, order)})
            for order in found.doubt
        )
        return [Fault(f"{show(words.text)} can be read in several orders; say {ways}")]
    if found.is_mixed:
        return [
            Fault(
                f"times with and without an offset from UTC, such as {_show_mixed(words.text)}; "
                "write them in one way"
            )
        ]
    if not found.is_possible.any():
        form = {options.name: "%d.%m.%Y %H:%M"}
        return [
            Fault(
                f"{show(words.text)} are no dates in a usual form of the years {dates.FIRST_YEAR} "
                f"to {dates.LAST_YEAR}; write them as 2026-01-31, or say how they are written, as "
                f"in {options.advise('date_format', form)}"
            )
        ]
    if found.are_a_century_off:
        first, last = found.seconds.argmin(), found.seconds.argmax()
        ends = f"{words.text[first]!r} and {words.text[last]!r}"
        return [
            Fault(
                f"years of two digits reach further than {dates.MOST_YEARS} years, from {ends}, so "
                "that some are a century off; write four digits"
            )
        ]
    faults = []
    bad = words.first_rows(~found.is_possible)
    usual = (
        f" between {dates.FIRST_YEAR} and {dates.LAST_YEAR} as "
        f"{str(words.text[found.is_possible].iloc[0])!r} is"
    )
    for row in bad[:MOST_NAMED]:
        word = words.text[words.codes[row]]
        faults.append(
            Fault(
                f"{word!r} is no date{usual}; write it so, or say "
                f"{options.advise('missing_values', [word])} if it means a missing one",
                int(row),
            )
        )
    if len(bad) > MOST_NAMED:
        faults.append(Fault(f"and {len(bad) - MOST_NAMED} more that are no such dates"))
    return faults


def read_date_type(values: pd.Series, options: Options) -> ColumnValues:
    if not options.as_of:
        shown = " and ".join(repr(str(v)) for v in values.dropna().unique()[:2])
        return refuse(len(values), _ask_as_of(shown, options), kind="date")
    utc = values.dt.tz_localize("UTC") if values.dt.tz is None else values.dt.tz_convert("UTC")
    seconds = (utc - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(np.float64)
    wrong = np.flatnonzero((utc.dt.year < dates.FIRST_YEAR) | (utc.dt.year >= dates.LAST_YEAR))
    if len(wrong):
        row = int(wrong[0])
        message = f"{str(values.iloc[row])!r} is no date between 1800 and 2200"
        return refuse(len(values), Fault(message, row), kind="date")
    age = _age(seconds, options)
    return ColumnValues("date", age, warnings=_tell_later(age, options))


def _ask_as_of(shown: str, options: Options) -> Fault:
    if options.is_measure:
        return Fault(f"holds dates, such as {shown}, and must hold numbers")
    return Fault(
        f"holds dates, such as {shown}; say {options.advise('as_of', '2026-01-31')} (a day of "
        f"yours) to use their age in days, or {options.advise('drop')}"
    )


def _age(seconds: NDArray[np.float64], options: Options) -> NDArray[np.float64]:
    """Days from dates to the beginning of the day `as_of`; that day is known to its end."""
    today = float(dates.read_dates(pd.Series([options.as_of], dtype="str")).seconds[0])
    age = (today - seconds) / dates.DAY
    return np.where(age <= -1, np.nan, age) if options.hides_later else age


def _format_of(text: pd.Series, order: str) -> str:
    first = str(text.iloc[0])
    sign = next((c for c in first if c in "/-."), "/")
    year = "%Y" if any(len(part) == 4 for part in first.split()[0].split(sign)) else "%y"
    names = {"d": "%d", "m": "%m", "y": year}
    clock = {0: "", 1: " %H:%M", 2: " %H:%M:%S"}[min(first.count(":"), 2)]
    return sign.join(names[letter] for letter in order) + clock


def _show_mixed(text: pd.Series) -> str:
    has = text.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True)
    return f"{text[has].iloc[0]!r} and {text[~has].iloc[0]!r}" if has.any() else show(text)
