// Search within the page: parts, sections, proofs, claims, errata, figures, tables and theorems, ranked.
(() => {
  "use strict";
  const MOST = 40;
  const form = document.querySelector(".search");
  const field = form.querySelector("input");
  const list = form.querySelector("[role='listbox']");
  const status = form.querySelector("[role='status']");
  const NOISE = "svg, script, style, nav, .anchor, .runs, .figure-source, .ledger-tools";
  const OWN = `${NOISE}, section, figure, .ledger, .statement[id], table[id]`;
  const BREAKS = "p, li, td, th, div, br, dt, dd, h2, h3, h4, h5, h6, math[display='block']";
  let index = null;
  let hits = [];
  let active = -1;

  // The text of an element without what `skip` matches; compatibility forms are written plainly, as typed.
  const text = (element, skip) => {
    const parts = [];
    const visit = (node) => {
      if (node.nodeType === Node.TEXT_NODE) { parts.push(node.data); return; }
      if (node.nodeType !== Node.ELEMENT_NODE || (node !== element && node.matches(skip))) return;
      const apart = node.matches(BREAKS);
      if (apart) parts.push(" ");
      node.childNodes.forEach(visit);
      if (apart) parts.push(" ");
    };
    visit(element);
    return parts.join("").normalize("NFKC").replace(/\s+/g, " ").trim();
  };

  const heading = (section) => {
    const found = section && section.querySelector(":scope > .heading > :is(h2, h3, h4, h5, h6)");
    return found ? text(found, NOISE) : "";
  };

  const entry = (kind, weight, target, title, body, place) => ({
    kind, weight, target, title, body, place, low: [title.toLowerCase(), body.toLowerCase()],
  });

  const kindOf = (section) => (section.matches(".part") ? "Part"
    : section.parentElement.matches("#sec-proofs") ? "Proof" : "Section");

  const sections = () => [...document.querySelectorAll("main section[id]")].map((section) => {
    const title = heading(section);
    const body = text(section, `${OWN}, .heading`);
    return entry(kindOf(section), 4, section, title, body, heading(section.parentElement.closest("section")));
  });

  const inSection = (element) => heading(element.closest("section"));

  const claims = () => [...document.querySelectorAll(".ledger [id^='claim-']")].map((anchor) => {
    const row = anchor.closest("tr");
    return entry("Claim", 3, anchor, text(anchor, NOISE), text(row, `${NOISE}, [id^='claim-']`), inSection(anchor));
  });

  const errata = () => [...document.querySelectorAll(".errata [id^='erratum-']")].map((anchor) => {
    const row = anchor.closest("tr");
    return entry("Erratum", 3, anchor, text(row.cells[0], NOISE), text(row, `${NOISE}, td:first-child`), inSection(row));
  });

  const captioned = (selector, kind, weight) => [...document.querySelectorAll(selector)].map((element) => {
    const caption = element.querySelector("figcaption, caption");
    const label = caption && caption.querySelector(".caption-label");
    const body = element.matches("table") ? text(element, NOISE) : caption ? text(caption, NOISE) : "";
    return entry(kind, weight, element, label ? text(label, NOISE).replace(/\.$/, "") : kind, body, inSection(element));
  });

  const statements = () => [...document.querySelectorAll("main .statement[id]")].map((element) => {
    const head = element.querySelector(".statement-head");
    return entry(text(head, NOISE).split(/\s/)[0], 4, element, text(head, NOISE).replace(/\.$/, ""),
      text(element, `${NOISE}, .statement-head`), inSection(element));
  });

  const build = () => [
    ...sections(), ...claims(), ...errata(), ...statements(), ...captioned("main figure[id]", "Figure", 3),
    ...captioned("main table[id]", "Table", 2),
  ];

  const begins = (words, term, from = 0) => {
    for (let place = words.indexOf(term, from); place >= 0; place = words.indexOf(term, place + 1)) {
      if (place === 0 || !/[\p{L}\p{N}]/u.test(words[place - 1])) return place;
    }
    return -1;
  };

  const occurrences = (words, term) => words.split(term).length - 1;

  // Beginnings of words count more than their insides, titles more than text, and no term may be missing.
  const score = (item, terms) => {
    let total = 0;
    for (const term of terms) {
      const [title, body] = item.low;
      const inTitle = title === term ? 60 : begins(title, term) >= 0 ? 24 : title.includes(term) ? 10 : 0;
      const inBody = (begins(body, term) >= 0 ? 4 : 0) + Math.min(occurrences(body, term), 6);
      if (!inTitle && !inBody) return 0;
      total += inTitle + inBody;
    }
    return total + item.weight;
  };

  const marked = (words, terms) => {
    const fragment = document.createDocumentFragment();
    const low = words.toLowerCase();
    let from = 0;
    while (from < words.length) {
      const found = terms.map((term) => [low.indexOf(term, from), term.length]).filter(([place]) => place >= 0)
        .sort((a, b) => a[0] - b[0] || b[1] - a[1])[0];
      if (!found) break;
      const mark = document.createElement("mark");
      mark.textContent = words.slice(found[0], found[0] + found[1]);
      fragment.append(words.slice(from, found[0]), mark);
      from = found[0] + found[1];
    }
    fragment.append(words.slice(from));
    return fragment;
  };

  const snippet = (item, terms) => {
    const [, body] = item.low;
    const places = terms.map((term) => begins(body, term)).concat(terms.map((term) => body.indexOf(term)));
    const place = places.find((found) => found >= 0) ?? 0;
    const start = place < 50 ? 0 : body.lastIndexOf(" ", place - 40) + 1;
    return (start ? "… " : "") + item.body.slice(start, start + 150) + (item.body.length > start + 150 ? " …" : "");
  };

  const line = (name, ...content) => {
    const element = document.createElement("span");
    element.className = name;
    element.append(...content);
    return element;
  };

  const option = (item, number, terms) => {
    const element = document.createElement("li");
    element.id = `hit-${number}`;
    element.setAttribute("role", "option");
    element.setAttribute("aria-selected", "false");
    const place = item.place && item.place !== item.title ? [line("hit-place", ` in ${item.place}`)] : [];
    const title = line("hit-title", marked(item.title, terms));
    element.append(line("hit-head", line("hit-kind", item.kind), " ", title, ...place));
    if (item.body) element.append(line("hit-text", marked(snippet(item, terms), terms)));
    element.addEventListener("click", () => go(number));
    return element;
  };

  const show = (open) => {
    list.hidden = !open || !hits.length;
    status.hidden = !open;
    field.setAttribute("aria-expanded", String(open && hits.length > 0));
    if (!open) select(-1);
  };

  const select = (number) => {
    const options = list.children;
    if (options[active]) options[active].setAttribute("aria-selected", "false");
    active = number;
    if (!options[active]) { field.removeAttribute("aria-activedescendant"); return; }
    options[active].setAttribute("aria-selected", "true");
    options[active].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", options[active].id);
  };

  const counted = () => {
    if (!hits.length) return "No hits";
    const total = hits.length === 1 ? "1 hit" : `${hits.length} hits`;
    return hits.length > MOST ? `${total}, the best ${MOST} shown` : total;
  };

  const search = () => {
    const terms = [...new Set(field.value.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean))];
    index ??= build();
    hits = !terms.length ? [] : index.map((item) => ({ item, rank: score(item, terms) })).filter(({ rank }) => rank)
      .sort((a, b) => b.rank - a.rank).map(({ item }) => item);
    active = -1;
    list.replaceChildren(...hits.slice(0, MOST).map((item, number) => option(item, number, terms)));
    list.scrollTop = 0;
    status.textContent = terms.length ? counted() : "";
    show(terms.length > 0);
  };

  const go = (number) => {
    const { target } = hits[number];
    show(false);
    if (location.hash === `#${target.id}`) target.scrollIntoView(); else location.hash = target.id;
    if (!target.hasAttribute("tabindex")) target.tabIndex = -1;
    target.focus({ preventScroll: true });
  };

  const KEYS = {
    ArrowDown: (most) => select(active < most ? active + 1 : 0),
    ArrowUp: (most) => select(active > 0 ? active - 1 : most),
    Enter: () => { if (hits.length) go(Math.max(active, 0)); },
    Escape: () => { if (list.hidden && status.hidden) { field.value = ""; field.blur(); } else show(false); },
  };

  field.addEventListener("keydown", (event) => {
    const act = KEYS[event.key];
    if (!act || event.isComposing) return;
    event.preventDefault();
    act(list.children.length - 1);
  });
  field.addEventListener("input", search);
  field.addEventListener("focus", () => { if (field.value.trim()) search(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("focusout", (event) => { if (!form.contains(event.relatedTarget)) show(false); });
  // A click on a hit must not take the focus away before it arrives.
  list.addEventListener("mousedown", (event) => event.preventDefault());
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest && event.target.closest("input, select, textarea, [contenteditable]")) return;
    event.preventDefault();
    field.focus();
    field.select();
  });
  form.hidden = false;
})();
