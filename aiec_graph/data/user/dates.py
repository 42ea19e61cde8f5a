"""Dates and times as people write them: one order for a whole column, or a question."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user.words import full_match

CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}(?:[.,][0-9]+)?))?"
HALF = r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
OFFSET = r"\s*(?P<offset>Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?"
TAIL = rf"(?:(?:\s*[Tt]\s*|\s+|,\s*){CLOCK}{HALF}{OFFSET})?"
NUMERIC = rf"^(?P<a>[0-9]{{1,4}})(?P<sep>[-/.])(?P<b>[0-9]{{1,2}})[-/.](?P<c>[0-9]{{1,4}}){TAIL}$"
WEEKDAY = r"(?:[A-Za-z]{3,9},?\s+)?"
DAY_FIRST = (
    rf"^{WEEKDAY}(?P<a>[0-9]{{1,2}})[-\s.]+(?P<b>[A-Za-z]{{3,9}})\.?[-\s,]+(?P<c>[0-9]{{4}}){TAIL}$"
)
MONTH_FIRST = (
    rf"^{WEEKDAY}(?P<b>[A-Za-z]{{3,9}})\.?\s+(?P<a>[0-9]{{1,2}}),?\s+(?P<c>[0-9]{{4}}){TAIL}$"
)
COMPACT = (
    r"^(?P<a>[0-9]{4})(?P<b>[0-9]{2})(?P<c>[0-9]{2})"
    rf"(?:T(?P<hour>[0-9]{{2}}):?(?P<minute>[0-9]{{2}})(?::?(?P<second>[0-9]{{2}}))?{OFFSET})?$"
)
TIME_OF_DAY = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:\s*[AaPp]\.?[Mm]\.?)?"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMED_MONTH = rf"(?i:{'|'.join(MONTHS)})[a-z]*"
ANY_DATE = "|".join(
    [
        r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?:[Tt\s,].*)?",
        r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:[0-9]{2}|[0-9]{4})(?:[Tt\s,].*)?",
        rf"{WEEKDAY}[0-9]{{1,2}}[-\s.]+{NAMED_MONTH}\.?[-\s,]+[0-9]{{4}}.*",
        rf"{WEEKDAY}{NAMED_MONTH}\.?\s+[0-9]{{1,2}},?\s+[0-9]{{4}}.*",
        r"[0-9]{8}T[0-9]{2}.*",
    ]
)
PERIOD = "|".join(
    [
        r"(?:18|19|20|21)[0-9]{2}[-/.](?:0?[1-9]|1[0-2]|[Ww][0-9]{1,2}|[Qq][1-4])",
        r"(?:0?[1-9]|1[0-2])[-/.](?:18|19|20|21)[0-9]{2}",
        rf"{NAMED_MONTH}\.?[-/\s]+(?:[0-9]{{4}}|[0-9]{{2}})",
    ]
)
ORDERS = {"ymd": "abc", "dmy": "cba", "mdy": "cab"}
"""Where the year, the month and the day of an order stand among the three numbers a, b, c."""
FORMATS = {"dmy": "%d/%m/%Y", "mdy": "%m/%d/%Y", "ymd": "%Y-%m-%d"}
FIRST_YEAR, LAST_YEAR = 1800, 2200
DAY = 86_400.0


@dataclass(frozen=True)
class Dates:
    """What a column of texts is as dates."""

    seconds: NDArray[np.float64]
    """Since 1970, UTC [W]; NaN where a text is no date."""
    is_possible: NDArray[np.bool_]
    """Whether each is a date between the years 1800 and 2200 [W]."""
    order: str = ""
    doubt: tuple[str, ...] = ()
    """The orders that fit, where there are several and they differ."""
    is_mixed: bool = False
    """Whether some have an offset from UTC and some have none."""


def looks_like_dates(words: pd.Series) -> NDArray[np.bool_]:
    """Says of each text whether it has the shape of a date [W]."""
    return full_match(words, ANY_DATE)


def looks_like_months(words: pd.Series) -> NDArray[np.bool_]:
    """Says of each text whether it is a month or a week, such as 2026-01 or Jan 2026 [W]."""
    return full_match(words, PERIOD)


def are_compact(numbers: NDArray[np.float64]) -> bool:
    """Says whether numbers [N] are all dates such as 20260131, and not all the same."""
    given = numbers[np.isfinite(numbers)]
    if not len(given) or given[0] == given[-1] == given.max() or (given % 1).any():
        return False
    month, day = given // 100 % 100, given % 100
    is_date = (given >= 18000101) & (given < 22000101) & (month >= 1) & (month <= 12)
    return bool((is_date & (day >= 1) & (day <= 31)).all())


def looks_like_times(words: pd.Series) -> NDArray[np.bool_]:
    """Says of each text whether it is a time of the day, such as 09:00 [W]."""
    return full_match(words, TIME_OF_DAY)


def read_dates(words: pd.Series, date_format: str = "", hint: str = "") -> Dates:
    """Reads texts as dates in the one order that fits them all.

    Args:
        words: different texts [W], none missing.
        date_format: as `strptime` takes it; empty where the order is to be found out.
        hint: the order in which an earlier table was written, which settles a doubt.
    """
    if date_format:
        return _by_format(words, date_format)
    parts = _take_apart(words)
    read = {order: _in_order(parts, order) for order in ORDERS}
    found = {order: int(np.isfinite(seconds).sum()) for order, seconds in read.items()}
    most = max(found.values(), default=0)
    fitting = [order for order in ORDERS if found[order] == most and most]
    different = fitting[:1] + [
        o for o in fitting[1:] if not np.array_equal(read[o], read[fitting[0]], equal_nan=True)
    ]
    if hint in different:
        different = [hint]
    order = different[0] if different else "ymd"
    seconds = read[order]
    low, high = (
        (np.datetime64(f"{year}-01-01") - np.datetime64("1970-01-01")) / np.timedelta64(1, "s")
        for year in (FIRST_YEAR, LAST_YEAR)
    )
    is_possible = (seconds >= low) & (seconds < high)
    with_offset = (parts["offset"] != "")[np.isfinite(seconds)]
    is_mixed = bool(with_offset.any() and not with_offset.all())
    doubt = tuple(different) if len(different) > 1 else ()
    return Dates(seconds, is_possible, order, doubt, is_mixed)


def read_times_of_day(words: pd.Series) -> NDArray[np.float64]:
    """Reads times such as 09:00 as seconds since midnight [W]; NaN where a text is none."""
    parts = _fill(words.str.extract(rf"^{CLOCK}{HALF}$"))
    return _clock(parts)


def _by_format(words: pd.Series, date_format: str) -> Dates:
    dates = pd.to_datetime(words, format=date_format, errors="coerce", utc=True)
    seconds: NDArray[np.float64] = (
        (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy().astype(np.float64)
    )
    years = dates.dt.year.to_numpy(np.float64)
    return Dates(seconds, (years >= FIRST_YEAR) & (years < LAST_YEAR))


def _take_apart(words: pd.Series) -> pd.DataFrame:
    result = pd.DataFrame("", index=range(len(words)), columns=list("abc"), dtype=object)
    for name in ("hour", "minute", "second", "half", "offset", "named"):
        result[name] = ""
    words = words.reset_index(drop=True)
    open_rows = np.ones(len(words), bool)
    for pattern, named in ((NUMERIC, ""), (COMPACT, ""), (DAY_FIRST, "d"), (MONTH_FIRST, "d")):
        if not open_rows.any():
            break
        parts = _fill(words[open_rows].str.extract(pattern))
        hit = parts["a"] != ""
        parts = parts[hit]
        if named:
            months = parts["b"].astype(str).str.lower().str[:3]
            numbers = {month: str(i + 1) for i, month in enumerate(MONTHS)}
            parts["b"] = months.map(numbers).fillna("")
        parts["named"] = named
        columns = [c for c in parts.columns if c in result.columns]
        result.loc[parts.index, columns] = parts[columns]
        open_rows[parts.index] = False
    return result


def _fill(parts: pd.DataFrame) -> pd.DataFrame:
    return parts.astype(object).where(parts.notna(), "")


def _number(texts: pd.Series) -> NDArray[np.float64]:
    plain = texts.astype(str).str.replace(",", ".", regex=False)
    return pd.to_numeric(plain, errors="coerce").to_numpy(np.float64)


def _in_order(parts: pd.DataFrame, order: str) -> NDArray[np.float64]:
    """Seconds since 1970 of dates in one order; NaN where a date does not exist in it."""
    year, month, day = (_number(parts[place]) for place in ORDERS[order])
    digits = parts[ORDERS[order][0]].astype(str).str.len().to_numpy()
    year = np.where(digits == 2, np.where(year < 70, 2000 + year, 1900 + year), year)
    is_year = (digits == 4) | (digits == 2)
    others = [parts[place].astype(str).str.len().to_numpy() for place in ORDERS[order][1:]]
    is_year &= (others[0] <= 2) & (others[1] <= 2)
    if order != "dmy":  # a month in letters says where the day is
        is_year &= (parts["named"] == "").to_numpy()
    ok = is_year & (month >= 1) & (month <= 12) & (day >= 1)
    y = np.where(ok, year, 1970).astype(np.int64)
    m = np.where(ok, month, 1).astype(np.int64)
    start = (y - 1970).astype("M8[Y]").astype("M8[M]") + (m - 1)
    length = ((start + 1).astype("M8[D]") - start.astype("M8[D]")).astype(np.int64)
    ok &= np.where(ok, day, 1) <= length
    days = start.astype("M8[D]").astype(np.int64) + np.where(ok, day, 1) - 1
    seconds = days * DAY + _clock(parts, empty=0.0) - _offset(parts["offset"])
    return np.where(ok, seconds, np.nan)


def _clock(parts: pd.DataFrame, empty: float = np.nan) -> NDArray[np.float64]:
    hour, minute = _number(parts["hour"]), _number(parts["minute"])
    second = np.where(parts["second"] == "", 0.0, _number(parts["second"]))
    half = parts["half"].astype(str).str.lower().str[:1].to_numpy(dtype=object)
    hour = np.where(half == "p", np.where(hour < 12, hour + 12, hour), hour)
    hour = np.where((half == "a") & (hour == 12), 0, hour)
    ok = (hour < 24) & (minute < 60) & (second < 61)
    seconds = np.where(ok, hour * 3600 + minute * 60 + second, np.nan)
    return np.where(parts["hour"] == "", empty, seconds)


def _offset(texts: pd.Series) -> NDArray[np.float64]:
    digits = texts.astype(str).str.replace(r"[^0-9+-]", "", regex=True)
    hours = _number(digits.str[1:3])
    minutes = _number(digits.str[3:5])
    seconds = np.nan_to_num(hours) * 3600 + np.nan_to_num(minutes) * 60
    return np.where(digits.str[:1] == "-", -seconds, seconds)
