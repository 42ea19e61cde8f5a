"""Options in the reference, from the table of commands: what `aiec COMMAND --help` says.

On a page, the comment `<!-- commands -->` stands for all commands, and `<!-- options: NAME -->`
for the options of one.
"""

import re
from html import escape

from sphinx.application import Sphinx

from aiec_graph.cli.options import Option, Signature
from aiec_graph.cli.table import COMMANDS, GROUPS

OPTIONS = re.compile(r"<!-- options: (.+?) -->")


def describe_command(name: str) -> str:
    """Writes a command's section: its description, its examples and its options."""
    command = COMMANDS[name]
    signature = Signature(*command.load())
    positional = [o.name.upper() for o in signature.options.values() if o.is_positional]
    usage = " ".join(["aiec", name, *positional, "[OPTIONS]"])
    parts = [f"### {name}", f"```\n{usage}\n```"]
    parts += [describe_paragraph(text) for text in signature.description.split("\n\n")]
    if command.extras:
        needs = ",".join(command.extras)
        parts.append(f"It needs `pip install 'aiec-graph[{needs}]'`.")
    return "\n\n".join([*parts, describe_options(name)])


def describe_paragraph(text: str) -> str:
    """Writes a paragraph of a docstring; an indented one holds commands."""
    text = text.replace("python run_bench.py", "aiec").replace("run_bench.py", "aiec")
    if all(line.startswith("  ") for line in text.splitlines()):
        lines = [line.strip() for line in text.splitlines()]
        return "\n".join(["```", *lines, "```"])
    return plain(text)


def describe_options(name: str) -> str:
    """Writes the table of a command's options."""
    signature = Signature(*COMMANDS[name].load())
    rows = [f"| {describe_flag(o)} | {plain(o.text)} |" for o in signature.options.values()]
    return "\n".join(["| option | meaning |", "|---|---|", *rows])


def describe_flag(option: Option) -> str:
    """Writes an option as it is typed."""
    return f"`{option.name.upper() if option.is_positional else option.flag}`"


def plain(text: str) -> str:
    """Markdown that shows a text as it stands, with options as code and with links to pages."""
    text = re.sub(r"([*$|\[\]])", r"\\\1", escape(" ".join(text.split()), quote=False))
    text = re.sub(r"(?<![`\w])--\w[\w-]*", r"`\g<0>`", text)  # two dashes are no dash
    return re.sub(r"docs/([\w/-]+\.md)", r"[docs/\1](../\1)", text)


def describe_commands() -> str:
    """Writes all commands, by the groups of the help."""
    parts = []
    for group, title in GROUPS.items():
        names = [name for name, command in COMMANDS.items() if command.group == group]
        if names:
            parts += [f"## {title}", *map(describe_command, names)]
    return "\n\n".join(parts)


def fill_in(app: Sphinx, page: str, source: list[str]) -> None:
    """Puts what the comments stand for into a page."""
    text = source[0]
    if "<!-- commands -->" in text:
        text = text.replace("<!-- commands -->", describe_commands())
    source[0] = OPTIONS.sub(lambda found: describe_options(found[1]), text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the step."""
    app.connect("source-read", fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
