"use strict";
// `width_sweep`: what is measured at every width, for a chosen quantity, horizon, data set and replicate.

(() => {
  const { views } = globalThis.descent;
  const { number, integer } = views;
  const DASHES = ["", "6 4"];

  class WidthSweep {
    constructor(view, data) {
      Object.assign(this, { data, index: 0, values: data.series.map((series) => views.logarithms(series.values)) });
      this.sets = [...new Set(data.series.map((series) => series.data))];
      this.starts = [...new Set(data.series.map((series) => series.start))];
      const frame = this.frame = views.frame(view, {
        title: "Every width, every replicate", summary: "The values shown as a table",
        hint: "Choose what to see. Point at the drawing, or use the arrow keys there, to read one value." });
      const show = () => this.show();
      this.quantity = views.choice(frame, "Quantity", data.quantities.map(({ words }) => words), show);
      this.time = views.choice(frame, "Up to time t", data.times.map((time) => number(time)), show);
      this.time.value = data.times.length - 1;
      this.set = views.choice(frame, "Data set", ["all", ...this.sets], show);
      this.start = views.choice(frame, "Start", ["all", ...this.starts.map((start) => `${start} units`)], show);
      const replicates = Array.from({ length: data.replicates }, (_, r) => String(r));
      this.replicate = views.choice(frame, "Replicate", ["all", ...replicates], show);
      this.plot = views.plot(frame, { label: "The quantity against the width", ratio: 0.6, size: "view-wide",
        draw: (plot) => this.draw(plot) });
      this.list = this.plot.box.appendChild(views.element("ul", { class: "view-legend" }));
      views.interact(this.plot, "The quantity against the width. Left and right: the width; up and down: the value.", {
        hover: (at) => at && this.nearest(at), pick: (at) => this.nearest(at), enter: () => {},
        move: (dx, dy) => (dx ? this.across(dx) : this.point(this.index + dy)) });
      this.show();
    }

    value(s, width, replicate) {
      const { times, widths, replicates } = this.data;
      const row = (this.quantity.value * times.length + Number(this.time.value)) * widths.length + width;
      return this.values[s][row * replicates + replicate];
    }

    // The chosen series, by their index, and the values shown, by width and then by size.
    chosen() {
      const { series } = this.data, [set, start] = [this.sets[this.set.value - 1], this.starts[this.start.value - 1]];
      const fits = (one) => (!set || one.data === set) && (!start || one.start === start);
      return series.flatMap((one, s) => (fits(one) ? [s] : []));
    }

    collect() {
      const only = Number(this.replicate.value) - 1, shown = [];
      for (const s of this.chosen())
        for (let width = 0; width < this.data.widths.length; width++)
          for (let r = 0; r < this.data.replicates; r++)
            if (only < 0 || r === only) shown.push({ s, width, r, value: this.value(s, width, r) });
      return shown.filter(({ value }) => value > 0).sort((a, b) => a.width - b.width || a.value - b.value);
    }

    show() {
      this.points = this.collect();
      this.tabulate();
      this.legend();
      this.point(Math.min(this.index, this.points.length - 1));
    }

    point(index) {
      this.index = Math.max(0, Math.min(this.points.length - 1, index));
      this.tell();
      this.plot.redraw();
    }

    // The point of about the same rank at the next width.
    across(step) {
      const here = this.points[this.index];
      const columns = this.data.widths.map((_, width) => this.points.flatMap((p, i) => (p.width === width ? [i] : [])));
      const target = columns[Math.max(0, Math.min(columns.length - 1, here.width + step))];
      if (target?.length) this.point(target[Math.min(target.length - 1, columns[here.width].indexOf(this.index))]);
    }

    nearest([across, up]) {
      const { x, y, across: width, down } = this.plot;
      const away = (p) => Math.hypot((x.at(this.place(p)) - across) * width, (y.at(p.value) - up) * down);
      const far = this.points.map(away);
      if (far.length) this.point(far.indexOf(Math.min(...far)));
    }

    place({ s, width }) {
      return this.data.widths[width] * (this.starts.indexOf(this.data.series[s].start) ? 1.06 : 1 / 1.06);
    }

    exponent(s) { return this.data.series[s].exponents[this.quantity.value][this.time.value]; }

    fitted(s) {
      const found = this.exponent(s);
      return found ? `${number(found[0], 2)} [${number(found[1], 2)}, ${number(found[2], 2)}]` : "–";
    }

    tell() {
      const p = this.points[this.index];
      if (!p) return views.say(this.frame, "Nothing positive to show.");
      const { words } = this.data.series[p.s];
      return views.say(this.frame, `${words}, m = ${integer(this.data.widths[p.width])}, replicate ${p.r}: `
        + `${number(p.value)}. Exponent fitted to all replicates, with its 95% interval: ${this.fitted(p.s)}.`);
    }

    tabulate() {
      const { words, symbol } = this.data.quantities[this.quantity.value], chosen = this.chosen();
      const mean = (s, width) => {
        const logs = this.points.filter((p) => p.s === s && p.width === width).map((p) => Math.log(p.value));
        return number(Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length));
      };
      const which = this.replicate.value > 0 ? `replicate ${this.replicate.value - 1}` : "geometric means";
      const time = number(this.data.times[this.time.value]);
      views.fillTable(this.frame.table, `${words}, ${symbol}, up to t = ${time}: ${which}`,
        ["m", ...chosen.map((s) => this.data.series[s].words)],
        [...this.data.widths.map((m, width) => [integer(m), ...chosen.map((s) => mean(s, width))]),
          ["fitted exponent", ...chosen.map((s) => this.fitted(s))]]);
    }

    draw(plot) {
      const { widths, quantities } = this.data, { words, symbol, theory } = quantities[this.quantity.value];
      const values = this.points.map(({ value }) => value);
      if (!values.length) return;
      const low = Math.min(...values), high = Math.max(...values);
      plot.axes(views.logarithmic(widths[0] / 1.25, widths.at(-1) * 1.25), views.logarithmic(low / 1.6, high * 2.4),
        { title: `${words[0].toUpperCase()}${words.slice(1)}`, xLabel: "width m", yLabel: symbol });
      theory.forEach((exponent, i) => this.drawTheory(plot, exponent, i, high));
      this.chosen().forEach((s) => this.drawMeans(plot, s));
      this.points.forEach((p) => this.mark(plot, p));
      const p = this.points[this.index];
      if (p) plot.dot(this.place(p), p.value, { r: 8, fill: "none", stroke: "var(--accent)", "stroke-width": 2 });
    }

    drawTheory(plot, exponent, i, high) {
      const { widths } = this.data, [first, last] = [widths[0], widths.at(-1)];
      const at = (m) => 1.7 * high * (m / first) ** exponent;
      const dash = i ? "8 3 2 3" : "2 3";
      plot.line([[first, at(first)], [last, at(last)]], { stroke: "var(--soft)", "stroke-dasharray": dash });
      const m = first * (last / first) ** (0.6 - 0.15 * i);
      plot.write(`slope ${exponent === -0.5 ? "−1/2" : "−3/4"}`, plot.px(m) + 4, plot.py(at(m)) - 5, "start");
    }

    drawMeans(plot, s) {
      const { color, start } = this.data.series[s];
      const means = this.data.widths.map((_, width) => {
        const logs = this.points.filter((p) => p.s === s && p.width === width).map((p) => Math.log(p.value));
        return [this.place({ s, width }), Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length)];
      });
      plot.line(means, { stroke: color, "stroke-dasharray": DASHES[this.starts.indexOf(start)] });
    }

    mark(plot, p) {
      const { color, start } = this.data.series[p.s], x = plot.px(this.place(p)), y = plot.py(p.value);
      const diamond = { d: `M${x} ${y - 4}l4 4-4 4-4-4z`, fill: "var(--paper)", stroke: color, "stroke-width": 1.2 };
      if (this.starts.indexOf(start)) plot.clipped("path", diamond);
      else plot.dot(this.place(p), p.value, { r: 3, fill: color });
    }

    // What the lines and marks are, below the drawing.
    legend() {
      this.list.replaceChildren(...this.chosen().map((s) => {
        const { color, start, words } = this.data.series[s], second = this.starts.indexOf(start);
        const line = { d: "M0 5H28", "stroke-dasharray": DASHES[second], "stroke-width": 1.5 };
        const diamond = { d: "M14 1l4 4-4 4-4-4z", fill: "var(--paper)" };
        const disc = { d: "M11 5a3 3 0 1 0 6 0a3 3 0 1 0-6 0", fill: color };
        const sample = views.svg("svg", { width: 28, height: 10, stroke: color, "aria-hidden": "true" },
          views.svg("path", line), views.svg("path", second ? diamond : disc));
        return views.element("li", {}, sample, words);
      }));
    }
  }

  views.kinds.width_sweep = (view, data) => new WidthSweep(view, data);
})();
