"""Numbers as people write them: decimal commas, thousands, currency signs, percent.

A column is read only where one notation fits every one of its cells and no other notation would
give other numbers; everything else is for the caller to refuse.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from aiec_graph.data.user.words import extract, full_match, pc, with_plain_blanks

PLAIN = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
CURRENCIES = (
    "AED|AUD|BGN|BRL|BTC|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|ETH|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|"
    "JPY|KES|KRW|MXN|MYR|NGN|NOK|NZD|PEN|PHP|PKR|PLN|RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|"
    "USDC|USDT|VND|WEI|ZAR"
)
SIGNS = r"(?:[A-Z]{1,3})?[$€£¥₹₽₩₺₴₪฿₫₦₿]|kr\.?|zł|Kč|Ft|Fr\.?"
MARK = rf"(?:(?i:{CURRENCIES})|{SIGNS})"
WRITTEN = (
    r"^(?P<open>\()?\s*(?P<sign>[+-])?\s*"
    rf"(?P<before>{MARK})?\s*(?P<inner>[+-])?\s*"
    r"(?P<body>[0-9.,][0-9., '_]*?(?:[eE][+-]?[0-9]+)?)\s*"
    rf"(?P<after>{MARK}|%)?\s*(?P<behind>-)?(?P<close>\))?$"
)
NOTATIONS = (".", ".,", ".'", ". ", "._", ",", ",.", ", ", ",'")
"""The decimal sign and, where there is one, the sign between thousands."""
AROUND = r"[^\p{L}\p{N}_/:;|\[\]{}]*"
LOOSE = rf"{AROUND}[\p{{Nd}}½¼¾∞][\p{{Nd}}.,'’_\s]*{AROUND}"
"""What has digits of any script, and signs that stand in numbers, and no letters."""
UNIT = r"^[+-]?[0-9][0-9.,]*\s*(?P<unit>[A-Za-zµμ°²³/]+)$"


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
    mark: str = ""
    """The currency or percent sign of all of them."""


def is_plain(words: pd.Series) -> NDArray[np.bool_]:
    """Says of each text whether it is a number as programs write it [W]."""
    return full_match(words, PLAIN)


def to_float(words: pd.Series | pa.Array) -> NDArray[np.float64]:
    """Converts plain numbers; digits beyond a float's are rounded, too large ones infinite."""
    text = words if isinstance(words, pa.Array) else pa.array(words, pa.string())
    return pc.cast(text, pa.float64()).to_numpy(zero_copy_only=False)


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
    rows = _candidates(parts.body, decimal, thousands)
    best = max(rows, key=lambda notation: int(rows[notation].sum()))
    is_whole = parts.is_whole
    fits = rows[best] & is_whole
    values = _evaluate(parts, fits, best)
    others = [
        notation
        for notation, ok in rows.items()
        if notation != best
        and bool((ok & is_whole).sum() == fits.sum() == is_whole.sum())
        and not np.array_equal(_evaluate(parts, ok & is_whole, notation), values, equal_nan=True)
    ]
    marks = set(parts.mark[fits])
    doubt = ""
    if others and fits.any():
        doubt = "several notations fit"
    elif fits.any() and len(marks) > 1:
        if "" in marks:  # some with a sign and some without: these are not one notation
            usual = pd.Series(parts.mark[fits]).mode()[0]
            fits &= parts.mark == usual
        else:
            doubt = "amounts in several currencies or units: " + ", ".join(sorted(marks))
    mark = next(iter(marks)) if len(marks) == 1 else ""
    return Numbers(values, fits, best, _describe(best, marks), doubt, mark)


def looks_like_numbers(words: pd.Series) -> NDArray[np.bool_]:
    """Says of each text whether it has digits, and signs around and between them, alone [W]."""
    return full_match(words, WRITTEN) | full_match(words, LOOSE)


def shared_unit(words: pd.Series) -> str:
    """Returns the unit that every text ends in, as in 12 kg; empty where there is none."""
    if len(words) < 2:
        return ""
    hit, parts = extract(words, UNIT)
    units = parts["unit"].unique() if hit.all() else []
    return str(units[0]) if len(units) == 1 else ""


def _sparse_float(words: pd.Series, fits: NDArray[np.bool_]) -> NDArray[np.float64]:
    values = np.full(len(words), np.nan)
    values[fits] = to_float(words[fits])
    return values


def _could_be_thousands(words: pd.Series) -> bool:
    """Whether 1.234 throughout may be one thousand and more: a point, then always three digits."""
    pointed = words.str.contains(".", regex=False).to_numpy(dtype=bool)
    if not pointed.any():
        return False
    return bool(full_match(words[pointed], r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+").all())


@dataclass(frozen=True)
class _Parts:
    """Texts taken apart; what is no number in any notation has an empty body."""

    body: pa.Array
    """Digits with the signs between them [W]."""
    mark: NDArray[np.object_]
    """The currency or percent sign, in capitals [W]."""
    is_negative: NDArray[np.bool_]
    is_whole: NDArray[np.bool_]
    """Whether brackets and signs around the body belong together [W]."""


def _take_apart(words: pd.Series) -> _Parts:
    text = with_plain_blanks(words)
    for sign, plain in (("−", "-"), ("’", "'")):
        text = pc.replace_substring(text, sign, plain)
    hit, parts = extract(pc.ascii_trim_whitespace(text), WRITTEN)
    has = {name: pc.not_equal(part, "").to_numpy(False) for name, part in parts.items()}
    signs = {name: pc.equal(parts[name], "-").to_numpy(False) for name in ("sign", "inner")}
    no_cents = full_match(parts["body"], r".*[.,]") & has["behind"]  # 12.- is twelve
    is_negative = np.sum([*signs.values(), has["behind"] & ~no_cents, has["open"]], axis=0)
    is_whole = (has["open"] == has["close"]) & (is_negative <= 1)
    is_whole &= ~(has["before"] & has["after"]) & ~(has["sign"] & has["inner"])
    mark = pc.utf8_upper(pc.binary_join_element_wise(parts["before"], parts["after"], ""))
    return _Parts(
        body=_spread(hit, parts["body"]),
        mark=_spread(hit, mark).to_numpy(False),
        is_negative=_spread(hit, pa.array(is_negative == 1)).to_numpy(False),
        is_whole=_spread(hit, pa.array(is_whole)).to_numpy(False),
    )


def _spread(hit: NDArray[np.bool_], values: pa.Array) -> pa.Array:
    """Values of some of the texts [H], for all of them [W]; empty or false for the others."""
    codes = pa.array(np.where(hit, np.cumsum(hit) - 1, 0), mask=~hit)
    return pc.fill_null(values.take(codes), False if values.type == pa.bool_() else "")


def _candidates(body: pa.Array, decimal: str, thousands: str) -> dict[str, NDArray[np.bool_]]:
    """For each notation that the declared signs allow, which bodies are numbers in it [W].

    A notation whose sign between thousands stands nowhere says what another one says already.
    """
    names = [n for n in NOTATIONS if not decimal or n[0] == decimal]
    if thousands:
        names = [n for n in names if n[1:] == thousands]
        names = names or [(decimal or ("," if thousands == "." else ".")) + thousands]
    is_there = {sign: pc.any(pc.match_substring(body, sign)).as_py() for sign in ".,'_ "}
    rows = {}
    for name in [n for n in names if is_there.get(n[1:], True)] or names or [decimal]:
        point, group = f"\\{name[0]}", name[1:]
        whole = "[0-9]+"
        if group:
            whole = rf"(?:[0-9]+|[1-9][0-9]{{0,2}}(?:\{group}[0-9]{{3}})+)"
        pattern = rf"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
        rows[name] = full_match(body, pattern)
    return rows


def _evaluate(parts: _Parts, fits: NDArray[np.bool_], notation: str) -> NDArray[np.float64]:
    values = np.full(len(fits), np.nan)
    body = parts.body.filter(pa.array(fits))
    if notation[1:]:
        body = pc.replace_substring(body, notation[1:], "")
    if notation[0] != ".":
        body = pc.replace_substring(body, notation[0], ".")
    numbers = to_float(body)
    numbers = np.where(parts.is_negative[fits], -numbers, numbers)
    values[fits] = np.where(parts.mark[fits] == "%", numbers / 100, numbers)
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
