"""A small report of one study, written in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from descent.claims import Outcome, check, report_only, write_claims
from descent.figures import new_figure, save_figure
from descent.pipeline.stage import Stage, canonical_json
from descent.report import assembly, html, ledger, ledger_page, pdf, tex, verdict
from descent.report.stages import stages

CHECKOUT = Path(__file__).parents[2]
ENTRIES = {
    "ledger": ledger.ledger, "report_source": assembly.source, "report_html": html.html, "report_tex": tex.tex,
    "report_pdf": pdf.pdf, "verdict": verdict.verdict, "ledger_page": ledger_page.ledger_page,
}
SECTION = """# Descent on a bowl {#sec-bowl}

The loss $\\left\\| x \\right\\|^2 + \\|y\\|$ and $\\sqrt{\\hat w}$ stays small [@du2019].

See @eq-step, @fig-bowl-loss, @tbl-bowl and @sec-bowl.

$$ x \\leftarrow (1 - \\eta) x $$ {#eq-step}

![Loss at $\\eta = << v.eta | num(2) >>$.](<< figure("loss") >>){#fig-bowl-loss alt="A falling curve"}

| step | loss |
|-----:|-----:|
| << v.steps | integer >> | << v.loss | num(3) >> |

: The last loss. {#tbl-bowl}

The claim is [bowl.1](#claim-bowl.1): << claims["bowl.1"].verdict >>, with << settings.samples >> samples.
"""


def at_most(value: float, bound: float) -> Outcome:
    return Outcome(value, bound, 3, value <= bound)


def write_figure(outputs: dict[str, Path], preview: bool) -> None:
    figure, axes = new_figure()
    axes[0, 0].plot([1, 2, 3], [3, 2, 1])
    save_figure(figure, outputs, preview)


@dataclass
class SmallReport:
    """The folder of a study `bowl` and the stages of its report; `make` runs them, or those named."""

    root: Path
    preview: bool = False
    engine: str = "typst"
    findings: list[str] = field(default_factory=lambda: ["The loss falls to $10^{-7}$."])

    def write(self, section: str = SECTION, bound: float = 1.0, control: float = 0.1) -> SmallReport:
        shutil.copytree(CHECKOUT / "report", self.root / "report")
        study = self.root / "results" / "bowl"
        (study / "figures").mkdir(parents=True)
        self.section.write_text(section)
        write_figure({kind: study / "figures" / f"loss.{kind}" for kind in ("svg", "pdf", "png")}, self.preview)
        values = {"eta": 0.1, "steps": 1000, "loss": 1.23456e-7, "findings": self.findings}
        (study / "values.json").write_text(json.dumps(values))
        write_claims(study / "claims.parquet", [
            check("bowl.1", "theorem", "The loss $|x|^2$ stays below 1.", at_most, {"value": 0.5, "bound": bound},
                  {"bound": control}, "a tenth of the bound", figure="loss"),
            report_only("bowl.2", "The last loss.", 1e-7, 1),
        ])
        return self

    @property
    def section(self) -> Path:
        return self.root / "report" / "sections" / "bowl.md"

    def stages(self) -> list[Stage]:
        figure = {kind: f"results/bowl/figures/loss.{kind}" for kind in ("svg", "pdf", "png")}
        row = {"stage": "train", "entry": "descent.studies.bowl:train", "code": "0123456789abcdef", "count": 4,
               "versions": {"numpy": "2.4.6"}}
        return stages("Bowls", ["bowl"], {"bowl": {"samples": 12}}, self.engine, self.preview,
                      {"bowl": "results/bowl/claims.parquet"}, {"bowl": "results/bowl/values.json"}, {"bowl": [figure]},
                      [row], master_seed=7)

    def make(self, *rules: str) -> dict[str, Path]:
        made: dict[str, Path] = {}
        with contextlib.chdir(self.root):
            planned = self.stages()
        for stage in planned:
            if not rules or stage.rule in rules:
                made.update(self._run(stage))
        return made

    def _run(self, stage: Stage) -> dict[str, Path]:
        inputs = {name: Path(paths) if isinstance(paths, str) else [Path(path) for path in paths]
                  for name, paths in stage.inputs.items()}
        outputs = {name: self.root / path for name, path in stage.outputs.items()}
        for path in outputs.values():
            path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.chdir(self.root):
            ENTRIES[stage.rule](json.loads(canonical_json(stage.settings)), inputs, outputs)
        return outputs
