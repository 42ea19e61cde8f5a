"""The times of transactions in seconds, however they are written."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user import dates
from aiec_graph.data.user.columns import Fault, Options, list_date_faults, read_column
from aiec_graph.data.user.profile import Reading
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.words import split_words

EPOCH_LIKE = 5e8
"""Seconds since 1970 are larger than this; smaller numbers may count anything."""
MOST_NAMED = 3


def read_times(table: Table, reading: Reading) -> NDArray[np.float64] | None:
    """Reads the time of each transaction [N], in seconds for dates; None where there is none.

    Dates and times of the day in two columns are joined where they are declared so, and where a
    column of times of the day stands beside a column called date.
    """
    columns = [name for name in reading.declared.columns_of("time") if name in table.names]
    if not columns:
        return None
    if len(columns) == 1 and _is_time_of_day(table.frame[columns[0]]):
        beside = [n for n in table.names if n.lower() == "date" and n not in columns]
        if beside:
            columns = [beside[0], columns[0]]
            reading.findings.notes.append(
                f"{table.where}: the time of a transaction is read from {columns[0]} and "
                f"{columns[1]} together"
            )
    total = np.zeros(len(table.frame))
    for name in columns:
        options = reading.options(table, name)
        is_clock = len(columns) > 1 and _is_time_of_day(table.frame[name])
        reading.record(table, name, "time", "date")
        if is_clock:
            words = split_words(table.frame[name], options.missing_values)
            total += words.spread(dates.read_times_of_day(words.text), np.nan)
            continue
        seconds, faults, kind = _read_one(table.frame[name], options)
        reading.record(table, name, "time", kind)
        reading.fault(table, name, faults)
        total += seconds
    return total


def _is_time_of_day(values: pd.Series) -> bool:
    if values.dtype != object and not pd.api.types.is_string_dtype(values):
        return False
    words = split_words(values).text
    return bool(len(words)) and bool(dates.looks_like_times(words).all())


def _read_one(values: pd.Series, options: Options) -> tuple[NDArray[np.float64], list[Fault], str]:
    """Seconds [N], faults, and the kind of the column."""
    if pd.api.types.is_datetime64_any_dtype(values):
        found = read_column(values, replace(options, as_of="1970-01-01"))
        return -found.values * dates.DAY, list(found.faults), "date"
    words = split_words(values, options.missing_values)
    if not len(words.text):
        return np.full(len(values), np.nan), [], "number"
    if _is_time_of_day(words.text):
        message = (
            "holds times of the day without their day; say "
            f"{options.advise('time', ['date', options.name])} if their day is in a column date"
        )
        return np.full(len(values), np.nan), [Fault(message)], "date"
    whole_days = words.text.str.fullmatch(r"(?:18|19|20|21)\d{2}[01]\d[0-3]\d(?:\.0)?").all()
    like_dates = dates.looks_like_dates(words.text)
    if options.date_format or whole_days or 2 * words.counts[like_dates].sum() > words.counts.sum():
        text = words.text.str.replace(r"\.0$", "", regex=True)
        words = replace(words, text=text)
        found = dates.read_dates(text, options.date_format)
        faults = list_date_faults(words, found, options)
        return words.spread(found.seconds, np.nan), faults, "date"
    found = read_column(values, replace(options, is_numeric=True, is_measure=True))
    if found.kind != "number" or found.faults:
        faults = list(found.faults) or [Fault("holds neither numbers nor dates")]
        faults = [
            replace(fault, message=fault.message.replace(_NO_NUMBER, _NEITHER, 1))
            for fault in faults
        ]
        return found.values, faults, found.kind
    return found.values, _find_sentinels(found.values, options), "number"


_NO_NUMBER, _NEITHER = "is not a number", "is neither a number nor a date"


def _find_sentinels(seconds: NDArray[np.float64], options: Options) -> list[Fault]:
    """Numbers that stand for no time among seconds since 1970, such as -1."""
    given = seconds[~np.isnan(seconds)]
    if not len(given) or np.median(given) < EPOCH_LIKE:
        return []
    wrong = np.flatnonzero(seconds <= 0)
    return [
        Fault(
            f"{seconds[row]:g} among seconds since 1970; say "
            f"{options.advise('missing_values', [f'{seconds[row]:g}'])} if it means a missing one",
            int(row),
        )
        for row in wrong[:MOST_NAMED]
    ]
