"""Keeps a table of a SQLite database equal to the order, exactly once, whatever crashes.

    python replica.py 127.0.0.1:8081 replica.db

What messages lead to and the position after them are stored in one transaction. A run goes on at
the position that the last transaction has left, so there is nothing to acknowledge, nothing is
applied twice and nothing is left out.
"""

import sqlite3
import sys

import orden


def prepare(database: sqlite3.Connection) -> orden.Position | None:
    """Make the tables, if there are none; return how far they are."""
    database.executescript("""
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        CREATE TABLE IF NOT EXISTS message (number INTEGER PRIMARY KEY, sender TEXT, payload BLOB);
        CREATE TABLE IF NOT EXISTS place (log_id INTEGER, next INTEGER);
    """)
    place = database.execute("SELECT log_id, next FROM place").fetchone()
    return orden.Position(*place) if place else None


def apply(database: sqlite3.Connection, messages: list[orden.Message]) -> None:
    """Let messages take effect, together with the position after them."""
    with database:  # one transaction
        rows = [(message.order, message.sender, message.payload) for message in messages]
        # Not INSERT OR REPLACE: a message that came twice would be an error.
        database.executemany("INSERT INTO message VALUES (?, ?, ?)", rows)
        database.execute("DELETE FROM place")
        database.execute("INSERT INTO place VALUES (?, ?)", messages[-1].position)


def main(address: str, path: str, name: str = "replica") -> None:
    database = sqlite3.connect(path)
    position = prepare(database)
    with orden.connect(address, name, start=position or "start") as client:
        for messages in client.batches():
            apply(database, messages)


if __name__ == "__main__":
    main(*sys.argv[1:])
