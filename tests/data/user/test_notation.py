"""Numbers in every notation come back as they were, whatever the column holds beside them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiec_graph.data.user.columns import Options, read_column
from aiec_graph.data.user.notation import NOTATIONS
from aiec_graph.data.user.profile import Reading
from aiec_graph.data.user.tables import Table, clean
from aiec_graph.graph.column import Column

MARKS = ("", "€", "EUR ", "$")


def write(value: float, notation: str, mark: str, *, accountant: bool = False) -> str:
    """A number of two decimals in a notation, such as `.,` for 1,234.50."""
    point, group = notation[0], notation[1:]
    whole, _, cents = f"{abs(value):,.2f}".partition(".")
    text = f"{mark}{whole.replace(',', group)}{point}{cents}"
    if value < 0:
        return f"({text})" if accountant else f"-{text}"
    return text


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(-(10**11), 10**11), min_size=1, max_size=8),
    notation=st.sampled_from(NOTATIONS),
    mark=st.sampled_from(MARKS),
    accountant=st.booleans(),
    is_empty=st.booleans(),
)
def test_a_column_in_one_notation_is_read_as_written(values, notation, mark, accountant, is_empty):
    numbers = [value / 100 for value in values]
    cells = [write(v, notation, mark, accountant=accountant) for v in numbers]
    found = read_column(pd.Series([None, *cells] if is_empty else cells))
    assert found.faults == (), found.faults
    assert found.kind == "number"
    np.testing.assert_allclose(found.values[is_empty:], numbers, rtol=1e-12)
    assert np.isnan(found.values[0]) == is_empty
    if notation[0] != "." or mark:
        assert found.notes


@settings(max_examples=40, deadline=None)
@given(
    values=st.lists(st.integers(1, 998_999), min_size=1, max_size=6),
    sign=st.sampled_from(".,"),
)
def test_groups_of_three_alone_are_asked_about_and_read_as_declared(values, sign):
    cells = pd.Series([f"{value // 1000 + 1}{sign}{value % 1000:03d}" for value in values])
    asked = read_column(cells, Options("c"))
    assert len(asked.faults) == 1 and "can be thousands or fractions" in asked.faults[0].message
    as_fractions = read_column(cells, Options("c", decimal=sign))
    as_thousands = read_column(cells, Options("c", thousands=sign))
    assert as_fractions.faults == as_thousands.faults == ()
    np.testing.assert_allclose(as_thousands.values, 1000 * as_fractions.values, rtol=1e-12)


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["CHF 12.-", "CHF 7.50", "CHF 1'200.-"], [12, 7.5, 1200]),
        (["12,-", "7,50"], [12, 7.5]),
        (["12.50-", "7.25"], [-12.5, 7.25]),
        (["−12.5", "3.25"], [-12.5, 3.25]),
        (["1\u202f234,56", "7,00"], [1234.56, 7]),
        (["1.5e3", "2.5E-1"], [1500, 0.25]),
        (["5%", "12.5%"], [0.05, 0.125]),
    ],
)
def test_odd_ways_of_writing(cells, values):
    found = read_column(pd.Series(cells))
    assert found.faults == ()
    np.testing.assert_allclose(found.values, values)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["12 EUR", "7 USD"], "several currencies"),
        (["12 EUR", "7"], "not written as"),
        (["5%", "0.05"], "not written as"),
        (["12 kg", "7 kg"], "the unit 'kg'"),
        (["1,23,456", "7"], "not written as"),
        (["<5", "7", "8"], "not written as"),
    ],
)
def test_notations_that_do_not_agree_are_refused(cells, message):
    found = read_column(pd.Series(cells), Options("c"))
    assert len(found.faults) == 1 and message in found.faults[0].message


@pytest.mark.parametrize(
    ("before", "now", "fault", "warning"),
    [
        (["5%", "7%"], ["5", "7.5"], "is written as plain numbers, and was written with '%'", ""),
        (["5%", "7%"], [0.05, 0.075], "is written as plain numbers, and was written with '%'", ""),
        (["5", "7.5"], ["5%", "7%"], "is written with '%', and was written as plain numbers", ""),
        (["5%", "7%"], ["6%", "8.5%"], "", ""),
        (["5 EUR", "7 EUR"], ["5 USD", "7 USD"], "", "with 'USD', and was written with 'EUR'"),
        (["5 EUR", "7 EUR"], ["5", "7.5"], "", ""),
        (["1.234,50", "7,25"], ["1.234", "8.000"], "", ""),
    ],
)
def test_a_later_table_is_compared_with_the_notation_of_the_training(before, now, fault, warning):
    first = read_column(pd.Series(before))
    column = Column("c", kind=first.kind, notation=first.notation)
    found = read_column(pd.Series(now), Options("c", trained=column))
    assert [f.message.startswith(fault) for f in found.faults] == ([True] if fault else [])
    assert [w.endswith(warning + " in the training data") for w in found.warnings] == (
        [True] if warning else []
    )
    if now[0] == "1.234":
        assert found.values.tolist() == [1234, 8000]


def test_a_later_table_with_another_kind_of_column_is_refused():
    trained = Column("c", kind="number")
    options = Options("c", trained=trained, as_of="2026-01-31")
    found = read_column(pd.Series(["2026-01-01", "2026-01-02"]), options)
    assert [f.message for f in found.faults] == [
        "holds dates, and held numbers in the training data"
    ]
    truth = read_column(pd.Series(["true", "false"]), options)
    assert (truth.kind, truth.values.tolist()) == ("number", [1, 0])


@pytest.mark.parametrize("cells", [["-999", "3.5"], ["-999.0", "3.5"], [-999, 3.5], [-999.0, 3.5]])
@pytest.mark.parametrize("word", ["-999", "-999.0"])
def test_a_number_that_means_missing_does_so_however_it_is_written(cells, word):
    found = read_column(pd.Series(cells), Options("c", missing_values=(word,)))
    np.testing.assert_array_equal(found.values, [np.nan, 3.5])


def test_scalars_of_tensors_are_numbers_and_sets_are_refused():
    reading = Reading()
    cells = [np.array(1.5), None, np.array(2)]
    frame = clean(Table(pd.DataFrame({"a": pd.Series(cells, dtype=object)}), "t"), reading.findings)
    assert read_column(frame.frame["a"]).values.tolist()[::2] == [1.5, 2]
    clean(Table(pd.DataFrame({"a": [{1, 2}, {3}]}), "t"), reading.findings)
    assert reading.findings.faults == ["t, column a: sets have no order; write lists"]


@pytest.mark.parametrize("made", [list, np.array, tuple])
def test_vectors_within_vectors_are_refused(made, tmp_path):
    from aiec_graph.data.user import from_frames
    from aiec_graph.errors import InputError

    nodes = pd.DataFrame({"id": ["a", "b"], "v": [made([made([1, 2])])] * 2, "label": [0, 1]})
    edges = pd.DataFrame({"source": ["a"], "target": ["b"]})
    with pytest.raises(InputError, match=r"nodes, row 0, column v: a vector within a vector"):
        from_frames(nodes, edges)


def test_categories_of_pandas_that_are_numbers_stay_categories():
    found = read_column(pd.Series(pd.Categorical([3, 1, 3])))
    assert (found.kind, found.categories) == ("category", ("1", "3"))
    assert read_column(pd.Series(pd.Categorical(["3", "1", "3"]))).kind == "number"
    numeric = read_column(pd.Series(pd.Categorical([3, 1, 3])), Options("c", is_numeric=True))
    assert numeric.values.tolist() == [3, 1, 3]
