(function () {
  "use strict";
  var facts = JSON.parse(document.getElementById("facts").textContent);
  var svg = document.querySelector("#canvas svg");
  var view = document.getElementById("view");
  var about = document.getElementById("about");
  var details = document.getElementById("details");
  var boxes = Array.prototype.slice.call(svg.querySelectorAll(".box"));
  var lines = Array.prototype.slice.call(svg.querySelectorAll(".line"));
  var drawing = svg.viewBox.baseVal;
  var area = { x: drawing.x, y: drawing.y, width: drawing.width, height: drawing.height };
  var scale = 1, left = 0, top = 0, chosen = -1, matches = [], shown = -1;
  svg.removeAttribute("viewBox");

  function show() {
    view.setAttribute("transform", "translate(" + left + "," + top + ") scale(" + scale + ")");
  }
  function size() { return svg.getBoundingClientRect(); }
  function fit() {
    var room = size();
    scale = Math.min(room.width / area.width, room.height / area.height, 1.2);
    left = (room.width - area.width * scale) / 2 - area.x * scale;
    top = (room.height - area.height * scale) / 2 - area.y * scale;
    show();
  }
  function begin() {
    fit();
    if (scale >= 0.5) return;
    scale = 0.75;
    left = -area.x * scale;
    top = -area.y * scale;
    show();
  }
  function zoom(factor, x, y) {
    var next = Math.min(Math.max(scale * factor, 0.03), 4);
    left = x - (x - left) * next / scale;
    top = y - (y - top) * next / scale;
    scale = next;
    show();
  }
  function zoomMiddle(factor) { var room = size(); zoom(factor, room.width / 2, room.height / 2); }
  function bring(number) {
    var box = boxes[number].getBBox(), room = size(), move = boxes[number].transform.baseVal.consolidate().matrix;
    if (scale < 0.6) scale = 0.9;
    left = room.width / 2 - (move.e + box.width / 2) * scale;
    top = room.height / 2 - (move.f + box.height / 2) * scale;
    show();
  }

  svg.addEventListener("wheel", function (event) {
    event.preventDefault();
    var room = size(), step = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
    zoom(Math.exp(-step * 0.0016), event.clientX - room.left, event.clientY - room.top);
  }, { passive: false });

  var fingers = new Map(), moved = 0, pinch = 0;
  function spread() {
    var two = Array.from(fingers.values());
    return Math.hypot(two[0].x - two[1].x, two[0].y - two[1].y);
  }
  svg.addEventListener("pointerdown", function (event) {
    if (event.button) return;
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (fingers.size === 1) moved = 0;
    if (fingers.size === 2) pinch = spread();
  });
  svg.addEventListener("pointermove", function (event) {
    var before = fingers.get(event.pointerId);
    if (!before) return;
    var now = { x: event.clientX, y: event.clientY };
    moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    fingers.set(event.pointerId, now);
    if (fingers.size === 2) {
      var room = size(), two = Array.from(fingers.values()), wide = spread();
      zoom(wide / pinch, (two[0].x + two[1].x) / 2 - room.left, (two[0].y + two[1].y) / 2 - room.top);
      pinch = wide;
    } else if (moved > 4) {
      svg.setPointerCapture(event.pointerId);
      svg.classList.add("dragged");
      left += now.x - before.x;
      top += now.y - before.y;
      show();
    }
  });
  function lift(event) {
    fingers.delete(event.pointerId);
    if (!fingers.size) svg.classList.remove("dragged");
  }
  svg.addEventListener("pointerup", lift);
  svg.addEventListener("pointercancel", lift);

  function light(number, on) {
    lines.forEach(function (line) {
      if (+line.dataset.from === number || +line.dataset.to === number) line.classList.toggle("lit", on || chosen === number);
    });
  }
  function make(kind, text, style) {
    var made = document.createElement(kind);
    if (text) made.textContent = text;
    if (style) made.className = style;
    return made;
  }
  function links(title, numbers) {
    if (!numbers.length) return;
    details.appendChild(make("p", title, "muted"));
    var row = make("div", "", "links");
    numbers.forEach(function (number) {
      var button = make("button", facts[number].name || facts[number].title);
      button.addEventListener("click", function () { choose(number); bring(number); });
      row.appendChild(button);
    });
    details.appendChild(row);
  }
  function describe(number) {
    var box = facts[number];
    details.textContent = "";
    details.appendChild(make("h2", box.title));
    if (box.steps) details.appendChild(make("p", box.steps));
    if (box.name) details.appendChild(make("p", box.name, "muted"));
    if (box.warning) details.appendChild(make("p", box.warning, "bad"));
    links("Reads", box.from);
    links("Read by", box.to);
    box.operations.forEach(function (one) {
      details.appendChild(make("h3", one.op));
      details.appendChild(make("p", one.name, "muted"));
      var list = make("dl");
      one.facts.forEach(function (row) {
        list.appendChild(make("dt", row[0].replace(/_/g, "_\u200b")));
        list.appendChild(make("dd", row[1]));
      });
      details.appendChild(list);
    });
    if (box.more) details.appendChild(make("p", box.more, "muted"));
  }
  function choose(number) {
    var old = chosen;
    chosen = number;
    if (old >= 0) {
      boxes[old].classList.remove("chosen");
      light(old, false);
    }
    about.hidden = number >= 0;
    details.hidden = number < 0;
    if (number < 0) return;
    boxes[number].classList.add("chosen");
    light(number, true);
    describe(number);
    details.parentNode.scrollTop = 0;
  }
  boxes.forEach(function (box) {
    var number = +box.dataset.box;
    box.addEventListener("pointerenter", function () { light(number, true); });
    box.addEventListener("pointerleave", function () { light(number, false); });
    box.addEventListener("keydown", function (event) {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(number); bring(number); }
    });
  });
  svg.addEventListener("click", function (event) {
    if (moved > 4) return;
    var box = event.target.closest(".box");
    choose(box ? +box.dataset.box : -1);
  });

  var search = document.getElementById("search"), found = document.getElementById("found");
  function look() {
    var words = search.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    matches = [];
    shown = -1;
    boxes.forEach(function (box) {
      var number = +box.dataset.box;
      var hit = words.length > 0 && words.every(function (word) { return facts[number].text.indexOf(word) >= 0; });
      box.classList.toggle("match", hit);
      if (hit) matches.push(number);
    });
    svg.classList.toggle("searching", words.length > 0);
    found.textContent = words.length ? matches.length + " found" : "";
  }
  facts.forEach(function (box) {
    box.text = [box.title, box.steps, box.name].concat(box.operations.map(function (one) {
      return one.op + " " + one.name;
    })).join(" ").toLowerCase();
  });
  search.addEventListener("input", look);
  search.addEventListener("keydown", function (event) {
    if (event.key === "Escape") { search.value = ""; look(); search.blur(); }
    if (event.key !== "Enter" || !matches.length) return;
    shown = (shown + (event.shiftKey ? matches.length - 1 : 1)) % matches.length;
    if (shown < 0) shown = matches.length - 1;
    found.textContent = (shown + 1) + " of " + matches.length;
    choose(matches[shown]);
    bring(matches[shown]);
  });
  document.addEventListener("keydown", function (event) {
    if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { event.preventDefault(); search.focus(); }
    if (event.key === "Escape") choose(-1);
    if (event.key === "+" || event.key === "=") zoomMiddle(1.25);
    if (event.key === "-") zoomMiddle(0.8);
    if (event.key === "0") fit();
  });
  document.getElementById("closer").addEventListener("click", function () { zoomMiddle(1.25); });
  document.getElementById("farther").addEventListener("click", function () { zoomMiddle(0.8); });
  document.getElementById("fit").addEventListener("click", fit);

  var root = document.documentElement, dark = window.matchMedia("(prefers-color-scheme: dark)");
  document.getElementById("theme").addEventListener("click", function () {
    var current = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = current === "dark" ? "light" : "dark";
  });
  document.querySelector(".tools").hidden = false;
  begin();
})();
