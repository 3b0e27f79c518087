// The page: puts its parts together, and gives them keys.

import { get, number, say } from "./dom.js";
import { Figures } from "./figures.js";
import { Order } from "./order.js";
import { Talk } from "./talk.js";

const LOGGED_IN = "orden-logged-in";

function state(kind, text) {
  get("state").dataset.state = kind;
  get("state-text").textContent = text;
  const paused = kind === "paused";
  get("pause").setAttribute("aria-pressed", String(paused));
  get("pause-text").textContent = paused ? "Go on" : "Pause";
}

// Whether contents are not shown without the token.
async function isDenied() {
  try {
    return (await fetch("/status")).status === 401;
  } catch {
    return false; // it does not answer at all
  }
}

// Asks for the token, once, whoever needs it.
let asking = null;
function login() {
  asking ??= new Promise((done) => {
    const dialog = get("login");
    get("login-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const answer = await fetch("/login", { method: "POST", body: get("token").value }).catch(() => null);
      if (!answer?.ok) {
        say("login-note", answer?.status === 403 ? "This is not the token." : "The broker does not answer.", "bad");
        return;
      }
      sessionStorage.setItem(LOGGED_IN, "yes");
      location.reload();
      done();
    });
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.showModal();
  });
  return asking;
}

const order = new Order({
  onState: state,
  onDenied: login,
  isDenied,
  onLog(log) {
    get("log-id").textContent = log.log_id.slice(0, 8);
    get("log-id").title = log.log_id;
    get("epoch").textContent = log.epoch;
  },
  onEnd: (next) => (get("next-order").textContent = number(next)),
});

new Talk(order, login);
new Figures({
  onDenied: login,
  onStatus(status) {
    get("next-order").textContent = number(status.next_order);
    get("logout").hidden = sessionStorage.getItem(LOGGED_IN) === null;
  },
});

function toggle() {
  if (order.paused) order.live();
  else order.pause();
}
get("pause").addEventListener("click", toggle);

get("goto").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wanted = Number.parseInt(get("goto-number").value, 10);
  if (!Number.isSafeInteger(wanted)) return;
  const found = await order.show(wanted).catch(() => false);
  get("where").textContent = found ? "" : `There is no ${number(wanted)} here.`;
});

get("notices").addEventListener("change", (event) => {
  get("messages").classList.toggle("without-notices", !event.target.checked);
});

get("show-figures").addEventListener("click", (event) => {
  const shown = document.body.classList.toggle("show-figures");
  event.currentTarget.setAttribute("aria-expanded", String(shown));
  event.currentTarget.textContent = shown ? "The order" : "Figures";
});

get("logout").addEventListener("click", async () => {
  await fetch("/logout", { method: "POST" });
  sessionStorage.removeItem(LOGGED_IN);
  location.reload();
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, button, dialog, summary");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && !event.target.closest("dialog")) {
    event.target.blur();
    order.live();
  } else if (!typing && event.key === " ") {
    event.preventDefault();
    toggle();
  } else if (!typing && event.key === "g") {
    event.preventDefault();
    get("goto-number").select();
  } else if (!typing && (event.key === "/" || event.key === "Enter")) {
    event.preventDefault();
    get("line").focus();
  }
});

order.listen();
