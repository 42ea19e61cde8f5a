"""The command `score`."""

from dataclasses import asdict, dataclass
from pathlib import Path

from aiec_graph.wording import counted

SCORES = Path("scores.csv")


@dataclass(frozen=True)
class RankOptions:
    """What a list of a model's folder may hold beyond scores."""

    reasons: int = 0
    """Of how many of the highest nodes to say why they score so, in a column of its own; of a
    model's folder alone."""
    alerts: float | None = None
    """Adds the columns p_value and alert: on average, at most this share of the alerts is false,
    such as 0.05, if normal nodes score as the normal validation nodes do; of a model's folder
    alone."""
    as_of: str | None = None
    """A day such as 2026-01-31, or a number: transactions, edges and nodes of a later time are left
    out; of a model's folder alone."""


DEFAULTS = RankOptions()


def score(
    model: Path,
    data: str | None = None,
    /,
    out: Path = SCORES,
    dataset: str | None = None,
    data_root: Path | None = None,
    options: RankOptions = DEFAULTS,
) -> int:
    """Ranks the nodes of a graph by a model that fit wrote, or by a network of the benchmark.

      run_bench.py score model/ next-month/ --out suspects.csv
      run_bench.py score model/ next-month/ --out suspects.csv --reasons 20 --alerts 0.05
      run_bench.py score CHECKPOINT --out scores.csv                    # the data of its training
      run_bench.py score CHECKPOINT next-month/ --out scores.csv
      run_bench.py score CHECKPOINT path/to/pictures/ --out classes.csv

    With a model's folder: a row for each node, the most anomalous first, with its score, its
    calibrated probability, whether the threshold flags it, and its rank; warnings name what has
    shifted since the training. With a checkpoint: a row for each node in the order of the data,
    and, where these are still the data of the training, each node's part of the split and test
    metrics. With a checkpoint of an image network: a row for each picture below the folder, with
    its predicted class and the probability of each; pictures that cannot be read are named.

    Args:
        model: A folder that fit wrote, or a file that --checkpoint wrote.
        data: A folder of tables, a file, or the name of a data set; a checkpoint's default is the
            data of its training.
        out: The table to write; .csv, or of a model's folder also .parquet.
        dataset: The same as DATA; for an image network, where the data of its training lie today,
            whose test images are then scored.
        data_root: Folder that holds a folder for each data set (default: $AIEC_DATA_ROOT, else
            datasets/).
        options: Of a model's folder.

    Raises:
        InputError: the model or the data cannot be used.
    """
    from aiec_graph.artifacts.checkpoint import is_of_images, read_content
    from aiec_graph.errors import InputError

    if not model.exists():
        raise InputError(
            f"{model}: there is nothing; a model is a folder that fit wrote, or a checkpoint"
        )
    given = [f"--{name.replace('_', '-')}" for name, value in asdict(options).items() if value]
    if given and not model.is_dir():
        raise InputError(f"{given[0]} takes a folder that fit wrote, not a checkpoint")
    if not model.is_dir() and is_of_images(read_content(model)[0]):
        from aiec_graph.cli.pictures import score_images

        return score_images(model, data, out, dataset, data_root)
    if data is not None and dataset is not None:
        raise InputError("the data are named twice: give DATA or --dataset")
    data = dataset if data is None else data
    if model.is_dir():
        return _rank(model, data, out, options)
    return _score(model, data, out, data_root)


def _rank(model: Path, data: str | None, out: Path, options: RankOptions) -> int:
    from rich.console import Console

    from aiec_graph.artifacts.scores import write_notes
    from aiec_graph.cli.detection import check_list, load_nodes, reporting, write_list
    from aiec_graph.detect import FraudDetector
    from aiec_graph.detect.conformal import check_share
    from aiec_graph.detect.reasons import add_reasons
    from aiec_graph.detect.suspects import describe_alerts
    from aiec_graph.errors import InputError

    if data is None:
        raise InputError("name the data to score: run_bench.py score MODEL DATA --out FILE")
    if options.reasons < 0:
        raise InputError(f"--reasons must be at least 0, not {options.reasons}")
    if options.alerts is not None:
        check_share(options.alerts)
    check_list(out)
    told: list[str] = []
    with reporting(told):
        detector = FraudDetector.load(model)
        nodes = load_nodes(data, detector, options.as_of)
        frame = detector.rank(nodes, options.alerts)
        if options.reasons > 0:
            add_reasons(frame, detector, nodes, options.reasons)
        lines = [] if options.alerts is None else describe_alerts(detector, frame, options.alerts)
        write_list(frame, out)
        write_notes(out, [*nodes.graph.notes, *told, *lines])
    flagged = int(frame["flag"].sum())
    rule = detector.threshold_.rule
    console = Console(soft_wrap=True)
    line = f"{out}: {counted(len(frame), 'node')}, {flagged:,} of them flagged ({rule})"
    for text in (line, *lines):
        console.print(text, markup=False)
    return 0


def _score(checkpoint: Path, dataset: str | None, out: Path, data_root: Path | None) -> int:
    from rich.console import Console

    from aiec_graph.artifacts.predict import score as score_file

    scored = score_file(checkpoint, out, data_root, dataset)
    console = Console(stderr=True, soft_wrap=True)
    for what, lines in (("warning", scored.warnings), ("note", scored.notes)):
        for line in lines:
            console.print(f"{what}: {line}", markup=False)
    text = f"{out}: {scored.label}, "
    if scored.is_other:
        text += "which is not what the network was trained on"
        on = ", on the labelled nodes that were not trained on"
    else:
        on = "test"
    if scored.metrics is None:
        text += "; without metrics, for no nodes of both classes are left to measure on"
    else:
        auc, ap, rec = scored.metrics
        text += f"{on} AUC {auc:.1f}, AP {ap:.1f}, Rec@K {rec:.1f}"
    Console(soft_wrap=True).print(text, markup=False)
    return 0
