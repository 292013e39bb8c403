"use strict";
// `basin_map`: where descent ends, over steps α and starts; a chosen run is computed here from that point and drawn.

(() => {
  const { views } = globalThis.descent;
  const { number, integer } = views;
  const MOST_DRAWN = 300;
  // The words of the ends that a run computed here can have.
  const ENDS = { sharp: "sharp minimum", wide: "wide minimum", diverged: "diverges",
    undecided: "bounded, no end found" };
  const endWords = (run) => (run.end !== "cycle" ? ENDS[run.end] : `cycle of period ${integer(run.period)}`);

  class BasinMap {
    constructor(view, data) {
      Object.assign(this, { data, cells: views.integers(data.cells, false), rows: data.start.length });
      const frame = this.frame = views.frame(view, {
        title: "Follow any run", summary: "The chosen run as a table",
        hint: "Point at the map for the end of a run. Click, or use the arrow keys or the sliders, to run descent from "
          + "there in this page. With Shift, the arrow keys go ten times as far." });
      this.column = Math.round(data.alpha.length * 0.55);
      this.row = Math.round(this.rows * 0.3);
      views.onTheme(() => { this.picture = null; });
      const slid = () => this.choose(Number(this.alpha.value), Number(this.start.value));
      this.alpha = views.range(frame, "Step α", data.alpha.length - 1, slid);
      this.start = views.range(frame, "Start θ⁰", this.rows - 1, slid);
      this.drawn = views.range(frame, "Steps drawn", 1, () => this.showSteps());
      this.player = views.player(frame, this.drawn, 40);
      this.map = views.plot(frame, { label: "Map of the ends", ratio: 0.85, draw: (plot) => this.drawMap(plot) });
      this.legend();
      this.landscape = views.plot(frame, { label: "The function with the chosen run", ratio: 0.62,
        draw: (plot) => this.drawLandscape(plot) });
      this.positions = views.plot(frame, { label: "Positions of the chosen run", ratio: 0.5,
        draw: (plot) => this.drawPositions(plot) });
      views.interact(this.map, "Map of the ends. Arrow keys choose step and start, Enter plays the run.", {
        hover: (at) => this.hover(at), enter: () => this.player.play(),
        pick: (at) => { this.choose(...this.cell(at)); this.player.play(); },
        move: (dx, dy) => this.choose(this.column + dx, this.row + dy) });
      this.choose(this.column, this.row);
    }

    legend() {
      const present = new Set(this.cells.map((cell) => Math.floor(cell / (this.data.most_steps + 1))));
      const entry = ({ name, color }) => views.element("li", {}, views.element("span",
        { class: "view-swatch", style: `background: ${views.ink(color)}` }), name);
      this.map.box.append(views.element("ul", { class: "view-legend" },
        ...this.data.classes.filter((_, i) => present.has(i)).map(entry)));
    }

    // What the table says of a cell.
    told(column, row) {
      const index = column * this.rows + row, cell = this.cells[index], most = this.data.most_steps;
      const kind = Math.floor(cell / (most + 1)), steps = cell % (most + 1), period = this.data.periods[index];
      return { end: period ? `cycle of period ${integer(period)}` : this.data.classes[kind].name,
        steps: steps === most ? `at least ${integer(most)}` : integer(steps), kind };
    }

    cell([across, up]) {
      const inside = (at, count) => Math.max(0, Math.min(count - 1, Math.floor(at * count)));
      return [inside(across, this.data.alpha.length), inside(up, this.rows)];
    }

    place(column, row) { return `α = ${number(this.data.alpha[column], 4)}, θ⁰ = ${number(this.data.start[row], 4)}`; }

    sentence(column, row) {
      const { end, steps } = this.told(column, row);
      return `${this.place(column, row)}: ${end}, ${steps} steps.`;
    }

    hover(at) {
      const inside = at && at.every((fraction) => fraction >= 0 && fraction <= 1);
      this.pointed = inside ? this.cell(at) : null;
      this.map.redraw();
      views.say(this.frame, inside ? this.sentence(...this.pointed) : this.verdict);
    }

    choose(column, row) {
      this.player.stop();
      this.column = Math.max(0, Math.min(this.data.alpha.length - 1, column));
      this.row = Math.max(0, Math.min(this.rows - 1, row));
      const alpha = this.data.alpha[this.column], start = this.data.start[this.row];
      this.run = views.twoMinima.descend(start, alpha, this.data.stop);
      views.setRange(this.alpha, this.column, number(alpha, 4));
      views.setRange(this.start, this.row, number(start, 4));
      this.drawn.max = Math.min(this.run.orbit.length - 1, MOST_DRAWN);
      this.drawn.value = this.drawn.max;
      this.tell();
      this.map.redraw();
      this.showSteps();
    }

    tell() {
      const told = this.told(this.column, this.row), here = endWords(this.run);
      const same = here === told.end || (told.end === "longer cycle" && this.run.period > 4);
      this.verdict = `${this.sentence(this.column, this.row)} Run in this page: ${here}, `
        + `${integer(this.run.steps)} steps, last θ = `
        + `${number(this.run.position, 4)}${same ? "" : "; here rounding decides which end it is"}.`;
      views.say(this.frame, this.verdict);
      const { orbit } = this.run, shown = orbit.slice(0, 11);
      views.fillTable(this.frame.table, `The first points of the run with ${this.place(this.column, this.row)}`,
        ["k", "θ of step k", "f", "f′"], shown.map((theta, k) => [String(k), number(theta, 5),
          number(views.twoMinima.value(theta), 5), number(views.twoMinima.slope(theta), 5)]));
    }

    showSteps() {
      views.setRange(this.drawn, this.drawn.value, `${this.drawn.value} of ${this.run.steps}`);
      this.landscape.redraw();
      this.positions.redraw();
    }

    points() { return this.run.orbit.slice(0, Number(this.drawn.value) + 1); }

    // The map as a picture of one pixel a cell.
    pictured() {
      if (this.picture) return this.picture;
      const columns = this.data.alpha.length, canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [columns, this.rows];
      const paint = canvas.getContext("2d");
      const ink = views.color(this.map.box, "ink");
      const colors = this.data.classes.map(({ color }) => (color === "#000000" ? ink : color));
      this.cells.forEach((cell, index) => {
        paint.fillStyle = colors[Math.floor(cell / (this.data.most_steps + 1))];
        paint.fillRect(Math.floor(index / this.rows), this.rows - 1 - (index % this.rows), 1, 1);
      });
      return (this.picture = canvas.toDataURL());
    }

    drawMap(plot) {
      const { alpha, start, lines } = this.data, last = alpha.length - 1;
      // Half a cell beyond the first and the last on each side.
      const half = Math.sqrt(alpha[1] / alpha[0]), high = (start[1] - start[0]) / 2;
      plot.axes(views.logarithmic(alpha[0] / half, alpha[last] * half),
        views.linear(start[0] - high, start[this.rows - 1] + high),
        { title: "Where descent ends", xLabel: "step α", yLabel: "start θ⁰", grid: false });
      plot.add("image", { href: this.pictured(), x: plot.left, y: plot.top, width: plot.across, height: plot.down,
        preserveAspectRatio: "none", class: "view-pixels" });
      lines.forEach((line, i) => this.drawLine(plot, line, i));
      this.drawCross(plot, this.column, this.row, 5);
      if (this.pointed) this.drawCross(plot, ...this.pointed, 3);
    }

    drawLine(plot, { alpha, words }, i) {
      const at = plot.x.at(alpha);
      if (at < 0 || at > 1) return;
      plot.upright(alpha, { class: "view-halo" });
      plot.upright(alpha, { stroke: "#ffffff", "stroke-dasharray": "5 3", "stroke-width": 1.2 });
      const label = plot.add("text", { class: "view-text view-on-map", "text-anchor": at > 0.7 ? "end" : "start",
        x: plot.px(alpha) + (at > 0.7 ? -4 : 4), y: plot.top + 14 + 15 * (i % 4) });
      label.append(words);
    }

    drawCross(plot, column, row, size) {
      const x = plot.px(this.data.alpha[column]), y = plot.py(this.data.start[row]);
      const [right, bottom] = [plot.left + plot.across, plot.top + plot.down];
      const d = `M${plot.left} ${y}H${x - size}M${x + size} ${y}H${right}`
        + `M${x} ${plot.top}V${y - size}M${x} ${y + size}V${bottom}`;
      for (const className of ["view-halo", "view-cross"]) plot.add("path", { class: className, d });
      plot.add("circle", { class: "view-cross", cx: x, cy: y, r: size, fill: "none" });
    }

    color() { return views.ink(this.data.classes[this.told(this.column, this.row).kind].color); }

    thread() { return { stroke: this.color(), "stroke-width": 1, "stroke-opacity": 0.6 }; }
    size() { return Number(this.drawn.value) > 100 ? 1.4 : 2.4; }

    drawLandscape(plot) {
      const [low, high] = this.data.interval, { value } = views.twoMinima;
      const x = views.linear(low - 1, high + 1), grid = Array.from({ length: 400 }, (_, i) => x.value(i / 399));
      plot.axes(x, views.linear(-20, 330), { title: "f and the run", xLabel: "θ", yLabel: "f(θ)" });
      plot.line(grid.map((theta) => [theta, value(theta)]), { stroke: "var(--soft)" });
      const orbit = this.points().map((theta) => [theta, value(theta)]);
      plot.line(orbit, this.thread());
      orbit.forEach(([theta, f]) => plot.dot(theta, f, { r: this.size(), fill: this.color() }));
      plot.dot(...orbit[0], { r: 5, fill: "var(--paper)", stroke: this.color(), "stroke-width": 2 });
    }

    drawPositions(plot) {
      const orbit = this.points(), near = this.run.orbit.filter((theta) => Math.abs(theta) < 40);
      const low = Math.min(...near, 0), high = Math.max(...near, 1), room = 0.08 * (high - low);
      plot.axes(views.linear(0, Math.max(2, Number(this.drawn.max))), views.linear(low - room, high + room),
        { title: "Position at each step", xLabel: "step k", yLabel: "θ" });
      for (const { theta } of this.data.points) plot.level(theta, { stroke: "var(--soft)", "stroke-dasharray": "2 3" });
      plot.line(orbit.map((theta, k) => [k, theta]), this.thread());
      orbit.forEach((theta, k) => plot.dot(k, theta, { r: this.size(), fill: this.color() }));
    }
  }

  views.kinds.basin_map = (view, data) => new BasinMap(view, data);
})();
