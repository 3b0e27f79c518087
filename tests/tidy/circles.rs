//! No files that import each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{Import, Modules};
use crate::source::Source;

/// One finding for each circle, with the lines that close it.
pub(crate) fn circles(sources: &[Source]) -> Vec<String> {
    let imports = Modules::new(sources).imports();
    let mut by_file: BTreeMap<&str, Vec<&Import>> = BTreeMap::new();
    for import in &imports {
        by_file.entry(import.from).or_default().push(import);
    }
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    for file in by_file.keys() {
        visit(file, &by_file, &mut Vec::new(), &mut done, &mut found);
    }
    found
}

/// Follows the imports of `file`, which was reached by `trail`.
fn visit<'a>(
    file: &'a str,
    by_file: &BTreeMap<&'a str, Vec<&'a Import<'a>>>,
    trail: &mut Vec<&'a Import<'a>>,
    done: &mut BTreeSet<&'a str>,
    found: &mut Vec<String>,
) {
    if let Some(start) = trail.iter().position(|import| import.from == file) {
        found.push(finding(&trail[start..]));
        return;
    }
    if done.contains(file) {
        return;
    }
    for import in by_file.get(file).into_iter().flatten() {
        trail.push(import);
        visit(import.to, by_file, trail, done, found);
        trail.pop();
    }
    done.insert(file);
}

fn finding(circle: &[&Import<'_>]) -> String {
    let steps = circle
        .iter()
        .map(|import| format!("{}:{} uses {}", import.from, import.line, import.to));
    let steps: Vec<_> = steps.collect();
    format!(
        "a circle: {}; move what both need to a file of its own",
        steps.join(", ")
    )
}
