//! Facts about an exchange are numbered in `docs/exchanges/<name>.md`: each is cited by code or tests, and each citation
//! has its fact.

use std::collections::{BTreeMap, BTreeSet};

use super::{Report, TextFile};

/// Checks facts against citations.
pub(super) fn check(files: &[TextFile], report: &mut Report) {
    let exchanges = exchanges(files);
    let mut defined: BTreeMap<&str, &TextFile> = BTreeMap::new();
    for page in files.iter().filter(|file| exchange_of_page(&file.name).is_some()) {
        for (offset, id) in definitions(&page.text, &exchanges) {
            if let Some(first) = defined.insert(id, page) {
                report.errors.push(page.at(offset, &format!("{id} is defined already, in {}", first.name)));
            }
        }
    }
    let mut cited = BTreeSet::new();
    for file in files.iter().filter(|file| may_cite(file)) {
        for (offset, id) in ids(&file.text, &exchanges) {
            if !defined.contains_key(id) {
                report
                    .errors
                    .push(file.at(offset, &format!("cites {id}, which docs/exchanges/ does not define")));
            }
            cited.insert(id);
        }
    }
    for (id, page) in defined.iter().filter(|(id, _)| !cited.contains(*id)) {
        report.errors.push(format!("{}: {id} is cited by no Rust file under crates/", page.name));
    }
}

fn may_cite(file: &TextFile) -> bool {
    file.has_extension("rs") && file.name.starts_with("crates/")
}

/// The prefixes of fact ids: from the pages, and from the adapters' manifests so that a missing page is noticed.
fn exchanges(files: &[TextFile]) -> BTreeSet<String> {
    let adapter = |file: &TextFile| {
        let directory = file.name.strip_prefix("crates/cex-")?.strip_suffix("/Cargo.toml")?;
        file.text.contains("[package.metadata.exchange]").then(|| directory.to_uppercase())
    };
    files.iter().filter_map(|file| exchange_of_page(&file.name).or_else(|| adapter(file))).collect()
}

/// `docs/exchanges/mexc.md` is about `MEXC`.
fn exchange_of_page(name: &str) -> Option<String> {
    let stem = name.strip_prefix("docs/exchanges/")?.strip_suffix(".md")?;
    (!stem.contains('/') && stem != "README").then(|| stem.to_uppercase())
}

/// Ids at the start of a table row or a heading.
fn definitions<'a>(page: &'a str, exchanges: &BTreeSet<String>) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for line in page.split_inclusive('\n') {
        let begins = line.trim_start_matches(['|', '#', ' ', '`', '*']);
        if line.starts_with(['|', '#']) {
            let first = ids(begins, exchanges).into_iter().next().filter(|(at, _)| *at == 0);
            found.extend(first.map(|(_, id)| (offset, id)));
        }
        offset += line.len();
    }
    found
}

/// Every fact id in `text` with its offset: an exchange, one or more areas, a number, joined by `-`.
fn ids<'a>(text: &'a str, exchanges: &BTreeSet<String>) -> Vec<(usize, &'a str)> {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut found = Vec::new();
    let mut at = 0;
    for word in text.split(|c: char| !in_word(c)) {
        let id = word.trim_matches('-');
        if is_id(id, exchanges) {
            found.push((at + word.find(id).unwrap_or(0), id));
        }
        // `split` swallowed one separator, whose length depends on what it was.
        at += word.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    found
}

fn is_id(word: &str, exchanges: &BTreeSet<String>) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let [exchange, areas @ .., number] = parts.as_slice() else { return false };
    let area =
        |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    exchanges.contains(*exchange)
        && !areas.is_empty()
        && areas.iter().all(area)
        && number.len() >= 2
        && number.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn errors(page: &str, code: &str) -> Vec<String> {
        let files = [file("docs/exchanges/mexc.md", page), file("crates/cex-mexc/src/lib.rs", code)];
        let mut report = Report::default();
        check(&files, &mut report);
        report.errors
    }

    #[test]
    fn rows_and_headings_define_facts() {
        let page =
            "# Facts\n| MEXC-WS-04 | x |\n| **MEXC-WS-05** | see MEXC-WS-04 |\n### `MEXC-REST-12`: y\n";
        assert_eq!(errors(page, "// MEXC-WS-04, MEXC-WS-05; (MEXC-REST-12)."), Vec::<String>::new());
    }

    #[test]
    fn prose_does_not_define_a_fact() {
        let found = errors("As MEXC-WS-04 says.\n| x | MEXC-WS-04 |\n", "// MEXC-WS-04\n");
        assert_eq!(
            found,
            ["crates/cex-mexc/src/lib.rs:1: cites MEXC-WS-04, which docs/exchanges/ does not define"]
        );
    }

    #[test]
    fn a_fact_nobody_cites_is_named() {
        let found = errors("| MEXC-WS-04 | x |\n| MEXC-WS-05 | x |\n", "// MEXC-WS-04\n");
        assert_eq!(found, ["docs/exchanges/mexc.md: MEXC-WS-05 is cited by no Rust file under crates/"]);
    }

    #[test]
    fn a_fact_defined_twice_is_named() {
        let found = errors("| MEXC-WS-04 | x |\n## MEXC-WS-04\n", "// MEXC-WS-04\n");
        assert_eq!(
            found,
            ["docs/exchanges/mexc.md:2: MEXC-WS-04 is defined already, in docs/exchanges/mexc.md"]
        );
    }

    #[test]
    fn other_words_with_dashes_are_not_ids() {
        let code = "// HMAC-SHA-256, MEXC-WS, MEXC-WS-4, MEXC-04, MEXC-ws-04, XMEXC-WS-04,龙-MEXC_WS-04\n";
        assert_eq!(errors("", code), Vec::<String>::new());
    }

    #[test]
    fn an_adapter_without_a_page_cannot_cite() {
        let files = [
            file("crates/cex-mexc/Cargo.toml", "[package.metadata.exchange]\n"),
            file("crates/cex-mexc/tests/golden.rs", "// 龙 MEXC-WS-04\n"),
        ];
        let mut report = Report::default();
        check(&files, &mut report);
        assert_eq!(report.errors.len(), 1, "{report:?}");
        assert!(
            report.errors[0].starts_with("crates/cex-mexc/tests/golden.rs:1: cites MEXC-WS-04"),
            "{report:?}"
        );
    }
}
