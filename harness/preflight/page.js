"use strict";
// Filters the table of phones by text and by result. Without script all rows are there.
(function () {
  const rows = Array.from(document.querySelectorAll("table.phones tbody tr"));
  const text = document.getElementById("filter");
  const result = document.getElementById("result");
  const count = document.getElementById("count");
  if (!text) return;

  function show() {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const content = row.textContent.toLowerCase();
      const hidden =
        (result.value && row.dataset.result !== result.value) || !words.every((word) => content.includes(word));
      row.hidden = hidden;
      shown += hidden ? 0 : 1;
    }
    count.textContent = shown.toLocaleString("en-US") + " of " + rows.length.toLocaleString("en-US");
  }

  text.addEventListener("input", show);
  result.addEventListener("change", show);
  document.querySelector(".tools").hidden = false;
  show();
})();
