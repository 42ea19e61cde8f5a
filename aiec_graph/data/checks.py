"""What any data hold and what is wrong with them, before anything is done with them."""

from dataclasses import replace
from pathlib import Path

from aiec_graph.data.datasets.cards import DATASETS, is_own
from aiec_graph.data.user.profile import DataProfile
from aiec_graph.errors import InputError, did_you_mean


def profile_data(data: str, data_root: Path | None = None) -> DataProfile:
    """Reads data as a training would, and says what they hold; faults are told, not raised.

    Tables, GraphML and GEXF are read without torch.

    Args:
        data: a folder, a file, or the name of a data set.
        data_root: where data sets are looked for.
    """
    if is_own(data):
        from aiec_graph.data.user import profile_own

        return profile_own(Path(data))
    if data not in DATASETS:
        return DataProfile.refused(
            f"unknown data set {data!r}.{did_you_mean(data, DATASETS)} Known: "
            f"{', '.join(DATASETS)}, or the path of a graph of your own"
        )
    from aiec_graph.data.datasets.registry import load_and_compare
    from aiec_graph.data.user.folder import profile_graph

    try:
        loaded = load_and_compare(data, data_root)
    except InputError as error:
        return DataProfile.refused(str(error))
    found = profile_graph(loaded.graph, data)
    differences = [line for line in loaded.warnings if line not in loaded.graph.notes]
    return replace(found, warnings=(*differences, *found.warnings))
