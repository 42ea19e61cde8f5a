"""What libraries of training tell each other, and no user can mend."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


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
