"""Backtests of activations in one table: the lead of each over the first, with Holm over all.

    python benchmarks/when_aiec_helps.py results/when-aiec-helps results/bitcoin-gcn …

Each folder is one of `aiec backtest … --random-split`, with a graph network as its first model. The
lead is in points of AP over time; beside it stands by how much it exceeds the lead at random.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from aiec_graph.bench.study.statistics import holm
from aiec_graph.errors import InputError

KINDS = {"pairs": "lead over time", "control": "lead less that at random"}
COLUMNS = ["model", "difference", "low", "high", "p"]


def main() -> None:
    """Prints the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="+", type=Path)
    rows = pd.concat([read(folder) for folder in parser.parse_args().folder], ignore_index=True)
    rows["p_holm"] = holm(rows["p"])
    lines = [["backtest", "model", "kind", "difference (95 %)", "p", f"Holm over {len(rows)}"]]
    for row in rows.itertuples():
        within = f"{row.difference:+.2f} ({row.low:+.2f} to {row.high:+.2f})"
        ends = [f"{row.p:.3f}", f"{row.p_holm:.3f}"]
        lines.append([str(row.backtest), str(row.model), str(row.kind), within, *ends])
    lines.insert(1, ["---"] * len(lines[0]))
    sys.stdout.write("\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n")


def read(folder: Path) -> pd.DataFrame:
    """The differences in AP of one backtest, among the activations of its first network.

    Raises:
        InputError: it has no random splits, or compares nothing.
    """
    pairs, control = (pd.read_csv(folder / f"{name}.csv") for name in KINDS)
    if not {"reference", "p"} <= set(pairs) or "p" not in control:
        raise InputError(f"{folder}: not a backtest of several activations with --random-split")
    network = str(pairs["reference"].iloc[0]).partition("-")[0] + "-"
    found = []
    for frame, kind in zip((pairs, control), KINDS.values(), strict=True):
        own = frame[(frame["metric"] == "ap") & frame["p"].notna()]
        own = own[own["model"].str.startswith(network)]
        found.append(own[COLUMNS].assign(kind=kind, backtest=folder.name))
    return pd.concat(found)


if __name__ == "__main__":
    main()
