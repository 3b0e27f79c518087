"""A web application that pushes the order to browsers, and takes what they have to say.

    pip install orden fastapi uvicorn
    ORDEN_ADDRESS=127.0.0.1:8081 uvicorn browser:app

One client for the application; each browser is a cursor into its newest messages, so a browser that
is slow or away costs nothing. An event's id is its place in the order: when a connection breaks,
the browser says by itself where it was (Last-Event-ID), and is sent what it has missed.
"""

import asyncio
import json
import os
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import Body, FastAPI, Header
from fastapi.responses import HTMLResponse, StreamingResponse

import orden
import orden.asyncio

KEPT = 10_000  # messages that a browser can be behind
QUIET = 15  # seconds until a line says that the connection lives

PAGE = """<!doctype html><title>orden</title><pre id=order></pre>
<form><input autofocus></form><script>
const events = new EventSource("/messages"), input = document.querySelector("input")
events.onmessage = ({data}) => { order.textContent += data + "\\n" }
events.addEventListener("missed", () => { order.textContent += "… messages were missed …\\n" })
document.forms[0].onsubmit = event => {
  event.preventDefault()
  fetch("/messages", {method: "POST", body: JSON.stringify(input.value)})
  input.value = ""
}
</script>"""


class Feed:
    """The newest messages, and whoever waits for the next."""

    def __init__(self, client: orden.asyncio.Client) -> None:
        self.client = client
        self.kept: deque[orden.Message] = deque(maxlen=KEPT)
        self.grown = asyncio.Condition()

    async def run(self) -> None:
        async for batch in self.client.batches():
            self.kept.extend(batch)
            async with self.grown:
                self.grown.notify_all()

    async def after(self, order: int) -> list[orden.Message]:
        """The messages behind `order`; wait for some, but not for ever."""
        if not self.kept or self.kept[-1].order <= order:
            async with self.grown:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.grown.wait(), QUIET)
        behind = self.kept[-1].order - order if self.kept else 0
        return list(self.kept)[-behind:] if behind > 0 else []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    address = os.environ.get("ORDEN_ADDRESS", "127.0.0.1:8081")
    async with orden.asyncio.connect(address, start="last:100") as client:
        app.state.feed = Feed(client)
        feeding = asyncio.create_task(app.state.feed.run())
        yield
        feeding.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/")
def page() -> HTMLResponse:
    return HTMLResponse(PAGE)


@app.get("/messages")
async def messages(last_event_id: str = Header(default="")) -> StreamingResponse:
    feed: Feed = app.state.feed
    return StreamingResponse(events(feed, last_event_id), media_type="text/event-stream")


async def events(feed: Feed, last_event_id: str) -> AsyncIterator[str]:
    """What a browser is sent; `last_event_id` is the log and the number that it had last."""
    log_id, _, number = last_event_id.partition("-")
    order = -1
    if feed.kept and log_id == str(feed.kept[0].log_id) and number.isdigit():
        order = int(number)
        if order + 1 < feed.kept[0].order:
            yield "event: missed\ndata:\n\n"
    while True:
        found = await feed.after(order)
        if not found:
            yield ": nothing new\n\n"
        for message in found:
            line = json.dumps(f"{message.order} {message.sender}: {message.text}")
            yield f"id: {message.log_id}-{message.order}\ndata: {line}\n\n"
            order = message.order


@app.post("/messages")
async def publish(text: str = Body()) -> dict[str, int]:
    """Have a text ordered; the answer comes once it is durable."""
    return {"order": await app.state.feed.client.publish(text)}
