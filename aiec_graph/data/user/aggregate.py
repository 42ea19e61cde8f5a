"""Statistics of rows by group, such as of an account's transactions, without a loop over rows.

Counts, sums and means go through `numpy.bincount`; what needs the rows of a group together uses one
counting sort, which is made when it is first asked for and then kept.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Values = NDArray[np.float64]


class Groups:
    """The rows of a table by the group that each is of."""

    def __init__(self, group: NDArray[np.int64], count: int) -> None:
        """Takes the number of each row's group.

        Args:
            group: numbers from 0 below `count` [N].
            count: of the groups, G; some may have no row.
        """
        self.group = group
        self.count = count

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each group [G]."""
        return np.bincount(self.group, minlength=self.count)

    @cached_property
    def order(self) -> NDArray[np.integer]:
        """Rows sorted by their group, in their order within one [N]."""
        return sort_by_code(self.group, self.count)

    def aggregate(self, values: Values, kind: str) -> Values:
        """Computes one statistic of each group [G], as pandas' groupby does.

        Args:
            values: of the rows [N]; NaN is left out.
            kind: count, sum, mean, std (with n - 1), min, max, median or nunique.
        """
        return getattr(self, f"_{kind}")(values)

    def count_different(self, codes: NDArray[np.int64], width: int) -> Values:
        """Counts the different codes of each group's rows [G].

        Args:
            codes: numbers from 0 below `width`, or -1 for none [N].
            width: number of codes.
        """
        known = codes >= 0
        group, codes = (self.group, codes) if known.all() else (self.group[known], codes[known])
        pairs = sparse.coo_array(
            (np.ones(len(codes), np.int8), (group, codes)), shape=(self.count, max(width, 1))
        )
        return np.diff(pairs.tocsr().indptr).astype(np.float64)

    def count_each(self, codes: NDArray[np.int64], width: int) -> Values:
        """Counts the rows of each group and code [G, width]; a code of -1 is in no column."""
        known = codes >= 0
        cells = self.group[known] * width + codes[known]
        return np.bincount(cells, minlength=self.count * width).reshape(-1, width).astype(float)

    def _count(self, values: Values) -> Values:
        if not np.isnan(values).any():
            return self.sizes.astype(np.float64)
        return self._sum((~np.isnan(values)).astype(np.float64))

    def _sum(self, values: Values) -> Values:
        found = np.bincount(self.group, np.nan_to_num(values, nan=0.0), self.count)
        return found.astype(np.float64, copy=False)

    def _mean(self, values: Values) -> Values:
        return _divide(self._sum(values), self._count(values))

    def _std(self, values: Values) -> Values:
        # Around the mean: the difference of two large sums would lose digits.
        away = values - self._mean(values)[self.group]
        return np.sqrt(_divide(self._sum(away * away), self._count(values) - 1))

    def _min(self, values: Values) -> Values:
        return self._reduce(np.fmin, values)

    def _max(self, values: Values) -> Values:
        return self._reduce(np.fmax, values)

    def _reduce(self, function: np.ufunc, values: Values) -> Values:
        result = np.full(self.count, np.nan)
        filled = np.flatnonzero(self.sizes)
        if len(filled):
            starts = np.cumsum(self.sizes)[filled] - self.sizes[filled]
            result[filled] = function.reduceat(values[self.order], starts)
        return result

    def _median(self, values: Values) -> Values:
        known = np.flatnonzero(~np.isnan(values))
        by_value = known[np.argsort(values[known], kind="stable")]
        rows = by_value[sort_by_code(self.group[by_value], self.count)]
        sizes = np.bincount(self.group[known], minlength=self.count)
        starts = np.cumsum(sizes) - sizes
        result = np.full(self.count, np.nan)
        filled = sizes > 0
        low, high = starts + (sizes - 1) // 2, starts + sizes // 2
        result[filled] = (values[rows[low[filled]]] + values[rows[high[filled]]]) / 2
        return result

    def _nunique(self, values: Values) -> Values:
        known = ~np.isnan(values)
        codes = np.full(len(values), -1)
        different, codes[known] = np.unique(values[known], return_inverse=True)
        return self.count_different(codes, len(different))


def sort_by_code(codes: NDArray[np.integer], count: int) -> NDArray[np.integer]:
    """Returns the order [N] that sorts codes from 0 below `count`; equal ones keep theirs.

    A counting sort, by the change from compressed rows to compressed columns: time and memory grow
    with N + count, where a comparing sort's time grows faster.
    """
    ones = np.ones(len(codes), np.int8)
    rows = sparse.csr_array(
        (ones, codes, np.arange(len(codes) + 1)), shape=(len(codes), max(count, 1))
    )
    return rows.tocsc().indices


def _divide(sums: Values, counts: Values) -> Values:
    result = np.full(len(sums), np.nan)
    np.divide(sums, counts, out=result, where=counts > 0)
    return result
