"""An interpreter for pickles that cannot run anything.

A pickle is a program for a stack machine; two of its instructions call whatever the file names, and
one writes into whatever was made. Here a name becomes a `StandIn`, never the object of that name;
only a table of plain functions turns a stand-in and its arguments into data; and attributes are set
on a `Record` alone, which is made anew for each file. Lengths are believed no further than the file
reaches, and keys are plain values, so that neither memory nor time grows beyond the file's size.
"""

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aiec_graph.errors import InputError

Name = tuple[str, str]
Build = Callable[..., Any]


@dataclass(frozen=True)
class StandIn:
    """What a file gets that asks for `module.name`."""

    module: str
    name: str
    build: Build | None = None
    """Makes data of the arguments that the file gives; None for what must not be called."""

    def __reduce__(self) -> Any:
        raise TypeError("a stand-in is no data")


@dataclass(eq=False)
class Record:
    """An object of the file, known by the name of its class and by its state."""

    kind: str
    arguments: tuple[Any, ...] = ()
    state: dict[str, Any] = field(default_factory=dict)

    def set_state(self, state: Any) -> None:
        """Takes the state that the file gives to the object."""
        if isinstance(state, dict):
            self.state.update(state)
        else:
            self.arguments = (*self.arguments, state)


@dataclass(eq=False)
class _Type:
    """A NumPy dtype while the file describes it."""

    dtype: np.dtype[Any]

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise InputError("it describes a NumPy type that is not read")
        if state[1] in "<>":
            self.dtype = self.dtype.newbyteorder(state[1])


@dataclass(eq=False)
class _Array:
    """A NumPy array while the file describes it."""

    values: NDArray[Any] | None = None

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise InputError("it describes a NumPy array that is not read")
        _, shape, kind, fortran, content = state
        self.values = to_array(content, kind, shape, "F" if fortran else "C")


def to_array(content: Any, kind: Any, shape: Any, order: str = "C") -> NDArray[Any]:
    """Makes an array of bytes, or of a list of objects, whose number must fit the shape.

    Raises:
        InputError: it does not fit, or the type is not one of plain numbers or of objects.
    """
    sound = isinstance(shape, tuple) and all(isinstance(n, int) and n >= 0 for n in shape)
    if not isinstance(kind, _Type) or not sound or order not in ("C", "F"):
        raise InputError("it describes a NumPy array that is not read")
    count = 1
    for extent in shape:
        count *= extent
    if kind.dtype == object:
        if not isinstance(content, list) or len(content) != count:
            raise InputError("an array's shape differs from its size")
        array = np.empty(count, object)
        array[:] = content
    else:
        if not isinstance(content, bytes) or len(content) != count * kind.dtype.itemsize:
            raise InputError("an array's shape differs from its size")
        array = np.frombuffer(content, kind.dtype) if count else np.empty(0, kind.dtype)
    return array.reshape(shape, order="F" if order == "F" else "C")


def plain(value: Any) -> Any:
    """The array that a file described, where `value` is one; else `value` itself.

    Raises:
        InputError: it was begun and not described.
    """
    if isinstance(value, _Array):
        if value.values is None:
            raise InputError("an array is left without its values")
        return value.values
    return value


def _dtype(text: Any, *_: Any) -> _Type:
    if not isinstance(text, str) or len(text) > 4:
        raise InputError("it describes a NumPy type that is not read")
    dtype = np.dtype(text)
    if dtype.kind not in "biufO" or dtype.names is not None:
        raise InputError(f"it holds NumPy values of type {text}; only numbers and objects are read")
    return _Type(dtype)


def _encode(text: Any, encoding: Any) -> bytes:
    """What Python 2 and old protocols make of bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise InputError("it encodes text in a way that is not read")
    return text.encode("latin-1")


def _scalar(kind: Any, content: Any) -> Any:
    return to_array(content, kind, (1,))[0]


def _slice(*ends: Any) -> slice:
    if not all(end is None or isinstance(end, int) for end in ends):
        raise InputError("it describes a slice that is not read")
    return slice(*ends)


def _bytes(content: Any = b"") -> bytes:
    if not isinstance(content, bytes):
        raise InputError("it describes bytes that are not read")
    return content


def _rebuilt(content: Any, kind: Any, shape: Any, order: Any = "C") -> NDArray[Any]:
    return to_array(content, kind, shape, order)


NUMPY: dict[Name, Build | None] = {
    ("numpy", "ndarray"): None,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
    **{
        (module, name): build
        for core in ("numpy.core", "numpy._core")
        for module, name, build in (
            (f"{core}.multiarray", "_reconstruct", lambda *_: _Array()),
            (f"{core}.multiarray", "scalar", _scalar),
            (f"{core}.numeric", "_frombuffer", _rebuilt),
        )
    },
    **{
        (module, name): build
        for module in ("builtins", "__builtin__")
        for name, build in (("slice", _slice), ("bytearray", _bytes))
    },
}
"""What a pickled NumPy array is made of."""


def unpickle(
    content: bytes,
    table: Mapping[Name, Build | None],
    persistent: Callable[[Any], Any] | None = None,
) -> tuple[Any, int]:
    """Interprets one pickle.

    Args:
        content: begins with it.
        table: the names that a file may ask for, with the function that makes data of the
            arguments, or None for what may be named but not called.
        persistent: gives what stands outside of the pickle, by its id.

    Returns:
        What it holds, and the number of bytes that it took.

    Raises:
        InputError: the pickle is damaged, asks for another name, or does what data need not do.
    """
    stream = BytesIO(content)
    machine = _Machine(stream, table, persistent)
    try:
        return machine.load(), stream.tell()
    except InputError:
        raise
    except RecursionError:
        raise InputError("not a readable pickle (nested too deeply)") from None
    except Exception as error:  # noqa: BLE001 (a damaged pickle can raise anything)
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"not a readable pickle ({reason})") from None


class _Machine(pickle._Unpickler):  # pyright: ignore # the one in Python, whose parts can be replaced
    """The interpreter of the standard library without the instructions that act."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # pyright: ignore

    stack: list[Any]

    def __init__(
        self,
        stream: BytesIO,
        table: Mapping[Name, Build | None],
        persistent: Callable[[Any], Any] | None,
    ) -> None:
        super().__init__(stream)
        self._table = table
        self._persistent = persistent
        self._known: dict[Name, StandIn] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._table:
            raise InputError(
                f"it asks for the constructor {module}.{name}, which is not on the list of what "
                "such a file may hold; nothing of it was run"
            )
        made = StandIn(module, name, self._table[module, name])
        return self._known.setdefault((module, name), made)

    def persistent_load(self, pid: Any) -> Any:
        if self._persistent is None:
            raise InputError("it refers to something outside of the file")
        return self._persistent(pid)

    def _call(self, made: Any, arguments: Any) -> Any:
        if not isinstance(made, StandIn) or made.build is None or not isinstance(arguments, tuple):
            called = f"{made.module}.{made.name}" if isinstance(made, StandIn) else "a value"
            raise InputError(f"it calls {called}, which data have no need of; nothing was run")
        return made.build(*(plain(argument) for argument in arguments))

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], arguments)

    def load_newobj_ex(self) -> None:
        options, arguments = self.stack.pop(), self.stack.pop()
        if options:
            raise InputError("it makes an object with options by name, which is not read")
        self.stack[-1] = self._call(self.stack[-1], arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        made = self.stack[-1]
        if not isinstance(made, Record | _Type | _Array):
            raise InputError(f"it sets the state of {_what(made)}, which data have no need of")
        made.set_state(state)

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set(self.stack[-1], [key, value])

    def load_setitems(self) -> None:
        items = self.pop_mark()  # pyright: ignore
        self._set(self.stack[-1], items)

    def load_dict(self) -> None:
        items = self.pop_mark()  # pyright: ignore
        made: dict[Any, Any] = {}
        self._set(made, items)
        self.append(made)  # pyright: ignore

    def _set(self, target: Any, items: list[Any]) -> None:
        if not isinstance(target, dict) or len(items) % 2:
            raise InputError(f"it sets items of {_what(target)}, which data have no need of")
        for key in items[::2]:
            parts = key if isinstance(key, tuple) else (key,)
            # A nested tuple may take forever to hash.
            if not all(isinstance(part, str | int | float | bytes | None) for part in parts):
                raise InputError(f"a dictionary has {_what(key)} for a key")
        target.update(zip(items[::2], items[1::2], strict=True))

    def load_append(self) -> None:
        value = self.stack.pop()
        self._extend(self.stack[-1], [value])

    def load_appends(self) -> None:
        items = self.pop_mark()  # pyright: ignore
        self._extend(self.stack[-1], items)

    def _extend(self, target: Any, items: list[Any]) -> None:
        if not isinstance(target, list):
            raise InputError(f"it appends to {_what(target)}, which data have no need of")
        target.extend(items)

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")  # pyright: ignore
        self.append(bytes(self.read(size)))  # pyright: ignore

    def _refuse(self) -> None:
        raise InputError("it holds an instruction that data have no need of")


def _what(value: Any) -> str:
    return f"{value.module}.{value.name}" if isinstance(value, StandIn) else type(value).__name__


for _code, _method in {
    pickle.REDUCE: _Machine.load_reduce,
    pickle.NEWOBJ: _Machine.load_reduce,
    pickle.NEWOBJ_EX: _Machine.load_newobj_ex,
    pickle.BUILD: _Machine.load_build,
    pickle.SETITEM: _Machine.load_setitem,
    pickle.SETITEMS: _Machine.load_setitems,
    pickle.DICT: _Machine.load_dict,
    pickle.APPEND: _Machine.load_append,
    pickle.APPENDS: _Machine.load_appends,
    pickle.BYTEARRAY8: _Machine.load_bytearray8,
    **dict.fromkeys(
        (
            pickle.INST,
            pickle.OBJ,
            pickle.EXT1,
            pickle.EXT2,
            pickle.EXT4,
            pickle.EMPTY_SET,
            pickle.ADDITEMS,
            pickle.FROZENSET,
            pickle.NEXT_BUFFER,
            pickle.READONLY_BUFFER,
        ),
        _Machine._refuse,
    ),
}.items():
    _Machine.dispatch[_code[0]] = _method
