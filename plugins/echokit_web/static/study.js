// One study: its result, its clips, corrections, readings, and what can be taken away.
import { $, STATES, api, attempt, colour, el, fill, follow, percent, plural, progressOf, tag, tell, when } from "./common.js";
import { Player } from "./player.js";

const root = $("study"), id = root.dataset.study;
const names = JSON.parse(sessionStorage.getItem(`names-${id}`) ?? "null");
let study, player, state = "";

function bars(classes, shares) {
  return el("div", { class: "probs" }, classes.flatMap((label) => {
    const share = shares[label] ?? 0;
    return [el("span", {}, label),
      el("svg", { viewBox: "0 0 100 9", preserveAspectRatio: "none", "aria-hidden": "true", class: "bar" }, el("rect", { width: 100, height: 9, class: "track" }), el("rect", { width: 100 * share, height: 9, class: `fill ${colour(classes, label)}` })),
      el("span", { class: "r" }, percent(share))];
  }));
}

function subjectCard(subject, result) {
  const { classes } = result, shares = subject.calibrated_probabilities ?? subject.probabilities;
  const level = percent(result.label_set_level ?? 0.9);
  const used = subject.views_used.length, all = used + subject.views_missing.length;
  const agree = subject.clips.filter((clip) => clip.label === subject.vote).length;
  return el("article", { class: `card verdict ${colour(classes, subject.label)}`, "data-label": subject.label },
    el("p", { class: "meta" }, `Patient ${subject.patient}${subject.study ? `, study ${subject.study}` : ""} · ${result.task}`),
    el("h2", { class: "label" }, subject.label),
    subject.not_judged ? el("p", { class: "why" }, el("strong", {}, "Why not judged: "), `${subject.not_judged}.`) : null,
    el("p", { class: "lead" }, el("strong", {}, subject.calibrated ? percent(shares[subject.vote]) : "Not calibrated"),
      subject.calibrated ? " calibrated probability" : `: uncalibrated probability ${percent(shares[subject.vote])}`),
    bars(classes, shares),
    subject.label_set ? el("p", {}, el("strong", {}, subject.label_set.length === classes.length ? "No label can be left out" : `Cannot be left out: ${subject.label_set.join(", ")}`), el("span", { class: "meta" }, ` (${level} label set)`)) : null,
    subject.calibrated ? null : el("p", { class: "note" }, result.uncalibrated),
    el("dl", {},
      el("dt", {}, "Agreement"), el("dd", {}, `${agree} of ${plural(subject.clips.length, "clip")}; among sequences ${percent(subject.confidence)}. Agreement is not accuracy.`),
      el("dt", {}, "Views used"), el("dd", {}, `${subject.views_used.join(", ") || "none"} (${used} of ${all})`),
      subject.views_missing.length ? el("dt", {}, "Views missing") : null,
      subject.views_missing.length ? el("dd", { class: "miss" }, subject.views_missing.join(", ")) : null));
}

function record(result) {
  const rows = result.record ?? [];
  if (!rows.length) return el("p", { class: "note" }, "How often these networks are right is not recorded.");
  const figure = (one) => one?.mean === undefined ? "–" : `${one.mean.toFixed(2)}${one.ci95 ? ` (${one.ci95.map((end) => end.toFixed(2)).join("–")})` : ""}`;
  return el("details", {}, el("summary", {}, "How often these networks were right"),
    el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "How often these networks were right" },
      el("table", {}, el("caption", {}, "On patients whom they did not learn from, with 95 % intervals."),
        el("thead", {}, el("tr", {}, ["Views", "Patients", "Weighted F1-score", "Balanced accuracy"].map((text) => el("th", { scope: "col" }, text)))),
        el("tbody", {}, rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.views), el("td", {}, `${row.n_subjects} ${row.patients}`), el("td", {}, figure(row.f1)), el("td", {}, figure(row.balanced_accuracy))))))));
}

function showResult() {
  const { result } = study;
  const parts = [];
  if (study.withheld) parts.push(el("div", { class: "card" }, el("h2", {}, "Read first"), el("p", {}, "The result is shown when you have said what you read in the clips.")));
  else if (result) parts.push(...result.subjects.map((subject) => subjectCard(subject, result)), result.subjects.length ? null : el("div", { class: "card verdict" }, el("h2", { class: "label" }, "Not judged"), el("p", { class: "why" }, el("strong", {}, "Why: "), result.rejected.map((one) => one.reason).join("; ") || "no clip could be used")), record(result));
  else if (study.state === "aside") parts.push(el("div", { class: "card verdict" }, el("h2", { class: "label" }, "Not judged"), el("p", { class: "why" }, el("strong", {}, "Why: "), study.reason), el("p", { class: "note" }, "Correct a view below, or exclude a file, and judge again.")));
  else parts.push(el("div", { class: "card" }, el("h2", {}, STATES[study.state]), progressOf(study.progress) ?? el("p", { class: "note" }, "It is judged when those before it are done. This page follows by itself."), study.reason ? el("p", { class: "note" }, study.reason) : null));
  fill($("result"), parts);
}

function showBanners() {
  const banners = [];
  if (study.synthetic) banners.push(el("p", { class: "banner warn" }, el("strong", {}, "Synthetic demo study: "), "simulated clips of no real heart."));
  else if (study.result?.synthetic_training) banners.push(el("p", { class: "banner warn" }, el("strong", {}, "Networks trained on a synthetic cohort: "), "software test only, no clinical validity."));
  for (const clip of (study.result?.subjects ?? []).flatMap((one) => one.clips)) {
    if (clip.judged_anyway) banners.push(el("p", { class: "banner bad" }, `Judged on request, although it should not be: ${clip.clip} is ${clip.judged_anyway}.`));
  }
  fill($("banners"), banners);
}

function fileRows() {
  const rows = new Map(), add = (number, values) => rows.set(number, { ...(rows.get(number) ?? {}), ...values });
  for (const clip of study.clips) add(clip.number, { view: clip.view ?? "", clip: clip.clip });
  for (const one of (study.result?.subjects ?? []).flatMap((subject) => subject.clips)) add(study.numbers[one.clip] ?? one.clip, { view: one.view, used: true, label: one.label, clip: one.clip });
  for (const one of study.result?.rejected ?? []) add(study.numbers[one.where] || one.where, { reason: one.reason, view: one.view ?? rows.get(study.numbers[one.where])?.view ?? "" });
  for (const [where, number] of Object.entries(study.numbers)) if (number && !rows.has(number)) add(number, { clip: where, reason: study.state === "aside" ? "it cannot be used" : "" });
  for (const number of study.excluded) add(number, { excluded: true, reason: "excluded by a user" });
  for (const said of study.corrections) if (rows.has(said.file) && said.view) add(said.file, { by: said.user, corrected: said.view });
  return [...rows].sort(([one], [other]) => one.localeCompare(other));
}

function showFiles() {
  const rows = fileRows(), can = (number) => /^\d{4}$/.test(number);
  const busy = !["done", "aside"].includes(study.state);
  fill($("files"),
    el("h2", { id: "files-title" }, "Files and views"),
    el("p", { class: "note" }, "Correct a view or exclude a file, and judge again: the networks are loaded, so that it takes seconds. Corrections are kept with your name."),
    rows.length ? el("form", { onsubmit: (event) => { event.preventDefault(); correct(event.target); } },
      el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Files" }, el("table", {},
        el("caption", {}, "Every file, used or not, and why."),
        el("thead", {}, el("tr", {}, ["File", "View", "Exclude", "Used"].map((text) => el("th", { scope: "col", class: "left" }, text)))),
        el("tbody", {}, rows.map(([number, row]) => el("tr", { "data-file": number },
          el("th", { scope: "row" }, el("code", {}, number), names?.[Number(number) - 1] && names.length >= rows.length ? el("small", {}, names[Number(number) - 1]) : null),
          el("td", { class: "left" }, can(number) ? el("select", { name: "view", "aria-label": `View of file ${number}`, disabled: busy, "data-was": row.corrected ?? "" },
            el("option", { value: "" }, row.corrected ? "as the file says" : row.view || "not known"),
            study.views.map((view) => el("option", { value: view, selected: row.corrected === view }, view))) : row.view || "–",
          row.by ? el("small", {}, `corrected by ${row.by}`) : null),
          el("td", { class: "left" }, can(number) ? el("input", { type: "checkbox", name: "excluded", checked: Boolean(row.excluded), disabled: busy, "aria-label": `Exclude file ${number}` }) : null),
          el("td", { class: "left wrap" }, row.used ? el("span", {}, "used: ", tag(study.classes, row.label)) : row.reason || (study.withheld ? "" : "not used"))))))),
      el("label", { class: "check" }, el("input", { type: "checkbox", name: "anyway", checked: study.corrections.some((one) => one.anyway) }), " Judge also clips that are unlike the training clips or of another view; each is marked"),
      el("p", {}, el("button", { class: "primary", type: "submit", disabled: busy }, "Judge again"))) : el("p", { class: "empty" }, "The files are listed when the study has been judged."));
}

async function correct(form) {
  const anyway = form.elements.anyway.checked, said = [];
  for (const row of form.querySelectorAll("tr[data-file]")) {
    const select = row.querySelector("select"), box = row.querySelector("input[name=excluded]");
    if (!select) continue;
    const before = study.corrections.find((one) => one.file === row.dataset.file);
    const now = { file: row.dataset.file, view: select.value, excluded: box.checked, anyway };
    if (now.view !== (before?.view ?? "") || now.excluded !== (before?.excluded ?? false) || anyway !== (before?.anyway ?? false)) said.push(now);
  }
  await attempt(async () => {
    await api(`/studies/${id}/corrections`, { method: "POST", json: said });
    tell("It is judged again.");
    await load();
  });
}

function showReading() {
  const { classes, readings } = study;
  // what is chosen and not yet kept stays chosen when the result comes meanwhile
  const chosen = $("reading").querySelector("input:checked")?.value;
  fill($("reading"),
    el("h2", { id: "reading-title" }, "Your reading"),
    el("p", { class: "note" }, study.withheld || !study.result ? "Say what you read before you see the result: it is kept as read blind." : "What you say now is kept as read with the result in sight."),
    el("form", { class: "choices", onsubmit: (event) => { event.preventDefault(); read(new FormData(event.target).get("label")); } },
      el("fieldset", {}, el("legend", { class: "vh" }, "What do you read?"),
        classes.map((label) => el("label", { class: `choice ${colour(classes, label)}` }, el("input", { type: "radio", name: "label", value: label, required: true, checked: label === chosen }), ` ${label}`))),
      el("button", { class: "primary", type: "submit" }, "Keep my reading")),
    readings.length ? el("ul", { class: "plain" }, readings.map((one) => el("li", {}, el("strong", {}, one.label), ` by ${one.user}, ${when(one.time)}, ${one.blind ? "read blind" : "with the result in sight"}`))) : null);
}

async function read(label) {
  await attempt(async () => {
    const said = await api(`/studies/${id}/readings`, { method: "POST", json: { label } });
    tell(`Kept: ${said.label}, ${said.blind ? "read blind" : "with the result in sight"}.`);
    $("reading").replaceChildren();
    await load();
  });
}

function showTake() {
  const base = `/api/studies/${id}/download`, link = (kind, text) => el("a", { class: "button", href: `${base}/${kind}`, download: kind !== "page" }, text);
  const done = Boolean(study.result);
  fill($("take"), el("h2", { id: "take-title" }, "Take the result away"),
    done ? el("div", { class: "buttons" }, link("json", "JSON"), link("page", "Page"), link("pdf", "PDF"), link("dicom-sr", "DICOM SR"), link("dicom-sc", "DICOM secondary capture"),
      root.dataset.send === "true" ? el("button", { type: "button", class: "primary", onclick: () => attempt(async () => { await api(`/studies/${id}/send`, { method: "POST" }); tell("Sent to the archive."); }) }, "Send to the archive") : null,
      root.dataset.beside ? el("button", { type: "button", onclick: beside }, `Beside run ${root.dataset.beside}`) : null) : el("p", { class: "note" }, "There is no result yet."),
    el("p", { class: "note" }, "PDF and DICOM objects need clips that are DICOM files. Your own reading and corrections are not in them."),
    el("div", { id: "other" }));
}

async function beside() {
  tell("The other run judges the study.");
  await attempt(async () => {
    const other = await api(`/studies/${id}/beside`, { method: "POST" });
    fill($("other"), el("h3", {}, `Run ${other.run}`), el("div", { class: "cards" }, other.subjects.map((subject) => subjectCard(subject, other))));
    tell("");
  });
}

async function load() {
  const got = await attempt(() => api(`/studies/${id}`));
  if (!got) return;
  study = got;
  const results = new Map((study.result?.subjects ?? []).flatMap((subject) => subject.clips).map((clip) => [clip.clip, clip]));
  $("title").textContent = study.synthetic ? "Demo study" : study.result?.study ?? "Study";
  $("meta").textContent = [study.patients.length ? study.patients.join(", ") : study.study, `received ${when(study.received)}`, study.user && `from ${study.user}`, study.finished && `judged ${when(study.finished)}`].filter(Boolean).join(" · ");
  document.title = `${$("title").textContent} · echokit`;
  showBanners(); showResult(); showFiles(); showReading(); showTake();
  $("player").hidden = !study.clips.length;
  if (study.clips.length) {
    player ??= new Player(id, $("player"), study.classes, (label) => colour(study.classes, label));
    if (player.stamp !== study.finished || player.blind !== study.withheld) {
      Object.assign(player, { stamp: study.finished, blind: study.withheld });
      player.show(study.clips, results);
    }
  }
  state = study.state;
}

await load();
let last = "";
follow(({ counts, progress }) => {
  const now = JSON.stringify([counts, progress[id] ?? null]);
  if (now !== last && !["done", "aside"].includes(state)) load();
  last = now;
});
