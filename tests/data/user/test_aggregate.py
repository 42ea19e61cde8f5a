"""Statistics by group, against pandas' groupby."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiec_graph.data.user.aggregate import Groups, sort_by_code

KINDS = ("count", "sum", "mean", "std", "min", "max", "median", "nunique")
rows = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([0.0, -1.5, 2.0, 1e6, 7.25, np.nan])), max_size=40
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None)
@given(rows=rows)
def test_each_statistic_is_that_of_pandas(kind, rows):
    group = np.array([row[0] for row in rows], np.int64)
    values = np.array([row[1] for row in rows], np.float64)
    found = Groups(group, 7).aggregate(values, kind)
    expected = pd.Series(values).groupby(group).agg(kind).reindex(range(7))
    if kind in ("count", "sum", "nunique"):
        expected = expected.fillna(0)
    np.testing.assert_allclose(found, expected.to_numpy(np.float64), rtol=1e-12, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3)), max_size=40))
def test_codes_are_counted_as_by_a_loop(rows):
    group, codes = (np.array([row[i] for row in rows], np.int64) for i in (0, 1))
    groups = Groups(group, 5)
    each = np.zeros((5, 4))
    for g, code in rows:
        if code >= 0:
            each[g, code] += 1
    assert (groups.count_each(codes, 4) == each).all()
    assert (groups.count_different(codes, 4) == (each > 0).sum(1)).all()
    assert (sort_by_code(group, 5) == np.argsort(group, kind="stable")).all()
