"""The times of transactions in seconds, however they are written."""

from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user import dates
from aiec_graph.data.user.column_values import ColumnValues, Fault, Options, refuse, show
from aiec_graph.data.user.columns import read_column
from aiec_graph.data.user.date_columns import list_date_faults, tell_sentinels
from aiec_graph.data.user.notation import is_plain
from aiec_graph.data.user.profile import Reading
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.words import full_match, split_words

EPOCH_LIKE = 5e8
"""Seconds since 1970 are larger than this; smaller numbers may count anything."""
LAST_SECOND = 7_258_118_400
"""The beginning of the year 2200."""
LEAST = EPOCH_LIKE / 100
"""Seconds below this, in the first weeks of 1970, stand for no time where most are later ones."""
UNITS = {"seconds": 1, "milliseconds": 1e3, "microseconds": 1e6, "nanoseconds": 1e9}
MOST_NAMED = 3
WHOLE_DAY = (
    r"(?:18|19|20|21)[0-9]{2}[01][0-9][0-3][0-9](?:[0-2][0-9][0-5][0-9](?:[0-5][0-9])?)?(?:\.0)?"
)
"""20260131, also with a time of the day after it: 20260131101500."""
EIGHT_DIGITS = "[0-9]{8}"


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
        found = _read_one(table.frame[name], options)
        reading.record(table, name, "time", found.kind)
        reading.fault(table, name, found.faults)
        reading.findings.notes += [f"{table.where}, column {name}: {n}" for n in found.notes]
        for line in found.warnings:
            reading.findings.add_warning(f"{table.where}, column {name}: {line}")
        total += found.values
    _compare_units(table, columns, total, reading)
    return total


def _compare_units(
    table: Table, columns: list[str], times: NDArray[np.float64], reading: Reading
) -> None:
    """Refuses times [N] in another unit than those of the training data."""
    is_date = any(c.role == "time" and c.kind == "date" for c in reading.columns)
    unit = "seconds" if is_date else find_unit(times)
    reading.notations[""] = unit
    trained = reading.measure_of_training("time")
    before = "" if trained is None else trained.notation
    if unit and before and unit != before:
        reading.findings.add_fault(
            f"{table.where}, column {' and '.join(columns)}: times in {unit}, which were in "
            f"{before} in the training data; write them in the same unit"
        )


def find_unit(times: NDArray[np.float64]) -> str:
    """The unit of times since 1970 [N], by their size; empty where they may count anything."""
    given = times[~np.isnan(times)]
    middle = np.median(given) if len(given) else 0
    for unit, in_second in UNITS.items():
        if EPOCH_LIKE <= middle / in_second < LAST_SECOND:
            return unit
    return ""


def _is_time_of_day(values: pd.Series) -> bool:
    if values.dtype != object and not pd.api.types.is_string_dtype(values):
        return False
    words = split_words(values).text
    return bool(len(words)) and bool(dates.looks_like_times(words).all())


def _read_one(values: pd.Series, options: Options) -> ColumnValues:
    """Reads one column of times, in seconds [N]."""
    if pd.api.types.is_datetime64_any_dtype(values):
        found = read_column(values, replace(options, as_of="1970-01-01", hides_later=False))
        return replace(found, values=-found.values * dates.DAY, warnings=())
    words = split_words(values, options.missing_values)
    if not len(words.text):
        return ColumnValues("number", np.full(len(values), np.nan))
    if _is_time_of_day(words.text):
        message = (
            "holds times of the day without their day; say "
            f"{options.advise('time', ['date', options.name])} if their day is in a column date"
        )
        return refuse(len(values), Fault(message), kind="date")
    whole_days = full_match(words.text, WHOLE_DAY).all()
    like_dates = dates.looks_like_dates(words.text)
    if (
        options.date_format
        or whole_days
        or 2 * words.counts[like_dates].sum() >= words.counts.sum()
    ):
        words = replace(words, text=words.text.str.replace(r"\.0$", "", regex=True))
        read = dates.read_dates(words.text, options.date_format)
        faults = tuple(list_date_faults(words, read, options))
        told = () if faults else tell_sentinels(words, read, options)
        seconds = words.spread(read.seconds, np.nan)
        return ColumnValues("date", seconds, faults=faults, warnings=told)
    if not options.is_numeric and full_match(words.text, EIGHT_DIGITS).all():
        for form in ("%d%m%Y", "%m%d%Y"):
            if dates.read_dates(words.text, form).is_possible.all():
                message = (
                    f"{show(words.text)} can be dates or numbers; say "
                    f"{options.advise('date_format', {options.name: form})} or "
                    f"{options.advise('numeric')}"
                )
                return refuse(len(values), Fault(message), kind="date")
    found = read_column(values, replace(options, is_numeric=True, is_measure=True))
    if found.kind != "number" or found.faults:
        faults = found.faults or (Fault("holds neither numbers nor dates"),)
        if not (is_plain(words.text) | like_dates).any():
            form = {options.name: "%d/%b/%Y:%H:%M:%S"}
            message = (
                f"holds neither numbers nor dates in a usual form, such as {show(words.text)}; say "
                f"how they are written, as in {options.advise('date_format', form)}"
            )
            faults = (Fault(message),)
        faults = tuple(
            replace(fault, message=fault.message.replace(_NO_NUMBER, _NEITHER, 1))
            for fault in faults
        )
        return replace(found, faults=faults)
    faults = tuple(_find_sentinels(found.values, options))
    return replace(found, faults=faults, warnings=())


_NO_NUMBER, _NEITHER = "is not a number", "is neither a number nor a date"


def _find_sentinels(times: NDArray[np.float64], options: Options) -> list[Fault]:
    """Numbers that stand for no time, or count in another unit, among times since 1970."""
    unit = find_unit(times)
    if not unit:
        return []
    low, high = LEAST * UNITS[unit], LAST_SECOND * UNITS[unit]
    wrong = np.flatnonzero((times < low) | (times >= high))
    usual = np.flatnonzero((times >= low) & (times < high))[:1]
    return [
        Fault(
            f"{times[row]:.15g} among {unit} since 1970 such as {times[usual][0]:.15g}; write all "
            f"in one unit, or say {options.advise('missing_values', [f'{times[row]:.15g}'])} if it "
            "means a missing one",
            int(row),
        )
        for row in wrong[:MOST_NAMED]
    ]
