//! Relative links of the Markdown files lead somewhere inside the checkout.

use std::path::Path;

use super::{Report, TextFile};

/// Checks every Markdown file.
pub(super) fn check(root: &Path, files: &[TextFile], report: &mut Report) {
    for file in files.iter().filter(|file| file.has_extension("md")) {
        let prose = without_code(&file.text);
        for (offset, target) in targets(&prose) {
            let Some(path) = relative_path(target) else { continue };
            match resolve(&file.name, path) {
                None => report.errors.push(file.at(offset, &format!("link to {path} leaves the checkout"))),
                Some(resolved) if !root.join(&resolved).exists() => {
                    report.errors.push(file.at(offset, &format!("link to {path} leads nowhere")));
                }
                Some(_) => {}
            }
        }
    }
}

/// The text with fenced blocks and inline code blanked; offsets and line breaks stay.
fn without_code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut fenced = false;
    for line in text.split_inclusive('\n') {
        let fence = line.trim_start().starts_with("```");
        let mut inline = false;
        for c in line.chars() {
            let code = fenced || fence || inline || c == '`';
            if c == '`' {
                inline = !inline;
            }
            if code && c != '\n' {
                out.extend(std::iter::repeat_n(' ', c.len_utf8()));
            } else {
                out.push(c);
            }
        }
        fenced ^= fence;
    }
    out
}

/// Offset and target of each `[text](target)` and of each `[name]: target` at the start of a line.
fn targets(prose: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, _) in prose.match_indices("](") {
        let start = at + 2;
        if let Some(length) =
            prose[start..].find([')', '\n']).filter(|end| prose[start + end..].starts_with(')'))
        {
            found.push((start, &prose[start..start + length]));
        }
    }
    let mut offset = 0;
    for line in prose.split_inclusive('\n') {
        if let Some(at) = line.find("]: ").filter(|_| line.starts_with('[')) {
            found.push((offset + at + 3, line[at + 3..].trim()));
        }
        offset += line.len();
    }
    found
}

/// The path of a link that stays in the checkout; titles and fragments are cut off.
fn relative_path(target: &str) -> Option<&str> {
    let target = target.split_whitespace().next()?.trim_start_matches('<').trim_end_matches('>');
    let path = target.split('#').next().unwrap_or_default();
    let elsewhere = path.contains("://") || path.starts_with("mailto:");
    (!path.is_empty() && !elsewhere).then_some(path)
}

/// `path` as seen from the file `from`, relative to the root, or `None` when it leads out of it.
fn resolve(from: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;
    use crate::testdir::TestDir;

    fn errors(text: &str) -> Vec<String> {
        let dir = TestDir::new();
        dir.write("docs/a.md", "");
        dir.write("README.md", "");
        let mut report = Report::default();
        check(dir.path(), &[file("docs/b.md", text)], &mut report);
        report.errors
    }

    #[test]
    fn links_that_resolve_are_fine() {
        let text =
            "[a](a.md) [b](./a.md#part \"title\") [c](../README.md) [d](../docs/)\n[e]: ../README.md\n";
        assert_eq!(errors(text), Vec::<String>::new());
    }

    #[test]
    fn other_places_and_code_are_not_looked_at() {
        let text =
            "[a](https://example.org/x.md) [b](#part) [c](mailto:a@b.c) `[d](no.md)`\n```\n[e](no.md)\n```\n";
        assert_eq!(errors(text), Vec::<String>::new());
    }

    #[test]
    fn broken_links_are_named_with_their_line() {
        assert_eq!(errors("x\n[a](no.md#p)\n"), ["docs/b.md:2: link to no.md leads nowhere"]);
        assert_eq!(errors("[a]: no.md\n"), ["docs/b.md:1: link to no.md leads nowhere"]);
        assert_eq!(errors("[a](../../x.md)"), ["docs/b.md:1: link to ../../x.md leaves the checkout"]);
        assert_eq!(errors("[a](/x.md)"), ["docs/b.md:1: link to /x.md leaves the checkout"]);
        assert_eq!(errors("```\n```\n[a](no.md)").len(), 1, "a closed fence is over");
    }
}
