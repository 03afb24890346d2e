// What every page needs: the REST interface, elements without HTML, and words.

const csrf = document.querySelector('meta[name="csrf"]')?.content ?? "";

/** Ask the REST interface; an error holds the sentence that it answered. */
export async function api(path, options = {}) {
  const headers = { ...(options.headers ?? {}) };
  if (options.method && options.method !== "GET") headers["X-CSRF-Token"] = csrf;
  if (options.json !== undefined) {
    headers["Content-Type"] = "application/json";
    options = { ...options, body: JSON.stringify(options.json) };
  }
  const answer = await fetch(`/api${path}`, { ...options, headers });
  if (answer.status === 401) location.assign("/enter");
  const text = await answer.text();
  if (!answer.ok) throw new Error(detailOf(text) || `The server answered ${answer.status}.`);
  return text && answer.headers.get("content-type")?.includes("json") ? JSON.parse(text) : text;
}

export function token() { return csrf; }

export function detailOf(text) {
  try {
    const { detail } = JSON.parse(text);
    return typeof detail === "string" ? detail : detail.map((one) => one.msg).join("; ");
  } catch { return ""; }
}

/** Make an element: attributes, listeners by `on…`, and children; text is never read as HTML. */
export function el(name, attributes = {}, ...children) {
  const svg = ["svg", "path", "rect", "line", "polyline", "text", "title", "g", "circle"].includes(name);
  const made = svg && name !== "title" ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "value") made.value = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

export const $ = (id) => document.getElementById(id);

/** Say something to whoever looks or listens. */
export function tell(text, bad = false) {
  const told = $("told");
  told.textContent = text;
  told.classList.toggle("bad", bad);
  told.classList.toggle("shown", Boolean(text));
  clearTimeout(tell.timer);
  if (text && !bad) tell.timer = setTimeout(() => told.classList.remove("shown"), 6000);
}

/** Do something that may fail, and say why it did. */
export async function attempt(work) {
  try { return await work(); } catch (error) { tell(error.message, true); return undefined; }
}

export function when(seconds) {
  if (!seconds) return "";
  return new Date(seconds * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

export const percent = (share) => `${Math.round(share * 100)} %`;
export const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** A label's colour, from least to most severe, as in the report. */
export function colour(classes, label) {
  const place = classes.indexOf(label);
  if (place < 0) return "";
  return classes.length === 2 && place === 1 ? "c2" : `c${place % 5}`;
}

export const tag = (classes, label) => el("span", { class: `tag ${colour(classes, label)}` }, label);

export const STATES = {
  receiving: "Being received", waiting: "Waiting", working: "Being judged",
  done: "Done", ignored: "Not wanted", aside: "Set aside",
};

/** Follow the worklist; `changed` is called with the counts and the progress. */
export function follow(changed) {
  const source = new EventSource("/api/events");
  source.addEventListener("message", (event) => changed(JSON.parse(event.data)));
  return source;
}

export function progressOf(progress) {
  if (!progress) return null;
  const { title, done, total } = progress;
  return el("div", { class: "working" },
    el("progress", { max: total || 1, "aria-label": title, ...(total ? { value: done } : {}) }),
    el("span", { class: "meta" }, total ? `${title}: ${done} of ${total}` : title));
}
