"""The configuration as typed blocks: what may be set, its range, and one clear line for what may not."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from descent.pipeline import discovery
from descent.pipeline.checkpoint import SECONDS


class ConfigError(ValueError):
    """A configuration that cannot be used; one line for each wrong key."""


class Block(BaseModel):
    """A block of the configuration: no unknown keys, no NaN, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StoreSettings(Block):
    """Where finished stages are kept for reuse."""

    path: str | None = Field(".descent/store", description="Folder or fsspec URL of the store; null: no store")
    limit_gib: float = Field(20.0, gt=0, description="Size above which least recently used entries go, in GiB")
    exact: bool = Field(False, description="Reuse only results of the same CPU type (equal to the last bit)")


class ReportSettings(Block):
    """What the report is called and what makes its PDF."""

    title: str = Field(..., min_length=1, description="Title of the report")
    engine: Literal["auto", "latex", "typst"] = Field(
        "auto", description="What makes the PDF; auto: latex where latexmk and pdflatex are installed, else typst"
    )


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
        checkpoint_seconds=(float, Field(SECONDS, ge=0, description=(
            "Seconds of training that a kill may cost: what a long loop carries is saved that often"))),
        store=(StoreSettings, Field(default_factory=StoreSettings, description="The store of finished stages")),
        report=(ReportSettings, Field(..., description="The report")),
        data=(_package_block("data"), Field(..., description="Data sets and streams")),
        studies=(_package_block("studies"), Field(..., description="The studies, in the order of the report")),
    )


_SCIENTIFIC = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+", re.ASCII)


def _yaml_numbers(value: Any) -> Any:
    # YAML 1.1 reads 1e-4 (no dot) and 1.0e4 (no sign) as text; here it is what everybody means by it.
    if isinstance(value, Mapping):
        return {key: _yaml_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_yaml_numbers(item) for item in value]
    if isinstance(value, str) and _SCIENTIFIC.fullmatch(value):
        return float(value)
    return value


def validate(config: Mapping[str, Any]) -> Block:
    """The configuration as a model; raises ConfigError with a line `key = value: what is allowed` for each fault."""
    model = laboratory_model()
    try:
        text = json.dumps(_yaml_numbers(config), default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"config: not plain data ({error})") from None
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise ConfigError("\n".join(_fault_line(model, fault) for fault in error.errors())) from None


def _fault_line(model: type[Block], fault: dict) -> str:
    key = ""
    for part in fault["loc"]:
        name = str(part) if str(part).isprintable() else json.dumps(part)
        key += f"[{part}]" if isinstance(part, int) else f".{name}" if key else name
    if fault["type"] == "missing":
        return f"config: {key}: is missing and has no default"
    if fault["type"] == "extra_forbidden":
        return f"config: {key} = {_short(fault['input'])}: no such key (allowed: {_allowed_keys(model, fault['loc'])})"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
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
    """Merge YAML files, later ones over earlier ones (dicts merge, lists are replaced), as Snakemake does."""
    import yaml

    config: dict[str, Any] = {}
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                layer = yaml.safe_load(file)
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            raise ConfigError(f"{path}: {' '.join(str(error).split())}") from None
        if not isinstance(layer, Mapping):
            raise ConfigError(f"{path}: must be a mapping of keys to values")
        _merge(config, layer)
    return config


def _merge(base: dict, layer: Mapping) -> None:
    for key, value in layer.items():
        if not isinstance(value, Mapping):
            base[key] = value
        elif value or key not in base:  # an empty block over a value changes nothing
            block = base[key] if isinstance(base.get(key), dict) else {}
            base[key] = block
            _merge(block, value)


def schema() -> str:
    """The JSON schema of the configuration, as text."""
    return json.dumps(laboratory_model().model_json_schema(), indent=1, sort_keys=True) + "\n"
