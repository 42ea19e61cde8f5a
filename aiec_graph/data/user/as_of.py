"""What was known on a day, or at a time: the rows of a table that had happened by then."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aiec_graph.data.user.dates import DAY
from aiec_graph.data.user.profile import GraphTables, Reading
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.times import EPOCH_LIKE, read_times

MOST_SECONDS = 5e10
"""Numbers above this count something smaller than seconds."""


@dataclass(frozen=True)
class _Rows(Table):
    """Some rows of a table, which keep their names in messages."""

    of: Table | None = None
    rows: NDArray[np.int64] | None = None

    def at(self, row: int) -> str:
        assert self.of is not None
        assert self.rows is not None
        return self.of.at(int(self.rows[row]))


ANY_TIME = "so rows of any time are used"
ANY_NODE = "so nodes of any time are used"
"""How the warnings of tables end that do not know times, or cannot compare them."""


def keep_known(table: Table, reading: Reading) -> Table:
    """Returns the rows of a clean table whose time is up to the declared `as_of`.

    A row of that very day or number is kept; a row without a time is left out, for it may have come
    later. Without `as_of`, or where the table has no time, all rows are kept.
    """
    declared = reading.declared
    if not declared.as_of:
        return table
    seconds = read_times(table, reading)
    if seconds is None:
        reading.findings.warnings.append(
            f"{table.where}: as_of is {declared.as_of}, and no column says when a row happened "
            f"({'/'.join(declared.columns_of('time'))}), {ANY_TIME}"
        )
        return table
    kinds = {c.kind for c in reading.columns if c.file == table.where and c.role == "time"}
    limit = _limit(table, seconds, "date" in kinds, reading)
    if limit is None:
        return table
    rows = np.flatnonzero(seconds <= limit)
    undated = int(np.isnan(seconds).sum())
    if undated:
        reading.findings.warnings.append(
            f"{table.where}: rows without a time are left out: {undated:,}; as_of is "
            f"{declared.as_of}"
        )
    if len(rows) == len(seconds):
        return table
    if not len(rows):
        reading.findings.add_fault(f"{table.where}: all rows come after as_of {declared.as_of}")
        return table
    reading.findings.notes.append(
        f"{table.where}: {len(rows):,} of {len(seconds):,} rows are used, those up to "
        f"{declared.as_of} (as_of)"
    )
    return take_rows(table, rows)


def keep_known_nodes(tables: GraphTables, reading: Reading) -> GraphTables:
    """The nodes whose time step is up to the declared `as_of`, and the edges among them.

    Where the nodes are transactions, their rows were left out already.
    """
    declared, step = reading.declared, tables.nodes.time_step
    if not declared.as_of or step is None or declared.nodes_are == "transactions":
        return tables
    column = next(c for c in reading.columns if c.role == "time_step")
    is_date, is_day = column.kind == "date", declared.as_of_day != ""
    said = f"{column.file}: as_of is {declared.as_of}, and {declared.time_step} holds"
    if not is_day:
        if is_date:
            reading.findings.add_fault(f"{said} dates; write a day such as 2026-01-31")
            return tables
        last = float(declared.as_of)
    else:
        last = float(np.datetime64(declared.as_of, "D").astype(np.int64))
        if not is_date and count_seconds(step.astype(np.float64), is_date=False):
            last = (last + 1) * DAY - 1
        elif not is_date:  # the day that other columns count from
            reading.findings.warnings.append(f"{said} numbers, {ANY_NODE}")
            return tables
    keep = step <= last
    if keep.all():
        return tables
    if not keep.any():
        reading.findings.add_fault(f"{column.file}: all nodes come after as_of {declared.as_of}")
        return tables
    reading.findings.notes.append(
        f"{column.file}: {int(keep.sum()):,} of {len(keep):,} nodes are used, those up to "
        f"{declared.as_of} (as_of)"
    )
    rows, place = np.flatnonzero(keep), np.cumsum(keep) - 1
    among = keep[tables.source] & keep[tables.target]
    nodes = tables.nodes
    kept = replace(
        nodes,
        ids=nodes.ids[rows],
        features=[replace(f, values=f.values[rows]) for f in nodes.features],
        y=nodes.y[rows],
        parts=None if nodes.parts is None else nodes.parts[rows],
        time_step=step[rows],
    )
    return replace(
        tables,
        nodes=kept,
        source=place[tables.source[among]],
        target=place[tables.target[among]],
        weight=None if tables.weight is None else tables.weight[among],
        kinds=None if tables.kinds is None else tables.kinds[among],
    )


def take_rows(table: Table, rows: NDArray[np.int64]) -> Table:
    """Some rows of a clean table [M], which keep their names in messages."""
    frame = table.frame.iloc[rows].reset_index(drop=True)
    return _Rows(
        frame=frame,
        where=table.where,
        yaml=table.yaml,
        repeated=table.repeated,
        vectors=table.vectors,
        is_clean=table.is_clean,
        of=table,
        rows=rows,
    )


def count_seconds(times: NDArray[np.float64], is_date: bool) -> bool:
    """Whether times [N] are seconds since 1970: dates, or numbers that can be nothing else."""
    given = times[~np.isnan(times)]
    return is_date or (len(given) > 0 and bool(EPOCH_LIKE <= np.median(given) < MOST_SECONDS))


def _limit(
    table: Table, seconds: NDArray[np.float64], is_date: bool, reading: Reading
) -> float | None:
    """The last moment that is known, in the units of the times; None where there is a fault."""
    as_of = reading.declared.as_of
    is_day = reading.declared.as_of_day != ""
    if np.isnan(seconds).all():
        return np.inf
    if is_day and count_seconds(seconds, is_date):
        return float(np.nextafter((np.datetime64(as_of, "D").astype(np.int64) + 1) * DAY, -np.inf))
    if not is_day and not is_date:
        return float(as_of)
    reading.findings.add_fault(
        f"{table.where}: as_of is {as_of}, but its times are "
        f"{'dates; write a day such as 2026-01-31' if is_date else 'numbers; write a number'}"
    )
    return None
