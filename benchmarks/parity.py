"""Our layers against DGL's, which the published benchmark runs on, in one protocol.

Trains GCN and GraphSAGE (pool) with ReLU on reddit with both, on the same splits, in the same
loop, over three sets of ten seeds for the weights. Two sets of ten seeds of the very same network
differ by some points of AUC, which is the yardstick for the difference between the two.

    python benchmarks/parity.py --data-root ../shared/data
"""

import argparse
import statistics
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from graphs import reddit
from peers import dgl_graph, dgl_stack
from torch import nn

from aiec_graph.data import make_split
from aiec_graph.metrics import Metrics, average_precision, evaluate
from aiec_graph.nn import GCN, GraphSAGE

SEEDS = [3407 + 10 * trial for trial in range(10)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=None)
    arguments = parser.parse_args()
    case = reddit(arguments.data_root)
    graph, adjacency = case.prepared
    features = graph.x.shape[1]
    in_dgl = dgl_graph(case)
    y = torch.from_numpy(graph.y)

    def fit(network: nn.Module, structure: object, seed: int) -> Metrics:
        split = make_split(graph, "supervised", seed, (0.4, 0.2))
        train = torch.from_numpy(split.train_mask)
        weight = torch.tensor([1.0, float((y[train] == 0).sum() / (y[train] == 1).sum())])
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        best, best_epoch, test = -1.0, 0, Metrics(0, 0, 0)
        for epoch in range(201):
            logits = network(graph.x, structure)
            score = logits.detach().softmax(1)[:, 1].numpy()
            ap = average_precision(graph.y[split.val_mask], score[split.val_mask])
            if epoch > 0 and ap > best:
                best, best_epoch = ap, epoch
                test = evaluate(graph.y[split.test_mask], score[split.test_mask])
            if epoch - best_epoch >= 50:
                break
            loss = F.cross_entropy(logits[train], y[train], weight)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return test

    print("| network | layers | seeds of the weights | AUC | AP |")
    print("|---|---|---|---|---|")
    for model, ours in (("gcn", GCN), ("sage-pool", GraphSAGE)):
        for offset in (0, 1, 2):
            for layers in ("aiec_graph", "DGL"):
                results = []
                for seed in SEEDS:
                    torch.manual_seed(seed + offset)
                    if layers == "DGL":
                        results.append(fit(dgl_stack(model, features), in_dgl, seed))
                    else:
                        results.append(fit(ours(features), adjacency, seed))
                cells = [
                    f"{np.mean(values):.1f} ± {statistics.stdev(values):.1f}"
                    for values in zip(*results, strict=True)
                ]
                print(f"| {model} | {layers} | +{offset} | {cells[0]} | {cells[1]} |", flush=True)


if __name__ == "__main__":
    main()
