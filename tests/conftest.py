"""Shared by all tests."""

import os

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # each process has one core; before torch is imported
    os.environ["OMP_NUM_THREADS"] = "1"

import torch


@pytest.fixture(autouse=True, scope="session")
def _caches_stay_out_of_the_way(tmp_path_factory):
    """No test writes a cache beside files that are not its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(params=["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def device(request):
    """A processor, and a CUDA GPU where there is one."""
    return torch.device(request.param)


@pytest.fixture(scope="session")
def data_root(tmp_path_factory):
    """A folder with simulated Elliptic, at a scale of 0.02."""
    from aiec_graph.data import read_card
    from aiec_graph.data.simulate import simulate_dataset

    root = tmp_path_factory.mktemp("data")
    simulate_dataset(read_card("elliptic"), root / "elliptic", 0.02)
    return root


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Names of files that are no UTF-8 may be in what a test prints; processes exchange text."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def pytest_make_parametrize_id(val):
    """Names bytes by their length: archives hold the second in which each process made them."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None
