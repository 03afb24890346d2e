// A run while it trains: networks, learning curves, the time left, its report.
import { $, api, attempt, duration, el, fill, plural } from "./common.js";

function curve(rows, key, kind, largest) {
  const values = rows.map((row) => row[key]).filter((value) => typeof value === "number");
  if (!values.length) return null;
  const x = (place) => 4 + 232 * (values.length > 1 ? place / (values.length - 1) : 0.5), y = (value) => 76 - 70 * Math.min(1, value / (largest || 1));
  const points = values.map((value, place) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return values.length > 1 ? el("polyline", { points, class: `line ${kind}` }) : el("circle", { cx: x(0), cy: y(values[0]), r: 3, class: `dot ${kind}` });
}

function network(one, epochs) {
  const rows = one.epochs, last = rows.at(-1) ?? {}, losses = rows.map((row) => row.loss ?? 0);
  const [, , view] = one.name.split("/");
  const text = `${view ?? one.name}: ${one.done ? "trained" : `epoch ${rows.length} of ${epochs}`}`;
  return el("article", { class: "card net", "data-network": one.name },
    el("h3", { class: "flush" }, view ?? one.name), el("p", { class: "meta" }, one.name),
    el("svg", { viewBox: "0 0 240 80", role: "img", "aria-label": `${text}; loss ${last.loss?.toFixed(2) ?? "unknown"}, accuracy ${last.accuracy?.toFixed(2) ?? "unknown"}` },
      el("line", { x1: 4, x2: 236, y1: 76, y2: 76, class: "gridline" }), curve(rows, "loss", "c0", Math.max(...losses, 1e-9)), curve(rows, "accuracy", "c2", 1)),
    el("p", { class: "legend" }, el("span", {}, el("i", { class: "key c0" }), ` Loss ${last.loss?.toFixed(3) ?? "–"}`), el("span", {}, el("i", { class: "key c2" }), ` Training accuracy ${last.accuracy?.toFixed(2) ?? "–"}`)),
    el("p", { class: "note" }, one.done ? `Trained: ${plural(rows.length, "epoch")}` : `Epoch ${rows.length} of ${epochs}`));
}

function tile(name, value) { return el("div", { class: "card tile" }, el("p", { class: "meta" }, name), el("p", { class: "value" }, value)); }

async function look() {
  const run = await attempt(() => api("/run"));
  if (!run) return;
  $("name").textContent = run.name;
  document.title = `${run.name} · echokit`;
  const done = run.networks.filter((one) => one.done).length;
  $("meta").textContent = [`recipe ${run.recipe || "unknown"}`, run.started && `begun ${run.started.replace("T", " ").slice(0, 16)} UTC`, run.synthetic ? "synthetic cohort" : ""].filter(Boolean).join(" · ");
  fill($("summary"), tile("State", run.finished ? "Finished" : "Training"), tile("Networks", `${done} of ${run.planned || "?"}`),
    tile("Time left", run.finished ? "none" : run.seconds_left === null ? "not known yet" : `about ${duration(run.seconds_left)}`));
  $("report").hidden = !run.report;
  fill($("networks"), run.networks.map((one) => network(one, run.epochs)));
  $("none").hidden = run.networks.length > 0;
  fill($("stages"), run.stages.map((one) => el("li", {}, el("strong", {}, one.name ?? ""), one.done ? ` · done${one.seconds ? ` in ${duration(one.seconds)}` : ""}` : " · under way")));
  if (!run.finished) setTimeout(look, 2000);
}
await look();
