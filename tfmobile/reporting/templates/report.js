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

  var copy = document.getElementById("copy");
  var command = document.getElementById("command");
  copy.hidden = false;
  function select() {
    var range = document.createRange();
    range.selectNodeContents(command);
    var selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }
  function done() {
    copy.textContent = "Copied";
    setTimeout(function () { copy.textContent = "Copy"; }, 1600);
  }
  copy.addEventListener("click", function () {
    if (navigator.clipboard) {
      navigator.clipboard.writeText(command.textContent).then(done, select);
    } else {
      select();
      if (document.execCommand("copy")) done();
    }
  });

  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (one) { one.open = true; });
  });
})();
