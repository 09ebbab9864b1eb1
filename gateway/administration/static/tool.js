"use strict";
// Two helpers; every page works without them.
(() => {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
      button.textContent = "Copied";
    });
  }

  const live = document.getElementById("live");
  if (!live || live.dataset.state === "ended") return;
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const words = (name) => name.replaceAll("_", " ");
  const shown = (count) => count.toLocaleString("en");

  const showOutcomes = (outcomes, phones) => {
    const body = document.getElementById("outcomes");
    const rows = Object.entries(outcomes).sort((a, b) => b[1] - a[1]);
    body.replaceChildren(...rows.map(([name, count]) => {
      const row = document.createElement("tr");
      row.dataset.outcome = name;
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = words(name);
      const number = document.createElement("td");
      number.className = "number";
      number.textContent = shown(count);
      const bar = document.createElement("td");
      bar.className = "bar";
      const meter = document.createElement("meter");
      meter.max = phones || 1;
      meter.value = count;
      meter.className = name === "executed" ? "good" : "bad";
      bar.append(meter);
      row.append(head, number, bar);
      return row;
    }));
    document.getElementById("answered").textContent = shown(rows.reduce((sum, row) => sum + row[1], 0));
  };

  const follow = async () => {
    for (;;) {
      await wait(500);
      let page;
      try {
        const answer = await fetch(live.dataset.source, { headers: { Accept: "application/json" } });
        if (answer.status === 401) { location.reload(); return; }
        if (!answer.ok) continue;
        page = await answer.json();
      } catch {
        document.getElementById("state").textContent = "no answer from the gateway";
        await wait(2000);
        continue;
      }
      showOutcomes(page.outcomes, page.phones);
      const state = document.getElementById("state");
      const text = page.reason || page.state;
      if (state.textContent !== text) state.textContent = text;
      state.className = "state " + page.state;
      if (page.state === "ended") {
        const stop = document.getElementById("stop");
        if (stop) stop.hidden = true;
        return;
      }
    }
  };
  follow();
})();
