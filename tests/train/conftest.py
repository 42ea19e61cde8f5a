"""A small simulated graph and a split of it."""

import pytest

from aiec_graph.data import load_dataset, make_split
from aiec_graph.train import prepare_graph


@pytest.fixture(scope="package")
def prepared(data_root):
    return prepare_graph(load_dataset("elliptic", data_root, 0.02))


@pytest.fixture(scope="package")
def split(prepared):
    return make_split(prepared.graph, "supervised", 0, (0.4, 0.2))
