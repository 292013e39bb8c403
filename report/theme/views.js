"use strict";
// Interactive views. Each `div.view` of the page has its data (JSON) and a static fallback, which stays where there is
// no script. `descent.views.kinds[kind](view, data)` builds one; what they share is here and in views_drawing.js.

(() => {
  const views = ((globalThis.descent ??= {}).views = { kinds: {} });

  // Elements: attributes by name, of which `on…` are listeners and `null` is left out.
  const made = (create) => (tag, attributes = {}, ...children) => {
    const element = create(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== null) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };
  views.element = made((tag) => document.createElement(tag));
  views.svg = made((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  const { element } = views;

  // Data: base64 of little-endian 16-bit integers, and of logarithms.
  views.integers = (text, signed) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const numbers = new DataView(bytes.buffer);
    return Array.from({ length: bytes.length / 2 }, (_, i) =>
      signed ? numbers.getInt16(2 * i, true) : numbers.getUint16(2 * i, true));
  };
  views.logarithms = (packed) => views.integers(packed.logarithms, true).map((q) =>
    q === -32768 ? NaN : 10 ** (q / packed.per_decade));

  // Numbers as the report writes them: so many significant digits, powers of ten below 10^-3 and from 10^5 on.
  const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const raised = (power) => (power < 0 ? "⁻" : "") + [...String(Math.abs(power))].map((d) => SUPERSCRIPTS[d]).join("");
  const stripped = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  views.number = (value, digits = 3) => {
    if (!Number.isFinite(value)) return "–";
    if (value === 0) return "0";
    const [mantissa, power] = Math.abs(value).toExponential(digits - 1).split("e");
    const plain = power >= -3 && power < 5;
    const text = plain ? stripped(Number(`${mantissa}e${power}`).toFixed(Math.max(0, digits - 1 - power)))
      : `${stripped(mantissa)} × 10${raised(Number(power))}`;
    const [whole, ...rest] = text.split(".");
    return (value < 0 ? "−" : "") + [plain ? views.integer(whole) : whole, ...rest].join(".");
  };
  views.integer = (value) => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  views.power = (exponent) => `10${raised(exponent)}`;

  // The frame of a view: title, what to do, controls, drawings, a line that says what is chosen, and a table of it.
  let frames = 0;
  views.frame = (view, { title, hint, summary }) => {
    const id = `view-${++frames}`;
    const frame = { id, controls: element("div", { class: "view-controls" }),
      plots: element("div", { class: "view-plots" }),
      readout: element("p", { class: "view-readout", "aria-live": "polite" }), table: element("table") };
    const values = element("details", { class: "view-values" }, element("summary", {}, summary),
      element("div", { class: "view-frame", tabindex: "0", role: "group", "aria-label": summary }, frame.table));
    frame.panel = element("div", { class: "view-panel", role: "group", "aria-labelledby": id },
      element("p", { class: "view-title", id }, title), element("p", { class: "view-hint" }, hint),
      frame.controls, frame.plots, frame.readout, values);
    view.append(frame.panel);
    return frame;
  };

  views.say = (frame, text) => {
    if (frame.readout.textContent !== text) frame.readout.textContent = text;
  };

  views.fillTable = (table, caption, head, rows) => {
    table.replaceChildren(element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...head.map((cell) => element("th", { scope: "col" }, cell)))),
      element("tbody", {}, ...rows.map(([first, ...rest]) => element("tr", {}, element("th", { scope: "row" }, first),
        ...rest.map((cell) => element("td", {}, cell))))));
  };

  // Controls, each with its label.
  const labelled = (frame, words, control) => {
    control.id = `${frame.id}-${frame.controls.querySelectorAll("select, input").length}`;
    const label = element("label", { for: control.id }, words);
    frame.controls.append(element("div", { class: "view-control" }, label, control));
    return control;
  };
  views.choice = (frame, words, options, changed) => {
    const names = options.map((text, value) => element("option", { value }, text));
    return labelled(frame, words, element("select", { onchange: changed }, ...names));
  };
  views.range = (frame, words, most, changed) =>
    labelled(frame, words, element("input", { type: "range", min: 0, max: most, step: 1, oninput: changed }));
  views.setRange = (range, value, text) => {
    range.value = value;
    range.setAttribute("aria-valuetext", text);
  };

  // A button that moves a range to its end; not where less motion is asked for.
  views.still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  views.player = (frame, range, milliseconds) => {
    let timer = null;
    const stop = () => {
      clearInterval(timer);
      timer = null;
      button.textContent = "Play";
    };
    const advance = () => {
      range.value = Number(range.value) + Math.max(1, Math.round(range.max / 60));
      range.dispatchEvent(new Event("input"));
      if (range.value >= Number(range.max)) stop();
    };
    const play = () => {
      stop();
      if (views.still()) return;
      if (range.value >= Number(range.max)) range.value = 0;
      timer = setInterval(advance, milliseconds);
      button.textContent = "Pause";
    };
    const pressed = () => (timer ? stop() : play());
    const button = element("button", { type: "button", class: "view-play", onclick: pressed }, "Play");
    button.hidden = views.still();
    frame.controls.append(button);
    return { play, stop };
  };

  const mount = (view) => {
    const data = JSON.parse(view.querySelector("script").textContent);
    views.kinds[view.dataset.kind](view, data);
    view.classList.add("live");
  };
  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("div.view").forEach(mount));
})();
