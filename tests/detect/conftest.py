import numpy as np
import pandas as pd
import pytest

from aiec_graph.data.user import from_frames
from aiec_graph.detect import FraudDetector


def make_frames(nodes=900, seed=0, labelled=0.9, **columns):
    """Simulated accounts and edges; the columns a and kind tell the anomalous ones."""
    rng = np.random.default_rng(seed)
    risk = rng.standard_normal(nodes)
    y = (risk > 1.2).astype(int)
    ids = [f"N{seed}-{i}" for i in range(nodes)]
    accounts = pd.DataFrame(
        {
            "id": ids,
            "a": risk + 0.7 * rng.standard_normal(nodes),
            "b": rng.standard_normal(nodes),
            "kind": np.where(y & (rng.random(nodes) < 0.5), "odd", rng.choice(["x", "y"], nodes)),
            "label": np.where(rng.random(nodes) < labelled, y, -1),
        }
    )
    ends = {"source": rng.choice(ids, 3 * nodes), "target": rng.choice(ids, 3 * nodes)}
    return accounts.assign(**columns), pd.DataFrame(ends)


@pytest.fixture(scope="package")
def frames():
    return make_frames()


@pytest.fixture(scope="package")
def graph(frames):
    return from_frames(*frames)


@pytest.fixture(scope="package")
def detector(frames):
    return FraudDetector("sage", epochs=15, hidden=8).fit(frames)
