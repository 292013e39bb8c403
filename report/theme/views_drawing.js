"use strict";
// Drawing in SVG at the size on the screen, so that text and lines stay crisp; text and rules have the page's colours.

(() => {
  const { views } = globalThis.descent;
  const { element, svg } = views;

  // Scales: `at(value)` in [0, 1], `value(at)`, and ticks with their texts.
  const linearTicks = (low, high, count) => {
    const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find((lead) => lead * power >= rough) * power;
    const first = Math.ceil(low / step - 1e-9);
    return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
  };
  views.linear = (low, high) => ({
    at: (value) => (value - low) / (high - low), value: (at) => low + at * (high - low),
    ticks: (room) => linearTicks(low, high, Math.max(2, room)).map((at) => ({ at, text: views.number(at, 4) })),
  });
  const decadeTicks = (low, high, room) => {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
    const every = Math.max(1, Math.ceil((last - first + 1) / room));
    const powers = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
    return powers.filter((power) => power % every === 0).map((power) => ({
      at: 10 ** power, text: power < -2 || power > 3 ? views.power(power) : views.number(10 ** power) }));
  };
  const leadTicks = (low, high, room) => {
    const all = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const lead of [1, 2, 5]) all.push(lead * 10 ** power);
    const inside = all.filter((tick) => tick >= low * 0.9999 && tick <= high * 1.0001);
    return inside.length <= room ? inside.map((tick) => ({ at: tick, text: views.number(tick) })) : null;
  };
  views.logarithmic = (low, high) => {
    const from = Math.log(low), length = Math.log(high) - from;
    return { at: (value) => (Math.log(value) - from) / length, value: (at) => Math.exp(from + at * length),
      ticks: (room) => (high / low < 3 ? views.linear(low, high).ticks(room)
        : leadTicks(low, high, Math.max(3, room)) ?? decadeTicks(low, high, Math.max(2, room))) };
  };

  const MARGIN = { left: 58, right: 14, top: 26, bottom: 42 };

  // One drawing: `draw` is called with it when its size or the theme changes, and by `redraw`.
  class Plot {
    constructor(frame, { label, ratio, size, draw }) {
      this.ratio = ratio;
      this.draw = draw;
      this.clip = `${frame.id}-clip-${frame.plots.children.length}`;
      this.svg = svg("svg", { role: "img", "aria-label": label });
      this.box = element("div", { class: `view-plot ${size ?? ""}` }, this.svg);
      frame.plots.append(this.box);
      new ResizeObserver(() => this.redraw()).observe(this.box);
      views.onTheme(() => this.redraw());
    }

    redraw() {
      const width = Math.round(this.box.clientWidth);
      if (!width) return;
      const height = Math.round(Math.min(Math.max(width * this.ratio, 210), 420));
      Object.assign(this, { width, height, left: MARGIN.left, top: MARGIN.top,
        across: width - MARGIN.left - MARGIN.right, down: height - MARGIN.top - MARGIN.bottom });
      this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.svg.setAttribute("width", width);
      this.svg.setAttribute("height", height);
      this.svg.replaceChildren();
      this.draw(this);
    }

    axes(x, y, { title, xLabel, yLabel, grid = true }) {
      Object.assign(this, { x, y });
      const bottom = this.top + this.down, right = this.left + this.across;
      this.add("clipPath", { id: this.clip }).append(
        svg("rect", { x: this.left, y: this.top, width: this.across, height: this.down }));
      for (const tick of x.ticks(this.across / 70)) {
        const at = this.px(tick.at);
        this.rule(at, grid ? this.top : bottom, at, bottom + 4);
        this.write(tick.text, at, bottom + 17, "middle");
      }
      for (const tick of y.ticks(this.down / 36)) {
        const at = this.py(tick.at);
        this.rule(this.left - 4, at, grid ? right : this.left, at);
        this.write(tick.text, this.left - 7, at + 4, "end");
      }
      this.write(title, this.left, 16, "start", "view-heading");
      this.write(xLabel, this.left + this.across / 2, this.height - 6, "middle");
      this.add("text", { class: "view-text", "text-anchor": "middle",
        transform: `translate(13 ${this.top + this.down / 2}) rotate(-90)` }).append(yLabel);
    }

    px(value) { return this.left + this.x.at(value) * this.across; }
    py(value) { return this.top + (1 - this.y.at(value)) * this.down; }

    // Fractions of the drawn area at an event's place.
    fractions(event) {
      const box = this.svg.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left - this.left, event.clientY - box.top - this.top];
      return [x / this.across, 1 - y / this.down];
    }

    add(tag, attributes = {}) {
      const child = svg(tag, attributes);
      this.svg.append(child);
      return child;
    }

    clipped(tag, attributes) { return this.add(tag, { "clip-path": `url(#${this.clip})`, ...attributes }); }

    rule(x1, y1, x2, y2) { this.add("line", { class: "view-rule", x1, y1, x2, y2 }); }

    write(text, x, y, anchor, className = "") {
      this.add("text", { class: `view-text ${className}`, x, y, "text-anchor": anchor }).append(text);
    }

    // A path through points [x, y]; what has no place on a scale interrupts it.
    line(points, attributes) {
      let path = "", pen = "M";
      for (const [x, y] of points) {
        const at = [this.px(x), this.py(y)], drawn = at.every(Number.isFinite);
        if (drawn) path += pen + at.map((c) => Math.max(-1e4, Math.min(1e4, c)).toFixed(1)).join(" ");
        pen = drawn ? "L" : "M";
      }
      this.clipped("path", { fill: "none", "stroke-width": 1.5, "stroke-linejoin": "round", d: path, ...attributes });
    }

    dot(x, y, attributes) {
      const [cx, cy] = [this.px(x), this.py(y)];
      if (Number.isFinite(cx) && Number.isFinite(cy)) this.clipped("circle", { cx, cy, r: 3, ...attributes });
    }

    upright(x, attributes) { this.line([[x, this.y.value(0)], [x, this.y.value(1)]], attributes); }
    level(y, attributes) { this.line([[this.x.value(0), y], [this.x.value(1), y]], attributes); }
  }
  views.plot = (frame, options) => new Plot(frame, options);

  // Pointer and arrow keys on a drawing: `hover(fractions | null)`, `pick(fractions)`, `move(dx, dy)`, `enter()`.
  views.interact = (plot, label, { hover, pick, move, enter }) => {
    const { box } = plot;
    box.classList.add("view-active");
    const attributes = { tabindex: 0, role: "application", "aria-label": label };
    Object.entries(attributes).forEach((pair) => box.setAttribute(...pair));
    plot.svg.setAttribute("aria-hidden", "true");
    plot.svg.addEventListener("pointermove", (event) => event.pointerType !== "touch" && hover(plot.fractions(event)));
    plot.svg.addEventListener("pointerleave", () => hover(null));
    plot.svg.addEventListener("click", (event) => pick(plot.fractions(event)));
    box.addEventListener("keydown", (event) => {
      const far = event.shiftKey ? 10 : 1;
      const moves = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowDown: [0, -far], ArrowUp: [0, far] };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in moves) move(...moves[event.key]);
      else if (["Enter", " "].includes(event.key)) enter();
      else return;
      event.preventDefault();
    });
  };

  // The theme: its colours by name, and who is told when it changes.
  const listeners = [];
  views.onTheme = (listener) => listeners.push(listener);
  views.color = (element, name) => {
    element.style.color = `var(--${name})`;
    return getComputedStyle(element).color;
  };
  // Black and the grey of theory are for white paper.
  views.ink = (color) => ({ "#000000": "var(--ink)", "#444444": "var(--soft)" })[color] ?? color;
  const changed = () => listeners.forEach((listener) => listener());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  const watched = { attributeFilter: ["class", "style", "data-theme"] };
  new MutationObserver(changed).observe(document.documentElement, watched);
})();
