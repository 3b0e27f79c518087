//! The page's files, which lie in this program.

use hyper::StatusCode;

use super::answer::{Answer, answer};

/// A file as a browser gets it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: &[File] = &[
    File {
        path: "/",
        kind: "text/html; charset=utf-8",
        text: include_str!("page/index.html"),
    },
    File {
        path: "/page/icon.svg",
        kind: "image/svg+xml",
        text: include_str!("page/icon.svg"),
    },
    File {
        path: "/page/page.css",
        kind: "text/css; charset=utf-8",
        text: include_str!("page/page.css"),
    },
    File {
        path: "/page/dom.js",
        kind: SCRIPT,
        text: include_str!("page/dom.js"),
    },
    File {
        path: "/page/order.js",
        kind: SCRIPT,
        text: include_str!("page/order.js"),
    },
    File {
        path: "/page/talk.js",
        kind: SCRIPT,
        text: include_str!("page/talk.js"),
    },
    File {
        path: "/page/figures.js",
        kind: SCRIPT,
        text: include_str!("page/figures.js"),
    },
    File {
        path: "/page/page.js",
        kind: SCRIPT,
        text: include_str!("page/page.js"),
    },
];

/// The file at a path.
pub(super) fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

impl File {
    pub(super) fn answer(&self) -> Answer {
        answer(StatusCode::OK, self.kind, self.text)
    }
}
