"""The command `export`."""

from pathlib import Path

NETWORK = Path("network.onnx")


def export(checkpoint: Path, out: Path = NETWORK) -> int:
    """Writes an image network for other runtimes, AIEC stripped to its threshold.

      run_bench.py export results/vision-digits/checkpoints/NAME.pt --out network.onnx

    The file is checked to give the same logits before it is left in place. It states the size of
    the images, their mean and standard deviation, and the classes.

    Args:
        checkpoint: A file that vision --checkpoint wrote.
        out: NAME.onnx for ONNX, NAME.pt2 for torch.export.

    Raises:
        InputError: the checkpoint or an option cannot be used, or a library is missing.
    """
    from rich.console import Console

    from aiec_graph.artifacts.export import export as export_network

    difference = export_network(checkpoint, out)
    text = f"{out}: logits within {difference:.1e} of the network's"
    Console(soft_wrap=True).print(text, markup=False, highlight=False)
    return 0
