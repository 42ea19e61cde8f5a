"""The tables of what `speed.py` measured."""

from pathlib import Path

import pandas as pd
import peers

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TITLES = {"gcn": "GCN", "sage-mean": "GraphSAGE (mean)", "sage-pool": "GraphSAGE (pool)"}


def write(results: Path, page: Path | None, machine: str) -> None:
    """Renews the measured part of a page.

    Args:
        results: folder with speed.csv, aiec.csv and memory.csv.
        page: the page, with its markers; None writes `performance.md` into `results`.
        machine: what it was measured on, said above the tables.
    """
    speed, aiec, memory = (
        pd.read_csv(results / f"{name}.csv") for name in ("speed", "aiec", "memory")
    )
    text = "\n".join([machine, "", epochs_table(speed, aiec), "", memory_table(memory)])
    if page is None:
        (results / "performance.md").write_text(text + "\n")
        return
    before, after = page.read_text().split(BEGIN)[0], page.read_text().split(END)[1]
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}")


def epochs_table(speed: pd.DataFrame, aiec: pd.DataFrame) -> str:
    """An epoch of each contestant in ms, with its quartiles, and what AIEC adds to a step."""
    lines = []
    for (graph, model), rows in speed.groupby(["graph", "model"], sort=False):
        epochs = rows[rows.stage == "epoch"].set_index("network")
        pyg = epochs[epochs.index.str.startswith("PyG")]
        line = {"network and graph": f"{TITLES[str(model)]}, {graph}"}
        shown = {"ReLU": peers.OWN, "AIEC": peers.AIEC, "DGL": peers.DGL}
        shown |= {"PyG's best": str(pyg.median_ms.idxmin()), "PyG, edge_index": peers.EDGE_INDEX}
        for title, name in shown.items():
            line[title] = "–"
            if name in epochs.index:
                row = epochs.loc[name]
                line[title] = f"{row.median_ms:.1f} ({row.low_ms:.1f} to {row.high_ms:.1f})"
        cost = aiec[(aiec.graph == graph) & (aiec.model == model)].ratio
        line["AIEC's step / ReLU's"] = f"{cost.median():.2f} ({cost.min():.2f} to {cost.max():.2f})"
        lines.append(line)
    return pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)


def memory_table(memory: pd.DataFrame) -> str:
    """What a contestant adds to a process's memory at its peak, in MB."""
    table = memory.assign(network=memory.model.map(TITLES) + ", " + memory.graph).pivot_table(
        index="network", columns="contestant", values="peak_mb", sort=False
    )
    return table.reset_index().to_markdown(index=False, floatfmt=".0f")
