// The studies of one patient over time.
import { $, api, attempt, colour, el, fill, percent, when } from "./common.js";

const rows = ((await attempt(() => api("/studies?sort=received&descending=false"))) ?? []).filter((row) => row.state === "done");
const patients = [...new Set(rows.flatMap((row) => row.patients))].sort();
const choice = $("patient");
fill(choice, patients.map((patient) => el("option", { value: patient }, `${patient} (${rows.filter((row) => row.patients.includes(patient)).length})`)));
const asked = new URLSearchParams(location.search).get("patient");
if (patients.includes(asked)) choice.value = asked;

async function show() {
  const patient = choice.value, studies = rows.filter((row) => row.patients.includes(patient));
  if (!studies.length) { fill($("studies"), el("p", { class: "empty" }, "No patient has a result yet.")); return; }
  const cards = [];
  for (const row of studies) {
    const study = await attempt(() => api(`/studies/${row.study}`));
    if (!study) continue;
    const { classes } = study;
    for (const subject of (study.result?.subjects ?? []).filter((one) => one.patient === patient)) {
      const shares = subject.calibrated_probabilities ?? subject.probabilities;
      cards.push(el("article", { class: `card verdict ${colour(classes, subject.label)}` },
        el("p", { class: "meta" }, `${when(row.received)}${subject.study ? ` · ${subject.study}` : ""}${row.synthetic ? " · synthetic" : ""}`),
        el("h2", { class: "label small" }, el("a", { href: `/studies/${row.study}` }, subject.label)),
        el("p", {}, `${percent(shares[subject.vote])} ${subject.calibrated ? "calibrated" : "uncalibrated"} probability`),
        el("p", { class: "note" }, `Label set: ${subject.label_set?.join(", ") ?? "none"}. Agreement among sequences ${percent(subject.confidence)}. Views used: ${subject.views_used.join(", ")}.`)));
    }
    if (study.withheld) cards.push(el("article", { class: "card" }, el("p", {}, el("a", { href: `/studies/${row.study}` }, "Read this study first"))));
  }
  fill($("studies"), cards);
}
choice.addEventListener("change", show);
$("choose").addEventListener("submit", (event) => event.preventDefault());
await show();
