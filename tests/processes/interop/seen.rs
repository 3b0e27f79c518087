//! What somebody has seen, and whether it is a part of the one order.

use std::net::SocketAddr;

/// An order number, and what stands under it in the words of the fixed dialects, `name: text`.
pub(crate) type Line = (u64, String);

const NOTICE: &str = "Server: ";

/// Reads a line as a Python peer, `orden-client` or `log dump` prints it.
pub(crate) fn number_and_text(line: &str) -> Line {
    let (number, text) = line.split_once(['\t', ' ']).expect("a number and a text");
    let number = number.parse().unwrap_or_else(|_| panic!("{line:?}"));
    (number, without_address(text).to_owned())
}

/// A peer on plain TCP has an address for a name and says who it is in its text; native peers are
/// given both.
fn without_address(text: &str) -> &str {
    match text.split_once(": ") {
        Some((name, text)) if name.parse::<SocketAddr>().is_ok() => text,
        _ => text,
    }
}

/// How many there are that are no notices.
pub(crate) fn messages(lines: &[Line]) -> usize {
    let is_message = |(_, text): &&Line| !text.starts_with(NOTICE);
    lines.iter().filter(is_message).count()
}

/// The order begins with 0 and has no gap.
pub(crate) fn is_dense(order: &[Line]) {
    let numbers = order.iter().map(|(number, _)| *number);
    assert!(numbers.eq(0..order.len() as u64), "the log has a gap");
}

/// Whoever has this name has said this, in this order, and nothing else.
pub(crate) fn holds(order: &[Line], name: &str, said: &[String]) {
    let prefix = format!("{name}: ");
    let ordered = order.iter().map(|(_, text)| text);
    let ordered: Vec<_> = ordered.filter(|text| text.starts_with(&prefix)).collect();
    assert_eq!(ordered, said.iter().collect::<Vec<_>>(), "{name}");
}

/// Somebody has seen a stretch of the order, and as many messages in it as there were.
pub(crate) fn is_part_of(order: &[Line], who: &str, lines: &[Line], count: usize) {
    assert_eq!(
        messages(lines),
        count,
        "{who} has not seen every message once"
    );
    let first = usize::try_from(lines[0].0).expect("a small number");
    let stretch = order[first..].iter().take(lines.len());
    for (seen, expected) in lines.iter().zip(stretch) {
        assert_eq!(seen, expected, "{who} sees another order");
    }
    assert!(
        first + lines.len() <= order.len(),
        "{who} sees what is not there"
    );
}
