// What an operator watches: rates and the sync's time over the last minute, members, disk, refusals.

import { bytes, compact, element, get, number, shape } from "./dom.js";

const EVERY = 2000;
const SAMPLES = 31; // a minute
const MEMBERS = 20;

export class Figures {
  #samples = [];
  #total = 0;

  constructor(calls) {
    this.calls = calls;
    this.#look();
    setInterval(() => document.hidden || this.#look(), EVERY);
  }

  async #look() {
    try {
      const answer = await fetch("/status");
      if (answer.status === 401) return this.calls.onDenied();
      if (answer.ok) this.#show(await answer.json());
      const sort = this.#total > MEMBERS ? "lag" : "name";
      const members = await fetch(`/members?sort=${sort}&limit=${MEMBERS}`);
      if (members.ok) this.#members(await members.json());
    } catch {
      this.#samples = []; // the broker is away, which the order says
    }
  }

  #show(status) {
    this.calls.onStatus(status);
    const at = performance.now() / 1000;
    // A broker that was started anew counts from 0.
    const last = this.#samples.at(-1);
    if (last && (status.ordered < last.ordered || status.epoch !== last.epoch)) this.#samples = [];
    this.#samples.push({ at, ...status });
    this.#samples = this.#samples.slice(-SAMPLES);
    this.#rate("ordered", (status) => status.ordered);
    this.#rate("delivered", (status) => status.delivered);
    this.#sync();
    this.#stream(status);
    this.#disk(status.log);
    this.#refused(status.refused);
    get("members-count").textContent = `${number(status.members.present)} here, ${number(status.members.away)} away`;
  }

  #steps(of) {
    return this.#samples.slice(1).map((sample, at) => of(this.#samples[at], sample));
  }

  #rate(name, count) {
    const rates = this.#steps((before, now) => (count(now) - count(before)) / (now.at - before.at));
    const rate = rates.at(-1);
    get(`${name}-rate`).textContent = rate === undefined ? "–" : compact(rate < 10 ? Math.round(rate * 10) / 10 : rate);
    spark(get(`${name}-line`), rates);
  }

  #sync() {
    const is = this.#samples.at(-1).sync !== undefined;
    get("sync-tile").hidden = !is;
    if (!is) return;
    let known = 0; // without a sync there is no time: the last one stands
    const times = this.#steps((before, now) => {
      const syncs = now.sync.count - before.sync.count;
      if (syncs > 0) known = (1000 * (now.sync.sum - before.sync.sum)) / syncs;
      return known;
    });
    const time = times.at(-1);
    get("sync-time").textContent = time ? time.toFixed(time < 10 ? 2 : 0) : "–";
    spark(get("sync-line"), times);
  }

  #stream({ stream, brokers, position }) {
    get("stream-section").hidden = stream === undefined;
    if (stream === undefined) return;
    get("stream-count").textContent = brokers.length === 1 ? "1 broker" : `${number(brokers.length)} brokers`;
    const why = stream.obstacle ? `Not ready: ${stream.obstacle}. ` : "";
    get("stream-text").textContent = `${why}${brokers.join(", ")}; position ${number(position)}, ${number(stream.behind)} behind`;
  }

  #disk(log) {
    get("disk-section").hidden = log === undefined;
    if (log === undefined) return;
    const meter = get("disk");
    const all = log.bytes + log.free_bytes;
    Object.assign(meter, { low: 0.8, high: 0.95, optimum: 0, value: all > 0 ? log.bytes / all : 0 });
    const files = log.segments === 1 ? "1 segment" : `${number(log.segments)} segments`;
    const full = log.full ? "Full: messages are refused. " : "";
    get("disk-text").textContent = `${full}${bytes(log.bytes)} in ${files}, ${bytes(log.free_bytes)} free`;
  }

  #refused(refused) {
    const reasons = Object.entries(refused).sort(([, a], [, b]) => b - a);
    const sum = reasons.reduce((sum, [, count]) => sum + count, 0);
    get("refused-section").hidden = sum === 0;
    get("refused-count").textContent = number(sum);
    const rows = reasons.map(([reason, count]) => element("tr", {}, element("td", {}, reason.replaceAll("_", " ")), element("td", {}, number(count))));
    get("refused").replaceChildren(...rows);
  }

  #members({ members, total }) {
    this.#total = total;
    const rows = members.map((member) => {
      const row = element("tr", { class: member.present ? "here" : "away" });
      const name = element("td", { title: `${member.name}, ${member.present ? "connected" : "away"}` }, element("span", { class: "dot" }), member.name);
      row.append(name, element("td", {}, member.dialect), lag(member));
      return row;
    });
    get("members").replaceChildren(...rows);
    get("members-more").hidden = total <= members.length;
    get("members-more").textContent = `the ${members.length} furthest behind of ${number(total)}`;
  }
}

function lag(member) {
  if (member.lag === undefined) {
    return element("td", { class: "right", title: "it only publishes" }, "–");
  }
  const behind = member.lag >= 1000 ? " behind" : "";
  const title = `${number(member.lag)} messages behind, ${number(member.in_flight)} of them on their way`;
  return element("td", { class: `right${behind}`, title }, compact(member.lag));
}

// A minute of values, the newest at the right edge, from 0 up.
function spark(place, values) {
  const [width, height, step] = [60, 24, 60 / (SAMPLES - 2)];
  const most = Math.max(...values, Number.EPSILON);
  const points = values.map((value, at) => {
    const x = width - (values.length - 1 - at) * step;
    return `${x.toFixed(2)},${(height - 1 - (value / most) * (height - 3)).toFixed(2)}`;
  });
  const base = shape("line", { class: "base", x1: 0, x2: width, y1: height, y2: height });
  if (points.length < 2) return place.replaceChildren(base);
  const first = points[0].split(",")[0];
  const under = shape("polygon", { class: "under", points: `${first},${height} ${points.join(" ")} ${width},${height}` });
  place.replaceChildren(base, under, shape("polyline", { class: "line", points: points.join(" ") }));
}
