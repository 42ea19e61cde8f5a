"""Fitted scikit-learn estimators as bytes, read back through an allow-list: no pickle anywhere."""

from collections.abc import Collection
from typing import Any
from zipfile import ZIP_DEFLATED

import numpy as np
from numpy.typing import NDArray

from aiec_graph.errors import InputError


def pack_estimator(estimator: Any) -> NDArray[np.uint8]:
    """Writes a fitted estimator in the skops format.

    Returns:
        Its bytes, in an array that can be changed.
    """
    import skops.io

    content = skops.io.dumps(estimator, compression=ZIP_DEFLATED)
    return np.frombuffer(bytearray(content), np.uint8)


def unpack_estimator(packed: NDArray[np.uint8], trusted: Collection[str]) -> Any:
    """The inverse of `pack_estimator`.

    Args:
        packed: its bytes.
        trusted: the types that they may hold beyond those that skops itself trusts.

    Raises:
        InputError: they hold another type, or are damaged; nothing of them is run.
    """
    import skops.io

    content = packed.tobytes()
    try:
        unknown = set(skops.io.get_untrusted_types(data=content)) - set(trusted)
        if unknown:
            raise InputError(f"it asks for {', '.join(sorted(unknown))}; nothing of it was run")
        return skops.io.loads(content, trusted=sorted(trusted))
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (a damaged archive can raise anything)
        raise InputError(f"damaged estimator ({type(error).__name__})") from None
