"""The commands `vision`, `cost`, `channels` and `export`."""

from dataclasses import fields
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from aiec_graph.cli.main import act_names, add_options, make_parser, parse
from aiec_graph.errors import InputError

VISION = """Compares activations in image classification: top-1 accuracy over seeds.

  run_bench.py vision --dataset digits --backbone vit_tiny resnet18 --act relu gelu aiec --epochs 30
  run_bench.py vision --dataset cifar100 --backbone vit_tiny --act relu aiec --download
  run_bench.py vision --dataset path/to/folder --backbone pvt_tiny --image-size 64
  run_bench.py vision --config configs/table1.yaml

Results: runs.csv (a row per seed), summary.csv, table.md and table.tex in --out; logs for
TensorBoard below training/. Where --act gives one setting of AIEC several values, as in
aiec:tau=0 aiec:tau=0.1, a figure shows accuracy over it."""

COST = """Times training and inference steps, and takes their peak memory (the paper's Table 4).

  run_bench.py cost --config configs/table4.yaml
  run_bench.py cost --backbone vit_tiny --batch-size 1024 --device cuda

Results: cost.csv, table.md and table.tex in --out."""

CHANNELS = """Shows how active each channel is for a class, and how a classifier weighs it.

  run_bench.py channels results/reddit/checkpoints/NAME.pt
  run_bench.py channels RELU.pt AIEC.pt --classes truck --data-root DIR

Takes checkpoints of graph and of image networks that --checkpoint kept. One alone is drawn in the
order of its channels and sorted; several are drawn sorted, side by side. Results: a PNG for each
layer and four classes, channels.csv and channels_summary.csv in --out."""

EXPORT = """Writes an image network for other runtimes, AIEC stripped to its threshold.

  run_bench.py export results/vision-digits/checkpoints/NAME.pt --out network.onnx

The file is checked to give the same logits before it is left in place."""


def vision_command(arguments: list[str]) -> int:
    """Runs `vision` with the arguments after it.

    Returns:
        The exit code 0.

    Raises:
        InputError: a name, option or value cannot be used, or a library is missing.
    """
    _need_libraries()
    from aiec_graph.bench.vision import VisionConfig, run
    from aiec_graph.vision import BACKBONES, IMAGE_ACTIVATIONS, IMAGES, VisionSettings

    known = {"dataset": IMAGES, "backbone": BACKBONES, "act": act_names(IMAGE_ACTIVATIONS)}
    parser = make_parser("vision", VISION)
    parser.add_argument("--config", action="config", help="Read options from a YAML file.")
    add_options(parser, VisionConfig(), known, leave_out=("train",))
    add_options(parser, VisionSettings(), known)
    parsed = vars(parse(parser, arguments))
    settings = {f.name: parsed.pop(f.name) for f in fields(VisionSettings)}
    parsed.pop("config")
    config = VisionConfig(**parsed, train=VisionSettings(**settings))
    Console().print(run(config, Console(stderr=True)).to_rich())
    return 0


def cost_command(arguments: list[str]) -> int:
    """Runs `cost` with the arguments after it.

    Returns:
        The exit code 0.

    Raises:
        InputError: a name, option or value cannot be used, or a library is missing.
    """
    _need_libraries()
    from aiec_graph.bench.cost import CostConfig, measure_cost
    from aiec_graph.vision import BACKBONES, IMAGE_ACTIVATIONS

    parser = make_parser("cost", COST)
    parser.add_argument("--config", action="config", help="Read options from a YAML file.")
    known = {"backbone": BACKBONES, "act": act_names(IMAGE_ACTIVATIONS)}
    add_options(parser, CostConfig(), known)
    parsed = vars(parse(parser, arguments))
    parsed.pop("config")
    Console().print(measure_cost(CostConfig(**parsed), Console(stderr=True)).to_rich())
    return 0


def channels_command(arguments: list[str]) -> int:
    """Runs `channels` with the arguments after it.

    Returns:
        The exit code 0.

    Raises:
        InputError: a checkpoint, option or data set cannot be used.
    """
    parser = make_parser("channels", CHANNELS)
    parser.add_argument("checkpoint", nargs="+", type=Path, help="Files that --checkpoint wrote.")
    parser.add_argument("--out", type=Path, default=Path("results/channels"), help="Folder.")
    parser.add_argument(
        "--layer", type=str, default="last", help="last, all, or the name of a layer."
    )
    parser.add_argument(
        "--classes", nargs="+", type=str, default=[], help="Names of classes; all by default."
    )
    parser.add_argument(
        "--fit",
        action="store_true",
        help="Fit a linear classifier to AIEC's features too, as is done for other activations, "
        "instead of showing the weights of its own decision unit.",
    )
    parser.add_argument(
        "--data-root",
        type=Path | None,
        default=None,
        help="Folder that holds a folder for each data set.",
    )
    parsed = parse(parser, arguments)
    from aiec_graph.bench.probes.channels import draw_channels

    summary = draw_channels(
        parsed.checkpoint,
        parsed.out,
        parsed.layer,
        parsed.classes,
        parsed.data_root,
        parsed.fit,
        Console(stderr=True),
    )
    title = f"Channels on test samples of {summary['data'].iloc[0]}; figures in {parsed.out}/"
    Console().print(_to_rich(summary.drop(columns="data"), title))
    return 0


def export_command(arguments: list[str]) -> int:
    """Runs `export` with the arguments after it.

    Returns:
        The exit code 0.

    Raises:
        InputError: the checkpoint or an option cannot be used, or a library is missing.
    """
    _need_libraries()
    parser = make_parser("export", EXPORT)
    parser.add_argument("checkpoint", type=Path, help="A file that vision --checkpoint wrote.")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("network.onnx"),
        help="NAME.onnx for ONNX, NAME.pt2 for torch.export.",
    )
    parsed = parse(parser, arguments)
    from aiec_graph.artifacts.export import export

    difference = export(parsed.checkpoint, parsed.out)
    text = f"{parsed.out}: logits within {difference:.1e} of the network's"
    Console(soft_wrap=True).print(text, markup=False, highlight=False)
    return 0


def _need_libraries() -> None:
    try:
        import lightning  # noqa: F401
        import timm  # noqa: F401
        import torchvision  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"images need further libraries ({error}): pip install 'aiec-graph[vision]'"
        ) from None


def _to_rich(frame: pd.DataFrame, title: str) -> Table:
    table = Table(title=title)
    for column in frame.columns:
        number = pd.api.types.is_numeric_dtype(frame[column])
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(f"{v:.2f}" if isinstance(v, float) else str(v) for v in row))
    return table
