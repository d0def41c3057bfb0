(function () {
  "use strict";
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  function remember(value) { try { localStorage.setItem("tfmobile-theme", value); } catch (error) { /* private mode */ } }
  function recall() { try { return localStorage.getItem("tfmobile-theme"); } catch (error) { return null; } }
  var stored = recall();
  if (stored === "dark" || stored === "light") root.dataset.theme = stored;

  var theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", function () {
    var current = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = current === "dark" ? "light" : "dark";
    remember(root.dataset.theme);
  });

  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (one) { one.open = true; });
  });
})();
