"use strict";
// What a page can do beyond paper: read a chart's figures where the pointer stands; filter and sort the ledger, one page
// at a time, and open a phone's own timeline. Without script the charts, the checks and the ledger's first rows are there.
// All text goes in as text, never as markup.
(function () {
  function make(tag, text, name) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  }

  function node(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  function read(id) {
    const element = document.getElementById(id);
    return element && JSON.parse(element.textContent);
  }

  const grouped = (number, digits = 0) =>
    number.toLocaleString("en-US", { maximumFractionDigits: digits, minimumFractionDigits: 0 });

  // ---- charts ----

  const drawn = document.querySelectorAll("svg.chart");
  (read("chart-data") || []).forEach((chart, at) => readable(drawn[at], chart));

  function readable(svg, chart) {
    const [left, right, top, bottom] = chart.box;
    const line = node("path", { class: "cursor", d: "" });
    const out = make("p", undefined, "reading");
    out.setAttribute("aria-live", "polite");
    svg.append(line);
    svg.after(out);
    svg.setAttribute("tabindex", "0");
    let share = 0;

    function show() {
      const x = chart.log
        ? Math.pow(10, Math.log10(chart.low) + share * (Math.log10(chart.high) - Math.log10(chart.low)))
        : chart.low + share * (chart.high - chart.low);
      const place = left + share * (right - left);
      line.setAttribute("d", "M" + place.toFixed(1) + " " + top + "V" + bottom);
      const values = chart.series
        .filter((series) => series.x.length)
        .map((series) => series.name + " " + grouped(value(series, x), 1) + chart.y);
      out.textContent = "at " + grouped(x, x < 10 ? 3 : 1) + " " + chart.x + ": " + values.join(" · ");
    }

    // The last point that is not behind x holds, as the picture's steps do; a distribution has 0 % before its first.
    function value(series, x) {
      let low = 0;
      let high = series.x.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (series.x[middle] <= x) low = middle + 1;
        else high = middle;
      }
      return low ? series.y[low - 1] : chart.steps ? series.y[0] : 0;
    }

    function hide() {
      line.setAttribute("d", "");
      out.textContent = "";
    }

    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      share = Math.min(1, Math.max(0, (at - left) / (right - left)));
      show();
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -0.01, ArrowRight: 0.01, Home: -1, End: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      share = Math.min(1, Math.max(0, share + step));
      show();
    });
  }

  // ---- ledger ----

  const data = read("ledger-data");
  if (!data) return;
  const column = Object.fromEntries(data.columns.map((name, at) => [name, at]));
  const cells = data.cells.map((cell) => cell.values || cell.rows.map((place) => cell.known[place]));
  const size = cells.length ? cells[0].length : 0;
  const get = (row, name) => (name in column ? cells[column[name]][row] : "");
  const heads = Array.from(document.querySelectorAll("#ledger thead th"));
  const shown = heads.map((head) => head.dataset.column);
  const stories = new Set(data.stories);
  const body = document.querySelector("#ledger tbody");
  const filter = document.getElementById("filter");
  const state = document.getElementById("state");
  const count = document.getElementById("count");
  const more = document.getElementById("more");
  const PAGE = 200;
  let haystacks;
  let found = [];
  let listed = 0;
  let order = { name: "", down: false };

  function select() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !haystacks) {
      haystacks = Array.from({ length: size }, (_, row) => cells.map((cell) => cell[row]).join(" ").toLowerCase());
    }
    found = [];
    for (let row = 0; row < size; row++) {
      if (state.value && get(row, "state") !== state.value) continue;
      if (words.every((word) => haystacks[row].includes(word))) found.push(row);
    }
    if (order.name) found.sort(compared);
    listed = 0;
    body.replaceChildren();
    list(data.first);
  }

  // What is absent stands last in either direction: nothing was measured, which is not the least.
  function compared(one, other) {
    const [a, b] = [get(one, order.name), get(other, order.name)];
    if (a === "" || b === "") return (a === "") - (b === "") || one - other;
    const by = data.numbers.includes(order.name) ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true });
    return (order.down ? -by : by) || one - other;
  }

  function list(wanted) {
    const until = Math.min(found.length, listed + wanted);
    for (; listed < until; listed++) body.append(line(found[listed]));
    count.textContent = grouped(found.length) + " of " + grouped(size) + " " + data.rows +
      (listed < found.length ? ", first " + grouped(listed) + " shown" : "");
    more.hidden = listed >= found.length;
  }

  function line(row) {
    const line = document.createElement("tr");
    for (const name of shown) {
      const value = get(row, name);
      const style = data.numbers.includes(name) ? "number" : name === "why" ? "text" : "once";
      const cell = make(name === "phone" ? "th" : "td", undefined, style);
      if (name === "phone") {
        cell.scope = "row";
        const button = make("button", value, "phone");
        button.type = "button";
        button.setAttribute("aria-expanded", "false");
        button.addEventListener("click", () => toggle(line, row, button));
        cell.append(button);
      } else if (name === "state") {
        cell.append(make("span", value, data.worked.includes(value) ? "verdict pass" : "verdict fail"));
      } else {
        // As ledger_html._told: times to a tenth of a millisecond stand below each other.
        cell.textContent = name.endsWith("_ms") && value && !isNaN(value) ? Number(value).toFixed(1) : value;
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

  // Each line: what, whose colour, from, to; with an empty "to" it is a moment.
  function timeline(row) {
    const time = (name) => (name && get(row, name) !== "" ? Number(get(row, name)) : NaN);
    const by = get(row, "authorised_by");
    const spans = [
      ["push to answer", "gateway", "sent_ms", "answered_ms"],
      ["asks" + (by ? " " + by : ""), /callmanager/i.test(by) ? "callmanager" : "gateway",
        "authentication_asked_ms", "authentication_answered_ms"],
      ["executes", "phones", "executed_ms", ""],
      ["listens", "phones", "listening_ms", "stopped_ms"],
      ["shows it", "phones", "displayed_ms", ""],
      ["key pressed", "phones", "acknowledged_ms", ""],
      ["audio heard", "gateway", "first_packet_ms", "last_packet_ms"],
      ["stops", "phones", "stopped_ms", ""],
    ].map(([label, colour, from, to]) => ({ label, colour, from: time(from), to: to ? time(to) : NaN, open: Boolean(to) }))
      .filter((span) => Number.isFinite(span.from));
    const box = make("div");
    if (!spans.length) {
      box.append(make("p", "No times were recorded for this phone."));
      return box;
    }
    const ends = spans.flatMap((span) => [span.from, span.to]).filter(Number.isFinite);
    const first = Math.min(0, ...ends);
    const last = Math.max(...ends, first + 1);
    const place = (at) => 118 + ((at - first) / (last - first)) * 270;
    const figure = (at) => grouped(at, at < 100 ? 1 : 0);
    const told = (span) => figure(span.from) +
      (span.open ? " – " + (Number.isFinite(span.to) ? figure(span.to) : "never") : "");
    const svg = node("svg", { viewBox: "0 0 500 " + (spans.length * 24 + 24), role: "img" });
    svg.setAttribute("aria-label", spans.map((span) => span.label + " " + told(span) + " ms").join("; "));
    spans.forEach((span, at) => {
      const y = at * 24 + 14;
      svg.append(text(112, y + 4, "end", span.label));
      svg.append(node("path", { class: "grid", d: "M118 " + y + "H388" }));
      const from = place(span.from);
      const until = Number.isFinite(span.to) ? place(span.to) : from;
      svg.append(node("path", {
        class: "span " + span.colour,
        d: "M" + from.toFixed(1) + " " + y + "h" + Math.max(3, until - from).toFixed(1),
      }));
      svg.append(text(396, y + 4, "start", told(span)));
    });
    const under = spans.length * 24 + 16;
    svg.append(text(118, under, "start", figure(first)), text(388, under, "end", figure(last) + " ms after Send"));
    box.append(svg);
    if (stories.has(get(row, "phone"))) {
      const link = make("a", "Its story, as the witnesses recorded it");
      link.href = "#story-" + get(row, "phone");
      link.addEventListener("click", () => {
        document.getElementById("story-" + get(row, "phone")).open = true;
      });
      box.append(link);
    }
    return box;
  }

  function text(x, y, anchor, words) {
    const element = node("text", { x, y, "text-anchor": anchor });
    element.textContent = words;
    return element;
  }

  heads.forEach((head) => {
    const button = make("button", head.textContent, "sort");
    button.type = "button";
    button.addEventListener("click", () => {
      const name = head.dataset.column;
      order = order.name === name ? { name: order.down ? "" : name, down: !order.down } : { name, down: false };
      for (const each of heads) each.removeAttribute("aria-sort");
      if (order.name) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      select();
    });
    head.replaceChildren(button);
  });
  filter.addEventListener("input", select);
  state.addEventListener("change", select);
  more.addEventListener("click", () => list(PAGE));
  document.getElementById("tools").hidden = false;
  document.getElementById("hint").hidden = false;
  select();
})();
