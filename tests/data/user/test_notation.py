"""Numbers in every notation come back as they were, whatever the column holds beside them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiec_graph.data.user.columns import Options, read_column
from aiec_graph.data.user.notation import NOTATIONS

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
