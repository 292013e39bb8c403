"""What made each figure: its data, settings and code, and the command that makes it again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

_FIGURE = re.compile(r"^!\[.*?\]\(\.\./([^/()\s]+)/figures/([^/()\s]+)\)\{#fig-[^}]*\}[ \t]*$", re.M | re.S)
_RUN = re.compile(r"/runs/[^/]+/")
_FEW = 2  # runs whose tables are named one by one


def with_sources(text: str, sources: Iterable[Mapping[str, Any]]) -> str:
    """The Markdown `text` with a div `.figure-source` after each figure in `sources` (see `stages.figure_source`)."""
    by_figure = {(source["study"], source["figure"]): source for source in sources}

    def followed(match: re.Match) -> str:
        source = by_figure.get(match.groups())
        return match[0] if source is None else f"{match[0]}\n\n{source_line(source)}"

    return _FIGURE.sub(followed, text)


def source_line(source: Mapping[str, Any]) -> str:
    """The div of one figure; its links are relative to results/report/, its anchors those of the appendix."""
    single, several = _grouped(list(dict.fromkeys(source["data"])))
    entry = source["entry"]
    data = ", ".join(_link(_name(path), path) for path in single)
    parts = [
        *([f"Data: {data}"] if data else []), f"[Settings](#settings-{source['study']})",
        f"Code: [`{entry.partition(':')[2]}`](#{code_anchor(entry)}) `{source['code']}`{{.digest}}",
        f"`{command(source)}`{{.command}}",
    ]
    line = "\n".join(f"[{part}]{{.item}}" for part in parts)
    lists = [_runs(name if single or number else f"Data: {name}", paths)
             for number, (name, paths) in enumerate(several.items())]
    return "\n".join(["::::: {.figure-source}", line, *lists, ":::::"])


def command(source: Mapping[str, Any]) -> str:
    """The shell's command that makes one figure."""
    return f"snakemake --cores 1 results/{source['study']}/figures/{source['figure']}.svg"


def input_lines(source: Mapping[str, Any]) -> list[str]:
    """The data of one figure; paths that differ only by their run share a line, which says how many there are."""
    paths = source["data"]
    groups = Counter(_RUN.sub("/runs/*/", path) for path in paths)
    return [_input_line(group, number, paths) for group, number in groups.items()]


def _input_line(group: str, number: int, paths: Sequence[str]) -> str:
    if number > 1 and group not in paths:
        return f"{group} ({number} runs)"
    return next(path for path in paths if _RUN.sub("/runs/*/", path) == group)


def code_anchor(entry: str) -> str:
    """The id of a function's row in the appendix' table of code: `code-studies.NAME.FUNCTION`."""
    return f"code-{entry.removeprefix('descent.').replace(':', '.')}"


def _grouped(paths: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    by_name: dict[str, list[str]] = {}
    for path in paths:
        by_name.setdefault(_name(path) if "/runs/" in path else path, []).append(path)
    several = {name: group for name, group in by_name.items() if len(group) > _FEW}
    return [path for name, group in by_name.items() if name not in several for path in group], several


def _name(path: str) -> str:
    return PurePosixPath(path).stem


def _link(text: str, path: str) -> str:
    return f"[{text.replace('_', ' ')}](../{quote(path.removeprefix('results/'), safe='/=+,~')})"


def _runs(name: str, paths: list[str]) -> str:
    items = "\n".join(f"- {_link(PurePosixPath(path).parent.name, path)}" for path in paths)
    return f'\n:::: {{.runs title="{name.replace("_", " ")} of {len(paths)} runs"}}\n{items}\n::::'
