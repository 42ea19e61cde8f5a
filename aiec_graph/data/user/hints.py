"""What the columns that are not used tell of those that are."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from aiec_graph.data.user.profile import Reading
from aiec_graph.data.user.roles import find_near, simplify, taken_names
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.words import split_words

CURRENCY = re.compile(r".*(?:currency|currencies|currencycode)|ccy|curr|cur|token|asset|coin")
BANK = re.compile(r".*bank.*|.*bic|.*branch.*|.*institution.*|.*sortcode")
"""Names of columns that tell whose accounts are numbered."""


def tell_ignored(table: Table, reading: Reading, why: str) -> None:
    """Warns of columns that are not used though nobody said so."""
    left = [
        column.name
        for column in reading.columns
        if (column.file, column.role) == (table.where, "ignored")
        and column.name
        and column.name not in reading.declared.drop
    ]
    if left and reading.trained is None:
        names = ", ".join(left[:5]) + (" …" if len(left) > 5 else "")
        verb = "is" if len(left) == 1 else "are"
        reading.findings.warnings.append(f"{table.where}: {names} {verb} not used; {why}")


def tell_labels(table: Table, reading: Reading) -> None:
    """Warns of a column that looks like the label of the transactions, where none is declared."""
    near, _ = find_near(table, "transaction_label", taken_names(reading.declared))
    if near:
        reading.findings.warnings.append(
            f"{table.where}: no label is read; if {near!r} labels the transactions, say "
            f"{table.advise('transaction_label', near)}"
        )


def tell_repeated(table: Table, columns: Mapping[str, NDArray[Any]], reading: Reading) -> None:
    """Notes rows that equal an earlier one in all that is read of them [N by column]."""
    repeated = int(pd.DataFrame(columns).duplicated().sum())
    if repeated:
        reading.findings.facts.append(
            f"{table.where}: rows that equal an earlier one in {', '.join(columns)}: "
            f"{repeated:,} of {len(table.frame):,}; all are counted"
        )


def tell_currencies(table: Table, reading: Reading) -> None:
    """Warns where amounts of several currencies are added up."""
    amounts = [c.name for c in reading.columns if (c.file, c.role) == (table.where, "amount")]
    for name in table.names if amounts else []:
        if not CURRENCY.fullmatch(simplify(name)) or name in (reading.declared.aggregate or {}):
            continue
        words = split_words(table.frame[name]).text
        if len(words) > 1:
            shown = ", ".join(sorted(map(str, words))[:4]) + (" …" if len(words) > 4 else "")
            reading.findings.warnings.append(
                f"{table.where}: {amounts[0]} is summed over {len(words)} values of {name} "
                f"({shown}); bring the amounts to one currency first"
            )


def tell_banks(
    table: Table,
    columns: Mapping[str, Sequence[str]],
    ends: Sequence[pd.Index],
    reading: Reading,
) -> None:
    """Warns where one id stands beside several banks, and so likely names several accounts.

    Args:
        table: of transactions or edges.
        columns: of the ids, by source and target.
        ends: the ids of the sources and of the targets, a row each.
        reading: where warnings go.
    """
    unused = [c.name for c in reading.columns if (c.file, c.role) == (table.where, "ignored")]
    banks = [name for name in unused if BANK.fullmatch(simplify(name))]
    for (key, names), ids in zip(columns.items(), ends, strict=True):
        place = min((table.names.index(name) for name in names), default=0)
        before = [name for name in banks if table.names.index(name) < place]
        if len(names) != 1 or not before:
            continue
        bank = max(before, key=table.names.index)
        several = pd.Series(table.frame[bank].to_numpy()).groupby(ids.to_numpy()).nunique() > 1
        if several.any():
            count = f"{int(several.sum()):,} of {len(several):,}"
            reading.findings.warnings.append(
                f"{table.where}: {count} ids in {names[0]} stand beside "
                f"several values of {bank}, such as {several.idxmax()!r}; if these are "
                f"different accounts, say {table.advise(key, [bank, names[0]])}"
            )
