(function () {
  "use strict";
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
})();
