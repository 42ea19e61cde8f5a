"""Ids of nodes: as text, of one column or several, and why two tables' ids do not meet."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from aiec_graph.data.user.columns import Fault
from aiec_graph.data.user.findings import Findings
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.words import BLANK, full_match, pc

MOST_NAMED = 3
SHORTENED = r"[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}"
JOINT, ESCAPED = "/", "\\/"
CAPITALS, BLANKS = "capitals and small letters differ", "blanks within differ"
ZEROS, POINT = "zeros before the number differ", "one has .0 after the number"
ACCENTS = "accents are composed in two ways"
CAUSES: dict[str, Callable[[pd.Series], pd.Series]] = {
    CAPITALS: lambda s: s.str.lower(),
    ACCENTS: lambda s: s if pc.all(pc.string_is_ascii(pa.array(s))).as_py() else _compose(s),
    BLANKS: lambda s: s.str.replace(r"\s+", "", regex=True),
    ZEROS: lambda s: s.str.replace(r"^0+([0-9])", r"\1", regex=True),
    POINT: lambda s: s.str.replace(r"\.0+$", "", regex=True),
    "the last letters or the punctuation differ": lambda s: s.str.replace(
        r"[^\w]|_", "", regex=True
    ),
}


def _compose(text: pd.Series) -> pd.Series:
    return text.str.normalize("NFC")


def read_ids(
    table: Table, columns: Sequence[str], missing_values: Sequence[str], findings: Findings
) -> pd.Index:
    """Reads ids as text: whole numbers in their shortest form, all else as it is but for blanks.

    Several columns are joined by a slash. Faults are added to the findings; the ids are then not
    to be used.
    """
    parts = [_read_part(table, column, missing_values, findings) for column in columns]
    ids = parts[0]
    if len(parts) > 1:
        ids = parts[0].str.replace(JOINT, ESCAPED, regex=False)
        for part in parts[1:]:
            ids = ids + JOINT + part.str.replace(JOINT, ESCAPED, regex=False)
    return pd.Index(ids)


def _read_part(
    table: Table, column: str, missing_values: Sequence[str], findings: Findings
) -> pd.Series:
    values = table.frame[column]
    faults: list[Fault] = []
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if pd.api.types.is_float_dtype(values):
        whole = values.to_numpy(np.float64, na_value=np.nan)
        with np.errstate(invalid="ignore"):
            lost = np.isfinite(whole) & (np.abs(whole) >= 2**53)
            wrong = np.flatnonzero(lost | (np.isfinite(whole) & (whole != np.rint(whole))))
        for row in wrong[:MOST_NAMED]:
            faults.append(
                Fault(
                    f"{column} is {float(whole[row])!r}; an id is a whole number or text (as a "
                    "fraction, a large number loses digits)",
                    int(row),
                )
            )
        given = np.isfinite(whole)
        kept = np.where(given & ~np.isin(np.arange(len(whole)), wrong), whole, 0).astype(np.int64)
        text = pd.Series(kept.astype(str), dtype="str").where(given, "")
        text[wrong] = [repr(float(value)) for value in whole[wrong]]
    else:
        given = values.notna()
        raw = values.astype("str").where(given, "")
        text = raw.str.strip(BLANK)
        if bool((raw != text).any()):
            findings.notes.append(f"{table.where}: blanks around {column} are left out")
        for row in np.flatnonzero(full_match(text, SHORTENED))[:MOST_NAMED]:
            faults.append(
                Fault(
                    f"{column} is {text[row]!r}, a number that a spreadsheet has shortened, so "
                    "that several ids became one; export the column as text",
                    int(row),
                )
            )
    empty = text == ""
    if missing_values:
        empty |= text.isin([str(word).strip() for word in missing_values])
    rows = np.flatnonzero(empty.to_numpy(dtype=bool))
    faults += [Fault("is empty", int(row)) for row in rows[:MOST_NAMED]]
    if len(rows) > MOST_NAMED:
        faults.append(Fault(f"{len(rows)} rows in all are empty"))
    for fault in faults:
        place = table.where if fault.row is None else table.at(fault.row)
        said = fault.message if fault.message.startswith(column) else f"{column} {fault.message}"
        findings.add_fault(f"{place}: {said}", f"{table.where} {column}")
    return text.reset_index(drop=True)


def tell_near(ids: pd.Index) -> str:
    """Says that some ids differ from others by a mere way of writing them; empty where none do.

    Args:
        ids: different ones [N].
    """
    text = pd.Series(ids, dtype="str")
    for cause in (CAPITALS, ACCENTS, BLANKS, ZEROS, POINT):
        reduced = CAUSES[cause](text)
        if not (reduced != text).any():
            continue
        again = reduced.duplicated(keep=False)
        if again.any():
            alike = text[reduced == reduced[again].iloc[0]]
            return (
                f"{int(again.sum()):,} of {len(text):,} ids are the same but for one thing, "
                f"{cause}: {alike.iloc[0]!r} and {alike.iloc[1]!r}; if these are one account, "
                "write it in one way"
            )
    return ""


def to_node_ids(ids: pd.Index) -> NDArray[np.generic]:
    """Gives text ids as numbers, where every one is a whole number in its shortest form."""
    text = pd.Series(ids, dtype="str")
    if len(text) and text.str.fullmatch(r"(?:0|-?[1-9][0-9]{0,19})").all():
        numbers = text.to_numpy(dtype=object)
        for dtype in (np.int64, np.uint64):
            try:
                found = np.array(list(map(int, numbers)), dtype=dtype)
            except OverflowError:
                continue
            return found
    return ids.to_numpy(dtype=str)


def find_places(ids: pd.Index, known: pd.Index) -> NDArray[np.int64]:
    """Returns where each id [N] first stands among the known ones, -1 for a stranger."""
    places = pc.index_in(pa.array(ids, pa.string()), pa.array(known, pa.string()))
    return pc.fill_null(places, -1).to_numpy(zero_copy_only=False).astype(np.int64)


def find_repeated(ids: pd.Index) -> NDArray[np.int64]:
    """Returns the rows whose id stood above them already."""
    return np.flatnonzero(ids.duplicated())


def explain_strangers(strangers: pd.Index, known: pd.Index) -> str:
    """Says why ids are likely not among the known ones; empty where there is no likely cause."""
    some = pd.Series(strangers[:1000], dtype="str")
    others = pd.Series(known, dtype="str")
    for cause, reduce in CAUSES.items():
        hits = reduce(some).isin(set(reduce(others)))
        if 2 * int(hits.sum()) >= len(some):
            near = str(some[hits].iloc[0])
            match = others[reduce(others) == reduce(some[hits]).iloc[0]]
            return f"; {cause}: {near!r} here, {str(match.iloc[0])!r} there"
    return ""
