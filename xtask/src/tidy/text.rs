//! Rules for every text file: no tabs, no white space at the end of a line, a line break at the end of the file.

use super::{Report, TextFile};

/// Checks white space.
pub(super) fn check(files: &[TextFile], report: &mut Report) {
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            let mut complain =
                |what: &str| report.errors.push(format!("{}:{}: {what}", file.name, index + 1));
            if line.contains('\t') {
                complain("a tab: use spaces, or \\t in a literal");
            }
            if line.ends_with([' ', '\t', '\r']) {
                complain("trailing white space");
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            report.errors.push(format!("{}: no line break at the end of the file", file.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    #[test]
    fn white_space_is_checked_line_by_line() {
        let mut report = Report::default();
        check(&[file("a.md", "ok\nend \n\tindent\nlast")], &mut report);
        assert_eq!(
            report.errors,
            [
                "a.md:2: trailing white space",
                "a.md:3: a tab: use spaces, or \\t in a literal",
                "a.md: no line break at the end of the file",
            ]
        );
        let mut report = Report::default();
        check(&[file("a.toml", "a = 1\n"), file("b.rs", "")], &mut report);
        assert!(report.errors.is_empty(), "{report:?}");
    }
}
