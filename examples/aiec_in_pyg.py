"""Puts AIEC into a model of PyTorch Geometric, trains it, and strips it to its threshold.

    python examples/aiec_in_pyg.py

The graph is simulated: two kinds of nodes with shifted features, joined at random.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch_geometric.nn.models import GraphSAGE

from aiec_graph.core import AIECPenalty, strip
from aiec_graph.metrics import average_precision
from aiec_graph.nn import convert


class Graph(NamedTuple):
    """Tensors as in PyG's `Data`."""

    x: Tensor
    edge_index: Tensor
    y: Tensor
    train_mask: Tensor
    test_mask: Tensor


def make_graph(nodes: int = 1000, features: int = 16) -> Graph:
    """Simulates a graph in which one node in ten is anomalous."""
    generator = torch.Generator().manual_seed(0)
    y = (torch.rand(nodes, generator=generator) < 0.1).long()
    x = torch.randn(nodes, features, generator=generator)
    x[:, :4] += 0.8 * y[:, None]
    edge_index = torch.randint(nodes, (2, 6 * nodes), generator=generator)
    part = torch.rand(nodes, generator=generator)
    return Graph(x, edge_index, y, train_mask=part < 0.6, test_mask=part >= 0.6)


def train(model: torch.nn.Module, graph: Graph, epochs: int = 60) -> None:
    """Trains with the task loss and the penalty."""
    x, edge_index, y, mask = graph.x, graph.edge_index, graph.y, graph.train_mask
    weight = torch.tensor([1.0, float((y[mask] == 0).sum() / (y[mask] == 1).sum())])
    penalty = AIECPenalty(model, lambda_aux=1.0, lambda_gate=0.1, class_weight=weight)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(epochs):
        penalty.start_epoch()  # clears the counters
        logits = model(x, edge_index)[mask]
        loss = torch.nn.functional.cross_entropy(logits, y[mask], weight)
        loss = loss + penalty(y[mask], mask).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main() -> None:
    """Trains, strips, and checks that the outputs stay the same."""
    torch.manual_seed(0)
    graph = make_graph()
    model = GraphSAGE(graph.x.shape[1], hidden_channels=32, num_layers=2, out_channels=2)
    convert(model, "aiec", (graph.x, graph.edge_index))
    train(model, graph)
    model.eval()
    with torch.no_grad():
        before: Tensor = model(graph.x, graph.edge_index)
        after: Tensor = strip(model)(graph.x, graph.edge_index)
    assert torch.equal(before, after)
    margin = (after[:, 1] - after[:, 0])[graph.test_mask].numpy()
    ap = average_precision(graph.y[graph.test_mask].numpy(), margin)
    print(f"test AP {ap:.3f}; {graph.y[graph.test_mask].float().mean():.3f} by chance")


if __name__ == "__main__":
    main()
