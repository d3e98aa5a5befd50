//! The target of a request, taken apart, and patterns that match it.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// Path and query below the prefix of the plugin; the path begins with `/`.
pub(super) fn below_prefix<'a>(target: &'a str, prefix: &str) -> (&'a str, &'a str) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let prefix = prefix.trim_end_matches('/');
    let below = match path.strip_prefix(prefix) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    };
    (below, query)
}

/// The values of the names in braces if `path` matches `pattern`, in the order of the pattern.
pub(super) fn matches(pattern: &'static str, path: &str) -> Option<Vec<(&'static str, String)>> {
    let mut parameters = Vec::new();
    let mut wanted = pattern.split('/');
    let mut given = path.split('/');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(parameters),
            (Some(want), Some(have)) => match want.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !have.is_empty() => {
                    parameters.push((name, percent_decode_str(have).decode_utf8_lossy().into_owned()));
                }
                None if want == have => {}
                _ => return None,
            },
            _ => return None,
        }
    }
}

/// The first value of a name in a query, decoded.
pub(super) fn query_value<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_taken_off() {
        assert_eq!(below_prefix("/api/hello/whoami?x=1", "/api/hello"), ("/whoami", "x=1"));
        assert_eq!(below_prefix("/api/hello", "/api/hello"), ("/", ""));
        assert_eq!(below_prefix("/api/hello/", "/api/hello/"), ("/", ""));
        assert_eq!(below_prefix("/api/hello-again", "/api/hello"), ("/api/hello-again", ""));
        assert_eq!(below_prefix("/whoami", ""), ("/whoami", ""));
    }

    #[test]
    fn patterns_match_whole_segments() {
        assert_eq!(matches("/", "/"), Some(vec![]));
        assert_eq!(matches("/a/{id}/b", "/a/4%2F2/b"), Some(vec![("id", "4/2".to_owned())]));
        assert_eq!(matches("/a/{id}/b", "/a//b"), None);
        assert_eq!(matches("/a/{id}", "/a/1/b"), None);
        assert_eq!(matches("/a", "/a/"), None);
    }

    #[test]
    fn the_query_is_decoded() {
        assert_eq!(query_value("a=1&b=x+y%21&b=2", "b").as_deref(), Some("x y!"));
        assert_eq!(query_value("a=1", "b"), None);
    }
}
