"""The command `score`."""

from pathlib import Path

SCORES = Path("scores.csv")


def score(
    checkpoint: Path,
    out: Path = SCORES,
    dataset: str | None = None,
    data_root: Path | None = None,
) -> int:
    """Scores nodes with a network that --checkpoint saved.

      run_bench.py score CHECKPOINT --out scores.csv                    # the data of its training
      run_bench.py score CHECKPOINT --dataset next-month/ --out scores.csv

    Where the data are still those of the training, the scores come with each node's part of the
    split, and test metrics; where they are others, or have changed, with neither: some of their
    nodes may have been trained on.

    Args:
        checkpoint: A file that --checkpoint wrote.
        out: The CSV to write.
        dataset: Another data set with the same features: a name, or a folder of your own.
        data_root: Folder that holds a folder for each data set (default: $AIEC_DATA_ROOT, else
            datasets/).

    Raises:
        InputError: the checkpoint or the data cannot be used.
    """
    from rich.console import Console

    from aiec_graph.artifacts.predict import score as score_file

    scored = score_file(checkpoint, out, data_root, dataset)
    text = f"{out}: {scored.label}, "
    if scored.test is None:
        text += "which is not what the network was trained on, so without a split and test metrics"
    else:
        auc, ap, rec = scored.test
        text += f"test AUC {auc:.1f}, AP {ap:.1f}, Rec@K {rec:.1f}"
    Console(soft_wrap=True).print(text, markup=False)
    return 0
