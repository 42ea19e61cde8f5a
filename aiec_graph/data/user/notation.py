"""Numbers as people write them: decimal commas, thousands, currency signs, percent.

A column is read only where one notation fits every one of its cells and no other notation would
give other numbers; everything else is for the caller to refuse.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from aiec_graph.data.user.words import full_match

PLAIN = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
CURRENCIES = (
    "AED|AUD|BGN|BRL|BTC|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|ETH|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|"
    "JPY|KES|KRW|MXN|MYR|NGN|NOK|NZD|PEN|PHP|PKR|PLN|RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|"
    "USDC|USDT|VND|WEI|ZAR"
)
SIGNS = r"(?:[A-Z]{1,3})?[$€£¥₹₽₩₺₴₪฿₫₦₿]|kr\.?|zł|Kč|Ft|Fr\.?"
MARK = rf"(?:(?i:{CURRENCIES})(?![A-Za-z])|{SIGNS})"
BLANKS = "\u00a0\u202f\u2009"
WRITTEN = (
    r"^(?P<open>\()?\s*(?P<sign>[+-])?\s*"
    rf"(?P<before>{MARK})?\s*(?P<inner>[+-])?\s*"
    r"(?P<body>[0-9.,][0-9., '_]*?(?:[eE][+-]?[0-9]+)?)\s*"
    rf"(?P<after>{MARK}|%)?\s*(?P<behind>-)?(?P<close>\))?$"
)
NOTATIONS = (".", ".,", ".'", ". ", "._", ",", ",.", ", ", ",'")
"""The decimal sign and, where there is one, the sign between thousands."""
LOOSE = r"[^\w/:;|\[\]{}]*[\d½¼¾∞][\d.,'’_\s]*[^\w/:;|\[\]{}]*"
"""What has digits of any script, and signs that stand in numbers, and no letters."""
UNIT = r"^[+-]?[0-9][0-9.,]*\s*([A-Za-zµμ°²³/]+)$"


@dataclass(frozen=True)
class Numbers:
    """What a column of texts is as numbers."""

    values: NDArray[np.float64]
    """[W]; NaN where a text is none."""
    fits: NDArray[np.bool_]
    """Whether each text is a number in the notation [W]."""
    notation: str = "."
    note: str = ""
    doubt: str = ""
    """Why the numbers cannot be trusted, where several notations fit."""


def is_plain(words: pd.Series) -> NDArray[np.bool_]:
    """Says of each text whether it is a number as programs write it [W]."""
    return full_match(words, PLAIN)


def to_float(words: pd.Series) -> NDArray[np.float64]:
    """Converts plain numbers; digits beyond a float's are rounded, too large ones infinite."""
    if not len(words):
        return np.empty(0)
    return pc.cast(pa.array(words, pa.string()), pa.float64()).to_numpy(zero_copy_only=False)


def read_numbers(words: pd.Series, decimal: str = "", thousands: str = "") -> Numbers:
    """Reads texts as numbers in the one notation that fits them all.

    Args:
        words: different texts [W], none missing.
        decimal: the declared decimal sign; empty where it is to be found out.
        thousands: the declared sign between thousands; empty likewise.
    """
    plain = is_plain(words)
    if not decimal and not thousands and plain.all() and not _could_be_thousands(words):
        return Numbers(_sparse_float(words, plain), plain)
    parts = _take_apart(words)
    rows = _candidates(parts["body"], decimal, thousands)
    best = max(rows, key=lambda notation: int(rows[notation].sum()))
    is_whole = parts["is_whole"].to_numpy(dtype=bool)
    fits = rows[best] & is_whole
    values = _evaluate(parts, fits, best)
    others = [
        notation
        for notation, ok in rows.items()
        if notation != best
        and bool((ok & is_whole).sum() == fits.sum() == is_whole.sum())
        and not np.array_equal(_evaluate(parts, ok & is_whole, notation), values, equal_nan=True)
    ]
    marks = set(parts.loc[fits, "mark"])
    doubt = ""
    if others and fits.any():
        doubt = "several notations fit"
    elif fits.any() and len(marks) > 1:
        if "" in marks:  # some with a sign and some without: these are not one notation
            usual = parts.loc[fits, "mark"].mode()[0]
            fits &= (parts["mark"] == usual).to_numpy()
        else:
            doubt = "amounts in several currencies or units: " + ", ".join(sorted(marks))
    return Numbers(values, fits, best, _describe(best, marks), doubt)


def looks_like_numbers(words: pd.Series) -> NDArray[np.bool_]:
    """Says of each text whether it has digits, and signs around and between them, alone [W]."""
    written = words.str.fullmatch(WRITTEN).to_numpy(dtype=bool)
    return written | words.astype(object).str.fullmatch(LOOSE).to_numpy(dtype=bool)


def shared_unit(words: pd.Series) -> str:
    """Returns the unit that every text ends in, as in 12 kg; empty where there is none."""
    if len(words) < 2:
        return ""
    units = words.str.extract(UNIT, expand=False)
    return str(units.iloc[0]) if units.notna().all() and units.nunique() == 1 else ""


def _sparse_float(words: pd.Series, fits: NDArray[np.bool_]) -> NDArray[np.float64]:
    values = np.full(len(words), np.nan)
    values[fits] = to_float(words[fits])
    return values


def _could_be_thousands(words: pd.Series) -> bool:
    """Whether 1.234 throughout may be one thousand and more: a point, then always three digits."""
    pointed = words.str.contains(".", regex=False).to_numpy(dtype=bool)
    if not pointed.any():
        return False
    grouped = words[pointed].str.fullmatch(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+")
    return bool(grouped.all())


def _take_apart(words: pd.Series) -> pd.DataFrame:
    text = words.str.replace("−", "-").str.replace("’", "'")
    for blank in BLANKS:
        text = text.str.replace(blank, " ")
    parts = text.str.strip().str.extract(WRITTEN)
    parts = parts.astype(object).where(parts.notna(), "")
    is_negative = (
        (parts["sign"] == "-").astype(int)
        + (parts["inner"] == "-")
        + (parts["behind"] == "-")
        + (parts["open"] == "(")
    )
    balanced = (parts["open"] == "(") == (parts["close"] == ")")
    one_mark = (parts["before"] == "") | (parts["after"] == "") | (parts["after"] == "%")
    one_mark &= ~((parts["sign"] != "") & (parts["inner"] != ""))
    one_mark &= ~((parts["before"] != "") & (parts["after"] == "%"))
    mark = (parts["before"] + parts["after"]).astype(str).str.upper()
    return pd.DataFrame(
        {
            "body": parts["body"].astype(str),
            "mark": mark,
            "is_negative": is_negative == 1,
            "is_whole": (parts["body"] != "") & balanced & one_mark & (is_negative <= 1),
        }
    )


def _candidates(body: pd.Series, decimal: str, thousands: str) -> dict[str, NDArray[np.bool_]]:
    """For each notation that the declared signs allow, which bodies are numbers in it [W]."""
    names = [n for n in NOTATIONS if not decimal or n[0] == decimal]
    if thousands:
        names = [n for n in names if n[1:] == thousands]
        names = names or [(decimal or ("," if thousands == "." else ".")) + thousands]
    rows = {}
    for name in names or [decimal]:
        point, group = f"\\{name[0]}", name[1:]
        whole = "[0-9]+"
        if group:
            whole = rf"(?:[0-9]+|[1-9][0-9]{{0,2}}(?:\{group}[0-9]{{3}})+)"
        pattern = rf"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
        rows[name] = body.str.fullmatch(pattern).to_numpy(dtype=bool)
    return rows


def _evaluate(parts: pd.DataFrame, fits: NDArray[np.bool_], notation: str) -> NDArray[np.float64]:
    values = np.full(len(parts), np.nan)
    body = parts.loc[fits, "body"]
    if notation[1:]:
        body = body.str.replace(notation[1:], "", regex=False)
    body = body.str.replace(notation[0], ".", regex=False)
    numbers = to_float(body)
    numbers = np.where(parts.loc[fits, "is_negative"], -numbers, numbers)
    values[fits] = np.where(parts.loc[fits, "mark"] == "%", numbers / 100, numbers)
    return values


def _describe(notation: str, marks: set[str]) -> str:
    found = []
    if notation != ".":
        found.append(f"the decimal sign {notation[0]!r}")
    if notation[1:]:
        found.append(f"{notation[1:]!r} between thousands")
    if "%" in marks:
        found.append("percent as hundredths")
    if marks - {"", "%"}:
        found.append(f"the currency {', '.join(sorted(marks - {'', '%'}))} left out")
    return "read as numbers with " + " and ".join(found) if found else ""
