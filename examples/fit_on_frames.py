"""Fits a detector on pandas frames, and lists the highest suspects with their reasons.

    python examples/fit_on_frames.py

The data are simulated (`make_accounts.py`).
"""

from make_accounts import simulate

from aiec_graph.data.user import from_transactions
from aiec_graph.detect import FraudDetector


def main() -> None:
    """Fits on one month, ranks the next one and explains its first suspect."""
    accounts, payments = simulate("2026-01-01", seed=1)
    later_accounts, later_payments = simulate("2026-02-01", seed=2)
    january = from_transactions(payments, accounts)
    february = from_transactions(later_payments, later_accounts.drop(columns="label"))

    detector = FraudDetector("hgb_graph", threshold="precision=0.9").fit(january)
    suspects = detector.rank(february)
    print(suspects.head(10).to_string(index=False))
    (reasons,) = detector.explain(february, [suspects["id"].iloc[0]])
    print("\n".join(reasons.lines()))


if __name__ == "__main__":
    main()
