//! Just enough of Rust's lexer to tell code from comments and literals, and tests from the rest.

use std::ops::Range;

/// What a byte of a Rust file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Code,
    Comment,
    Literal,
}

/// The text with every byte blanked that is not of one of `classes`; offsets and line breaks stay.
pub(super) fn only(text: &str, classes: &[Class]) -> String {
    let blank = |(byte, class)| match byte {
        b'\n' => '\n',
        _ if classes.contains(class) && u8::is_ascii(&byte) => char::from(byte),
        _ => ' ',
    };
    text.bytes().zip(&classify(text)).map(blank).collect()
}

/// One class per byte of `text`.
fn classify(text: &str) -> Vec<Class> {
    let bytes = text.as_bytes();
    let mut classes = vec![Class::Code; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let (class, end) = token(bytes, at);
        classes[at..end].fill(class);
        at = end;
    }
    classes
}

/// The class of the token at `at` and where it ends; always past `at`.
fn token(bytes: &[u8], at: usize) -> (Class, usize) {
    let rest = &bytes[at..];
    match rest[0] {
        b'/' if rest.starts_with(b"//") => {
            (Class::Comment, at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()))
        }
        b'/' if rest.starts_with(b"/*") => (Class::Comment, at + block_comment(rest)),
        b'"' => (Class::Literal, at + quoted(rest, b'"')),
        b'\'' => match character(rest) {
            Some(length) => (Class::Literal, at + length),
            None => (Class::Code, at + 1),
        },
        byte if byte.is_ascii_alphanumeric() || byte == b'_' => {
            let length =
                rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
            let (word, tail) = rest.split_at(length);
            match (word, tail.first()) {
                (b"b" | b"c", Some(b'"')) => (Class::Literal, at + length + quoted(tail, b'"')),
                (b"b", Some(b'\'')) => (Class::Literal, at + length + quoted(tail, b'\'')),
                (b"r" | b"br" | b"cr", Some(b'"' | b'#')) => match raw_string(tail) {
                    Some(raw) => (Class::Literal, at + length + raw),
                    None => (Class::Code, at + length + 1),
                },
                _ => (Class::Code, at + length),
            }
        }
        _ => (Class::Code, at + 1),
    }
}

/// Length of a block comment; they nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Length of a literal that begins and ends with `quote` and knows backslashes.
fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a character literal, or `None` for a lifetime.
fn character(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return Some(quoted(rest, b'\''));
    }
    // One character of up to four bytes, then the closing quote: anything longer is a lifetime.
    let first = *rest.get(1)?;
    let width = match first {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    };
    (first != b'\'' && rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

/// Length of a raw string after its prefix letters, or `None` when this is a raw identifier.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().take_while(|byte| **byte == b'#').count();
    if rest.get(hashes) != Some(&b'"') {
        return None;
    }
    let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = hashes + 1;
    let length = rest[body..].windows(closing.len()).position(|window| window == closing);
    Some(length.map_or(rest.len(), |length| body + length + closing.len()))
}

/// What of a file is compiled for tests only.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TestParts {
    /// Items in this file.
    pub(super) ranges: Vec<Range<usize>>,
    /// Modules declared here whose file is a test as a whole: the name, and where the declaration is.
    pub(super) modules: Vec<(String, Range<usize>)>,
}

/// Finds the test-only items in `code`, which is a file with comments and literals blanked.
pub(super) fn test_parts(code: &str) -> TestParts {
    let mut parts = TestParts::default();
    let mut from = 0;
    while let Some(start) = next_test_attribute(code, from) {
        let end = item_end(code, start);
        let item = &code[start..end];
        if let Some(module) = item.strip_suffix(';').and_then(|item| item.rsplit_once("mod ")) {
            parts.modules.push((module.1.trim().to_owned(), start..end));
        }
        parts.ranges.push(start..end);
        from = end;
    }
    parts
}

fn next_test_attribute(code: &str, from: usize) -> Option<usize> {
    let attributes = ["#[cfg(test)]", "#[cfg(all(test,", "#[test]"];
    attributes.iter().filter_map(|attribute| code[from..].find(attribute)).min().map(|at| from + at)
}

/// Where the item at `start` ends, its attributes included: its closing brace, or its semicolon.
fn item_end(code: &str, start: usize) -> usize {
    let (mut braces, mut brackets) = (0_usize, 0_usize);
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b'{' if brackets == 0 => braces += 1,
            b'}' if brackets == 0 => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    // `use a::{b, c};` goes on to its semicolon.
                    let tail = &code[at + 1..];
                    return at + 1 + usize::from(tail.starts_with(';'));
                }
            }
            b';' if braces == 0 && brackets == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str) {
        assert_eq!(only(text, &[Class::Code]), code, "{text}");
    }

    #[test]
    fn comments_and_literals_are_told_from_code() {
        check("a(); // todo!()", "a();           ");
        check("a /* x /* y */ z */ b", "a                   b");
        check(r#"f("a\"b", c)"#, "f(      , c)");
        check(r##"f(r#"a"b"#, c)"##, "f(        , c)");
        check(r#"f(b"x", 'y', b'z', '\'')"#, "f(    ,    ,     ,     )");
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
        check("let r#gen = '\u{9f99}';", "let r#gen =      ;");
        check("x = \"two\nlines\";", "x =     \n      ;");
    }

    #[test]
    fn comments_can_be_kept() {
        assert_eq!(only("f(\"x\") // y", &[Class::Code, Class::Comment]), "f(   ) // y");
    }

    #[test]
    fn unfinished_tokens_end_with_the_file() {
        for text in ["/* a", "\"a", "'\\", "r#\"a\"", "b'", "'"] {
            assert_eq!(only(text, &[Class::Code]).len(), text.len(), "{text}");
        }
    }

    fn outside_tests(text: &str) -> String {
        let code = only(text, &[Class::Code]);
        let mut kept = code.clone();
        for range in test_parts(&code).ranges.into_iter().rev() {
            kept.replace_range(range, "");
        }
        kept
    }

    #[test]
    fn test_items_are_found_whole() {
        assert_eq!(outside_tests("a\n#[cfg(test)]\nmod tests { fn f() { g(); } }\nb"), "a\n\nb");
        assert_eq!(outside_tests("#[test]\n#[should_panic]\nfn f() -> [u8; 2] { x }\nb"), "\nb");
        assert_eq!(outside_tests("#[cfg(test)]\nuse a::{b, c};\nd"), "\nd");
        assert_eq!(outside_tests("#[cfg(all(test, unix))]\nconst A: [u8; 2] = [1; 2];\nd"), "\nd");
        let shared = "#[cfg(any(test, feature_x))]\nfn f() {}";
        assert_eq!(outside_tests(shared), shared, "also compiled without tests");
    }

    #[test]
    fn modules_in_files_of_their_own_are_named() {
        let parts = test_parts("#[cfg(test)]\npub(crate) mod sample;\nfn f() {}\n#[cfg(test)]\nmod tests;");
        let names: Vec<&str> = parts.modules.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["sample", "tests"]);
    }
}
