"""Kernels where there is a compiler, and none where there is not."""

import platform
import shutil

import pytest

from aiec_graph.ops import build


@pytest.fixture(autouse=True)
def anew():
    build.library.cache_clear()
    yield
    build.library.cache_clear()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv(build.SWITCH, raising=False)
    return tmp_path / "native"


@pytest.mark.skipif(
    platform.system() != "Linux" or not shutil.which("c++"), reason="needs a compiler with OpenMP"
)
def test_a_compiler_means_kernels(cache):
    """Without this, kernels that no longer compile would only skip their tests."""
    assert build.library() is not None
    assert len(list(cache.glob("*.so"))) == 1


@pytest.mark.parametrize(
    ("variable", "value"), [("CXX", "/nowhere/c++"), ("CXX", "false"), ("AIEC_NATIVE", "0")]
)
def test_no_compiler_means_no_kernels(monkeypatch, cache, variable, value):
    monkeypatch.setenv(variable, value)
    assert build.library() is None
    assert not list(cache.glob("*.so"))
