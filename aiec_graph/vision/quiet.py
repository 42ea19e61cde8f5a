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
    """Silences the deprecations of Lightning and torch, and their advice on workers."""
    for library in ("lightning.pytorch", "lightning.fabric", "timm.scheduler"):
        logging.getLogger(library).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", module="lightning|torch")
        yield


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
