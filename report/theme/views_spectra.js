"use strict";
// `spectra`: the eigenvalues of H(t) at a chosen time of a chosen run, with λ₀/2, beside λ_min and the loss over time.

(() => {
  const { views } = globalThis.descent;
  const { number, integer } = views;
  // As in the figures: predictions dashed, levels dotted.
  const DASHED = "5 3", DOTTED = "1.5 2.5";
  // Where step 0 is put on a logarithmic axis.
  const onAxis = (step) => Math.max(step, 0.5);

  class Spectra {
    constructor(view, data) {
      Object.assign(this, { data, limit: views.logarithms(data.limit), rank: data.ranks.length - 1 });
      const frame = this.frame = views.frame(view, {
        title: "The spectrum of H(t) during training", summary: "The chosen run as a table",
        hint: "Choose a run and move through the steps at which H(t) was examined. Point at the spectrum, or use the "
          + "arrow keys there, to read one eigenvalue." });
      this.run = views.choice(frame, "Run", data.runs.map(({ words }) => words), () => this.changeRun());
      const replicates = data.runs[0].replicates.map((_, r) => String(r));
      this.replicate = views.choice(frame, "Replicate", replicates, () => this.load());
      this.time = views.range(frame, "Step k", 1, () => this.show());
      this.player = views.player(frame, this.time, 350);
      const plot = (label, ratio, draw) => views.plot(frame, { label, ratio, draw });
      this.spectrum = plot("Eigenvalues by rank", 1, () => this.drawSpectrum());
      this.least = plot("Least eigenvalue over the steps", 0.5, () => this.drawLeast());
      this.loss = plot("Loss over the steps", 0.5, () => this.drawLoss());
      views.interact(this.spectrum, "Eigenvalues of H by rank. Left and right choose the rank, up and down the step.", {
        hover: (at) => at && this.point(Math.round(at[0] * (data.ranks.length - 1))),
        pick: (at) => this.point(Math.round(at[0] * (data.ranks.length - 1))),
        move: (dx, dy) => (dx ? this.point(this.rank + dx) : this.go(Number(this.time.value) + dy)),
        enter: () => this.player.play() });
      for (const plot of [this.least, this.loss])
        plot.box.addEventListener("click", (event) => this.nearest(plot.x.value(plot.fractions(event)[0])));
      this.load();
    }

    changeRun() {
      const count = this.data.runs[this.run.value].replicates.length;
      if (this.replicate.value >= count) this.replicate.value = 0;
      this.load();
    }

    load() {
      const { replicates, eta } = this.data.runs[this.run.value], chosen = replicates[this.replicate.value];
      const all = views.logarithms(chosen.eigenvalues), count = this.data.ranks.length;
      const spectra = chosen.steps.map((_, i) => all.slice(i * count, (i + 1) * count));
      this.now = { eta, steps: chosen.steps, spectra, lossSteps: chosen.loss_steps,
        losses: views.logarithms(chosen.losses) };
      this.time.max = chosen.steps.length - 1;
      this.time.value = this.time.max;
      views.fillTable(this.frame.table, `${this.data.runs[this.run.value].words}, replicate ${this.replicate.value}`,
        ["step k", "t = ηk", "λ max", "λ min", "λ min / (λ₀/2)", "loss"],
        chosen.steps.map((step, i) => [integer(step), number(eta * step), number(spectra[i][0]),
          number(spectra[i].at(-1)), number(2 * spectra[i].at(-1) / this.data.lambda_0), number(this.lossAt(step))]));
      this.show();
    }

    lossAt(step) {
      const after = this.now.lossSteps.findIndex((other) => other >= step);
      return this.now.losses[after < 0 ? this.now.losses.length - 1 : after];
    }

    go(index) {
      this.player.stop();
      this.time.value = index;
      this.show();
    }

    nearest(step) {
      const far = this.now.steps.map((other) => Math.abs(Math.log(onAxis(other) / step)));
      this.go(far.indexOf(Math.min(...far)));
    }

    point(rank) {
      this.rank = Math.max(0, Math.min(this.data.ranks.length - 1, rank));
      this.tell();
      this.spectrum.redraw();
    }

    show() {
      const step = this.now.steps[this.time.value];
      views.setRange(this.time, this.time.value, `step ${integer(step)}, t = ${number(this.now.eta * step)}`);
      this.tell();
      [this.spectrum, this.least, this.loss].forEach((plot) => plot.redraw());
    }

    tell() {
      const { eta, steps, spectra } = this.now, i = Number(this.time.value), step = steps[i];
      const least = spectra[i].at(-1), ratio = 2 * least / this.data.lambda_0, rank = this.data.ranks[this.rank];
      views.say(this.frame, `Step ${integer(step)}, t = ${number(eta * step)}: λ min = ${number(least)}, `
        + `${number(ratio)} times λ₀/2; loss ${number(this.lossAt(step))}. Eigenvalue ${integer(rank)}: `
        + `${number(spectra[i][this.rank])} (at the start ${number(spectra[0][this.rank])}, of H∞ `
        + `${number(this.limit[this.rank])}).`);
    }

    drawSpectrum() {
      const plot = this.spectrum, { colors, ranks, lambda_0: least } = this.data, { spectra, steps } = this.now;
      const now = spectra[this.time.value], all = [...spectra.flat(), ...this.limit, least / 2].filter(Number.isFinite);
      plot.axes(views.linear(ranks[0], ranks.at(-1)), views.logarithmic(Math.min(...all) / 1.3, Math.max(...all) * 1.3),
        { title: `Eigenvalues at step ${integer(steps[this.time.value])}`, xLabel: "rank", yLabel: "eigenvalue" });
      plot.level(least / 2, { stroke: views.ink(colors.theory), "stroke-dasharray": DOTTED });
      plot.line(ranks.map((rank, i) => [rank, this.limit[i]]),
        { stroke: views.ink(colors.theory), "stroke-dasharray": DASHED });
      plot.line(ranks.map((rank, i) => [rank, spectra[0][i]]), { stroke: colors.measured, "stroke-width": 1 });
      ranks.forEach((rank, i) => plot.dot(rank, now[i], { r: 2.3, fill: colors.measured }));
      plot.dot(ranks[this.rank], now[this.rank], { r: 6, fill: "none", stroke: "var(--accent)", "stroke-width": 2 });
      const theory = views.ink(colors.theory);
      this.key(plot, [[theory, DASHED, "H∞"], [colors.measured, "", "H(0)"], [colors.measured, "dot", "H(t)"],
        [theory, DOTTED, "λ₀/2"]]);
    }

    key(plot, entries) {
      entries.forEach(([stroke, dash, words], i) => {
        const x = plot.left + plot.across - 64, y = plot.top + 14 + 17 * i, level = y - 4;
        if (dash === "dot") plot.add("circle", { cx: x + 11, cy: y - 4, r: 2.6, fill: stroke });
        else plot.add("path", { d: `M${x} ${level}h22`, stroke, "stroke-dasharray": dash, "stroke-width": 1.5 });
        plot.write(words, x + 28, y, "start");
      });
    }

    steps(plot, y, title, yLabel) {
      const last = Math.max(this.now.lossSteps.at(-1), this.now.steps.at(-1), 2);
      plot.axes(views.logarithmic(0.5, last), y, { title, xLabel: "step k (0 at the left edge)", yLabel });
      plot.upright(onAxis(this.now.steps[this.time.value]), { stroke: "var(--accent)", "stroke-width": 1.2 });
    }

    drawLeast() {
      const plot = this.least, { colors, lambda_0: least } = this.data, { steps, spectra } = this.now;
      const values = spectra.map((spectrum) => spectrum.at(-1));
      const high = Math.max(least, ...values.filter(Number.isFinite));
      this.steps(plot, views.linear(0, 1.1 * high), "Least eigenvalue and λ₀/2", "λ min");
      plot.level(least / 2, { stroke: views.ink(colors.theory), "stroke-dasharray": DOTTED });
      plot.line(steps.map((step, i) => [onAxis(step), values[i]]), { stroke: colors.measured });
      const size = (i) => (i === Number(this.time.value) ? 5 : 2.5);
      steps.forEach((step, i) => plot.dot(onAxis(step), values[i], { r: size(i), fill: colors.measured }));
    }

    drawLoss() {
      const plot = this.loss, { colors, lambda_0: least } = this.data, { lossSteps, losses, eta } = this.now;
      const bound = lossSteps.map((step) => losses[0] * Math.exp(-least * eta * step));
      const shown = losses.filter((loss) => loss > 0), low = Math.min(...shown), high = Math.max(...shown);
      this.steps(plot, views.logarithmic(low / 1.5, high * 1.5), "Loss, and the flow bound (dashed)", "loss");
      const curve = (values, style) => plot.line(lossSteps.map((step, i) => [onAxis(step), values[i]]), style);
      curve(bound, { stroke: views.ink(colors.theory), "stroke-dasharray": DASHED });
      curve(losses, { stroke: colors.measured });
    }
  }

  views.kinds.spectra = (view, data) => new Spectra(view, data);
})();
