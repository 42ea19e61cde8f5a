"""Checksums of source files, computed once for as long as a file stays as it is."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import xxhash

from aiec_graph.errors import InputError

BLOCK = 2**20


class Fingerprint(NamedTuple):
    """What a file's content is known by."""

    xxh3: str
    sha256: str | None
    """Where a card states one to compare with; None elsewhere, since it costs much more."""


class Fingerprints:
    """Fingerprints of files, remembered in a JSON file by each file's size, times and inode.

    A file of the same size and the same times to the nanosecond, on the same inode, is taken to be
    the same, as git does.

    Args:
        memory: where to remember them; a damaged file there is written anew.
    """

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        try:
            known = json.loads(memory.read_text(encoding="utf-8"))
            self._known: dict[str, list[object]] = known if isinstance(known, dict) else {}
        except (OSError, ValueError):
            self._known = {}

    def of(self, path: Path, *, with_sha256: bool) -> Fingerprint:
        """The fingerprint of a file.

        Raises:
            InputError: it cannot be read.
        """
        try:
            stat = path.stat()
            state = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
            match self._known.get(str(path.resolve())):
                case [known, str(xxh3), str() | None as sha256] if known == state:
                    if sha256 or not with_sha256:
                        return Fingerprint(xxh3, sha256)
            found = _compute(path, with_sha256)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
        self._known[str(path.resolve())] = [state, *found]
        return found

    def save(self, paths: Sequence[Path]) -> None:
        """Remembers the fingerprints of these files and forgets all others; may fail silently."""
        names = {str(path.resolve()) for path in paths}
        kept = {name: known for name, known in self._known.items() if name in names}
        draft = self._memory.with_name(f"{self._memory.name}.draft")
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(kept), encoding="utf-8")
            draft.replace(self._memory)
        except OSError:  # without the memory, the next load computes them again
            return


def _compute(path: Path, with_sha256: bool) -> Fingerprint:
    xxh3 = xxhash.xxh3_128()
    sha256 = hashlib.sha256() if with_sha256 else None
    buffer = memoryview(bytearray(BLOCK))
    with path.open("rb", buffering=0) as stream:
        while count := stream.readinto(buffer):
            xxh3.update(buffer[:count])
            if sha256:
                sha256.update(buffer[:count])
    return Fingerprint(xxh3.hexdigest(), sha256.hexdigest() if sha256 else None)
