// The player: frames from sheets on a canvas, saliency above them, a timeline with marks.
import { el, fill, percent, plural } from "./common.js";

const ICONS = {
  play: "M7 4v16l13-8z", pause: "M7 4h4v16H7zM14 4h4v16h-4z",
  back: "M17 5v14l-9-7zM5 5h3v14H5z", next: "M7 5v14l9-7zM16 5h3v14h-3z",
};
const SPEEDS = [0.1, 0.25, 0.5, 1, 2];
const icon = (name) => el("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, el("path", { d: ICONS[name] }));

export class Player {
  /** @param study its name in addresses; @param root where the player is built. */
  constructor(study, root, classes, colourOf) {
    Object.assign(this, { study, root, classes, colourOf, frame: 0, playing: false, speed: 1, loop: true, zoom: 1, pan: [0, 0] });
    this.canvas = el("canvas", { class: "screen", tabindex: "0", role: "img" });
    this.play = el("button", { type: "button", class: "round primary", onclick: () => this.toggle() });
    this.range = el("input", { type: "range", min: 0, step: 1, value: 0, class: "frames", "aria-label": "Frame", oninput: () => { this.pause(); this.go(Number(this.range.value)); } });
    this.where = el("output", { class: "meta where" });
    this.over = el("input", { type: "checkbox", checked: true, onchange: () => this.draw() });
    this.opacity = el("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.75, "aria-label": "Opacity of the saliency", oninput: () => this.draw() });
    this.zoomer = el("input", { type: "range", min: 1, max: 4, step: 0.25, value: 1, "aria-label": "Zoom", oninput: () => { this.zoom = Number(this.zoomer.value); this.draw(); } });
    this.looper = el("input", { type: "checkbox", checked: true, onchange: () => { this.loop = this.looper.checked; } });
    this.speeds = el("select", { "aria-label": "Speed", onchange: () => { this.speed = Number(this.speeds.value); } },
      SPEEDS.map((one) => el("option", { value: one, selected: one === 1 }, `${one}×`)));
    this.tabs = el("div", { class: "tabs", role: "group", "aria-label": "Clips" });
    this.marks = el("div", { class: "marks" });
    this.votes = el("div", { class: "votes", role: "group", "aria-label": "Votes of the sequences" });
    this.about = el("div", { class: "about" });
    fill(root, this.tabs,
      el("div", { class: "stage" }, this.canvas),
      el("div", { class: "timeline" }, this.marks, this.range),
      this.votes,
      el("div", { class: "controls" },
        el("button", { type: "button", class: "round", "aria-label": "One frame back", title: "One frame back (←)", onclick: () => this.step(-1) }, icon("back")),
        this.play,
        el("button", { type: "button", class: "round", "aria-label": "One frame on", title: "One frame on (→)", onclick: () => this.step(1) }, icon("next")),
        this.where,
        el("label", {}, "Speed ", this.speeds),
        el("label", { class: "check" }, this.looper, " Loop"),
        el("label", {}, "Zoom ", this.zoomer),
        this.overLabel = el("span", { class: "pair" }, el("label", { class: "check" }, this.over, " Saliency"), this.opacity)),
      this.about,
      el("details", { class: "keys" }, el("summary", {}, "Keys"),
        el("p", { class: "note" }, "Space plays and pauses, ← and → step, Home and End go to the ends, L loops, S shows saliency, + and − zoom, Shift with an arrow moves the picture, 1 to 9 choose a clip.")));
    this.canvas.addEventListener("pointerdown", (event) => this.drag(event));
    document.addEventListener("keydown", (event) => this.key(event));
    matchMedia("(prefers-reduced-motion: reduce)").matches && (this.still = true);
    requestAnimationFrame((now) => this.tick(now));
  }

  /** Show these clips; `results` are those of the prediction, by name. */
  show(clips, results) {
    Object.assign(this, { clips, results });
    const wanted = clips.findIndex((clip) => clip.number === this.clip?.number);
    fill(this.tabs, clips.map((clip, place) => {
      const label = results.get(clip.clip)?.label;
      return el("button", { type: "button", class: "tab", "aria-pressed": "false", onclick: () => this.choose(place) },
        el("b", {}, results.get(clip.clip)?.view ?? clip.view ?? `File ${clip.number}`),
        label ? el("span", { class: `dot ${this.colourOf(label)}` }) : null,
        el("span", { class: "meta" }, label ?? (results.size ? "not used" : "")));
    }));
    const used = clips.findIndex((clip) => results.has(clip.clip));
    this.choose(Math.max(0, wanted < 0 ? used : wanted), !this.clip && !this.still);
  }

  choose(place, start = this.playing) {
    const clip = this.clips[place];
    if (!clip) return;
    this.clip = clip;
    this.result = this.results.get(clip.clip);
    [...this.tabs.children].forEach((tab, one) => tab.setAttribute("aria-pressed", String(one === place)));
    this.sheets = this.load("frames", clip.sheets);
    this.masks = clip.saliency ? this.load("saliency", Math.ceil(clip.saliency.length / clip.per_sheet)) : [];
    this.overLabel.hidden = !clip.saliency;
    this.canvas.width = clip.width; this.canvas.height = clip.height;
    this.canvas.setAttribute("aria-label", `Clip ${clip.number}, ${this.result?.view ?? clip.view ?? "view unknown"}, ${plural(clip.frames, "frame")}`);
    this.range.max = clip.frames - 1;
    this.frame = 0; this.pan = [0, 0];
    this.timeline(); this.describe();
    start ? this.start() : this.pause();
    this.go(0);
  }

  load(kind, count) {
    return Array.from({ length: count }, (_, place) => {
      const image = new Image();
      image.addEventListener("load", () => this.draw());
      image.src = `/api/studies/${this.study}/clips/${this.clip.number}/${kind}-${String(place).padStart(2, "0")}.webp?${this.stamp ?? ""}`;
      return image;
    });
  }

  /** Marks of end-systole and end-diastole, where saliency is, and the votes. */
  timeline() {
    const { clip, result } = this, share = (frame) => frame / Math.max(1, clip.frames - 1) * 1000;
    const mark = (kind, name) => (frame) => el("button", { type: "button", class: `mark ${kind}`, title: `${name}, frame ${frame}`, "aria-label": `${kind.toUpperCase()}: ${name.toLowerCase()}, frame ${frame}`, onclick: () => { this.pause(); this.go(frame); } }, kind.toUpperCase());
    const marks = [...clip.systole.map(mark("es", "End-systole")), ...clip.diastole.map(mark("ed", "End-diastole"))];
    const frames = [...clip.systole, ...clip.diastole];
    fill(this.marks, marks);
    marks.forEach((one, place) => one.style.setProperty("left", `${share(frames[place]) / 10}%`));
    this.marks.hidden = !marks.length;
    if (clip.saliency) {
      const band = el("span", { class: "band", title: "Frames with saliency" });
      band.style.left = `${share(clip.saliency.start) / 10}%`;
      band.style.width = `${(share(clip.saliency.start + clip.saliency.length - 1) - share(clip.saliency.start)) / 10}%`;
      this.marks.append(band); this.marks.hidden = false;
    }
    fill(this.votes, (result?.sequences ?? []).map((one) => el("button", {
      type: "button", class: `vote ${this.colourOf(one.label)}`, title: `Frame ${one.start}: ${one.label}`,
      "aria-label": `Sequence at frame ${one.start}: ${one.label}, ${percent(one.confidence)}`,
      onclick: () => { this.pause(); this.go(one.start); }, "data-start": one.start,
    })));
    this.votes.hidden = !result;
  }

  describe() {
    const { clip, result } = this, lines = [];
    if (result) {
      const tally = result.sequences.filter((one) => one.label === result.label).length;
      lines.push(`${tally} of ${plural(result.sequences.length, "sequence")}: ${result.label}. Agreement ${percent(result.confidence)}.`);
      lines.push({ file: "View: from the file.", network: `View: by the view network${result.view_confidence ? ` (${percent(result.view_confidence)})` : ""}.`, "--view": "View: set by the user." }[result.view_from] ?? "");
      const novelty = result.novelty;
      lines.push(novelty ? `${novelty.is_novel ? "Unlike" : "Like"} the clips that the network learned from.` : "Not compared with the clips that the network learned from.");
      lines.push(verdictOf(result.saliency));
      if (result.judged_anyway) lines.push(`Judged on request, although it should not be: ${result.judged_anyway}.`);
      if (result.unlearned) lines.push(`The network of this view did not learn: ${result.unlearned}.`);
    } else if (this.results.size) lines.push("This clip was not used; the reason stands below.");
    if (clip.length > clip.frames) lines.push(`The first ${clip.frames} of ${clip.length} frames are shown.`);
    lines.push(clip.systole.length || clip.diastole.length ? "End-systole (ES) and end-diastole (ED) are found from the motion, not measured." : "No heart beat was found in this clip.");
    fill(this.about, lines.filter(Boolean).map((line) => el("p", { class: "note" }, line)));
  }

  draw() {
    const { clip, canvas } = this;
    if (!clip) return;
    const context = canvas.getContext("2d"), { width, height } = clip;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = 1;
    context.fillStyle = "#0f1419"; context.fillRect(0, 0, width, height);
    const limit = (value, side) => Math.max(-side * (this.zoom - 1) / 2, Math.min(side * (this.zoom - 1) / 2, value));
    this.pan = [limit(this.pan[0], width), limit(this.pan[1], height)];
    context.setTransform(this.zoom, 0, 0, this.zoom, width / 2 + this.pan[0] - this.zoom * width / 2, height / 2 + this.pan[1] - this.zoom * height / 2);
    this.tile(context, this.sheets, this.frame);
    const place = clip.saliency ? this.frame - clip.saliency.start : -1;
    if (this.over.checked && place >= 0 && place < clip.saliency.length) {
      context.globalAlpha = Number(this.opacity.value);
      this.tile(context, this.masks, place);
    }
  }

  tile(context, sheets, frame) {
    const { width, height, columns, per_sheet } = this.clip, sheet = sheets[Math.floor(frame / per_sheet)], place = frame % per_sheet;
    if (sheet?.complete && sheet.naturalWidth) context.drawImage(sheet, place % columns * width, Math.floor(place / columns) * height, width, height, 0, 0, width, height);
  }

  go(frame) {
    this.frame = Math.max(0, Math.min(this.clip.frames - 1, frame));
    this.range.value = this.frame;
    const seconds = this.frame / this.clip.fps;
    this.range.setAttribute("aria-valuetext", `Frame ${this.frame} of ${this.clip.frames}, ${seconds.toFixed(2)} seconds`);
    this.where.textContent = `${this.frame + 1} / ${this.clip.frames} · ${seconds.toFixed(2)} s`;
    const length = this.result?.sequences?.[0] ? this.clip.saliency?.length ?? 1 : 1;
    for (const vote of this.votes.children) vote.classList.toggle("now", this.frame >= Number(vote.dataset.start) && this.frame < Number(vote.dataset.start) + length);
    this.draw();
  }

  tick(now) {
    if (this.playing && this.clip) {
      const step = 1000 / (this.clip.fps * this.speed);
      if (now - (this.last ?? 0) >= step) {
        this.last = now;
        const end = this.frame + 1 >= this.clip.frames;
        if (end && !this.loop) this.pause(); else this.go(end ? 0 : this.frame + 1);
      }
    }
    requestAnimationFrame((later) => this.tick(later));
  }

  start() { this.playing = true; this.button(); }
  pause() { this.playing = false; this.button(); }
  toggle() { this.playing ? this.pause() : this.start(); }
  step(by) { this.pause(); this.go(this.frame + by); }
  button() {
    fill(this.play, icon(this.playing ? "pause" : "play"));
    this.play.setAttribute("aria-label", this.playing ? "Pause" : "Play");
    this.play.title = `${this.playing ? "Pause" : "Play"} (space)`;
  }
  move(x, y) { this.pan = [this.pan[0] + x, this.pan[1] + y]; this.draw(); }
  enlarge(by) { this.zoomer.value = Number(this.zoomer.value) + by; this.zoom = Number(this.zoomer.value); this.draw(); }

  drag(event) {
    const scale = this.canvas.width / this.canvas.clientWidth;
    const on = (move) => this.move(move.movementX * scale, move.movementY * scale);
    const off = () => { removeEventListener("pointermove", on); removeEventListener("pointerup", off); };
    addEventListener("pointermove", on); addEventListener("pointerup", off);
    event.preventDefault(); this.canvas.focus();
  }

  key(event) {
    const target = event.target, typing = target.matches("input:not([type=checkbox]), select, textarea") || (event.key === " " && target.matches("button, a, input, summary"));
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !this.clip) return;
    const far = 20;
    const shifted = { ArrowLeft: () => this.move(far, 0), ArrowRight: () => this.move(-far, 0), ArrowUp: () => this.move(0, far), ArrowDown: () => this.move(0, -far) };
    const plain = {
      " ": () => this.toggle(), k: () => this.toggle(), ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1),
      Home: () => this.step(-1e9), End: () => this.step(1e9), "+": () => this.enlarge(0.5), "=": () => this.enlarge(0.5), "-": () => this.enlarge(-0.5),
      l: () => { this.looper.checked = this.loop = !this.loop; }, s: () => { this.over.checked = !this.over.checked; this.draw(); },
    };
    const chosen = /^[1-9]$/.test(event.key) ? () => this.choose(Number(event.key) - 1) : (event.shiftKey && shifted[event.key]) || plain[event.key];
    if (chosen && (event.shiftKey ? shifted[event.key] || event.key === "+" : true)) { event.preventDefault(); chosen(); }
  }
}

/** Whether the saliency of a clip can be trusted, in a sentence. */
function verdictOf(saliency) {
  if (!saliency) return "No saliency was made for this clip.";
  const verdict = saliency.scores?.verdict;
  if (verdict) return verdict.passed ? "This saliency map passed its tests." : "This saliency map failed its tests: do not read anything into it.";
  const record = saliency.record;
  return record ? `Saliency: this map was not tested; ${record.passed} of ${plural(record.maps, "map")} of this network passed their tests in its run.` : "Saliency: neither this map nor this network's others were tested. It may show nothing that the network used.";
}
