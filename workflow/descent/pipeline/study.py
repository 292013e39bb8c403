"""What a study says about itself: its runs, analyses, figures, claims and values, as stages."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from descent.pipeline.stage import Stage, canonical_json

MOST_STAGES = 5000
Inputs = Mapping[str, "str | Iterable[str]"]


def slug(settings: Mapping[str, Any]) -> str:
    """Readable directory name of one setting: `eta=0.01+init=gaussian`.

    Floats in shortest form, keys in the given order; a hash suffix when longer than 80 characters.
    Raises ValueError when there are no settings, or a key or value would not make a safe file name.
    """
    if not settings:
        raise ValueError("a run needs at least one setting to be named after")
    text = "+".join(f"{_safe(key, key)}={_slug_value(key, value)}" for key, value in settings.items())
    if len(text) <= 80:
        return text
    return text[:67] + "~" + hashlib.blake2b(canonical_json(dict(settings)).encode()).hexdigest()[:12]


def _slug_value(key: str, value: Any) -> str:
    return _safe(key, repr(value) if isinstance(value, float) else str(value).lower())


def _safe(key: str, value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*", value):
        raise ValueError(f"{key}: {value!r} cannot be part of a run's name (letters, digits and ._+- only)")
    return value


def _frozen(inputs: Inputs) -> dict[str, str | tuple[str, ...]]:
    return {name: path if isinstance(path, str) else tuple(path) for name, path in inputs.items()}


class StudyPlan:
    """Collects the stages of one study; every method returns the output paths by name.

    `name`: the study's name; `master_seed` and `preview` come from the configuration and go into
    the settings of the stages that read them. Entries are names of functions of the study's module,
    or `module:function` for functions of the library.
    """

    def __init__(self, name: str, master_seed: int, preview: bool, data: Mapping[str, str],
                 data_settings: Mapping[str, Mapping[str, Any]] | None = None):
        self.name, self.master_seed, self.preview = name, master_seed, preview
        self.stages: list[Stage] = []
        self._data, self._data_settings = dict(data), data_settings or {}
        self._root = f"results/{name}"

    def data(self, dataset: str, **at_least: float) -> str:
        """Path of a configured data set; raises ValueError naming those there are, or a setting too small."""
        if dataset not in self._data:
            raise ValueError(f"study {self.name}: no data set {dataset!r} (configured: {', '.join(self._data)})")
        for key, least in at_least.items():
            value = self._data_settings.get(dataset, {}).get(key, least)
            if value < least:
                raise ValueError(f"data.{dataset}.{key} = {value}: must be at least {least} for these settings")
        return self._data[dataset]

    def _entry(self, entry: str) -> str:
        return entry if ":" in entry else f"descent.studies.{self.name}:{entry}"

    def _add(self, rule: str, entry: str, settings, inputs: Inputs, outputs, **more) -> dict[str, str]:
        stage = Stage(rule, self._entry(entry), dict(settings), _frozen(inputs), dict(outputs), **more)
        self.stages.append(stage)
        if len(self.stages) > MOST_STAGES:
            raise ValueError(f"these settings ask for more than {MOST_STAGES} stages")
        return dict(stage.outputs)

    def train(self, run: Mapping[str, Any], settings: Mapping[str, Any], inputs: Inputs, replicates: Iterable[int],
              entry: str = "train", **cost) -> dict[str, str]:
        """A training run: `metrics` and `trajectory`, Parquet tables with a column `replicate`.

        `run` holds the settings that name the run's directory, `settings` all that training reads.
        """
        directory = f"{self._root}/runs/{slug(run)}"
        outputs = {name: f"{directory}/{name}.parquet" for name in ("metrics", "trajectory")}
        return self._add("train", entry, settings, inputs, outputs, replicates=tuple(replicates), **cost)

    def analysis(self, run: Mapping[str, Any], name: str, entry: str, settings: Mapping[str, Any], inputs: Inputs,
                 **cost) -> str:
        """An analysis of one run; its rule carries the operation's name, as does its file."""
        outputs = {"table": f"{self._root}/runs/{slug(run)}/{name}.parquet"}
        return self._add(name, entry, settings, inputs, outputs, **cost)["table"]

    def table(self, name: str, settings: Mapping[str, Any], inputs: Inputs, entry: str | None = None, **cost) -> str:
        """A table of the whole study, by the function `table_NAME` unless `entry` says otherwise."""
        outputs = {"table": f"{self._root}/tables/{name}.parquet"}
        return self._add("table", entry or f"table_{name}", settings, inputs, outputs, **cost)["table"]

    def figure(self, name: str, settings: Mapping[str, Any], inputs: Inputs, **cost) -> dict[str, str]:
        """A figure by the function `figure_NAME`, as SVG, PDF and PNG."""
        outputs = {kind: f"{self._root}/figures/{name}.{kind}" for kind in ("svg", "pdf", "png")}
        return self._add("figure", f"figure_{name}", {**settings, "preview": self.preview}, inputs, outputs, **cost)

    def view(self, name: str, settings: Mapping[str, Any], inputs: Inputs, **cost) -> str:
        """The data of an interactive view of the page, by the function `view_NAME`, as JSON."""
        outputs = {"view": f"{self._root}/views/{name}.json"}
        return self._add("view", f"view_{name}", settings, inputs, outputs, **cost)["view"]

    def claims(self, settings: Mapping[str, Any], inputs: Inputs, **cost) -> str:
        """The study's rows of the claims ledger, by its function `claims`."""
        outputs = {"claims": f"{self._root}/claims.parquet"}
        return self._add("claims", "claims", settings, inputs, outputs, **cost)["claims"]

    def values(self, settings: Mapping[str, Any], inputs: Inputs, **cost) -> str:
        """The numbers that the study's prose uses, by its function `values`."""
        outputs = {"values": f"{self._root}/values.json"}
        return self._add("values", "values", settings, inputs, outputs, **cost)["values"]
