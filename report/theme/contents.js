// The table of contents follows the reader; sections are walked through one by one.
(() => {
  "use strict";
  const contents = document.querySelector(".contents");
  const nav = contents.querySelector("nav");
  const entries = [...nav.querySelectorAll("a[href^='#']")]
    .map((link) => ({ link, section: document.getElementById(decodeURIComponent(link.hash.slice(1))) }))
    .filter((entry) => entry.section);
  const wide = matchMedia("(min-width: 72rem)");
  const opened = new Set();
  let at = null;

  const plain = (link) => link.textContent.trim().replace(/\s+/g, " ");

  const expand = (item, open) => {
    item.classList.toggle("collapsed", !open);
    item.querySelector(":scope > .toggle").setAttribute("aria-expanded", String(open));
  };

  const addToggle = (item) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "toggle";
    button.setAttribute("aria-label", `Sections of ${plain(item.querySelector("a"))}`);
    button.addEventListener("click", () => {
      const open = item.classList.contains("collapsed");
      if (open) opened.add(item); else opened.delete(item);
      expand(item, open);
    });
    item.prepend(button);
    expand(item, false);
  };

  const parents = [...nav.querySelectorAll("li")].filter((item) => item.querySelector(":scope > ul"));
  parents.forEach(addToggle);

  // The last section that begins above the upper quarter of the window; tops are in the order of the document.
  const reached = () => {
    const padding = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop);
    const limit = Math.max(innerHeight / 4, padding + 4);
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[middle].section.getBoundingClientRect().top <= limit) low = middle + 1; else high = middle;
    }
    return low - 1;
  };

  const reveal = (link) => {
    const box = nav.getBoundingClientRect();
    const place = link.getBoundingClientRect();
    if (place.top < box.top || place.bottom > box.bottom) nav.scrollTop += place.top - box.top - box.height / 3;
  };

  const follow = () => {
    const now = reached();
    if (now === at) return;
    if (entries[at]) entries[at].link.removeAttribute("aria-current");
    at = now;
    const link = entries[at] && entries[at].link;
    parents.forEach((item) => expand(item, opened.has(item) || item.contains(link || null)));
    if (link) {
      link.setAttribute("aria-current", "true");
      if (contents.open) reveal(link);
    }
    step("previous", entries[at - 1]);
    step("next", entries[at + 1]);
  };

  const step = (direction, entry) => {
    const link = document.querySelector(`.steps .${direction}`);
    link.href = entry ? entry.link.hash : "#top";
    const name = entry ? plain(entry.link) : "top of the page";
    link.title = direction === "next" ? `Next: ${name}` : `Previous: ${name}`;
    link.setAttribute("aria-label", link.title);
  };

  const neighbour = (entry, direction) => {
    const link = document.createElement("a");
    link.className = direction;
    link.href = entry.link.hash;
    link.textContent = plain(entry.link);
    return link;
  };

  // The sections, be they gathered in parts or not.
  const chapters = entries.filter(({ section }) => (section.matches(".level1")
    ? !section.matches(".part") : section.parentElement.matches(".part")));
  chapters.forEach(({ section }, index) => {
    const end = document.createElement("nav");
    end.className = "chapter-end";
    end.setAttribute("aria-label", `After section ${index + 1} of ${chapters.length}`);
    if (index > 0) end.append(neighbour(chapters[index - 1], "previous"));
    if (index + 1 < chapters.length) end.append(neighbour(chapters[index + 1], "next"));
    section.append(end);
  });

  let waiting = false;
  const later = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; follow(); });
  };
  const fit = () => { contents.open = wide.matches; later(); };
  const close = () => { if (!wide.matches) contents.open = false; };

  document.querySelector(".steps").hidden = false;
  addEventListener("scroll", later, { passive: true });
  addEventListener("resize", later, { passive: true });
  addEventListener("hashchange", later);
  wide.addEventListener("change", fit);
  contents.addEventListener("toggle", () => { if (contents.open && entries[at]) reveal(entries[at].link); });
  nav.addEventListener("click", (event) => { if (event.target.closest("a")) close(); });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || wide.matches || !contents.open) return;
    contents.open = false;
    contents.querySelector("summary").focus();
  });
  document.addEventListener("click", (event) => { if (!contents.contains(event.target)) close(); });
  fit();
  follow();
})();
