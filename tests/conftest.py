"""Shared by all tests."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def _caches_stay_out_of_the_way(tmp_path_factory):
    """No test writes a cache beside files that are not its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield
