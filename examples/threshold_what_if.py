"""Asks what another cut would cost: precision, recall and workload, each with its interval.

    python examples/threshold_what_if.py

The data are simulated (`make_accounts.py`).
"""

import pandas as pd
from make_accounts import simulate

from aiec_graph.data.user import from_transactions
from aiec_graph.detect import FraudDetector

RULES = ("f1", "precision=0.9", "recall=0.8", "top=50", "cost=1:20")


def main() -> None:
    """Fits once, and cuts by each rule."""
    accounts, payments = simulate("2026-01-01", seed=1)
    detector = FraudDetector("hgb_graph").fit(from_transactions(payments, accounts))
    rows = []
    for rule in RULES:
        expected = detector.set_threshold(rule).threshold_
        row: dict[str, object] = {"rule": rule}
        for name in ("precision", "recall", "flagged"):
            estimate = getattr(expected, name)
            row[name] = f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"
        rows.append(row)
    print(pd.DataFrame(rows).to_string(index=False))
    print(f"expected in a new batch of {detector.threshold_.nodes:,} nodes")


if __name__ == "__main__":
    main()
