"""Adds AIEC's penalty to a loss of your own, here the focal loss.

    python examples/penalty_with_own_loss.py

The focal loss (Lin et al., 2017) weighs a sample by (1 - p)^γ, p being the probability of its
class, so that samples that are classified well count less. The graph is simulated.
"""

import torch
from aiec_in_pyg import make_graph
from torch import Tensor

from aiec_graph.core import AIECPenalty
from aiec_graph.metrics import average_precision
from aiec_graph.nn import GraphSAGE


def focal_loss(logits: Tensor, y: Tensor, gamma: float = 2.0) -> Tensor:
    """Computes the mean focal loss of logits [N, K] and classes [N]."""
    log_p = logits.log_softmax(dim=1).gather(1, y[:, None]).squeeze(1)
    return -((1 - log_p.exp()) ** gamma * log_p).mean()


def main() -> None:
    """Trains a GraphSAGE with AIEC by the focal loss and the penalty."""
    torch.manual_seed(0)
    graph = make_graph()
    mask, y = graph.train_mask, graph.y
    model = GraphSAGE(graph.x.shape[1], hidden_channels=32, out_channels=2, act="aiec")
    penalty = AIECPenalty(model, lambda_gate=0.1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(60):
        penalty.start_epoch()
        logits = model(graph.x, graph.edge_index)
        terms = penalty(y[mask], mask)
        loss = focal_loss(logits[mask], y[mask]) + terms.total
        if epoch % 20 == 0:
            print(f"auxiliary loss {terms.aux.item():.3f}, gate loss {terms.gate.item():.3f}")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        logits = model.eval()(graph.x, graph.edge_index)
    margin = (logits[:, 1] - logits[:, 0])[graph.test_mask].numpy()
    print(f"test AP {average_precision(y[graph.test_mask].numpy(), margin):.3f}")


if __name__ == "__main__":
    main()
