// What scrolls sideways can be reached with the keyboard; commands can be copied; what a link points to is opened.
(() => {
  "use strict";
  const inline = [...document.querySelectorAll("main math:not([display='block'])")];
  const fixed = [...document.querySelectorAll(".table-frame, .figure-frame, math[display='block'], main pre")];

  const title = (frame) => {
    if (frame.matches("math")) return "Formula, scrolls sideways";
    if (frame.matches(".figure-frame")) {
      const label = frame.parentElement.querySelector(".caption-label");
      return `${label ? label.textContent.replace(/\.$/, "") : "Figure"}, scrolls sideways`;
    }
    const caption = frame.querySelector("caption");
    return caption ? `Table, scrolls sideways: ${caption.textContent.trim().slice(0, 80)}` : "Scrolls sideways";
  };

  // Formulas do not wrap: one that is wider than its line gets a line of its own.
  const widen = () => {
    inline.forEach((formula) => formula.classList.remove("wide"));
    const wide = inline.filter((formula) => {
      const block = formula.parentElement.closest("p, li, td, th, div, figcaption, caption, h2, h3, h4, h5");
      return formula.getBoundingClientRect().width > block.clientWidth;
    });
    wide.forEach((formula) => formula.classList.add("wide"));
    return wide;
  };

  const reach = () => {
    const frames = [...fixed, ...widen()];
    // All are measured before any is changed, which takes one layout instead of thousands.
    const scrolls = frames.map((frame) => frame.scrollWidth > frame.clientWidth);
    frames.forEach((frame, index) => {
      if (!scrolls[index]) { frame.removeAttribute("tabindex"); return; }
      frame.tabIndex = 0;
      if (frame.matches("math")) return;
      frame.setAttribute("role", "group");
      frame.setAttribute("aria-label", title(frame));
    });
  };

  const byHand = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };

  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch { return byHand(text); }
  };

  const addCopy = (command) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the command ${command.textContent}`);
    button.addEventListener("click", async () => {
      button.textContent = await copy(command.textContent) ? "Copied" : "Not copied";
      document.querySelector("#announcement").textContent = button.textContent;
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    command.after(button);
  };

  // A link may point into what is folded away.
  const open = () => {
    const target = document.getElementById(location.hash.slice(1));
    for (let fold = target && target.closest("main details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
  };

  document.querySelectorAll(".figure-source .command").forEach(addCopy);
  let timer = 0;
  addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(reach, 200); }, { passive: true });
  addEventListener("hashchange", open);
  addEventListener("load", reach);
  open();
})();
