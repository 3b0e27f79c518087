//! The pages themselves: their links lead to what is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every page that a reader may come to.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("src/python/README.md")];
    for directory in [
        "docs",
        "docs/internals",
        "tests/vectors",
        "tests/compatibility",
    ] {
        let entries = fs::read_dir(root.join(directory)).expect("it is there");
        let files = entries.map(|entry| entry.expect("an entry").path());
        pages.extend(files.filter(|file| file.extension().is_some_and(|end| end == "md")));
    }
    pages
}

/// The text of a page without its code.
fn prose(text: &str) -> String {
    let outside = text.split("\n```").step_by(2);
    outside.collect::<Vec<_>>().join("\n")
}

/// Where a page's links lead to.
fn links(text: &str) -> Vec<String> {
    let ends = prose(text);
    let ends = ends.split("](").skip(1);
    let link = |rest: &str| rest.split([')', ' ']).next().map(str::to_owned);
    ends.filter_map(link).collect()
}

/// What a heading is called in an address.
fn anchors(text: &str) -> BTreeSet<String> {
    let prose = prose(text);
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        heading
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    headings.map(anchor).collect()
}

/// Tables, code, and an address that has to stay in one piece cannot be broken.
#[test]
fn lines_fit_beside_code() {
    let mut long = Vec::new();
    for page in pages() {
        let text = prose(&fs::read_to_string(&page).expect("text"));
        let lines = text.lines().filter(|line| !line.starts_with('|'));
        let wide = lines.filter(|line| line.chars().count() > 100 && line.contains(' '));
        long.extend(wide.map(|line| format!("{}: {line}", page.display())));
    }
    assert!(long.is_empty(), "over 100 columns:\n{}", long.join("\n"));
}

#[test]
fn links_lead_to_what_is_there() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("text");
        for link in links(&text).iter().filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.parent().expect("a directory").join(file)
            };
            let has_anchor = || {
                let text = fs::read_to_string(&target).unwrap_or_default();
                anchor.is_empty() || anchors(&text).contains(anchor)
            };
            if !target.exists() || !has_anchor() {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(
        broken.is_empty(),
        "links to nothing:\n{}",
        broken.join("\n")
    );
}

#[test]
fn another_page_leads_to_every_page() {
    let all = pages();
    let leads = |from: &Path, to: &Path| {
        let text = fs::read_to_string(from).expect("text");
        let name = to
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        from != to && links(&text).iter().any(|link| link.contains(&name))
    };
    let lost: Vec<_> = (all.iter().skip(1))
        .filter(|page| !page.ends_with("README.md"))
        .filter(|page| !all.iter().any(|from| leads(from, page)))
        .collect();
    assert!(lost.is_empty(), "no page has a link to {lost:?}");
}

/// docs/internals/judges.md, `FILE::TEST`: there is that test in that file.
#[test]
fn judges_are_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/internals/judges.md")).expect("text");
    let named = page.split('`').skip(1).step_by(2);
    let judges: Vec<_> = named.filter_map(|name| name.split_once("::")).collect();
    assert!(judges.len() > 50, "judges: {}", judges.len());
    let is_missing = |(file, test): &&(&str, &str)| {
        let text = fs::read_to_string(root.join("tests").join(file)).unwrap_or_default();
        let is_rust = text.contains(&format!("fn {test}("));
        !is_rust && !text.contains(&format!("def {test}("))
    };
    let missing: Vec<_> = judges.iter().filter(is_missing).collect();
    assert!(
        missing.is_empty(),
        "docs/internals/judges.md names no test: {missing:?}"
    );
}
