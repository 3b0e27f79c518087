// The line to talk from. Each line gets a sequence of this name's own before it is sent, and is
// sent again under it until it is ordered: whatever happens to page, network or broker, once.

import { Backoff, get, say, wait } from "./dom.js";

const NAME = "orden-name";
const UNSENT = "orden-unsent";

const drawn = (count) => {
  const letters = "abcdefghijkmnpqrstuvwxyz23456789";
  const bytes = crypto.getRandomValues(new Uint8Array(count));
  return Array.from(bytes, (byte) => letters[byte % letters.length]).join("");
};

export class Talk {
  // A page, not a browser, has a name: what is said here must not meet another page's sequences.
  #claim = drawn(24);
  #last = null; // the last sequence that was ordered; null: to be asked
  #queue = [];
  #busy = false;
  #backoff = new Backoff();

  constructor(order, onDenied) {
    this.order = order;
    this.onDenied = onDenied;
    const stored = sessionStorage.getItem(NAME);
    get("name").value = stored ?? `guest-${drawn(4)}`;
    this.order.name = this.name;
    get("name").addEventListener("change", () => this.#renamed());
    get("talk").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#said();
    });
    for (const { name, sequence, text } of JSON.parse(sessionStorage.getItem(UNSENT) ?? "[]")) {
      this.#queue.push({ name, sequence, text, remove: this.order.pending(name, text) });
    }
    this.#work();
  }

  get name() {
    return get("name").value.trim();
  }

  #renamed() {
    sessionStorage.setItem(NAME, this.name);
    this.order.name = this.name;
    this.#last = null;
    say("talk-note", "");
  }

  #said() {
    const text = get("line").value;
    if (text === "" || this.name === "") return;
    sessionStorage.setItem(NAME, this.name);
    const remove = this.order.pending(this.name, text);
    this.#queue.push({ name: this.name, sequence: null, text, remove });
    get("line").value = "";
    say("talk-note", "");
    this.#keep();
    this.#work();
  }

  // A page that is loaded again knows what it has not heard of.
  #keep() {
    const kept = this.#queue.map(({ name, sequence, text }) => ({ name, sequence, text }));
    sessionStorage.setItem(UNSENT, JSON.stringify(kept));
  }

  async #work() {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#queue.length > 0) {
      const outcome = await this.#send(this.#queue[0]).catch(() => "again");
      if (outcome === "again") {
        say("talk-note", "Not ordered yet: the broker does not answer. Trying again.");
        await wait(this.#backoff.next());
      } else {
        this.#backoff.reset();
        this.#queue.shift().remove();
        this.#keep();
        if (outcome === "ordered") say("talk-note", "");
      }
    }
    this.#busy = false;
  }

  async #send(line) {
    const name = encodeURIComponent(line.name);
    if (this.#last === null || this.joined !== line.name) {
      const answer = await fetch(`/sessions?name=${name}&claim=${this.#claim}`, { method: "POST" });
      if (!answer.ok) return this.#refused(line, answer);
      this.#last = (await answer.json()).last_sequence;
      this.joined = line.name;
    }
    // Kept before it is sent, or a page that ends in between would send it under another.
    if (line.sequence === null) {
      line.sequence = this.#last + 1;
      this.#keep();
    }
    const address = `/messages?name=${name}&sequence=${line.sequence}&claim=${this.#claim}`;
    const answer = await fetch(address, { method: "POST", body: line.text });
    if (!answer.ok) return this.#refused(line, answer);
    await answer.json();
    this.#last = Math.max(this.#last, line.sequence);
    return "ordered";
  }

  async #refused(line, answer) {
    if (answer.status === 401) {
      await this.onDenied();
      return "again";
    }
    const { error, text, detail } = await answer.json();
    if (answer.status === 503 || answer.status === 507) return "again";
    this.#last = null;
    const first = line.sequence === null;
    const reasons = {
      name_in_use: `A program is connected as ${line.name}: take another name.`,
      superseded: `Another page speaks as ${line.name} now. Send again to take the name back.`,
      sequence_reused: `Something else was said as ${line.name} meanwhile. Look whether this line was ordered, and send it again if not.`,
      sequence_gap: `The broker knows less of ${line.name} than before (it expects ${detail}). Look whether this line was ordered, and send it again if not.`,
      too_large: "This is more than a message can have.",
    };
    say("talk-note", reasons[error] ?? text, "bad");
    // Nothing is thrown away: the line is there to be sent again.
    if (get("line").value === "") get("line").value = line.text;
    else if (!first) console.warn("not ordered:", line.text);
    return "refused";
  }
}
