// In the head, before anything is painted: that scripts run, and the colours that the reader chose.
(() => {
  "use strict";
  const KEY = "descent-report-theme";
  const THEMES = ["auto", "light", "dark"];
  const root = document.documentElement;

  // A page opened from a file may have no storage.
  const recall = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const remember = (theme) => { try { localStorage.setItem(KEY, theme); } catch { /* lasts as long as the page */ } };

  const current = () => root.dataset.theme || "auto";

  const apply = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
  };

  const label = (button) => {
    const next = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length];
    button.dataset.theme = current();
    button.title = `Colours: ${current()}. Change to ${next}.`;
    button.setAttribute("aria-label", button.title);
  };

  const toggle = (button) => {
    apply(THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length]);
    remember(current());
    label(button);
  };

  root.classList.add("js");
  apply(recall());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.querySelector(".theme");
    label(button);
    button.addEventListener("click", () => toggle(button));
  });
})();
