// What every part of the page uses. Text goes into the page as text, never as markup.

export const get = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function shape(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

export function say(id, text, kind = "") {
  const place = get(id);
  place.textContent = text;
  place.dataset.kind = kind;
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

export const number = (value) => whole.format(value).replaceAll(",", "\u202f");
export const compact = (value) => (value < 10000 ? number(value) : short.format(value));

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${value < 10 && at > 0 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

// Control characters and marks that turn the direction of text: shown, so that a message cannot
// pass for another. Line ends and tabs are what they are.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const escaped = (c) => `\\u{${c.codePointAt(0).toString(16)}}`;
export const shown = (text) => text.replace(HIDDEN, escaped);

export const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// Longer and longer, and never quite the same: pages that lost a broker must not all come at once.
export class Backoff {
  #times = 0;
  reset() {
    this.#times = 0;
  }
  next() {
    const most = Math.min(5000, 400 * 2 ** this.#times);
    this.#times += 1;
    return most * (0.5 + Math.random() / 2);
  }
}
