"""One training epoch on reddit: this project against stock PyG and DGL layers, in one run.

An epoch is a forward pass, the class-weighted loss, its backward pass, one Adam step and the
validation AP. The peers run in turn, over and over, so that a change of the machine's speed meets
them all alike; medians are printed.

    python benchmarks/epoch.py --data-root ../shared/data
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from peers import dgl_graph, dgl_stack, merged_edges, pyg_stack
from torch import Tensor, nn

from aiec_graph.core import AIECLoss
from aiec_graph.data import load_dataset, make_split
from aiec_graph.metrics import average_precision
from aiec_graph.nn import GCN, GraphSAGE
from aiec_graph.train import prepare_graph


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=None)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    graph, adjacency = prepare_graph(load_dataset("reddit", arguments.data_root))
    nodes, features = graph.x.shape
    split = make_split(graph, "supervised", 3407, (0.4, 0.2))
    index = torch.from_numpy(np.flatnonzero(split.train_mask))
    val_index = torch.from_numpy(np.flatnonzero(split.val_mask))
    y = torch.from_numpy(graph.y)[index]
    y_val = graph.y[split.val_mask]
    weight = torch.tensor([1.0, float((y == 0).sum() / (y == 1).sum())])

    edges = merged_edges(graph.edge_index, nodes)
    ones = torch.ones(edges.shape[1])
    adj_t = torch.sparse_coo_tensor(edges.flip(0), ones, (nodes, nodes)).coalesce().to_sparse_csr()
    in_dgl = dgl_graph(edges, nodes)

    def epoch(network: nn.Module, structure: object, fused: bool) -> Callable[[], None]:
        objective = AIECLoss(network, class_weight=weight)
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=fused)

        def run() -> None:
            network.train()
            logits: Tensor = network(graph.x, structure)
            objective.start_epoch()
            if objective.layers():
                loss = objective(logits[index], y, index).total
            else:
                loss = F.cross_entropy(logits[index], y, weight)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            average_precision(y_val, logits[val_index].detach().softmax(1)[:, 1].numpy())

        return run

    for model, ours in (("gcn", GCN), ("sage", GraphSAGE)):
        torch.manual_seed(0)
        rivals = {
            "aiec_graph": epoch(ours(features), adjacency, True),
            "aiec_graph, AIEC": epoch(ours(features, act="aiec"), adjacency, True),
            "DGL": epoch(dgl_stack(model, features), in_dgl, False),
            "PyG, torch CSR": epoch(pyg_stack(model, features), adj_t, False),
            "PyG, edge_index": epoch(pyg_stack(model, features), edges, False),
        }
        seconds: dict[str, list[float]] = {name: [] for name in rivals}
        for round_ in range(arguments.rounds + 3):
            for name, run in rivals.items():
                started = time.perf_counter()
                run()
                if round_ >= 3:
                    seconds[name].append(time.perf_counter() - started)
        own = statistics.median(seconds["aiec_graph"])
        title = "GCN" if model == "gcn" else "GraphSAGE (pool)"
        print(
            f"\n{title} on reddit, {torch.get_num_threads()} threads, {arguments.rounds} rounds\n"
        )
        print("| network | epoch, ms (median) | min to max | times ours |")
        print("|---|---|---|---|")
        for name, values in seconds.items():
            ms = [1e3 * value for value in (statistics.median(values), min(values), max(values))]
            ratio = ms[0] / 1e3 / own
            print(f"| {name} | {ms[0]:.1f} | {ms[1]:.1f} to {ms[2]:.1f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
