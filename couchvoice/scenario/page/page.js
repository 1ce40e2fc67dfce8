"use strict";
// The page: which talk is shown, the table of all runs, light and dark.

const read = (name) => JSON.parse(document.getElementById(name).textContent);
const summary = read("summary-data");
let shown = null;

function show(number) {
  const run = summary.runs[number];
  document.querySelectorAll(".runs tr[data-run]").forEach((row) => row.classList.toggle("shown", row.dataset.run === String(number)));
  if (shown) shown.leave();
  shown = null;
  const place = document.getElementById("talk");
  if (run.detail === null) {
    place.replaceChildren(element("p", { class: "panel note" }, "This file holds no timeline of this talk: failures come first when there are many."));
  } else {
    shown = new TalkPage(read(`talk-${run.detail}`), place);
  }
  if (summary.runs.length > 1) place.prepend(element("h2", {}, badge(run.outcome), run.name, " ", element("span", { class: "time" }, pace(run))));
}

function head() {
  const title = document.getElementById("title"), subtitle = document.getElementById("subtitle");
  if (summary.runs.length === 1) {
    const [run] = summary.runs;
    title.append(badge(run.outcome), run.name);
    subtitle.textContent = `${run.began.replace("T", " ").replace("+00:00", " UTC")} · ${clock(run.seconds)} · ${pace(run)}`;
    return;
  }
  const failed = summary.runs.filter((run) => run.outcome !== "passed").length;
  title.append(badge(failed ? "failed" : "passed"), `${summary.runs.length} talks`);
  subtitle.textContent = failed ? `${failed} did not pass` : "all passed";
}

function cell(figures, name, of) {
  return element("td", { class: "number" }, figures[name] ? Math.round(figures[name][of]).toLocaleString("en") : "–");
}

function table(caption, columns, rows) {
  return element("div", { class: "panel" }, element("h2", {}, caption), element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": caption },
    element("table", { class: "runs" },
      element("thead", {}, element("tr", {}, ...columns.map((name, number) => element("th", { scope: "col", class: number ? "number" : "" }, name)))),
      element("tbody", {}, ...rows))));
}

function overview() {
  if (summary.runs.length === 1) return;
  const place = document.getElementById("summary"), names = inOrder(summary.figures);
  place.hidden = false;
  const columns = names.flatMap((name) => [`${figureName(name)} p50`, "p95"]);
  const numbers = (figures) => names.flatMap((name) => [cell(figures, name, "p50"), cell(figures, name, "p95")]);
  const cards = figureCards(summary.figures);
  if (cards) place.append(cards);
  if (summary.groups.length < summary.runs.length) {
    place.append(table("By scenario, all its runs together (ms)", ["Scenario", "Passed", ...columns], summary.groups.map((group) => element("tr", {},
      element("td", {}, group.name), element("td", { class: "number" }, `${group.passed} of ${group.runs}`), ...numbers(group.figures)))));
  }
  place.append(table("Every talk (ms)", ["Talk", "Length", ...columns], summary.runs.map((run, number) => element("tr", { "data-run": number },
    element("td", {}, badge(run.outcome), element("button", { class: "jump", type: "button", onclick: () => show(number) }, run.name)),
    element("td", { class: "number" }, clock(run.seconds)), ...numbers(run.figures)))));
}

function themes() {
  const button = document.getElementById("theme"), root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const tell = () => {
    button.textContent = isDark() ? "☀ Light" : "☾ Dark";
    if (shown) shown.timeline.draw();
  };
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; tell(); });
  dark.addEventListener("change", tell);
  tell();
}

head();
overview();
show(Math.max(0, summary.runs.findIndex((run) => run.outcome !== "passed")));
themes();
