"""The page in a real browser: what two pages and a native client see is one order."""

import functools
import http.server
import pathlib
import sys
import threading
import urllib.error
import urllib.request

from playwright.sync_api import sync_playwright
from stage import CHROMIUM, Broker, Client, lines, say, until

HOSTILE = '<img src=x onerror="document.title=1"><b>bold</b><script>document.title=2</script>'


class Silent(http.server.SimpleHTTPRequestHandler):
    """Another site, which does not tell what was asked for."""

    def log_message(self, *_):
        pass


def open_page(browser, broker, name, **options):
    page = browser.new_context(**options).new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on("console", lambda said: said.type == "error" and page.problems.append(said.text))
    page.on("dialog", lambda dialog: page.problems.append(dialog.message))
    page.goto(broker.url)
    page.fill("#name", name)
    page.press("#name", "Tab")
    until(lambda: page.text_content("#state-text") == "live", "the order")
    return page


def shows(page, text):
    return any(line[2] == text for line in lines(page))


def is_one_order(numbers):
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def two_pages_and_a_native_client_see_one_order(browser, broker):
    native = Client(broker, "native", "--from", "start")
    pages = [open_page(browser, broker, "ana"), open_page(browser, broker, "berta")]
    for turn in range(5):
        say(pages[0], f"ana {turn}")
        native.say(f"native {turn}")
        say(pages[1], f"berta {turn}")
    texts = [f"{who} {turn}" for who in ("ana", "native", "berta") for turn in range(5)]
    for page in pages:
        until(lambda: all(shows(page, text) for text in texts), "all that was said")
    until(lambda: len(native.heard) >= len(lines(pages[0])), "all at the native client")
    heard = [(line["order"], line["from"], line["message"]) for line in native.heard]
    assert lines(pages[0]) == lines(pages[1]) == heard, (lines(pages[0]), heard)
    assert is_one_order([line[0] for line in heard])
    assert [text for _, who, text in heard if who == "ana"] == texts[:5]
    native.end()
    for page in pages:
        assert not page.problems, page.problems
        page.context.close()


def markup_stays_text(browser, broker):
    page = open_page(browser, broker, "eva")
    say(page, HOSTILE)
    until(lambda: shows(page, HOSTILE), "the message")
    client = Client(broker, HOSTILE[:40])
    client.say("a name can be hostile, too: \u202eabc")
    until(lambda: any(line[1] == HOSTILE[:40] for line in lines(page)), "the name")
    inside = page.locator("#messages .text *, #messages .from *").count()
    assert inside == 0, "a message has become markup"
    assert page.title() == "orden" and not page.problems, page.problems
    assert any(line[2].endswith("\\u{202e}abc") for line in lines(page)), "turned text"
    client.end()
    page.context.close()


def the_broker_may_die_and_come_back(browser, broker):
    pages = [open_page(browser, broker, "ana"), open_page(browser, broker, "carla")]
    say(pages[0], "before")
    until(lambda: all(shows(page, "before") for page in pages), "what was said before")
    for turn in range(3):
        broker.kill()
        for page in pages:
            until(lambda: "away" in page.text_content("#state-text"), "word of its absence")
        said = [f"{who} meanwhile {turn}.{line}" for who in ("ana", "carla") for line in range(2)]
        for text in said:
            say(pages[0 if text.startswith("ana") else 1], text)
        broker.start()
        if turn == 1:
            pages[1].reload()  # perhaps before it has heard of what it said
        for page in pages:
            until(lambda: all(shows(page, text) for text in said), "what was said meanwhile")
    kept = [(line["order"], line["from"], line["message"]) for line in broker.messages()]
    texts = [text for _, _, text in kept if " meanwhile " in text]
    assert len(texts) == len(set(texts)) == 12, texts
    for page in pages:
        seen = lines(page)
        assert is_one_order([line[0] for line in seen]), "a gap, or something twice"
        assert seen == kept[-len(seen) :], "another order than the log's"
        assert page.locator("#messages .gap, #messages .pending").count() == 0
        page.context.close()


def foreign_pages_get_nothing(browser, broker):
    status = None
    for path, data in [("/messages?name=eve&sequence=1", b"forged"), ("/messages?follow=0", None)]:
        request = urllib.request.Request(broker.url + path, data=data)
        request.add_header("Origin", "http://evil.example")
        try:
            status = urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            status = error.code
        assert status == 403, status
    here = functools.partial(Silent, directory=pathlib.Path(__file__).parent)
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), here)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    page = browser.new_context().new_page()
    page.goto(f"http://127.0.0.1:{site.server_port}/stage.py")
    before = broker.messages()
    script = """async (url) => {
        const post = `${url}/messages?name=eve&sequence=1`;
        const forged = { method: "POST", body: "forged", mode: "no-cors" };
        await fetch(post, forged).catch(() => "none");
        const read = await fetch(`${url}/messages?from=start&follow=false`).catch(() => "none");
        const frame = document.createElement("iframe");
        frame.src = url;
        document.body.append(frame);
        return read;
    }"""
    assert page.evaluate(script, broker.url) == "none", "a foreign page reads the order"
    assert broker.messages() == before, "a foreign page has posted"
    assert "http_origin" in broker.log()
    page.context.close()
    site.shutdown()


def it_is_used_by_keyboard(browser, broker):
    page = open_page(browser, broker, "kim")
    client = Client(broker, "dora")
    for number in range(300):
        client.say(f"line {number}")
    until(lambda: shows(page, "line 299"), "the last line")
    page.focus("#flow")
    page.keyboard.press("Space")
    assert page.text_content("#state-text") == "paused"
    client.say("said meanwhile")
    page.keyboard.press("g")
    page.keyboard.type("40")
    page.keyboard.press("Enter")
    until(lambda: page.locator("li.aim[data-order='40']").count() == 1, "number 40")
    assert not shows(page, "said meanwhile")
    page.keyboard.press("Escape")
    until(lambda: shows(page, "said meanwhile"), "what was said meanwhile")
    page.focus("#flow")
    page.keyboard.press("/")
    page.keyboard.type("by keyboard")
    page.keyboard.press("Enter")
    until(lambda: shows(page, "by keyboard"), "what was typed")
    assert is_one_order([line[0] for line in lines(page)])
    page.click("#older")
    until(lambda: lines(page)[0][0] < 150, "earlier messages")
    assert is_one_order([line[0] for line in lines(page)]), "earlier messages do not join"
    client.end()
    page.context.close()


def contents_are_shown_to_those_who_know_the_token(browser, token):
    broker = Broker("--http-token", str(token))
    page = browser.new_context().new_page()
    page.goto(broker.url)
    page.wait_for_selector("#login[open]")
    page.fill("#token", "0123456789abcdeX")
    page.press("#token", "Enter")
    until(lambda: "not the token" in page.text_content("#login-note"), "a refusal")
    page.fill("#token", token.read_text().strip())
    page.press("#token", "Enter")
    until(lambda: page.text_content("#state-text") == "live", "the order")
    say(page, "let in")
    until(lambda: shows(page, "let in"), "what was said")
    assert page.evaluate("document.cookie") == "", "scripts can read the token"
    page.context.close()
    assert broker.stop() == 0


def main():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        broker = Broker()
        for test in (
            two_pages_and_a_native_client_see_one_order,
            markup_stays_text,
            it_is_used_by_keyboard,
            the_broker_may_die_and_come_back,
            foreign_pages_get_nothing,
        ):
            if not sys.argv[1:] or test.__name__ in sys.argv[1:]:
                test(browser, broker)
                print("ok", test.__name__, flush=True)
        assert broker.stop() == 0
        token = pathlib.Path(broker.directory.name) / "token"
        token.write_text("0123456789abcdef\n")
        token.chmod(0o600)
        contents_are_shown_to_those_who_know_the_token(browser, token)
        print("ok contents_are_shown_to_those_who_know_the_token")
        browser.close()


if __name__ == "__main__":
    main()
