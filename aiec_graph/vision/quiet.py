"""What libraries of training tell each other, and no user can mend."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from torch.multiprocessing.spawn import ProcessRaisedException

from aiec_graph.errors import DivergedError, InputError


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the deprecations of Lightning and torch, and their advice, within the block."""
    with warnings.catch_warnings():
        silence()
        yield


def silence() -> None:
    """The same for the rest of this process; one that training starts knows no block around it."""
    for library in ("lightning.pytorch", "lightning.fabric", "timm.scheduler"):
        logging.getLogger(library).setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.filterwarnings("ignore", module="lightning|torch")


@contextmanager
def own_errors() -> Iterator[None]:
    """Raises an error of another process, of training or loading, without the traceback around it.

    Raises:
        InputError: was raised there.
    """
    try:
        yield
    except (InputError, ProcessRaisedException) as error:
        found = re.findall(r"^aiec_graph\.errors\.(\w+): (.*)", str(error), re.MULTILINE)
        if not found:
            raise
        kind, text = found[-1]
        raise (DivergedError if kind == "DivergedError" else InputError)(text) from None
