"""The meaning of a cell: what each whole-column notation becomes, or what is asked about it."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from aiec_graph.data.user.columns import Options, read_column
from aiec_graph.graph.column import Column

NUMBERS = [
    (["12.5", "3"], [12.5, 3]),
    ([Decimal("1.5"), None], [1.5, np.nan]),
    (["1,5", "2"], [1.5, 2]),
    (["1.234,50", "2"], [1234.5, 2]),
    (["1,234.50", "1"], [1234.5, 1]),
    (["1'234.5", "3"], [1234.5, 3]),
    (["1 234,5", "2 000"], [1234.5, 2000]),
    (["12 EUR", "13.5 EUR"], [12, 13.5]),
    (["$1,234.5", "$3"], [1234.5, 3]),
    (["-€5", "€-6"], [-5, -6]),
    (["(12.5)", "3"], [-12.5, 3]),
    (["5%", "7%"], [0.05, 0.07]),
    (["\u00a05.5", " 6 "], [5.5, 6]),
    (["nan", "1.5"], [np.nan, 1.5]),
    ([str(10**30), "1"], [1e30, 1]),
    ([Fraction(1, 4), 2], [0.25, 2]),
    ([dt.timedelta(hours=12), None, dt.timedelta(days=2)], [0.5, np.nan, 2]),
]
FAULTS = [
    (["1,000", "1,001"], "can be thousands or fractions"),
    (["1.234", "2.000"], "can be thousands or fractions"),
    (["12 EUR", "3", "4"], "'12 EUR' is not written as '3' is"),
    (["12 EUR", "3 USD"], "several currencies"),
    (["5 kg", "6 kg", "7 kg"], "unit 'kg'"),
    (["1", "(null)", "3"], "missing_values"),
    (["1", "NA", "3"], "'NA' among numbers"),
    (["inf", "1", "2"], "not a finite number"),
    (["1e39", "2"], "fits 32 bits"),
    (["007", "012"], "begins with 0"),
    (["2026-01-05", "2026-02-01"], "as_of"),
    (["01/02/2026", "03/04/2026"], "several orders"),
    (["2026-01-01T10:00Z", "2026-01-01T10:00"], "offset from UTC"),
    (["9999-12-31", "2026-01-01"], "9999-12-31"),
    (["0001-01-01", "2026-01-01"], "0001-01-01"),
    (["-1", "2026-01-01", "2026-01-02"], "'-1'"),
    (["09:00", "10:00"], "times of the day"),
    ([f"x{i}" for i in range(30)], "too many for categories"),
]
CATEGORIES = [
    (["NA", "NO", None], ("NA", "NO")),
    (["18-24", "25-34", "65+"], ("18-24", "25-34", "65+")),
    (["null", "None"], ("None", "null")),
    ([True, False], ("false", "true")),
    (["TRUE", "false"], ("false", "true")),
]


@pytest.mark.parametrize(("cells", "expected"), NUMBERS)
def test_one_notation_is_read_as_numbers(cells, expected):
    found = read_column(pd.Series(cells), Options("c"))
    assert not found.faults and found.kind == "number"
    np.testing.assert_allclose(found.values, expected)


@pytest.mark.parametrize(("cells", "said"), FAULTS)
def test_what_is_not_sure_is_asked(cells, said):
    found = read_column(pd.Series(cells), Options("c"))
    assert any(said in fault.message for fault in found.faults), found


@pytest.mark.parametrize(("cells", "expected"), CATEGORIES)
def test_words_are_categories(cells, expected):
    found = read_column(pd.Series(cells), Options("c"))
    assert not found.faults and found.categories == expected


@pytest.mark.parametrize("cells", [[5, 6], [5.0, 6.0], ["5", "6.0"], [Decimal("5.0"), 6]])
def test_a_category_has_one_spelling_whatever_its_type(cells):
    assert read_column(pd.Series(cells), Options("c", True)).categories == ("5", "6")
    clock = [dt.time(9), "9:00", "09:00:00"]
    assert read_column(pd.Series(clock, dtype=object), Options("c", True)).categories == ("09:00",)


def test_dates_are_their_age_and_one_day_settles_the_order():
    found = read_column(pd.Series(["13/02/2026", "01/02/2026"]), Options("c", as_of="2026-03-01"))
    assert found.kind == "date" and found.values.tolist() == [16, 28]


def test_the_next_table_takes_the_trained_kind():
    trained = Column("c", ("a", "z"))
    found = read_column(pd.Series(["a", "new"]), Options("c", trained=trained))
    assert found.categories == ("a", "z") and found.values.tolist() == [0, 2]
    assert "training data did not have" in found.warnings[0]
    empty = read_column(pd.Series([None, None]), Options("c", trained=trained))
    assert empty.categories == ("a", "z") and np.isnan(empty.values).all()


@pytest.mark.parametrize(
    "words", [[1, 0, None], ["1.0", "0.0", ""], ["Yes", "no", ""], ["T", "F", ""]]
)
def test_truth_values_of_the_training_are_so_in_other_words(words):
    trained = Column("c", ("false", "true"), kind="boolean")
    found = read_column(pd.Series(words, dtype=object), Options("c", trained=trained))
    np.testing.assert_array_equal(found.values, [1, 0, np.nan])
    assert found.categories == ("false", "true") and "truth values" in found.notes[0]
    other = read_column(pd.Series(["1", "2", "0"]), Options("c", trained=trained))
    assert not set(other.values) & {0, 1} and other.warnings
