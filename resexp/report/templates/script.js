// Sorts a table by a click on a column's title, filters it by words, and tells lines apart by their legend.
"use strict";
const value = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.sort ?? cell.textContent;
  return text !== "" && isFinite(text) ? Number(text) : text;
};
const compare = (a, b) => {
  if (typeof a === typeof b) return typeof a === "number" ? a - b : a.localeCompare(b, "en", {numeric: true});
  return typeof a === "number" ? -1 : 1; // numbers come before words
};
for (const table of document.querySelectorAll("table.data")) {
  const body = table.tBodies[0];
  const titles = [...table.tHead.rows[0].cells];
  if (body.rows.length > 1) titles.forEach((title, column) => {
    const button = document.createElement("button");
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener("click", () => {
      const down = title.getAttribute("aria-sort") === "ascending";
      titles.forEach(other => other.removeAttribute("aria-sort"));
      title.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => compare(value(a, column), value(b, column)));
      body.append(...(down ? rows.reverse() : rows));
    });
  });
  if (body.rows.length > 8) {
    const filter = document.createElement("input");
    filter.type = "search";
    filter.className = "filter";
    filter.placeholder = "filter these " + body.rows.length + " rows";
    filter.setAttribute("aria-label", "filter the rows of: " + table.caption.textContent);
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/);
      for (const row of body.rows) {
        const text = [...row.cells].map(cell => cell.textContent).join(" ").toLowerCase();
        row.hidden = !words.every(word => text.includes(word));
      }
    });
    table.parentElement.before(filter);
  }
}
for (const legend of document.querySelectorAll(".legend")) {
  const lines = [...(legend.closest(".panel") ?? legend.closest(".drawing")).querySelectorAll(".line")];
  for (const entry of legend.querySelectorAll("[data-line]")) {
    const only = chosen => lines.forEach(line =>
      line.classList.toggle("faded", chosen && line.dataset.line !== entry.dataset.line));
    entry.addEventListener("pointerenter", () => only(true));
    entry.addEventListener("pointerleave", () => only(false));
  }
}
