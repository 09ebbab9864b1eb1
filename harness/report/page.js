"use strict";
// The ledger's table: filter, one page at a time, and a phone's own timeline when its name is chosen.
// All text goes in as text, never as markup.
(function () {
  const data = JSON.parse(document.getElementById("ledger-data").textContent);
  const column = Object.fromEntries(data.columns.map((name, at) => [name, at]));
  const get = (row, name) => (name in column ? row[column[name]] : "");
  const shown = data.shown.filter((name) => name in column);
  const body = document.querySelector("#ledger tbody");
  const filter = document.getElementById("filter");
  const state = document.getElementById("state");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  const PAGE = 100;
  const haystacks = data.rows.map((row) => row.join(" ").toLowerCase());
  let found = [];
  let drawn = 0;

  function make(tag, text, name) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  }

  function select() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = [];
    data.rows.forEach((row, at) => {
      if (state.value && get(row, "state") !== state.value) return;
      if (words.every((word) => haystacks[at].includes(word))) found.push(row);
    });
    drawn = 0;
    body.replaceChildren();
    draw();
  }

  function draw() {
    const until = Math.min(found.length, drawn + PAGE);
    for (; drawn < until; drawn++) body.append(line(found[drawn]));
    const grouped = (number) => number.toLocaleString("en-US");
    count.textContent = grouped(found.length) + " of " + grouped(data.rows.length) + " phones" +
      (drawn < found.length ? ", first " + grouped(drawn) + " shown" : "");
    more.hidden = drawn >= found.length;
  }

  function line(row) {
    const line = document.createElement("tr");
    for (const name of shown) {
      const value = get(row, name);
      const cell = make("td", undefined, data.numbers.includes(name) ? "number" : name === "why" ? "text" : "once");
      if (name === "phone") {
        const button = make("button", value, "phone");
        button.type = "button";
        button.setAttribute("aria-expanded", "false");
        button.addEventListener("click", () => toggle(line, row, button));
        cell.append(button);
      } else if (name === "state") {
        cell.append(make("span", value, data.worked.includes(value) ? "verdict pass" : "verdict fail"));
      } else {
        cell.textContent = value;
      }
      line.append(cell);
    }
    return line;
  }

  function toggle(line, row, button) {
    const next = line.nextElementSibling;
    if (next && next.classList.contains("detail")) {
      next.remove();
      button.setAttribute("aria-expanded", "false");
      return;
    }
    const detail = make("tr", undefined, "detail");
    const cell = make("td");
    cell.colSpan = shown.length;
    const sides = make("div", undefined, "sides");
    sides.append(timeline(row), facts(row));
    cell.append(sides);
    detail.append(cell);
    line.after(detail);
    button.setAttribute("aria-expanded", "true");
  }

  function facts(row) {
    const table = make("table");
    const rows = make("tbody");
    for (const name of data.columns) {
      if (get(row, name) === "") continue;
      const line = make("tr");
      const head = make("th", name.replaceAll("_", " ").replace(/ ms$/, " (ms)"));
      head.scope = "row";
      line.append(head, make("td", get(row, name)));
      rows.append(line);
    }
    table.append(rows);
    return table;
  }

  function timeline(row) {
    const time = (name) => (get(row, name) === "" ? NaN : Number(get(row, name)));
    const spans = [
      ["push", "gateway", "sent_ms", "answered_ms"],
      ["authentication", /callmanager/i.test(get(row, "authorised_by")) ? "callmanager" : "gateway", "authentication_asked_ms", "authentication_answered_ms"],
      ["until it listens", "phones", "sent_ms", "listening_ms"],
      ["until it hears", "phones", "listening_ms", "first_packet_ms"],
    ].map(([label, colour, from, to]) => ({ label, colour, from: time(from), to: time(to) }))
      .filter((span) => Number.isFinite(span.from) && Number.isFinite(span.to));
    const box = make("div");
    if (!spans.length) {
      box.append(make("p", "No times were recorded for this phone."));
      return box;
    }
    const first = Math.min(...spans.map((span) => span.from));
    const last = Math.max(...spans.map((span) => span.to), first + 1);
    const place = (at) => 110 + ((at - first) / (last - first)) * 290;
    const svg = node("svg", { viewBox: "0 0 440 " + (spans.length * 26 + 22), role: "img" });
    svg.setAttribute("aria-label", spans.map((s) => s.label + " " + s.from + " to " + s.to + " ms").join("; "));
    spans.forEach((span, at) => {
      const y = at * 26 + 14;
      svg.append(text(104, y + 4, "end", span.label));
      const width = Math.max(2, place(span.to) - place(span.from));
      svg.append(node("path", { class: "span " + span.colour, d: "M" + place(span.from).toFixed(1) + " " + y + "h" + width.toFixed(1) }));
    });
    const bottom = spans.length * 26 + 14;
    svg.append(text(110, bottom, "start", first + " ms"), text(400, bottom, "end", last + " ms after Send"));
    box.append(svg);
    return box;
  }

  function node(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  function text(x, y, anchor, words) {
    const element = node("text", { x, y, "text-anchor": anchor });
    element.textContent = words;
    return element;
  }

  filter.addEventListener("input", select);
  state.addEventListener("change", select);
  more.addEventListener("click", draw);
  document.getElementById("tools").hidden = false;
  select();
})();
