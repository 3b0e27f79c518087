"""Takes the pictures of the page in docs/: a conversation at work, wide and narrow, light and dark."""

import pathlib
import sys
import time

from playwright.sync_api import sync_playwright
from stage import CHROMIUM, ROOT, Broker, Client, say, until

TALK = [
    ("ana", "hola a todos"),
    ("berta", "buenas, ana"),
    ("pedro", "The first batch is through, 18 400 records."),
    ("ana", "And the second?"),
    ("pedro", "Stopped at record 12 004: the scale at gate 3 sends nothing."),
    ("gate-3", '{"scale": 3, "state": "offline", "since": "14:02:11"}'),
    ("berta", "I am on my way there. ¿Alguien más cerca?"),
    ("ana", "No, go ahead. I hold the third batch until you say so."),
    ("gate-3", '{"scale": 3, "state": "online", "weight_kg": 0.0}'),
    ("berta", "It was the plug. It really was the plug."),
    ("pedro", "Second batch is running again, from where it was."),
    ("ana", "Good. Everybody sees this under the same number, so: the third batch comes after it."),
]
VIEWS = {"wide": (1280, 800), "narrow": (390, 780)}


def main(folder):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        broker = Broker()
        pages = []
        for scheme in ("light", "dark"):
            for view, (width, height) in VIEWS.items():
                size = {"width": width, "height": height}
                context = browser.new_context(viewport=size, color_scheme=scheme)
                page = context.new_page()
                page.goto(broker.url)
                page.fill("#name", "carla")
                page.press("#name", "Tab")
                pages.append((page, f"page-{view}-{scheme}.png", view))
        load = Client(broker, "gate-2")
        for turn in range(40):
            for line in range(3 + turn * turn % 7):
                load.say(f'{{"gate": 2, "t": {turn}.{line}, "kg": {20 + (turn * 7 + line * 3) % 11}}}')
            time.sleep(1)
        clients = {}
        for name, text in TALK:
            if name not in clients:
                clients[name] = Client(broker, name)
                join = f"{name} has joined the net"
                until(lambda: any(join == line["message"] for line in broker.messages()), join)
            clients[name].say(text)
            until(lambda: any(text == line["message"] for line in broker.messages()), text)
            time.sleep(0.5)
        clients["pedro"].end()
        say(pages[0][0], "Gate 2 is done here as well.")
        for page, _, _ in pages:
            until(lambda: "Gate 2 is done" in page.text_content("#messages"), "the last line")
            page.focus("#flow")
            page.evaluate("document.activeElement.blur()")
        time.sleep(4)
        load.end()
        for page, name, view in pages:
            page.screenshot(path=folder / name)
            if view == "narrow":
                page.click("#show-figures")
                page.screenshot(path=folder / name.replace("narrow", "figures"))
        for client in clients.values():
            client.end()
        broker.stop()
        browser.close()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs")
