//! The modules of the library and of each program, and which file a path leads to.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::paths::{Path, is_word, paths};
use crate::source::{Source, end_of_item, line_at};

/// A crate's root file and a module's place in it.
type Place<'a> = (&'a str, Vec<String>);

/// The files of `src` and `bin` as modules.
pub(crate) struct Modules<'a> {
    files: BTreeMap<&'a str, File<'a>>,
    by_place: BTreeMap<Place<'a>, &'a str>,
}

struct File<'a> {
    source: &'a Source,
    paths: Vec<Path>,
    uses: Vec<Use>,
    /// Lines of modules with a body.
    inline: Vec<RangeInclusive<usize>>,
}

/// The lines of a `use`, and whether it is one that others see.
struct Use {
    lines: RangeInclusive<usize>,
    is_public: bool,
}

/// That one file names something in another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Import<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) line: usize,
}

impl<'a> Modules<'a> {
    pub(crate) fn new(sources: &'a [Source]) -> Self {
        let ours =
            |source: &&Source| source.path.starts_with("src/") || source.path.starts_with("bin/");
        let files =
            (sources.iter().filter(ours)).map(|source| (source.path.as_str(), File::new(source)));
        let mut modules = Self {
            files: files.collect(),
            by_place: BTreeMap::new(),
        };
        let roots: Vec<_> = (modules.files.keys().copied())
            .filter(|path| {
                let in_bin = path
                    .strip_prefix("bin/")
                    .is_some_and(|rest| !rest.contains('/'));
                let is_program = in_bin && modules.files[path].source.code.contains("fn main()");
                *path == "src/lib.rs" || is_program
            })
            .collect();
        for root in roots {
            modules.add(root, Vec::new(), root);
        }
        modules
    }

    fn add(&mut self, root: &'a str, place: Vec<String>, file: &'a str) {
        for (name, candidates) in self.files[file].children(root == file) {
            let child = candidates
                .iter()
                .find_map(|path| self.files.get_key_value(path.as_str()));
            if let Some((&child, _)) = child {
                let mut place = place.clone();
                place.push(name);
                self.add(root, place, child);
            }
        }
        self.by_place.insert((root, place), file);
    }

    /// What the files import from one another. That a `mod.rs` shows what others have is no
    /// import of its own: what others take from there they take from its own file.
    pub(crate) fn imports(&self) -> BTreeSet<Import<'a>> {
        let mut imports = BTreeSet::new();
        for ((root, place), from) in &self.by_place {
            let file = &self.files[from];
            for path in &file.paths {
                let is_shown = |used: &Use| used.is_public && used.lines.contains(&path.line);
                if file.source.is_test(path.line) || file.uses.iter().any(is_shown) {
                    continue;
                }
                let inline = file
                    .inline
                    .iter()
                    .filter(|lines| lines.contains(&path.line));
                let (line, inline) = (path.line, inline.count());
                let to = self.leads_to(root, place, &path.text, inline, 0);
                imports.extend(
                    to.filter(|to| to != from)
                        .map(|to| Import { from, to, line }),
                );
            }
        }
        imports
    }

    /// The file in which the thing is that `path` names.
    fn leads_to(
        &self,
        root: &'a str,
        at: &[String],
        path: &str,
        inline: usize,
        hops: usize,
    ) -> Option<&'a str> {
        let mut names: Vec<&str> = path.split("::").collect();
        let supers = names.iter().take_while(|name| **name == "super").count();
        let mut base = match names[0] {
            "crate" => Vec::new(),
            "super" => at[..at.len().checked_sub(supers.checked_sub(inline)?)?].to_vec(),
            "self" if inline == 0 => at.to_vec(),
            first if inline == 0 && self.module(root, at, first).is_some() => at.to_vec(),
            _ => return None,
        };
        if names[0] == "super" && supers == inline {
            return None; // the file itself
        }
        names.drain(..supers.max(usize::from(["crate", "self"].contains(&names[0]))));
        while let Some(name) = names.first()
            && self.module(root, &base, name).is_some()
        {
            base.push((*name).to_owned());
            names.remove(0);
        }
        let file = *self.by_place.get(&(root, base.clone()))?;
        let Some(name) = names.first() else {
            return Some(file);
        };
        // What the module itself has from elsewhere.
        let shown = self.files[file].used(name).filter(|_| hops < 8);
        let origin = shown.and_then(|path| self.leads_to(root, &base, path, 0, hops + 1));
        Some(origin.unwrap_or(file))
    }

    fn module(&self, root: &'a str, at: &[String], name: &str) -> Option<&'a str> {
        let place = (at.iter().cloned()).chain([name.to_owned()]).collect();
        self.by_place.get(&(root, place)).copied()
    }
}

impl<'a> File<'a> {
    fn new(source: &'a Source) -> Self {
        let code = &source.code;
        let lines = |at: usize| line_at(code, at)..=line_at(code, end_of_item(code, at));
        let uses = words(code, "use ").map(|at| {
            let before = code[..at].trim_end();
            let line = before.rsplit('\n').next().unwrap_or_default();
            Use {
                lines: lines(at),
                is_public: line.trim_start().starts_with("pub"),
            }
        });
        let inline = words(code, "mod ")
            .filter(|at| code[*at..=end_of_item(code, *at)].ends_with('}'))
            .map(lines);
        Self {
            source,
            paths: paths(code),
            uses: uses.collect(),
            inline: inline.collect(),
        }
    }

    /// The modules that the file declares, and where their files may be.
    fn children(&self, is_root: bool) -> Vec<(String, Vec<String>)> {
        let (code, path) = (&self.source.code, &self.source.path);
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = name.trim_end_matches(".rs");
        let below = if is_root || stem == "mod" {
            directory.to_owned()
        } else {
            format!("{directory}/{stem}")
        };
        let declared = words(code, "mod ").filter_map(|at| {
            let rest = &code[at + "mod ".len()..];
            let end = rest.find(|next| !is_word(next))?;
            rest[end..]
                .starts_with(';')
                .then(|| (line_at(code, at), rest[..end].to_owned()))
        });
        declared
            .map(|(line, name)| {
                let above = line
                    .checked_sub(2)
                    .and_then(|at| self.source.text.lines().nth(at));
                let given = above.and_then(|line| line.trim().strip_prefix("#[path = \""));
                let candidates = match given.and_then(|rest| rest.split('"').next()) {
                    Some(given) => vec![format!("{directory}/{given}")],
                    None => vec![
                        format!("{below}/{name}.rs"),
                        format!("{below}/{name}/mod.rs"),
                    ],
                };
                (name, candidates)
            })
            .collect()
    }

    /// The path by which a `use` of this file has `name`.
    fn used(&self, name: &str) -> Option<&str> {
        let is_use = |line: usize| self.uses.iter().any(|used| used.lines.contains(&line));
        let ends = |path: &&Path| path.text.rsplit("::").next() == Some(name);
        let found = self.paths.iter().filter(ends);
        let mut found = found.filter(|path| is_use(path.line) && !self.source.is_test(path.line));
        found.next().map(|path| path.text.as_str())
    }
}

/// Where `word` begins in `code`, as a word of its own.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let starts = code.match_indices(word).map(|(at, _)| at);
    starts.filter(move |at| !code[..*at].ends_with(is_word))
}
