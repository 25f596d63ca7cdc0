// Follows the theme of the Airflow page around this frame; loaded before the page is painted, so nothing flashes.
"use strict";
(() => {
  const outer = () => {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null;
    }
  };
  const follow = () => {
    const parent = outer();
    const isDark = parent ? parent.classList.contains("dark") : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.classList.toggle("dark", isDark);
  };
  follow();
  const parent = outer();
  if (parent) new MutationObserver(follow).observe(parent, { attributes: true, attributeFilter: ["class"] });
  else matchMedia("(prefers-color-scheme: dark)").addEventListener("change", follow);
})();
