"""Dates and times as people write them: one order for a whole column, or a question."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from aiec_graph.data.user.notation import to_float
from aiec_graph.data.user.words import extract, full_match, pc, with_plain_blanks

CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}(?:[.,][0-9]+)?))?"
HALF = r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
OFFSET = r"\s*(?P<offset>Z|z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?"
TAIL = rf"(?:(?:\s*[Tt]\s*|\s+|,\s*){CLOCK}{HALF}{OFFSET})?"
NUMERIC = rf"^(?P<a>[0-9]{{1,4}})(?P<sep>[-/.])(?P<b>[0-9]{{1,2}})[-/.](?P<c>[0-9]{{1,4}}){TAIL}$"
WEEKDAY = r"(?:[A-Za-z]{3,9},?\s+)?"
YEAR = "[0-9]{4}|[0-9]{2}"
DAY_FIRST = (
    rf"^{WEEKDAY}(?P<a>[0-9]{{1,2}})[-\s./]+(?P<b>[A-Za-z]{{3,9}})\.?[-\s,/]+(?P<c>{YEAR}){TAIL}$"
)
MONTH_FIRST = rf"^{WEEKDAY}(?P<b>[A-Za-z]{{3,9}})\.?\s+(?P<a>[0-9]{{1,2}}),?\s+(?P<c>{YEAR}){TAIL}$"
COMPACT = (
    r"^(?P<a>[0-9]{4})(?P<b>[0-9]{2})(?P<c>[0-9]{2})"
    rf"(?:T?(?P<hour>[0-9]{{2}}):?(?P<minute>[0-9]{{2}})(?::?(?P<second>[0-9]{{2}}))?{OFFSET})?$"
)
TIME_OF_DAY = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:\s*[AaPp]\.?[Mm]\.?)?"
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMED_MONTH = rf"(?i:{'|'.join(MONTHS)})[a-z]*"
ANY_DATE = "|".join(
    [
        r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}(?:[Tt\s,].*)?",
        r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:[0-9]{2}|[0-9]{4})(?:[Tt\s,].*)?",
        rf"{WEEKDAY}[0-9]{{1,2}}[-\s./]+{NAMED_MONTH}\.?[-\s,/]+(?:{YEAR})(?:[^0-9].*)?",
        rf"{WEEKDAY}{NAMED_MONTH}\.?\s+[0-9]{{1,2}},?\s+(?:[0-9]{{2}}:.*\s)?(?:{YEAR})(?:[^0-9].*)?",
        r"/Date\(.*\)/",
        r"[0-9]{8}T[0-9]{2}.*",
        # in other languages, which are recognised, not read: 5 gennaio 2026, 5 de enero de 2026
        r"[0-9]{1,2}\.?[-\s]+(?:de\s+)?\p{L}{3,10}\.?[-\s,]+(?:de\s+)?(?:18|19|20|21)[0-9]{2}.*",
        "[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日.*",
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
MOST_YEARS = 80
"""Dates whose years have two digits may reach so far; beyond, some are a century off."""
SENTINELS = ("1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1970-01-01", "2099-12-31")
"""Days that often stand for no date at all."""
FAR = 20 * 365.25
"""Days between such a day and the usual ones."""
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
    has_short_years: bool = False
    """Whether the year of some has two digits."""

    @property
    def are_a_century_off(self) -> bool:
        """Whether years of two digits make the dates reach further than dates of one column do."""
        given = self.seconds[self.is_possible]
        return self.has_short_years and bool(np.ptp(given) > MOST_YEARS * 365.25 * DAY)

    def find_sentinels(self) -> NDArray[np.bool_]:
        """Says of each date whether it often stands for no date, and is far from the others [W]."""
        days = self.seconds // DAY
        usual = np.median(days[self.is_possible]) if self.is_possible.any() else np.nan
        stands_for_none = np.isin(days, np.array(SENTINELS, "M8[D]").astype(np.int64))
        return stands_for_none & (np.abs(days - usual) > FAR)


def looks_like_dates(words: pd.Series) -> NDArray[np.bool_]:
    """Says of each text whether it has the shape of a date [W]."""
    return full_match(words, ANY_DATE)


def looks_like_months(words: pd.Series) -> NDArray[np.bool_]:
    """Says of each text whether it is a month or a week, such as 2026-01 or Jan 2026 [W]."""
    return full_match(words, PERIOD)


def are_compact(numbers: NDArray[np.float64]) -> bool:
    """Says whether numbers [N] are all dates such as 20260131, and not all the same.

    A time of the day may follow, as in 20260131101500.
    """
    given = numbers[np.isfinite(numbers)]
    if not len(given) or given[0] == given[-1] == given.max() or (given % 1).any():
        return False
    for clock in (1e6, 1e4):  # 20260131101500 and 202601311015
        if given.min() >= 18000101 * clock:
            given = given // clock
    month, day = given // 100 % 100, given % 100
    is_date = (given >= 18000101) & (given < 22000101) & (month >= 1) & (month <= 12)
    return bool((is_date & (day >= 1) & (day <= 31)).all())


def are_since_1970(numbers: NDArray[np.float64]) -> bool:
    """Says whether numbers [N] are whole and all seconds, or milliseconds, of 2001 to 2039."""
    given = numbers[np.isfinite(numbers)]
    if not len(given) or (given % 1).any() or given.min() == given.max():
        return False
    return any(given.min() >= 1e9 * unit and given.max() < 2.2e9 * unit for unit in (1, 1000))


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
    with_offset = parts.has_offset[np.isfinite(seconds)]
    is_mixed = bool(with_offset.any() and not with_offset.all())
    doubt = tuple(different) if len(different) > 1 else ()
    year = parts.digits["abc".index(ORDERS[order][0])]
    has_short_years = bool((year[is_possible] == 2).any())
    return Dates(seconds, is_possible, order, doubt, is_mixed, has_short_years)


def read_times_of_day(words: pd.Series) -> NDArray[np.float64]:
    """Reads times such as 09:00 as seconds since midnight [W]; NaN where a text is none."""
    hit, parts = extract(words, rf"^{CLOCK}{HALF}$")
    seconds = np.full(len(words), np.nan)
    seconds[hit] = _clock(parts)
    return seconds


def _by_format(words: pd.Series, date_format: str) -> Dates:
    dates = pd.to_datetime(words, format=date_format, errors="coerce", utc=True)
    seconds: NDArray[np.float64] = (
        (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy().astype(np.float64)
    )
    years = dates.dt.year.to_numpy(np.float64)
    is_possible = (years >= FIRST_YEAR) & (years < LAST_YEAR)
    return Dates(seconds, is_possible, has_short_years="%y" in date_format)


@dataclass(frozen=True)
class _Parts:
    """Texts in the shape of a date, taken apart; one in another shape has numbers of no digits."""

    numbers: NDArray[np.float64]
    """a, b and c, NaN where there is none [3, W]."""
    digits: NDArray[np.int64]
    """How many digits each has [3, W]."""
    is_named: NDArray[np.bool_]
    """Whether the month is in letters, so that a is the day and c the year [W]."""
    clock: NDArray[np.float64]
    """Seconds since midnight, 0 without a time of the day, NaN where there is no such time [W]."""
    has_offset: NDArray[np.bool_]
    offset: NDArray[np.float64]
    """Seconds ahead of UTC [W]."""


def _take_apart(words: pd.Series) -> _Parts:
    count = len(words)
    numbers, digits = np.full((3, count), np.nan), np.zeros((3, count), np.int64)
    is_named, has_offset = np.zeros((2, count), bool)
    clock, offset = np.zeros((2, count))
    text, rows = with_plain_blanks(words), np.arange(count)
    for pattern, named in ((NUMERIC, 0), (COMPACT, 0), (DAY_FIRST, 1), (MONTH_FIRST, 1)):
        if not len(rows):
            break
        hit, parts = extract(text.take(rows), pattern)
        found, rows = rows[hit], rows[~hit]
        for i, name in enumerate("abc"):
            part = _number_months(parts[name]) if named and name == "b" else parts[name]
            numbers[i, found] = _to_numbers(part)
            digits[i, found] = pc.binary_length(part).to_numpy(zero_copy_only=False)
        is_named[found] = bool(named)
        clock[found] = _clock(parts, empty=0.0)
        has_offset[found] = pc.not_equal(parts["offset"], "").to_numpy(zero_copy_only=False)
        offset[found] = _offset(parts["offset"])
    return _Parts(numbers, digits, is_named, clock, has_offset, offset)


def _number_months(names: pa.Array) -> pa.Array:
    """The numbers of months, as text; empty where a name is none."""
    start = pc.utf8_slice_codeunits(pc.utf8_lower(names), 0, 3)
    place = pc.index_in(start, pa.array(MONTHS))
    return pc.fill_null(pc.cast(pc.add(place, 1), pa.string()), "")


def _to_numbers(texts: pa.Array) -> NDArray[np.float64]:
    """Digits as numbers, NaN for an empty text."""
    given = pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)
    return to_float(pc.replace_substring(given, ",", "."))


def _in_order(parts: _Parts, order: str) -> NDArray[np.float64]:
    """Seconds since 1970 of dates in one order; NaN where a date does not exist in it."""
    places = ["abc".index(letter) for letter in ORDERS[order]]
    year, month, day = parts.numbers[places]
    digits, *others = parts.digits[places]
    year = np.where(digits == 2, np.where(year < 70, 2000 + year, 1900 + year), year)
    ok = ((digits == 4) | (digits == 2)) & (others[0] <= 2) & (others[1] <= 2)
    if order != "dmy":
        ok &= ~parts.is_named
    ok &= (month >= 1) & (month <= 12) & (day >= 1)
    y = np.where(ok, year, 1970).astype(np.int64)
    m = np.where(ok, month, 1).astype(np.int64)
    start = (y - 1970).astype("M8[Y]").astype("M8[M]") + (m - 1)
    length = ((start + 1).astype("M8[D]") - start.astype("M8[D]")).astype(np.int64)
    ok &= np.where(ok, day, 1) <= length
    days = start.astype("M8[D]").astype(np.int64) + np.where(ok, day, 1) - 1
    return np.where(ok, days * DAY + parts.clock - parts.offset, np.nan)


def _clock(parts: dict[str, pa.Array], empty: float = np.nan) -> NDArray[np.float64]:
    """Seconds since midnight; `empty` where a text has no time, NaN where there is no such time."""
    hour, minute = _to_numbers(parts["hour"]), _to_numbers(parts["minute"])
    second = np.nan_to_num(_to_numbers(parts["second"]))
    if "half" in parts:
        half = pc.utf8_slice_codeunits(pc.utf8_lower(parts["half"]), 0, 1)
        is_later, is_early = (pc.equal(half, letter).to_numpy(False) for letter in "pa")
        hour = np.where(is_later & (hour < 12), hour + 12, hour)
        hour = np.where(is_early & (hour == 12), 0, hour)
    ok = (hour < 24) & (minute < 60) & (second < 61)
    seconds = np.where(ok, hour * 3600 + minute * 60 + second, np.nan)
    return np.where(np.isnan(hour), empty, seconds)


def _offset(texts: pa.Array) -> NDArray[np.float64]:
    """Seconds that offsets such as +01:00, -0530, Z or nothing are ahead of UTC."""
    coded = texts.dictionary_encode()
    hit, parts = extract(
        coded.dictionary, r"^(?P<sign>[+-])(?P<hour>[0-9]{2}):?(?P<minute>[0-9]*)$"
    )
    seconds = np.zeros(len(hit))
    size = _to_numbers(parts["hour"]) * 3600 + np.nan_to_num(_to_numbers(parts["minute"])) * 60
    seconds[hit] = np.where(pc.equal(parts["sign"], "-").to_numpy(False), -size, size)
    return seconds[coded.indices.to_numpy(zero_copy_only=False)]
