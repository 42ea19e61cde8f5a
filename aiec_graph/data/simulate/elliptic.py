"""A simulator of Elliptic that writes the three published files, in their form and proportions.

What it draws is no Bitcoin transaction. It shares with the real data the schema, the sizes, the
class rates, the 49 time steps without an edge between them, and the break at step 43; its fraud
signal is made up, and lies partly in a node's own features and partly in its neighbours'.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from aiec_graph.data.datasets.cards import Card
from aiec_graph.data.datasets.elliptic import (
    CLASSES_FILE,
    EDGES_FILE,
    FEATURE_TYPES,
    FEATURES_FILE,
    STEPS_FILE,
    TIME_STEPS,
    VALUES,
)
from aiec_graph.data.simulate.marker import Planted

NODES, EDGES, ILLICIT, LICIT = 203_769, 234_355, 4_545, 42_019
SMALLEST_SCALE = 0.02
"""Below it, a time step would be left without an illicit node too often to be of use."""
BREAK_STEP = 43
"""From here on the fraud of the earlier steps has ended and the little that is left differs."""

OWN_VALUES = 12
"""Values that carry a node's own trace of fraud."""
EXPOSURE_VALUES = 12
"""Values that carry nothing of the node's own class but, averaged over neighbours, tell it."""


def write(_: Card, folder: Path, scale: float, rng: np.random.Generator) -> Planted:
    """Writes the three files and says which features carry the signal."""
    nodes = round(NODES * scale)
    step = _time_steps(nodes, rng)
    source, target = _edges(step, round(EDGES * scale), rng)

    # Whether a node is a fraud is decided by its own trace and by its neighbours' exposure.
    trace = rng.standard_normal(nodes)
    exposure = rng.standard_normal(nodes)
    risk = _risk(trace, exposure, source, target, step, rng)
    fraud = _top_share_of_each_step(risk, step, rng)
    label = _reveal(fraud, scale, rng)

    order = rng.permutation(VALUES)
    own, exposed = order[:OWN_VALUES], order[OWN_VALUES : OWN_VALUES + EXPOSURE_VALUES]
    values = _values(trace, exposure, step, own, exposed, rng)
    ids = rng.permutation(np.arange(1, 4 * nodes, dtype=np.int64))[:nodes] + 1_000
    columns = [pa.array(ids), pa.array(step), *(pa.array(column) for column in values.T)]
    _to_csv(folder / FEATURES_FILE, list(FEATURE_TYPES), columns, header=False)
    _to_csv(folder / CLASSES_FILE, ["txId", "class"], [pa.array(ids), label], header=True)
    edges = [pa.array(ids[source]), pa.array(ids[target])]
    _to_csv(folder / EDGES_FILE, ["txId1", "txId2"], edges, header=True)
    noise = order[OWN_VALUES + EXPOSURE_VALUES :]
    # The loaded features begin with the time step.
    return Planted(*(sorted((part + 1).tolist()) for part in (own, exposed, noise)))


def write_without_features(
    card: Card, folder: Path, scale: float, rng: np.random.Generator
) -> Planted:
    """Writes the three files of `elliptic_graph`; its features, two degrees, carry no signal."""
    write(card, folder, scale, rng)
    kept = pd.read_csv(folder / FEATURES_FILE, header=None, usecols=[0, 1])
    columns = [pa.array(kept[column]) for column in kept]
    _to_csv(folder / STEPS_FILE, ["txId", "time_step"], columns, header=True)
    (folder / FEATURES_FILE).unlink()
    return Planted([], [], [0, 1])


def _time_steps(nodes: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Steps of uneven size, in order, as in the real file."""
    share = rng.dirichlet(np.full(TIME_STEPS, 8.0))
    count = np.maximum(np.floor(share * nodes).astype(int), 20)
    step = np.repeat(np.arange(1, TIME_STEPS + 1), count)
    return np.sort(rng.choice(step, nodes, replace=len(step) < nodes)).astype(np.int64)


def _edges(
    step: NDArray[np.int64], edges: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sparse edges within a time step, each drawn once; a few hubs get many."""
    first = np.searchsorted(step, np.arange(1, TIME_STEPS + 1), "left")
    size = np.searchsorted(step, np.arange(1, TIME_STEPS + 1), "right") - first
    drawn: NDArray[np.int64] = np.empty((0,), dtype=np.int64)
    nodes = len(step)
    while len(drawn) < edges:
        source = rng.integers(nodes, size=edges)
        start, span = first[step[source] - 1], size[step[source] - 1]
        # A power of a uniform number crowds the targets at the head of the step: the hubs.
        target = start + np.floor(span * rng.random(edges) ** 1.5).astype(np.int64)
        key = source * nodes + target
        drawn = np.unique(np.concatenate([drawn, key[source != target]]))
    drawn = rng.permutation(drawn)[:edges]
    return drawn // nodes, drawn % nodes


def _neighbour_mean(
    value: NDArray[np.float64], source: NDArray[np.int64], target: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The mean over in-neighbours, 0 where there is none."""
    total = np.bincount(target, weights=value[source], minlength=len(value))
    return total / np.maximum(np.bincount(target, minlength=len(value)), 1)


def _risk(
    trace: NDArray[np.float64],
    exposure: NDArray[np.float64],
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    step: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    noise = rng.standard_normal(len(trace))
    around = _neighbour_mean(exposure, source, target)
    before = trace + 1.5 * around + 0.5 * noise
    after = 0.3 * trace - 0.5 * around + noise
    return np.where(step < BREAK_STEP, before, after)


def _top_share_of_each_step(
    risk: NDArray[np.float64], step: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Calls the riskiest nodes of each step a fraud, at a rate that varies between the steps."""
    rate = ILLICIT / (ILLICIT + LICIT) * rng.uniform(0.5, 1.6, TIME_STEPS)
    rate[BREAK_STEP - 1 :] *= 0.3
    rate *= ILLICIT / (ILLICIT + LICIT) / rate.mean()
    fraud = np.zeros(len(risk), dtype=bool)
    for i, share in enumerate(rate):
        members = np.flatnonzero(step == i + 1)
        count = max(round(share * len(members)), 1)
        fraud[members[np.argsort(risk[members])[-count:]]] = True
    return fraud


def _reveal(fraud: NDArray[np.bool_], scale: float, rng: np.random.Generator) -> pa.Array:
    """Labels as many nodes of each class as the real file does; the rest is unknown."""
    label = np.full(len(fraud), "unknown", dtype=object)
    for members, word, count in ((fraud, "1", ILLICIT), (~fraud, "2", LICIT)):
        index = np.flatnonzero(members)
        wanted = min(round(count * scale), len(index))
        label[rng.choice(index, wanted, replace=False)] = word
    return pa.array(label, type=pa.string())


def _values(
    trace: NDArray[np.float64],
    exposure: NDArray[np.float64],
    step: NDArray[np.int64],
    own: NDArray[np.int64],
    exposed: NDArray[np.int64],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """165 values: own trace, exposure, and correlated noise that drifts over the steps."""
    values = rng.standard_normal((len(step), VALUES))
    # The noise columns share a few factors, as the real columns do.
    factors = rng.standard_normal((len(step), 8))
    values += factors @ rng.normal(0, 0.5, (8, VALUES))
    values += (step / TIME_STEPS)[:, None] * rng.normal(0, 0.3, VALUES)
    values[:, own] += (0.7 * trace)[:, None]
    values[:, exposed] += (0.7 * exposure)[:, None]
    return values


def _to_csv(path: Path, names: list[str], columns: list[pa.Array], *, header: bool) -> None:
    options = pa_csv.WriteOptions(
        include_header=header, quoting_style="none", quoting_header="none"
    )
    pa_csv.write_csv(pa.table(columns, names=names), path, options)
