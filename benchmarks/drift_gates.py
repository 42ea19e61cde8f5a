"""Whether AIEC's gates mark the channels whose response drifts after the training.

    python benchmarks/drift_gates.py --graphs 9
    python benchmarks/drift_gates.py --dataset elliptic_graph --data-root DIR

A GCN with AIEC is trained up to each cut, of graphs with simulated drift (`drift_dose.py`, dose 1)
or of a data set by its cuts. The drift of a channel, for nodes of one class, is by how many
standard deviations of the training nodes their mean response is another one after the cut. Graphs
or cuts are the sample; those where a class has no marked or no other channel are left out.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from drift_dose import CUT, simulate
from scipy.stats import rankdata

from aiec_graph.artifacts.channels import collect_features
from aiec_graph.bench.backtest.cuts import Cut, Schedule
from aiec_graph.bench.backtest.runs import View, Views, load_views
from aiec_graph.bench.backtest.timeline import StepTimeline
from aiec_graph.bench.study.statistics import compare
from aiec_graph.core import AIEC
from aiec_graph.train.network_classifier import NetworkClassifier

CLASSES = ("normal", "anomalous")


def main() -> None:
    """Prints a line for each layer and class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=9, help="simulated ones")
    parser.add_argument("--dataset", help="a data set with times, in place of simulated graphs")
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--model", default="gcn")
    parser.add_argument("--out", type=Path, default=Path("results/drift-gates.csv"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for unit, (views, cut) in enumerate(samples(asked)):
        rows += [{"sample": unit, **row} for row in measure(views, cut, asked.model, unit)]
        sys.stderr.write(f"{unit + 1}\n")
    frame = pd.DataFrame(rows)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(asked.out, index=False)
    sys.stdout.write(summarise(frame).round(3).to_string(index=False) + "\n")


def samples(asked: argparse.Namespace) -> Iterator[tuple[Views, Cut]]:
    """The graphs and their cuts."""
    if asked.dataset is None:
        for graph in range(asked.graphs):
            yield Views(StepTimeline(simulate(1.0, graph))), CUT
        return
    views = load_views(asked.dataset, asked.data_root, None, "structural")
    for cut in Schedule().plan(views.timeline).cuts:
        yield views, cut


def measure(views: Views, cut: Cut, model: str, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each layer, class and channel that is alive in the training."""
    before, after = views.at(cut, cut.moment), views.at(cut, cut.batches[-1])
    classifier = NetworkClassifier(model, "aiec", seed=seed)
    classifier.fit_prepared(before.prepared, before.split)
    first, later = responses(classifier, before), responses(classifier, after)
    train = before.split.train_mask
    new = (after.moment > cut.moment) & (after.y >= 0)
    for layer, act in enumerate(classifier.networks_[0].acts):
        assert isinstance(act, AIEC)
        gates = act.gates().numpy()
        a, b = first[layer], later[layer]
        scale = a[train].std(0)
        for k, name in enumerate(CLASSES):
            known = a[train & (before.graph.y == k)].mean(0)
            moved = np.abs(b[new & (after.y == k)].mean(0) - known)
            for channel in np.flatnonzero(scale > 0):
                yield {
                    "layer": layer + 1,
                    "class": name,
                    "channel": channel,
                    "is_marked": bool(gates[k, channel]),
                    "drift": float(moved[channel] / scale[channel]),
                }


def responses(classifier: NetworkClassifier, view: View) -> list[np.ndarray]:
    """The response of each layer's channels after the activation [N, C]."""
    network = classifier.networks_[0].eval()
    x = classifier.preprocessor_.transform(view.graph)

    def forward() -> Iterator[None]:
        network(x, view.prepared.adjacency)
        yield None

    sites = {str(i): (act, "mean") for i, act in enumerate(network.acts)}
    return [a.numpy() for a in collect_features(forward, sites).values()]


def summarise(frame: pd.DataFrame) -> pd.DataFrame:
    """The drift of marked and of other channels, and Spearman's correlation of mark and drift."""
    lines = []
    for (layer, name), own in frame.groupby(["layer", "class"], sort=False):
        found = []
        for _, one in own.groupby("sample"):
            marked = one["is_marked"].to_numpy()
            if 0 < marked.sum() < len(marked):
                drift = one["drift"].to_numpy()
                rank = np.corrcoef(marked, rankdata(drift))[0, 1]  # the marks are their own ranks
                found.append((marked.mean(), drift[marked].mean(), drift[~marked].mean(), rank))
        line = {"layer": layer, "class": name, "samples": len(found)}
        if len(found) > 1:
            share, with_mark, without, rank = np.array(found).T
            test = compare(rank, 0.0)
            line |= {"share marked": share.mean()}
            line |= {"drift, marked": with_mark.mean(), "drift, others": without.mean()}
            line |= {"correlation": test.difference, "low": test.low, "high": test.high}
            line |= {"p": test.p}
        lines.append(line)
    return pd.DataFrame(lines)


if __name__ == "__main__":
    main()
