"""The configuration as typed blocks: what may be set, its range, and one clear line for what may not."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, field_validator

from descent.pipeline import discovery
from descent.pipeline.checkpoint import SECONDS
from descent.pipeline.configuration import ConfigError, load


class Block(BaseModel):
    """A block of the configuration: no unknown keys, no NaN, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# Items of lists; a field of its own says its range itself.
Size = Annotated[int, Field(ge=1, le=10**6)]
Positive = Annotated[float, Field(gt=0, le=10**6)]


class StoreSettings(Block):
    """Where finished stages are kept for reuse."""

    path: str | None = Field(
        ".descent/store", min_length=1, description="Folder or fsspec URL of the store; null: no store"
    )
    limit_gib: float = Field(20.0, gt=0, le=10**9, description="Size in GiB above which least recently used entries go")
    exact: bool = Field(False, description="Reuse only results of the same CPU type (equal to the last bit)")


class ReportSettings(Block):
    """What the report is called and what makes its PDF."""

    title: str = Field(..., min_length=1, max_length=200, description="Title of the report, plain text")
    engine: Literal["auto", "latex", "typst"] = Field(
        "auto", description="What makes the PDF; auto: latex where latexmk and pdflatex are installed, else typst"
    )

    @field_validator("title")
    @classmethod
    def _plain_text(cls, title):
        # The title goes into Markdown, HTML, TeX and Typst, to each of which other characters are commands.
        for char in title:
            if unicodedata.category(char)[0] not in "LMNZ" and char not in ",.:;!?'()+=/-–—":
                raise ValueError(f"{char!r} is refused: letters, digits, spaces and , . : ; ! ? ' ( ) + = / - are text")
        if not title[0].isalpha():
            raise ValueError("should begin with a letter")
        return title


def _package_block(package: str) -> type[Block]:
    fields: dict[str, Any] = {}
    for name in discovery.module_names(package):
        module = discovery.load(package, name)
        fields[name] = (module.Settings | None, Field(None, description=module.__doc__.splitlines()[0]))
    return create_model(f"{package.capitalize()}Settings", __base__=Block, **fields)


def laboratory_model() -> type[Block]:
    """The model of the whole configuration, with one optional block for each study and data set found."""
    return create_model(
        "Laboratory",
        __base__=Block,
        master_seed=(int, Field(..., ge=0, lt=2**63, description="Seed that every random draw derives from")),
        preview=(bool, Field(False, description="Mark every figure and page as a preview")),
        checkpoint_seconds=(float, Field(SECONDS, ge=0, le=10**6, description=(
            "Seconds of training that a kill may cost: what a long loop carries is saved that often"))),
        store=(StoreSettings, Field(default_factory=StoreSettings, description="The store of finished stages")),
        report=(ReportSettings, Field(..., description="The report")),
        data=(_package_block("data"), Field(..., description="Data sets and streams")),
        studies=(_package_block("studies"), Field(..., description="The studies, in the order of the report")),
    )


_SCIENTIFIC = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", re.ASCII)


_LONGEST, _FAULTS = 1000, 20


def _plain(value: Any, key: str = "") -> Any:
    # YAML 1.1 reads 1e-4 (no dot) and 1.0e4 (no sign) as text; here it is what everybody means by it.
    if isinstance(value, Mapping):
        return {_text(name, key): _plain(item, _within(key, name)) for name, item in value.items()}
    if isinstance(value, list):
        if len(value) > _LONGEST:
            raise ConfigError(f"config: {key} = {_short(value)}: should have at most {_LONGEST} items")
        return [_plain(item, f"{key}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, str):
        return float(value) if _SCIENTIFIC.fullmatch(value) else _text(value, key)
    return value


def _text(value: Any, key: str) -> Any:
    # Texts go into command lines, file names and pages.
    if isinstance(value, str) and len(value) > _LONGEST:
        raise ConfigError(f"config: {key or 'key'} = {_short(value)}: should have at most {_LONGEST} characters")
    if isinstance(value, str) and not all(char.isprintable() or unicodedata.category(char) == "Zs" for char in value):
        raise ConfigError(f"config: {key or 'key'} = {_short(value)}: should be one line of printable characters")
    return value


def validate(config: Mapping[str, Any]) -> Block:
    """The configuration as a model; raises ConfigError with a line `key = value: what is allowed` for each fault."""
    model = laboratory_model()
    try:
        text = json.dumps(_plain(config), default=str)
    except ConfigError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"config: not plain data ({error})") from None
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        lines = [_fault_line(model, fault) for fault in error.errors()[:_FAULTS]]
        more = [f"config: and {error.error_count() - _FAULTS} more"] if error.error_count() > _FAULTS else []
        raise ConfigError("\n".join(lines + more)) from None


def _within(key: str, part: Any) -> str:
    name = str(part) if str(part).isprintable() else json.dumps(part, default=str)
    return f"{key}[{part}]" if isinstance(part, int) else f"{key}.{name}" if key else name


def _fault_line(model: type[Block], fault: dict) -> str:
    key = ""
    for part in fault["loc"]:
        key = _within(key, part)
    if fault["type"] == "missing":
        return f"config: {key}: is missing and has no default"
    if fault["type"] == "extra_forbidden":
        return f"config: {key} = {_short(fault['input'])}: no such key (allowed: {_allowed_keys(model, fault['loc'])})"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    message = message if len(message) <= 300 else message[:297] + "..."
    return f"config: {key} = {_short(fault['input'])}: {message}" if key else f"config: {message}"


def _allowed_keys(model: type[Block], location: tuple) -> str:
    for part in [part for part in location[:-1] if isinstance(part, str)]:
        annotation = model.model_fields[part].annotation if part in getattr(model, "model_fields", {}) else None
        options = [annotation, *getattr(annotation, "__args__", ())]
        model = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
        if model is None:
            return "see the schema"
    return ", ".join(model.model_fields)


def _short(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def read(paths: list[str]) -> dict[str, Any]:
    """Merge YAML or JSON files, later ones over earlier ones (dicts merge, lists are replaced), as Snakemake does."""
    config: dict[str, Any] = {}
    for path in paths:
        _merge(config, load(path))
    return config


def _merge(base: dict, layer: Mapping) -> None:
    for key, value in layer.items():
        if not isinstance(value, Mapping):
            base[key] = value
        elif value or key not in base:  # an empty block over a value changes nothing
            block = base[key] if isinstance(base.get(key), dict) else {}
            base[key] = block
            _merge(block, value)


def in_order_of(written: Any, config: Any) -> Any:
    """`config` with its keys in the order of `written`, the others after them: the order that `read` leaves."""
    if not (isinstance(written, Mapping) and isinstance(config, Mapping)):
        return config
    names = [*(name for name in written if name in config), *(name for name in config if name not in written)]
    return {name: in_order_of(written.get(name), config[name]) for name in names}


def schema() -> str:
    """The JSON schema of the configuration, as text."""
    return json.dumps(laboratory_model().model_json_schema(), indent=1, sort_keys=True) + "\n"
