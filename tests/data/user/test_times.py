"""Times of transactions, however they are written."""

import numpy as np
import pandas as pd
import pytest

from aiec_graph.data.user.declaration import Declaration
from aiec_graph.data.user.profile import Reading
from aiec_graph.data.user.tables import Table
from aiec_graph.data.user.times import read_times

WHEN = pd.to_datetime(
    ["2026-01-05 10:12", "2026-02-17 23:59", "2026-12-31 00:00", "2026-07-28 13:05"]
)
SECONDS = (WHEN - pd.Timestamp(0)).total_seconds().to_numpy()


def read(cells, **declared):
    reading = Reading(Declaration(**declared))
    table = Table(pd.DataFrame({"time": cells}), "t", is_clean=True)
    return read_times(table, reading), reading.findings


@pytest.mark.parametrize(
    ("form", "unit"),
    [
        ("%Y-%m-%d %H:%M", 60),
        ("%Y-%m-%dT%H:%M:%SZ", 60),
        ("%Y-%m-%d %H:%M:%S.%f", 60),
        ("%d.%m.%Y %H:%M", 60),
        ("%m/%d/%Y, %I:%M\u202f%p", 60),
        ("%m/%d/%y %H:%M", 60),
        ("%b %d, %Y %I:%M %p", 60),
        ("%a, %d %b %Y %H:%M:%S GMT", 60),
        ("%Y%m%d", 86_400),
        ("%Y%m%d%H%M", 60),
        ("%Y%m%d%H%M%S", 60),
        ("%Y%m%dT%H%M%S", 60),
        ("%d %B %Y", 86_400),
    ],
)
def test_dates_in_usual_forms(form, unit):
    seconds, findings = read(WHEN.strftime(form).tolist())
    assert findings.faults == []
    np.testing.assert_array_equal(seconds, SECONDS // unit * unit)


def test_offsets_are_taken_off():
    cells = ["2026-01-05T10:12+01:00", "2026-01-05T10:12-0530", "2026-01-05T10:12Z"]
    seconds, findings = read(cells)
    assert findings.faults == []
    assert (seconds - SECONDS[0]).tolist() == [-3600, 5.5 * 3600, 0]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["05012026", "17022026"], r"can be dates or numbers; say Declaration\(date_format="),
        (["05/Jan/2026:10:12:00", "06/Jan/2026:10:12:00"], "no dates in a usual form"),
        (["noon", "midnight"], "neither numbers nor dates in a usual"),
        (["2026-01-05 10:12 CET", "2026-01-06 10:12 CET"], "no dates in a usual form"),
        (["2026-01-05T10:12Z", "2026-01-05T10:12"], "with and without an offset"),
        (["01/02/2026", "03/04/2026"], "several orders"),
        (["2026-02-30", "2026-02-01"], "row 0, column time: '2026-02-30' is no date"),
        (["10:12", "11:15"], "times of the day without their day"),
        ([0, 1767607920, 1767607921], "0 among seconds since 1970"),
    ],
)
def test_what_is_asked_about(cells, message):
    import re

    _, findings = read(cells)
    assert len(findings.faults) == 1
    assert re.search(message, findings.faults[0]), findings.faults


def test_declared_forms_are_read():
    seconds, findings = read(
        ["05/Jan/2026:10:12:00", "17/Feb/2026:23:59:00"], date_format="%d/%b/%Y:%H:%M:%S"
    )
    assert findings.faults == []
    np.testing.assert_array_equal(seconds, SECONDS[:2])
    seconds, findings = read(["05012026", "17022026"], numeric=["time"])
    assert findings.faults == []
    assert seconds.tolist() == [5012026, 17022026]


def test_seconds_and_milliseconds_in_one_column_are_refused():
    _, findings = read([1767225600, 1767225660000, 1767225720, 1767225780])
    assert "1767225660000 among seconds since 1970" in findings.faults[0]
    _, findings = read([1767225600000, 1767225660, 1767225720000, -1])
    assert [
        f"{number} among milliseconds" in line
        for number, line in zip((1767225660, -1), findings.faults, strict=True)
    ]


def test_a_day_that_often_means_none_is_told_where_it_is_far_from_the_others():
    times, findings = read(["1900-01-01", "2026-01-05", "2026-01-06"])
    assert times is not None
    assert "'1900-01-01' (in 1 of 3 rows)" in findings.warnings[0]
    assert not read(["1970-01-01", "1975-01-05", "1969-01-06"])[1].warnings
