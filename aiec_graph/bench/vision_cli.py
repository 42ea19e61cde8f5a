"""The command `vision`."""

from dataclasses import fields
from typing import Any

from jsonargparse import ArgumentParser
from rich.console import Console

from aiec_graph.bench.cli import HelpFormatter, act_names, field_texts, parse
from aiec_graph.errors import InputError

DESCRIPTION = """Compares activations in image classification: top-1 accuracy over seeds.

  run_bench.py vision --dataset digits --backbone vit_tiny resnet18 --act relu gelu aiec --epochs 30
  run_bench.py vision --dataset cifar100 --backbone vit_tiny --act relu aiec --download
  run_bench.py vision --dataset path/to/folder --backbone pvt_tiny --image-size 64
  run_bench.py vision --config configs/vision_digits.yaml

Results: runs.csv (a row per seed), summary.csv, table.md and table.tex in --out; logs for
TensorBoard below training/."""


def vision_command(arguments: list[str]) -> int:
    """Runs `vision` with the arguments after it.

    Returns:
        The exit code 0.

    Raises:
        InputError: a name, option or value cannot be used, or a library is missing.
    """
    try:
        import lightning  # noqa: F401
        import timm  # noqa: F401
        import torchvision  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"images need further libraries ({error}): pip install 'aiec-graph[vision]'"
        ) from None
    from aiec_graph.bench.vision import VisionConfig, run
    from aiec_graph.vision import BACKBONES, IMAGE_ACTIVATIONS, IMAGES, VisionSettings

    known = {"dataset": IMAGES, "backbone": BACKBONES, "act": act_names(IMAGE_ACTIVATIONS)}
    parser = ArgumentParser(
        prog="run_bench.py vision",
        description=DESCRIPTION,
        formatter_class=HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="Read options from a YAML file.")
    for owner, defaults in ((VisionConfig, VisionConfig()), (VisionSettings, VisionSettings())):
        texts = field_texts(owner)
        for option in fields(owner):
            if option.name == "train":
                continue
            flag = "--" + option.name.replace("_", "-")
            default = getattr(defaults, option.name)
            text = texts[option.name]
            kind: Any = option.type
            if option.name in known:
                text += f" Known: {', '.join(known[option.name])}."
                parser.add_argument(flag, nargs="+", type=str, default=default, help=text)
            elif kind is bool:
                parser.add_argument(flag, action="store_true", help=text)
            else:
                parser.add_argument(flag, type=kind, default=default, help=text)
    parsed = vars(parse(parser, arguments))
    settings = {f.name: parsed.pop(f.name) for f in fields(VisionSettings)}
    parsed.pop("config")
    config = VisionConfig(**parsed, train=VisionSettings(**settings))
    Console().print(run(config, Console(stderr=True)).to_rich())
    return 0
