"""The data sets by name."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from aiec_graph.data import elliptic, pygod, weibo21
from aiec_graph.data.cards import DATA_ROOT
from aiec_graph.data.elliptic_simulator import simulate
from aiec_graph.data.graph import Graph
from aiec_graph.errors import InputError, look_up

DATASETS: dict[str, Callable[[str, Path], Graph]] = {
    "elliptic": elliptic.load,
    "weibo": pygod.load,
    "reddit": pygod.load,
    "weibo21": weibo21.load,
}
SIMULATORS: dict[str, Callable[[Path, float], Path]] = {"elliptic": simulate}

DATA_ROOT_VARIABLE = "AIEC_DATA_ROOT"


def default_data_root() -> Path:
    """The folder with a folder for each data set: the environment variable, else `datasets/`."""
    return Path(os.environ.get(DATA_ROOT_VARIABLE) or DATA_ROOT)


def check_dataset(name: str, simulated: bool) -> None:
    """Checks that a data set is known, and can be simulated where that is asked for.

    Raises:
        InputError: it is not.
    """
    look_up(name, DATASETS, "data set")
    if simulated and name not in SIMULATORS:
        known = ", ".join(SIMULATORS)
        raise InputError(f"{name} cannot be simulated; --simulate takes: {known}")


def load_dataset(name: str, data_root: Path | None = None, simulate: float | None = None) -> Graph:
    """Loads a data set by name.

    Args:
        name: a name in `DATASETS`.
        data_root: the folder that holds a folder `<name>/`; see `default_data_root`.
        simulate: the scale of a simulation in the data set's raw form, which is written below the
            data root and read back; None for the real files.

    Raises:
        InputError: the name is unknown, or a file is missing or malformed.
    """
    check_dataset(name, simulate is not None)
    folder = (data_root or default_data_root()) / name
    if simulate is None:
        return DATASETS[name](name, folder)
    graph = DATASETS[name](name, SIMULATORS[name](folder, simulate))
    return replace(graph, simulated=simulate)
