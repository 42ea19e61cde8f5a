"""The command `vision`."""

from aiec_graph.bench.vision_config import VisionConfig
from aiec_graph.cli.known import PICTURES

KNOWN = PICTURES
DEFAULTS = VisionConfig()


def vision(config: VisionConfig = DEFAULTS) -> int:
    """Compares activations in image classification: top-1 accuracy over seeds.

      run_bench.py vision --dataset digits --backbone vit_tiny resnet18 --act relu gelu aiec
      run_bench.py vision --dataset cifar100 --backbone vit_tiny --act relu aiec --download
      run_bench.py vision --dataset path/to/folder --backbone pvt_tiny --image-size 64
      run_bench.py vision configs/table1.yaml

    Results: runs.csv (a row per seed), summary.csv, table.md and table.tex in --out; logs for
    TensorBoard below training/. Where --act gives one setting of AIEC several values, as in
    aiec:tau=0 aiec:tau=0.1, a figure shows accuracy over it. With --tune: selection.csv, the runs
    that chose below tuning/, and report/index.md with paired differences.

    Raises:
        InputError: a name, option or value cannot be used, or a library is missing.
    """
    from rich.console import Console

    if config.tune:
        from aiec_graph.bench.vision_tune import run_tuned

        page = run_tuned(config, Console(stderr=True))
        Console(soft_wrap=True).print(f"report: {page}", markup=False, highlight=False)
        return 0
    from aiec_graph.bench.vision import run

    Console().print(run(config, Console(stderr=True)).to_rich())
    return 0
