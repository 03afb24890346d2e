// The worklist: drop a study, follow the queue, search, sort, delete.
import { $, STATES, api, attempt, colour, detailOf, el, fill, follow, plural, progressOf, tag, tell, token, when } from "./common.js";

let rows = [];
let classes = [];

function row(one) {
  const state = one.state === "done" && one.withheld ? "Done: read it to see the result" : STATES[one.state];
  const labels = one.labels.map((label) => el("span", { class: `tag ${colour(classes, label)}` }, label));
  const name = one.synthetic ? "Demo study (synthetic)" : one.patients.length ? one.patients.join(", ") : one.study;
  return el("li", { class: `row ${one.state}`, "data-study": one.study, "data-state": one.state },
    el("div", { class: "main" },
      el("a", { href: `/studies/${one.study}`, class: "name" }, name),
      el("p", { class: "meta" }, [`${when(one.received)}`, one.user, plural(one.files, "file"), one.clips ? plural(one.clips, "clip") : ""].filter(Boolean).join(" · ")),
      one.reason ? el("p", { class: "note" }, one.reason) : null,
      progressOf(one.progress)),
    el("div", { class: "labels" }, ...labels, el("span", { class: "state" }, state)),
    el("button", { type: "button", class: "quiet", "aria-label": `Delete ${name}`, onclick: () => remove(one, name) }, "Delete"));
}

async function remove(one, name) {
  if (!confirm(`Delete ${name}, with its files and its result? This cannot be undone.`)) return;
  await attempt(async () => { await api(`/studies/${one.study}`, { method: "DELETE" }); tell(`${name} is deleted.`); });
  await load();
}

async function load() {
  const asked = new URLSearchParams({ search: $("search").value, sort: $("sort").value, descending: String(!$("ascending").checked) });
  const got = await attempt(() => api(`/studies?${asked}`));
  if (!got) return;
  rows = got;
  const focused = document.activeElement?.closest?.(".row")?.dataset.study;
  const was = document.activeElement?.className;
  fill($("rows"), rows.map(row));
  if (focused) document.querySelector(`[data-study="${focused}"] ${was === "quiet" ? "button" : "a"}`)?.focus();
  $("none").hidden = rows.length > 0;
}

function send(files) {
  if (!files.length) return;
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  const bar = $("sent"), request = new XMLHttpRequest();
  bar.hidden = false;
  request.open("POST", "/api/studies");
  request.setRequestHeader("X-CSRF-Token", token());
  request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) { bar.max = event.total; bar.value = event.loaded; } });
  request.addEventListener("loadend", () => {
    bar.hidden = true;
    if (request.status === 201) {
      const { study } = JSON.parse(request.responseText);
      sessionStorage.setItem(`names-${study}`, JSON.stringify(files.map((file) => file.name)));
      tell(`${plural(files.length, "file")} received. The study waits to be judged.`);
    } else tell(detailOf(request.responseText) || "The files could not be sent: is the server running?", true);
    load();
  });
  request.send(form);
}

/** Every file below what was dropped; folders are walked. */
async function walk(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) break;
    for (const one of some) found.push(...await walk(one));
  }
  return found;
}

const drop = $("drop");
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => {
  event.preventDefault();
  const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  send((await Promise.all(entries.map(walk))).flat());
});
for (const id of ["files", "folder"]) $(id).addEventListener("change", (event) => { send([...event.target.files]); event.target.value = ""; });

let timer;
$("filter").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(load, 150); });
$("filter").addEventListener("submit", (event) => event.preventDefault());

classes = (await attempt(() => api("/model")))?.classes ?? [];
await load();
follow(({ counts }) => {
  $("counts").textContent = ["waiting", "working", "done", "aside"].filter((state) => counts[state]).map((state) => `${counts[state]} ${STATES[state].toLowerCase()}`).join(" · ");
  load();
});
