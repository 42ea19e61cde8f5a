"""Activations on the split that a data set comes with, and on random ones of its size.

    python benchmarks/given_split.py --dataset weibo21 --data-root DIR --seeds 5

Random splits have as many nodes of each class in train, validation and test. A row an activation,
seed and split; seeds are the sample, and on the given split they differ in the weights alone.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from drift_dose import leads

from aiec_graph.artifacts.specs import trial_seeds
from aiec_graph.artifacts.variants import parse_variant
from aiec_graph.bench.backtest.control import shuffle
from aiec_graph.bench.study.statistics import holm
from aiec_graph.data import load_dataset, make_split
from aiec_graph.names import ACTIVATIONS
from aiec_graph.train import prepare_graph, train
from aiec_graph.train.settings import TrainSettings


def main() -> None:
    """Runs all, writes the rows and prints what they say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="weibo21", help="with a split of its own")
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--model", nargs="+", default=["gcn", "sage"])
    parser.add_argument("--act", nargs="+", default=["relu", "gelu", "aux_only", "aiec"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/given-split.csv"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    graph = load_dataset(asked.dataset, asked.data_root)
    prepared = prepare_graph(graph)
    rows: list[dict[str, Any]] = []
    for seed in trial_seeds(asked.seeds):
        given = make_split(graph, "supervised", seed, (0.4, 0.2))
        splits = {"given": given, "random": shuffle(given, graph.y, (seed,))}
        for model in asked.model:
            for act in asked.act:
                variant = parse_variant(act, ACTIVATIONS)
                settings = variant.apply(TrainSettings(features="standard", aggr="mean"))
                for name, split in splits.items():
                    found = train(prepared, split, model, variant.act, settings, seed)
                    row = {"seed": seed, "model": model, "act": act, "split": name}
                    rows.append(row | found.test._asdict())
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(asked.out, index=False)
    sys.stdout.write(
        summarise(pd.DataFrame(rows), asked.act).round(2).to_string(index=False) + "\n"
    )


def summarise(rows: pd.DataFrame, acts: list[str]) -> pd.DataFrame:
    """Means, and each activation's lead over the first; Holm over all tests."""
    wide = rows.pivot(index=["model", "seed"], columns=["act", "split"], values="ap")
    lines = []
    for model, own in wide.groupby(level="model", sort=False):
        for act in acts:
            line = {"model": model, "act": act, "given": own[act, "given"].mean()}
            line["random"] = own[act, "random"].mean()
            if act != acts[0]:
                for name, found in leads(own, act, acts[0], "given"):
                    line |= {name: found.difference, f"low, {name}": found.low}
                    line |= {f"high, {name}": found.high, f"p, {name}": found.p}
            lines.append(line)
    table = pd.DataFrame(lines)
    for name in ("lead", "lead less that at random"):
        known = table[f"p, {name}"].notna()
        corrected = np.full(len(table), np.nan)
        corrected[known] = holm(table.loc[known, f"p, {name}"])
        table[f"p, {name}"] = corrected
    return table


if __name__ == "__main__":
    main()
