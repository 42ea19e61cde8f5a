"""Judges payments instead of accounts: each payment is a node, joined with earlier ones alone.

    python examples/transactions_as_nodes.py

The data are simulated (`make_accounts.py`): a payment is anomalous if a mule sends it.
"""

from make_accounts import simulate

from aiec_graph.data.user import Declaration, from_transactions
from aiec_graph.detect import FraudDetector


def main() -> None:
    """Fits on the first weeks and ranks all payments."""
    accounts, payments = simulate("2026-01-01", seed=1)
    sender = accounts.set_index("id")["label"]
    payments = payments.head(4000).assign(is_fraud=lambda table: table["source"].map(sender))
    declared = Declaration(
        nodes_are="transactions", transaction_label="is_fraud", join=["flow", "source"], join_cap=5
    )
    graph = from_transactions(payments, declaration=declared)
    detector = FraudDetector("hgb", split="time", threshold="top=50").fit(graph)
    print(detector.rank(graph).head(10).to_string(index=False))
    print(f"test AP {detector.metrics_['test'].ap.value:.3f}")


if __name__ == "__main__":
    main()
