"""A command's options, read from the signature of its function and from docstrings.

A parameter without a default is a positional argument, one with a default an option, or, before a
`/` in the signature, a positional argument that may be left out. A parameter that is a dataclass
stands for an option for each of its fields, dataclasses within it included, and the command then
takes a YAML file with these fields too. Help comes from the function's docstring
and from the text below each field.
"""

import inspect
import json
import math
import types
import warnings
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from docstring_parser import parse as parse_docstring
from docstring_parser import parse_from_object
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from aiec_graph import __version__
from aiec_graph.cli.parse_errors import explain
from aiec_graph.errors import InputError, did_you_mean, look_up, named
from aiec_graph.yaml_file import read_yaml

UNPREFIXED = ("train",)
"""Dataclasses within a configuration whose fields are options by their own name; those of another
one, such as `text`, carry its name: `--text-ngram`."""
VALUE_WHERE_NONE_IS_GIVEN = {"simulate": 0.1}
"""Options that may stand without a value, and what they mean then."""
LONGEST_VALUE = 200
"""Characters of a message of the parser that are shown; it repeats what was given."""
LARGEST_INTEGER = 2**63 - 1
SECTIONS = ("Args", "Returns", "Raises")
"""Of a docstring; the help shows what stands before them."""
Known = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Option:
    """One option or positional argument."""

    name: str
    """As in the configuration file and in the namespace."""
    kind: Any
    """Its type."""
    default: Any
    """`inspect.Parameter.empty` for a positional argument."""
    text: str
    is_positional: bool = False

    @property
    def flag(self) -> str:
        """As on the command line."""
        if self.is_positional:
            return self.name
        return "--" + self.word.replace("_", "-")

    @property
    def word(self) -> str:
        """The name without the underscore that keeps it apart from a word of Python."""
        return self.name.rstrip("_")

    @property
    def element(self) -> Any:
        """The type of the elements where several plain values may follow; None elsewhere."""
        elements = get_args(self.kind) if get_origin(self.kind) is list else ()
        return elements[0] if elements and elements[0] in (str, int, float, Path) else None

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a `Literal`, or of a list of them; none elsewhere."""
        kinds = (self.kind, *get_args(self.kind))
        return next((get_args(kind) for kind in kinds if get_origin(kind) is Literal), ())


@dataclass
class Signature:
    """The options of a command, and how its function is called with them."""

    function: Callable[..., int]
    known: Known = field(default_factory=dict)
    """By option, the names that the help lists."""
    options: dict[str, Option] = field(default_factory=dict)
    takes_file: bool = False
    """Whether a YAML file may hold the options."""

    def __post_init__(self) -> None:
        docstring = parse_docstring(inspect.getdoc(self.function) or "")
        texts = {entry.arg_name: entry.description or "" for entry in docstring.params}
        for name, parameter in self._parameters():
            if is_dataclass(parameter.annotation):
                self.takes_file = True
                self._add_fields(_default_of(parameter), "")
            else:
                self._add(name, parameter.annotation, parameter.default, texts.get(name, ""))
                option = self.options[name]
                first = parameter.kind is inspect.Parameter.POSITIONAL_ONLY
                is_positional = first or parameter.default is inspect.Parameter.empty
                self.options[name] = replace(option, is_positional=is_positional)

    @property
    def description(self) -> str:
        """The docstring without its sections of arguments, results and errors."""
        text = inspect.getdoc(self.function) or ""
        for section in SECTIONS:
            text = text.partition(f"\n\n{section}:\n")[0]
        return text

    def arguments(self, values: dict[str, Any]) -> dict[str, Any]:
        """The function's arguments from the options' values."""
        arguments = {}
        for name, parameter in self._parameters():
            if is_dataclass(parameter.annotation):
                arguments[name] = _build(_default_of(parameter), values, "")
            else:
                arguments[name] = values[name]
        return arguments

    def _parameters(self) -> list[tuple[str, inspect.Parameter]]:
        return list(inspect.signature(self.function, eval_str=True).parameters.items())

    def _add_fields(self, defaults: Any, prefix: str) -> None:
        # A subclass says of a field anew what its base says.
        bases = [base for base in type(defaults).__mro__[::-1] if is_dataclass(base)]
        entries = [entry for base in bases for entry in parse_from_object(base).params]
        texts = {entry.arg_name: entry.description or "" for entry in entries}
        kinds = get_type_hints(type(defaults))
        nested = []
        for entry in fields(defaults):
            value = getattr(defaults, entry.name)
            if is_dataclass(value):
                nested.append((value, prefix + _prefix_of(entry.name)))
            else:
                self._add(prefix + entry.name, kinds[entry.name], value, texts.get(entry.name, ""))
        for value, inner in nested:  # after the outer fields, which keep a name that both have
            self._add_fields(value, inner)

    def _add(self, name: str, kind: Any, default: Any, text: str) -> None:
        text = " ".join(text.split())
        if name in self.known:
            text += f" Known: {', '.join(self.known[name])}."
        text += _said(default)
        self.options.setdefault(name, Option(name, kind, default, text))


def run(program: str, signature: Signature, arguments: list[str]) -> int:
    """Reads a command's arguments and runs it.

    Args:
        program: how the command was called, for its help.
        signature: its options.
        arguments: those after the command's name.

    Returns:
        The exit code.

    Raises:
        InputError: an option or value is unknown or cannot be used.
    """
    values = parse(program, signature, arguments)
    bound = inspect.signature(signature.function).bind_partial()
    bound.arguments.update(signature.arguments(values))
    return signature.function(*bound.args, **bound.kwargs)


def parse(program: str, signature: Signature, arguments: list[str]) -> dict[str, Any]:
    """Reads a command's arguments.

    Returns:
        The value of each option by name.

    Raises:
        InputError: an option or value is unknown or cannot be used.
    """
    parser = _make_parser(program, signature)
    flags = [o.flag for o in signature.options.values() if o.flag.startswith("-")]
    _refuse_unknown(arguments, [*flags, "--config", "--print_config", "--help", "-h", "--version"])
    _refuse_repeated(arguments, signature)
    if signature.takes_file:
        arguments = _with_file(parser, signature, arguments)
    found = vars(_parse(parser, signature, arguments))
    values = {option.name: found[option.word] for option in signature.options.values()}
    for option in signature.options.values():
        value = values[option.name]
        for one in value if isinstance(value, list) else [value]:
            if option.choices and one is not None:
                look_up(one, dict.fromkeys(option.choices), option.flag)
            _refuse_impossible(option, one)
    return values


def _make_parser(program: str, signature: Signature) -> ArgumentParser:
    parser = ArgumentParser(
        prog=program,
        description=signature.description,
        formatter_class=RawDescriptionHelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
        version=__version__,
    )
    if signature.takes_file:
        parser.add_argument(
            "--config",
            action="config",
            metavar="FILE",
            help="Read options from a YAML file; those on the command line go before. The file may "
            "also stand first, without --config, where the command takes no other argument there.",
        )
    for option in signature.options.values():
        how: dict[str, Any] = {"help": option.text}
        if option.default is not inspect.Parameter.empty:
            how["default"] = option.default
        if option.kind is bool:
            how["action"] = "store_true"
        elif option.element is not None:
            how |= {"nargs": "+", "type": option.element}
        elif option.choices:
            several = get_origin(option.kind) is list
            how |= {"type": type(option.choices[0])} | ({"nargs": "+"} if several else {})
            how["metavar"] = "{" + ",".join(map(str, option.choices)) + "}"
        elif option.is_positional and "default" in how:
            how |= {"nargs": "?", "type": option.kind}
        elif option.name in VALUE_WHERE_NONE_IS_GIVEN:
            constant = VALUE_WHERE_NONE_IS_GIVEN[option.name]
            how |= {"nargs": "?", "const": constant, "type": float}
        else:
            how["type"] = option.kind
        parser.add_argument(option.flag, **how)
    return parser


def _refuse_unknown(arguments: list[str], flags: list[str]) -> None:
    for argument in arguments:
        if argument == "--":
            return
        name = argument.partition("=")[0]
        is_option = argument.startswith("-") and len(argument) > 1 and not _is_number(argument)
        if is_option and name not in flags:
            raise InputError(
                f"unknown option {_short(name)!r}.{did_you_mean(name, flags)} See --help"
            )


def _refuse_repeated(arguments: list[str], signature: Signature) -> None:
    """Refuses a list that is begun twice, of which the second would take the place of the first."""
    lists = {
        option.flag for option in signature.options.values() if get_origin(option.kind) is list
    }
    names = [argument.partition("=")[0] for argument in arguments]
    for name in lists & set(names):
        if names.count(name) > 1:
            raise InputError(f"{name} is there twice; name all after one, as in {name} A B")


def _refuse_impossible(option: Option, value: object) -> None:
    """Refuses what no computer can use: numbers without end and names with a null character."""
    if isinstance(value, float) and not math.isfinite(value) and value != option.default:
        raise InputError(f"{option.flag} must be a finite number, not {value}")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST_INTEGER:
        raise InputError(f"{option.flag} must be below 2^63, not {_short(value)}")
    if isinstance(value, str | Path) and "\0" in str(value):
        raise InputError(f"{option.flag} holds a null character: {_short(ascii(str(value)))}")


def _with_file(parser: ArgumentParser, signature: Signature, arguments: list[str]) -> list[str]:
    """The arguments, in which each file's content stands where its path was."""
    has_positional = any(option.is_positional for option in signature.options.values())
    if arguments and not arguments[0].startswith("-") and not has_positional:
        arguments = ["--config", *arguments]
    found: list[str] = []
    rest = iter(arguments)
    for argument in rest:
        name, equals, path = argument.partition("=")
        if name != "--config":
            found.append(argument)
            continue
        path = path if equals else next(rest, "")
        if not path:
            raise InputError("--config needs the path of a YAML file")
        with named(_short(path)):
            values = _from_file(signature, Path(path))
            content = json.dumps(values, default=str)
            _parse(parser, signature, [f"--config={content}", *_stand_ins(signature, values)])
        found.append(f"--config={content}")
    return found


def _stand_ins(signature: Signature, values: dict[str, Any]) -> list[str]:
    """Something for each argument that a command needs and a file does not name."""
    needed = [o for o in signature.options.values() if o.is_positional and o.word not in values]
    return ["any" for option in needed if option.default is inspect.Parameter.empty]


def _from_file(signature: Signature, path: Path) -> dict[str, Any]:
    """The options of a YAML file; one value where a list may stand is a list of one."""
    content = read_yaml(path)
    flags = {o.word: o for o in signature.options.values()}
    values: dict[str, Any] = {}
    for key, value in content.items():
        option = flags.get(str(key).replace("-", "_"))
        if option is None:
            raise InputError(f"unknown option {_short(key)!r}.{did_you_mean(key, flags)}")
        if value is None and not _takes_none(option.kind):
            raise InputError(f"{key} has no value: give one, or leave the line out")
        if option.kind is bool and not isinstance(value, bool):
            raise InputError(f"{key} must be true or false, not {_short(value)!r}")
        if get_origin(option.kind) is list and not isinstance(value, list):
            value = [value]
        if option.kind == dict[str, list[Any]] and isinstance(value, dict):
            value = {name: one if isinstance(one, list) else [one] for name, one in value.items()}
        if value == [] and option.kind == list[str]:
            raise InputError(f"{key} is an empty list: name at least one {key}")
        for one in value if isinstance(value, list) else [value]:
            _refuse_impossible(option, one)
        if value is not None:  # null stands for the default of an option that may have no value
            values[option.word] = value
    return values


def _parse(parser: ArgumentParser, signature: Signature, arguments: list[str]) -> Namespace:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = parser.instantiate_classes(parser.parse_args(arguments))
            assert isinstance(found, Namespace)
            return found
    except ArgumentError as error:
        kinds = {o.word: (o.flag, o.kind) for o in signature.options.values()}
        raise InputError(_short(explain(str(error), kinds))) from None
    except OverflowError:
        raise InputError("a number among the options is too large") from None


def _build(defaults: Any, values: dict[str, Any], prefix: str) -> Any:
    """An instance of the dataclass of `defaults` from the options' values."""
    found: dict[str, Any] = {}
    for entry in fields(defaults):
        value = getattr(defaults, entry.name)
        if is_dataclass(value):
            inner = prefix + _prefix_of(entry.name)
            own = {f.name for f in fields(defaults)}
            # A field of the outer dataclass decides about the name; the inner keeps its default.
            inner_values = {k: v for k, v in values.items() if inner or k not in own}
            found[entry.name] = _build(value, inner_values, inner)
        else:
            found[entry.name] = values.get(prefix + entry.name, value)
    return type(defaults)(**found)


def _said(default: Any) -> str:
    """The default as the help names it; nothing where there is none worth a word."""
    if default is inspect.Parameter.empty or default in (None, False) or is_dataclass(default):
        return ""
    if isinstance(default, dict):
        default = json.dumps(default) if default else ""
    text = " ".join(map(str, default)) if isinstance(default, list) else str(default)
    return f" (default: {text})" if text else ""


def _default_of(parameter: inspect.Parameter) -> Any:
    empty = parameter.default is inspect.Parameter.empty
    return parameter.annotation() if empty else parameter.default


def _prefix_of(name: str) -> str:
    return "" if name in UNPREFIXED else f"{name}_"


def _takes_none(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
