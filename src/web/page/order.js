// The order as it flows: events become lines, each under its number, without a gap and once.

import { Backoff, element, get, number, shown } from "./dom.js";

const KEPT = 1500; // lines on the page; what is older can be fetched again
const FETCHED = 200;

const list = get("messages");
const flow = get("flow");
const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export class Order {
  #source = null;
  #next = null; // the number that comes next; null before the first look
  #logId = null;
  #waiting = []; // came, and is not drawn yet
  #drawing = false;
  #paused = false;
  #backoff = new Backoff();
  #timer = 0;
  #name = "";
  #digits = 3;

  // What the rest of the page does: onState(state, text), onDenied(), onLog(log), onEnd(next).
  constructor(calls) {
    this.calls = calls;
    flow.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    get("older").addEventListener("click", () => this.#earlier());
    get("newest").addEventListener("click", () => this.live());
  }

  // Lines of this sender are one's own.
  set name(name) {
    this.#name = name;
    for (const line of list.children) line.classList.toggle("mine", line.dataset.from === name);
  }

  get paused() {
    return this.#paused;
  }

  // Listens from where it was; from the last ones, if it was nowhere yet.
  listen() {
    clearTimeout(this.#timer);
    this.#source?.close();
    if (this.#paused) return;
    const from = this.#next ?? `last:${FETCHED}`;
    const source = new EventSource(`/messages?from=${from}`);
    this.#source = source;
    source.addEventListener("log", (event) => this.#opened(JSON.parse(event.data)));
    source.addEventListener("message", (event) => this.#take(JSON.parse(event.data)));
    source.addEventListener("skipped", (event) => this.#skip(JSON.parse(event.data)));
    source.addEventListener("error", () => this.#lost(source));
  }

  #opened(log) {
    this.#backoff.reset();
    if (this.#logId !== null && this.#logId !== log.log_id) {
      this.#source.close();
      this.calls.onState("over", "this is another log than before: reload the page");
      return;
    }
    this.#logId = log.log_id;
    // Before the first message, what comes next is what is there.
    this.#next ??= Math.max(log.oldest_order, log.next_order - FETCHED);
    this.calls.onLog(log);
    this.calls.onState("live", "live");
    get("empty").hidden = log.next_order > 0;
    this.#edges(log.oldest_order);
  }

  #lost(source) {
    source.close();
    if (source !== this.#source || this.#paused) return;
    this.calls.onState("away", "the broker is away; trying again");
    this.#timer = setTimeout(async () => {
      if (await this.calls.isDenied()) this.calls.onDenied();
      else this.listen();
    }, this.#backoff.next());
  }

  #take(message) {
    if (message.order < this.#next) return; // seen before
    if (message.order > this.#next) this.#skip({ from: this.#next, to: message.order });
    this.#next = message.order + 1;
    this.#waiting.push(message);
    // A page in the background draws nothing: it need not keep it all either.
    if (this.#waiting.length > 2 * KEPT) {
      const dropped = this.#waiting.splice(0, this.#waiting.length - KEPT);
      this.#waiting.unshift({ gap: `${number(dropped.length)} messages are not shown here` });
    }
    this.#draw();
  }

  #skip({ from, to }) {
    this.#waiting.push({ gap: `${number(to - from)} messages before ${number(to)} are no longer kept` });
    this.#next = to;
    this.#draw();
  }

  #draw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      const below = this.#isBelow();
      const drawn = document.createDocumentFragment();
      drawn.append(...this.#waiting.splice(0).map((message) => this.#line(message)));
      again(drawn, [...list.querySelectorAll("[data-order]")].at(-1));
      // What waits to be ordered stays last.
      list.insertBefore(drawn, list.querySelector(".pending"));
      get("empty").hidden = true;
      const surplus = list.children.length - KEPT;
      if (below && surplus > 0) {
        for (let left = surplus; left > 0; left -= 1) list.firstElementChild.remove();
      }
      this.#edges();
      if (below) flow.scrollTop = flow.scrollHeight;
      this.#newest(below);
      this.calls.onEnd(this.#next);
    });
  }

  #line(message) {
    if (message.gap) return element("li", { class: "gap" }, message.gap);
    const { order } = message;
    // A name that is not UTF-8 comes in base64.
    const from = message.from ?? `base64 ${message.from_base64}`;
    const kind = message.kind ?? (from === "Server" ? "notice" : "message");
    const mine = message.from === this.#name && kind === "message";
    const line = element("li", { "data-order": order, "data-from": from });
    // Numbers stand under one another, however long they get.
    const digits = String(order).length;
    if (digits > this.#digits) list.style.setProperty("--digits", (this.#digits = digits));
    line.className = [kind === "notice" && "notice", mine && "mine"].filter(Boolean).join(" ");
    line.append(element("span", { class: "order-number" }, String(order)));
    line.append(element("span", { class: "from", title: shown(from), dir: "auto" }, shown(from)));
    line.append(payload(message));
    if (message.time) {
      const at = new Date(message.time);
      line.append(element("time", { class: "time", datetime: message.time, title: at.toLocaleString() }, time.format(at)));
    }
    return line;
  }

  // A line that was said and has no number yet; the result takes it away.
  pending(from, text) {
    const line = element("li", { class: "pending mine" });
    line.append(element("span", { class: "order-number", title: "not ordered yet" }));
    line.append(element("span", { class: "from", dir: "auto" }, shown(from)));
    line.append(element("span", { class: "text" }, shown(text)));
    list.append(line);
    get("empty").hidden = true;
    flow.scrollTop = flow.scrollHeight;
    return () => line.remove();
  }

  pause() {
    if (this.#paused) return;
    this.#paused = true;
    this.#source?.close();
    clearTimeout(this.#timer);
    this.calls.onState("paused", "paused");
    this.#newest(false);
  }

  // Goes on with what comes; after a look at the past, from the last ones.
  live() {
    const looking = list.querySelector(".aim") !== null || this.#next === null;
    if (looking) {
      this.#clear();
      this.#next = null;
    }
    const wasPaused = this.#paused;
    this.#paused = false;
    flow.scrollTop = flow.scrollHeight;
    this.#newest(true);
    if (wasPaused || looking) this.listen();
  }

  // Shows a message among its neighbours, and stands still there.
  async show(wanted) {
    const from = Math.max(0, wanted - Math.floor(FETCHED / 4));
    const found = await fetched(from, FETCHED);
    if (found.length === 0) return false;
    this.pause();
    this.#clear();
    list.append(...found.map((message) => this.#line(message)));
    again(list);
    const exact = list.querySelector(`[data-order="${wanted}"]`);
    const aim = exact ?? list.firstElementChild;
    aim.classList.add("aim");
    aim.scrollIntoView({ block: "center" });
    this.#edges();
    flow.focus({ preventScroll: true });
    return exact !== null;
  }

  async #earlier() {
    const first = this.#first();
    if (first === null) return;
    const count = Math.min(FETCHED, first);
    const found = await fetched(first - count, count);
    const height = flow.scrollHeight - flow.scrollTop;
    list.prepend(...found.filter((message) => message.order < first).map((message) => this.#line(message)));
    again(list);
    flow.scrollTop = flow.scrollHeight - height;
    if (found.length === 0) this.#edges(first);
    else this.#edges();
  }

  #clear() {
    for (const line of [...list.children]) {
      if (!line.classList.contains("pending")) line.remove();
    }
    this.#waiting = [];
  }

  #first() {
    const line = list.querySelector("[data-order]");
    return line === null ? null : Number(line.dataset.order);
  }

  #edges(oldest) {
    if (oldest !== undefined) this.oldest = oldest;
    const first = this.#first();
    get("older").hidden = first === null || first <= (this.oldest ?? 0);
  }

  #isBelow() {
    return !this.#paused && flow.scrollHeight - flow.scrollTop - flow.clientHeight < 40;
  }

  #scrolled() {
    if (this.#isBelow()) this.#newest(true);
  }

  #newest(below) {
    const button = get("newest");
    button.hidden = below;
    button.textContent = this.#paused ? "Go on" : "Newest \u2193";
  }
}

// A name is said once for the lines that follow one another.
function again(lines, before) {
  for (const line of lines.children) {
    line.classList.toggle("again", line.dataset.from !== undefined && line.dataset.from === before?.dataset.from);
    before = line;
  }
}

function payload(message) {
  if (message.message !== undefined) {
    return element("span", { class: "text" }, shown(message.message));
  }
  const size = Math.floor((message.message_base64.replace(/=+$/, "").length * 3) / 4);
  return element("span", { class: "text bytes", title: message.message_base64.slice(0, 400) }, `${number(size)} bytes that are no text`);
}

// Messages that are there, as lines of JSON. What is no longer kept is left out.
async function fetched(from, count) {
  for (let tries = 0; tries < 2; tries += 1) {
    const answer = await fetch(`/messages?from=${from}&count=${count}&follow=false`, { headers: { accept: "application/x-ndjson" } });
    if (answer.ok) {
      const text = await answer.text();
      return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
    }
    const { detail } = await answer.json();
    if (answer.status !== 410) return [];
    count = Math.max(1, count - Math.max(0, detail - from));
    from = detail;
  }
  return [];
}
