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

  let before = "";
  const showResults = async () => {
    const answer = await fetch(live.dataset.results, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const text = await answer.text();
    if (text === before) return;
    before = text;
    const found = JSON.parse(text);
    document.getElementById("results").replaceChildren(...found.phones.map((phone) => {
      const row = document.createElement("tr");
      for (const [content, style] of [
        [phone.phone, "code"],
        [phone.address, "code"],
        [phone.words, phone.outcome === "executed" ? "good" : phone.outcome ? "bad" : "waiting"],
      ]) {
        const cell = document.createElement("td");
        cell.className = style;
        cell.textContent = content;
        row.append(cell);
      }
      return row;
    }));
    document.getElementById("total").textContent =
      found.total > found.phones.length ? `${shown(found.phones.length)} of ${shown(found.total)} shown` : "";
  };

  const follow = async () => {
    for (;;) {
      await wait(Number(live.dataset.phones) > 2000 ? 2000 : 500);
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
      try { await showResults(); } catch { continue; }
      const note = document.getElementById("note");
      note.hidden = !page.note;
      note.textContent = page.note || "";
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
