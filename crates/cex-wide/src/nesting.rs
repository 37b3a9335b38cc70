//! How deep a JSON text nests, before a parser recurses into it.

/// Nesting that no message of an exchange comes near.
pub const DEEPEST_JSON: u32 = 32;

/// Whether brackets outside of strings nest at most [`DEEPEST_JSON`] deep.
///
/// Parsers recurse, so 64 kB of brackets would end the whole program. The text need not be JSON: a parser comes no
/// further than it is, and up to there both see the same strings and the same brackets.
#[must_use]
pub fn is_shallow_json(text: &[u8]) -> bool {
    let mut depth = 0;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' if depth == DEEPEST_JSON => return false,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    true
}

/// Steps behind the quote that ends a string: most of a text is in strings, so they have a loop of their own.
#[inline]
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brackets_outside_of_strings_nest() {
        let open = |bracket: &str, count| bracket.repeat(count);
        let deep = open("[", 65_536);
        for (text, shallow) in [
            (String::new(), true),
            (open("[", 32), true),
            (open("[", 33), false),
            (open("{\"a\":", 32), true),
            (open("{\"a\":", 33), false),
            (open("[{\"a\":", 16), true),
            (open("[{\"a\":", 17), false),
            (open("[]", 65_536), true),
            (open("[{}]", 65_536), true),
            // Closing what was never opened earns nothing.
            (open("]", 65_536) + &open("[", 33), false),
            (format!("\"{deep}\""), true),
            (format!("{{\"{deep}\":\"{deep}\"}}"), true),
            (format!("\"\\\"{deep}\""), true),
            (format!("\"\\\\\\\"{deep}\""), true),
            (format!("\"\\\\\"{deep}"), false),
            (format!("\"\"{deep}"), false),
            (format!("\"龙虾\"{deep}"), false),
            ("\"\\".to_owned(), true),
            ("\\\"[".to_owned(), true),
        ] {
            assert_eq!(is_shallow_json(text.as_bytes()), shallow, "{text:.40}");
        }
    }
}
