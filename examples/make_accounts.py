"""Writes simulated accounts and payments of two months: `accounts/` and `next-month/`.

    python examples/make_accounts.py [FOLDER]

One account in fifteen is a mule: it gets payments from many and passes them on in larger sums. A
few accounts have no label. The data are made up; they show how the commands work, not how well.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ACCOUNTS, PAYMENTS = 3000, 15000


def simulate(month: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Draws one month.

    Args:
        month: its first day.
        seed: of everything drawn.

    Returns:
        Accounts with id, age, branch and label, and payments with source, target, amount and time.
    """
    rng = np.random.default_rng(seed)
    ids = np.array([f"A{number:04d}" for number in range(ACCOUNTS)])
    is_mule = np.random.default_rng(0).random(ACCOUNTS) < 1 / 15  # the same in both months
    activity = rng.pareto(2.0, ACCOUNTS) + 0.3
    source = rng.choice(ACCOUNTS, PAYMENTS, p=_share(activity + 2.5 * is_mule))
    target = rng.choice(ACCOUNTS, PAYMENTS, p=_share(activity + 2.5 * is_mule))
    amount = rng.lognormal(4 + 0.8 * is_mule[source], 0.9).round(2)
    seconds = pd.to_timedelta(np.sort(rng.integers(0, 28 * 86_400, PAYMENTS)), "s")
    payments = pd.DataFrame(
        {
            "source": ids[source],
            "target": ids[target],
            "amount": amount,
            "time": pd.Timestamp(month) + seconds,
        }
    )
    label = pd.Series(is_mule.astype(int), dtype="Int64").mask(rng.random(ACCOUNTS) < 0.1)
    accounts = pd.DataFrame(
        {
            "id": ids,
            "age": rng.integers(18, 90, ACCOUNTS),
            "branch": rng.choice(["north", "south", "online"], ACCOUNTS),
            "label": label,
        }
    )
    return accounts, payments[payments["source"] != payments["target"]]


def _share(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()


def main(folder: Path) -> None:
    """Writes both months."""
    for name, month, seed in (("accounts", "2026-01-01", 1), ("next-month", "2026-02-01", 2)):
        accounts, payments = simulate(month, seed)
        (folder / name).mkdir(parents=True, exist_ok=True)
        accounts.to_csv(folder / name / "accounts.csv", index=False)
        payments.to_csv(folder / name / "transactions.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
