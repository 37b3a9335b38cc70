//! How deep a client's JSON may nest.

/// Whether a text nests no deeper than any request does. The parser recurses, so ten thousand brackets from a client
/// would otherwise end the whole program.
pub(super) fn is_shallow(json: &str) -> bool {
    const DEEPEST: u32 = 32;
    let (mut depth, mut in_text, mut is_escaped) = (0u32, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brackets_outside_of_texts_nest() {
        let deep = "[".repeat(33);
        for (json, shallow) in [
            ("", true),
            (&"[".repeat(32), true),
            (&deep, false),
            (&"{\"a\":".repeat(33), false),
            (&"[]".repeat(100), true),
            (&format!("{{\"a\":\"{deep}\"}}"), true),
            (&format!("{{\"a\":\"\\\"{deep}\"}}"), true),
            (&format!("{{\"a\":\"\\\\\"{deep}"), false),
        ] {
            assert_eq!(is_shallow(json), shallow, "{json}");
        }
    }
}
