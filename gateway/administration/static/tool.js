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

  // A running page or an active alert: its numbers and its phones move.
  const live = document.getElementById("live");
  if (!live || live.dataset.state === "ended") return;
  const SHOWN = 300;
  const phones = Number(live.dataset.phones);
  const wait = (ms) => new Promise((done) => setTimeout(done, ms));
  const byId = (id) => document.getElementById(id);
  const words = (name) => name.replaceAll("_", " ");
  const shown = (count) => count.toLocaleString("en");
  const good = new Set(["executed", "displayed", "acknowledged", "listed"]);
  const awaited = new Set(["waiting", "pushed"]);
  const style = (name) => (good.has(name) ? "good" : !name || awaited.has(name) ? "waiting" : "bad");

  const element = (tag, className, text) => {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const showOutcomes = (outcomes) => {
    const rows = Object.entries(outcomes).sort((a, b) => b[1] - a[1]);
    byId("outcomes").replaceChildren(...rows.map(([name, count]) => {
      const row = element("tr");
      row.dataset.outcome = name;
      const head = element("th", "", words(name));
      head.scope = "row";
      const meter = element("meter", style(name));
      meter.max = phones || 1;
      meter.value = count;
      const bar = element("td", "bar");
      bar.append(meter);
      row.append(head, element("td", "number", shown(count)), bar);
      return row;
    }));
    const answered = byId("answered");
    if (answered) answered.textContent = shown(rows.reduce((sum, row) => sum + row[1], 0));
  };

  let before = "";
  const showPhones = (list, total) => {
    const text = JSON.stringify(list);
    if (text === before) return;
    before = text;
    byId("results").replaceChildren(...list.map((phone) => {
      const row = element("tr");
      const outcome = phone.outcome === undefined ? phone.state : phone.outcome;
      row.append(
        element("td", "code", phone.phone),
        element("td", "code", phone.address || phone.directory_number || "\u2013"),
        element("td", style(outcome), phone.words),
      );
      return row;
    }));
    byId("total").textContent = total > list.length ? `${shown(list.length)} of ${shown(total)} shown` : "";
  };

  const asked = async (path) => {
    const answer = await fetch(path, { headers: { Accept: "application/json" } });
    if (answer.status === 401) location.reload();
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  const order = { acknowledged: 2, displayed: 1 };
  const round = async () => {
    const found = await asked(live.dataset.source);
    showOutcomes(found.outcomes);
    if (live.dataset.results) {
      const results = await asked(live.dataset.results);
      showPhones(results.phones, results.total);
    } else {
      const sorted = found.phones.sort(
        (a, b) => (order[a.state] || 0) - (order[b.state] || 0) || a.phone.localeCompare(b.phone),
      );
      showPhones(sorted.slice(0, SHOWN), sorted.length);
    }
    const note = byId("note");
    if (note) {
      note.hidden = !found.note;
      note.textContent = found.note || "";
    }
    const over = ["ended", "expired", "withdrawn"].includes(found.state);
    const state = byId("state");
    const text = found.reason || found.state;
    if (state.textContent !== text) state.textContent = text;
    state.className = "state " + (over ? "ended" : "playing");
    if (over && byId("stop")) byId("stop").hidden = true;
    return over;
  };

  const follow = async () => {
    for (;;) {
      await wait(phones > 2000 ? 2000 : 500);
      try {
        if (await round()) return;
      } catch {
        byId("state").textContent = "no answer from the gateway";
        await wait(2000);
      }
    }
  };
  follow();
})();
