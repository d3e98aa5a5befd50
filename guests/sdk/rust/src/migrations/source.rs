//! What matters of a piece of Rust: the same before and after it is formatted, or commented.

/// The text without comments, and without space that means nothing.
pub(super) fn essence(source: &str) -> String {
    let mut kept = String::new();
    let mut rest = source;
    let mut spaced = false;
    while let Some(first) = rest.chars().next() {
        let length = comment(rest);
        if length > 0 || first.is_whitespace() {
            spaced = true;
            rest = rest.get(length.max(first.len_utf8())..).unwrap_or_default();
            continue;
        }
        let (token, after) = rest.split_at(token(rest));
        // A comma that is left over when a list is broken into lines.
        if token.starts_with([')', ']', '}']) && kept.ends_with(',') {
            kept.pop();
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        if spaced && kept.ends_with(is_word) && token.starts_with(is_word) {
            kept.push(' ');
        }
        kept.push_str(token);
        spaced = false;
        rest = after;
    }
    kept
}

/// Length of the comment that `text` begins with; 0 for none.
fn comment(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if !text.starts_with("/*") {
        return 0;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of the word, the literal or the sign that `text` begins with.
fn token(text: &str) -> usize {
    let bytes = text.as_bytes();
    if let Some(raw) = text.strip_prefix('r').map(|rest| rest.trim_start_matches('#')).filter(|rest| rest.starts_with('"')) {
        let hashes = text.len() - 1 - raw.len();
        let end = format!("\"{}", "#".repeat(hashes));
        let begin = hashes + 2;
        return text.get(begin..).and_then(|inner| inner.find(&end)).map_or(text.len(), |at| begin + at + end.len());
    }
    match bytes.first() {
        Some(b'"') => quoted(text, '"'),
        // Otherwise it is a lifetime.
        Some(b'\'') if text.chars().nth(1) == Some('\\') || text.chars().nth(2) == Some('\'') => quoted(text, '\''),
        _ => {
            let word = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
            if word > 0 { word } else { text.chars().next().map_or(text.len(), char::len_utf8) }
        }
    }
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::essence;

    #[test]
    fn form_does_not_matter() {
        let plain = essence("fn f(a: u8, b: &'a str) -> char { g(\"x  // y\", 'c', '\\'', '\"', r#\"a \"q\" /*\"#) }");
        let formatted = essence(
            "/// Says.\nfn f(\n    a: u8, // first\n    b: &'a str,\n) -> char {\n    /* a /* b */ c */\n    g(\n        \"x  // y\",\n        'c',\n        \
             '\\'',\n        '\"',\n        r#\"a \"q\" /*\"#,\n    )\n}\n",
        );
        assert_eq!(plain, formatted);
        assert!(plain.contains("\"x  // y\"") && plain.contains("->char{"), "{plain}");
    }

    #[test]
    fn what_it_says_does() {
        for other in ["let a = \"x y\";", "let a = \"xy\";", "let b = \"x y\";", "leta=\"x y\";"].iter().skip(1) {
            assert_ne!(essence("let a = \"x y\";"), essence(other));
        }
        assert_eq!(essence("/* never ends"), "");
        assert_eq!(essence("\"never ends"), "\"never ends");
    }
}
