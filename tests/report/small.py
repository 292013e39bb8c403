"""A small report of one study, written in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from descent.claims import Claim, Outcome, check, report_only, write_claims
from descent.figures import new_figure, save_figure
from descent.pipeline.stage import Stage, canonical_json
from descent.report import assembly, html, ledger, ledger_page, pdf, tex, verdict
from descent.report.stages import figure_source, stages

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
    views: dict[str, str] = field(default_factory=dict)

    def write(self, section: str = SECTION, bound: float = 1.0, control: float = 0.1) -> SmallReport:
        shutil.copytree(CHECKOUT / "report", self.root / "report")
        study = self.root / "results" / "bowl"
        (study / "figures").mkdir(parents=True)
        self.section.write_text(section)
        write_figure({kind: study / "figures" / f"loss.{kind}" for kind in ("svg", "pdf", "png")}, self.preview)
        values = {"eta": 0.1, "steps": 1000, "loss": 1.23456e-7, "findings": self.findings}
        (study / "values.json").write_text(json.dumps(values))
        (study / "views").mkdir()
        for name, text in self.views.items():
            (study / "views" / f"{name}.json").write_text(text)
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
        return stages("Bowls", {"bowl": "descent"}, {"bowl": {"samples": 12}}, self.engine, self.preview,
                      {"bowl": "results/bowl/claims.parquet"}, {"bowl": "results/bowl/values.json"}, {"bowl": [figure]},
                      [row], master_seed=7,
                      views={"bowl": [{"view": f"results/bowl/views/{name}.json"} for name in self.views]})

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


VALLEY = """# A narrow valley {#sec-valley}

## The curvature across {#sec-valley-across}

Across the valley the loss curves a hundredfold; the section after @sec-bowl measures it, in
`descent.studies.valley:train`.

$$ \\lambda_{\\max} = 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15 + 16 $$ {#eq-valley}

![Width of the valley.](<< figure("width") >>){#fig-valley-width alt="A narrowing gap"}

## Where λ is least

| step | first residual | second residual | third residual | fourth residual | fifth residual |
|-----:|-----:|-----:|-----:|-----:|-----:|
| 1,000,000 | 0.123456789 | 0.123456789 | 0.123456789 | 0.123456789 | 0.123456789 |

: Residuals. {#tbl-valley}

## Along the valley {#sec-valley-along}

Nothing curves here, and descent is slow.
"""


ERRATA = """
- {item: Lemma 9, name: the flat valley, printed: The valley is flat., wrong: It curves., corrected: It is curved.,
   refuted: [du.9.printed], holds: [du.9], proofs: []}
"""


class LargerReport(SmallReport):
    """The bowl and a valley: two sections, claims with every verdict, figures with their sources, one proof."""

    def write(self) -> LargerReport:
        super().write()
        for proof in (self.root / "report" / "proofs").glob("*.md"):
            if proof.name not in ("du.5-h_infinity.md", "snu.2.md"):
                proof.unlink()
        (self.root / "report" / "errata.yaml").write_text(ERRATA)
        study = self.root / "results" / "valley"
        (study / "figures").mkdir(parents=True)
        self.section.with_name("valley.md").write_text(VALLEY)
        write_figure({kind: study / "figures" / f"width.{kind}" for kind in ("svg", "pdf", "png")}, self.preview)
        (study / "values.json").write_text(json.dumps({"findings": ["The valley is narrow."]}))
        write_claims(study / "claims.parquet", self.valley_claims())
        return self

    @staticmethod
    def valley_claims() -> list[Claim]:
        wrong = ({"bound": 0.1}, "a tenth of the bound")
        rows = [
            check(f"tau.{number}", "theorem" if number % 2 else "asymptotic", f"Residual {number} stays small.",
                  at_most, {"value": number, "bound": 10.0 * number + number**2}, *wrong, figure="width")
            for number in range(1, 9)
        ]
        flat = {"value": 2.0, "bound": 1.0}
        return [
            *rows,
            check("du.9.printed", "empirical", "The valley is flat.", at_most, flat, *wrong, form="erratum",
                  figure="width"),
            check("du.9", "empirical", "The valley is curved.", at_most, flat, *wrong),
            replace(rows[0], id="jhu.1", document="jhu", verdict="vacuous", form="our own"),
            replace(rows[0], id="jhu.2", document="jhu", verdict="hypothesis fails", form="corrected"),
            report_only("snu.1", "The width of the valley.", 0.25, 7),
        ]

    def drawn(self) -> list[Stage]:
        runs = tuple(f"results/valley/runs/eta=0.{number}+init=a/metrics.parquet" for number in range(1, 6))
        inputs = {study: {"loss": f"results/{study}/tables/loss.parquet"} for study in ("bowl", "valley")}
        inputs["valley"]["runs"] = runs
        return [
            Stage("figure", f"descent.studies.{study}:figure_{name}", {}, inputs[study],
                  {kind: f"results/{study}/figures/{name}.{kind}" for kind in ("svg", "pdf", "png")})
            for study, name in (("bowl", "loss"), ("valley", "width"))
        ]

    def stages(self) -> list[Stage]:
        code, names, drawn = "0123456789abcdef", ["bowl", "valley"], self.drawn()
        rows = [{"stage": "figure", "entry": stage.entry, "code": code, "count": 1, "versions": {"numpy": "2.4.6"}}
                for stage in drawn]
        return stages(
            "Bowls and valleys", {"bowl": "descent", "valley": "landscapes"},
            {"bowl": {"samples": 12}, "valley": {"depth": 3}}, self.engine, self.preview,
            {study: f"results/{study}/claims.parquet" for study in names},
            {study: f"results/{study}/values.json" for study in names},
            {study: [dict(stage.outputs)] for study, stage in zip(names, drawn)}, rows, master_seed=7,
            figure_sources=[figure_source(study, stage, code) for study, stage in zip(names, drawn)],
        )
