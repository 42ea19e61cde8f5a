"""Compiled loops where nothing of them can be kept."""

import pytest
from numba.core import caching

from aiec_graph.ops.compiled import compiled


@pytest.mark.parametrize("is_kept", [True, False])
def test_without_a_place_for_the_code_it_is_compiled_anew(monkeypatch, tmp_path, is_kept):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    if not is_kept:  # as with a read-only installation and no folder of the user's
        monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])

    def double(number):
        return 2 * number

    made = compiled(nogil=True)(double)
    assert made(3) == 6
    assert bool(made.stats.cache_path) == is_kept
