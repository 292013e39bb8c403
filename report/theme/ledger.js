// The ledger: filtered and sorted in place; what is asked for stands in the address, so that it can be linked.
(() => {
  "use strict";
  const frame = document.querySelector(".ledger:not(.errata) .table-frame");
  if (!frame) return;
  const body = frame.querySelector("tbody");
  const PLACE = "sec-ledger";
  const FILTERS = ["document", "verdict", "kind", "form", "study"];
  // The order of a reader's worries, not of the alphabet.
  const VERDICTS = ["refuted", "hypothesis fails", "vacuous", "holds", "reported"];
  const SORTS = { id: "document order", verdict: "verdict", slack: "slack", cases: "cases" };

  // Texts and what is looked for in them: compatibility forms written plainly.
  const plain = (text) => text.normalize("NFKC").toLowerCase();

  const amount = (value) => (value === "inf" ? Infinity : value === "" ? NaN : Number(value));

  const claims = [...body.rows].map((row, order) => {
    const anchor = row.querySelector("[id^='claim-']");
    const { document: source, verdict, kind, form, study, slack, cases } = anchor.dataset;
    return {
      row, anchor, order, document: source, verdict, kind, form, study, slack: amount(slack), cases: amount(cases),
      words: plain(row.textContent),
    };
  });

  const state = { sort: "id", falling: false, text: "" };
  const controls = {};

  const make = (tag, attributes, ...content) => {
    const element = document.createElement(tag);
    Object.assign(element, attributes);
    element.append(...content);
    return element;
  };

  const values = (name) => {
    const found = [...new Set(claims.map((claim) => claim[name]).filter(Boolean))];
    return name === "verdict" ? found.sort((a, b) => VERDICTS.indexOf(a) - VERDICTS.indexOf(b)) : found;
  };

  const words = (value) => value.replaceAll("_", " ");

  const choice = (name, options, caption) => {
    const select = make("select", { name }, ...options.map(([value, label]) => make("option", { value }, label)));
    controls[name] = select;
    return make("label", {}, make("span", {}, caption), select);
  };

  const filter = (name) => choice(name, [["", "all"], ...values(name).map((value) => [value, words(value)])], name);

  const passes = (claim, name) => !state[name] || claim[name] === state[name];

  const matches = (claim, except) => FILTERS.every((name) => name === except || passes(claim, name))
    && state.text.split(/\s+/).every((word) => claim.words.includes(word));

  // How many there would be: of each value, with the other filters as they are.
  const count = (name) => {
    const among = claims.filter((claim) => matches(claim, name));
    for (const option of controls[name].options) {
      const number = option.value ? among.filter((claim) => claim[name] === option.value).length : among.length;
      option.textContent = `${option.value ? words(option.value) : "all"} (${number})`;
      option.disabled = !number && option.value !== state[name];
    }
  };

  const rank = (claim) => (state.sort === "verdict" ? VERDICTS.indexOf(claim.verdict) : claim[state.sort]);

  // Rows without a number stay last in both directions.
  const compare = (a, b) => {
    if (state.sort === "id") return state.falling ? b.order - a.order : a.order - b.order;
    const [first, second] = [rank(a), rank(b)];
    const lacking = Number.isNaN(first) - Number.isNaN(second);
    if (lacking || Number.isNaN(first)) return lacking || a.order - b.order;
    if (first === second) return a.order - b.order;
    return (first < second) === state.falling ? 1 : -1;
  };

  const asked = () => FILTERS.some((name) => state[name]) || state.text || state.sort !== "id" || state.falling;

  const address = () => {
    const query = new URLSearchParams();
    FILTERS.forEach((name) => { if (state[name]) query.set(name, state[name]); });
    if (state.text) query.set("text", state.text);
    if (state.sort !== "id" || state.falling) query.set("sort", (state.falling ? "-" : "") + state.sort);
    return `#${PLACE}${asked() ? `&${query}` : ""}`;
  };

  const show = () => {
    const shown = claims.filter((claim) => matches(claim));
    const visible = new Set(shown);
    claims.forEach((claim) => { claim.row.hidden = !visible.has(claim); });
    body.append(...[...claims].sort(compare).map((claim) => claim.row));
    FILTERS.forEach((name) => { controls[name].value = state[name] || ""; count(name); });
    controls.sort.value = state.sort;
    if (plain(controls.text.value.trim()) !== state.text) controls.text.value = state.text;
    controls.direction.textContent = state.falling ? "↓ falling" : "↑ rising";
    controls.direction.setAttribute("aria-label", `Order: ${state.falling ? "falling" : "rising"}. Turn around.`);
    controls.reset.hidden = !asked();
    const all = claims.length;
    const tally = shown.length === all ? `All ${all} claims` : `${shown.length} of ${all} claims`;
    if (controls.count.textContent !== tally) controls.count.textContent = tally;
  };

  const change = () => {
    show();
    try { history.replaceState(null, "", address()); } catch { location.replace(address()); }
  };

  const reset = () => {
    FILTERS.forEach((name) => { state[name] = ""; });
    Object.assign(state, { sort: "id", falling: false, text: "" });
  };

  const read = () => {
    const [place, ...rest] = location.hash.slice(1).split("&");
    if (place !== PLACE || !rest.length) return false;
    const query = new URLSearchParams(location.hash.slice(place.length + 2));
    reset();
    FILTERS.forEach((name) => { if (values(name).includes(query.get(name))) state[name] = query.get(name); });
    const sort = query.get("sort") || "id";
    const column = sort.replace(/^-/, "");
    if (Object.hasOwn(SORTS, column)) Object.assign(state, { sort: column, falling: sort !== column });
    state.text = plain((query.get("text") || "").trim());
    return true;
  };

  const follow = () => {
    if (read()) {
      show();
      document.getElementById(PLACE).scrollIntoView();
      return;
    }
    // A link to a claim that is filtered away shows it.
    const target = claims.find((claim) => `#${claim.anchor.id}` === location.hash);
    if (!target || !target.row.hidden) return;
    reset();
    show();
    target.anchor.scrollIntoView();
  };

  const tools = () => {
    controls.text = make("input", { type: "search", name: "text", autocomplete: "off", placeholder: "words, ids" });
    controls.direction = make("button", { type: "button", className: "direction" });
    controls.reset = make("button", { type: "reset", className: "reset", hidden: true }, "Show all");
    controls.count = make("p", { className: "count" });
    controls.count.setAttribute("role", "status");
    const form = make("form", { className: "ledger-tools" },
      ...FILTERS.map(filter),
      make("label", { className: "wide" }, make("span", {}, "containing"), controls.text),
      choice("sort", Object.entries(SORTS), "sorted by"),
      controls.direction, controls.reset, controls.count);
    form.setAttribute("aria-label", "Filter and sort the claims");
    return form;
  };

  const listen = (form) => {
    FILTERS.forEach((name) => controls[name].addEventListener("change", () => {
      state[name] = controls[name].value;
      change();
    }));
    controls.sort.addEventListener("change", () => {
      state.sort = controls.sort.value;
      state.falling = state.sort === "slack" || state.sort === "cases";
      change();
    });
    controls.text.addEventListener("input", () => {
      state.text = plain(controls.text.value.trim());
      change();
    });
    controls.direction.addEventListener("click", () => { state.falling = !state.falling; change(); });
    form.addEventListener("reset", (event) => { event.preventDefault(); reset(); controls.text.value = ""; change(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    addEventListener("hashchange", follow);
  };

  const form = tools();
  frame.before(form);
  listen(form);
  reset();
  show();
  follow();
})();
