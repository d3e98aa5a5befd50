//! How long a browser may keep a file of a front-end. Pure functions.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH},
};

/// Which files belong together: one value for the same front-end.
const REVISION: HeaderName = HeaderName::from_static("x-mint-frontend-revision");
/// Fewest characters of a fingerprint.
const FINGERPRINT_MIN: usize = 8;

/// The headers of the file at `path` in a front-end of this revision. A page is asked for anew each time, and says by name
/// which files it needs; a file with a fingerprint in its name never changes; any other is kept, and asked about.
pub(super) fn headers(path: &str, revision: &str) -> Vec<(HeaderName, HeaderValue)> {
    let rule = match path.rsplit('/').next().unwrap_or_default() {
        "index.html" => "no-store",
        name if is_fingerprinted(name) => "private, max-age=31536000, immutable",
        _ => "private, no-cache",
    };
    let mut headers = vec![(CACHE_CONTROL, HeaderValue::from_static(rule))];
    headers.extend(HeaderValue::try_from(revision).map(|revision| (REVISION, revision)));
    if rule != "no-store" {
        // Weak, for the same file may come packed. Times would not do: a release to which one goes back is older.
        headers.extend(HeaderValue::try_from(format!("W/\"{revision}\"")).map(|tag| (ETAG, tag)));
    }
    headers
}

/// Whether a client has what `headers` describe.
pub(super) fn is_known(asked: &HeaderMap, headers: &HeaderMap) -> bool {
    let Some(tag) = headers.get(ETAG).and_then(|tag| tag.to_str().ok()) else { return false };
    let lists = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|known| known.trim() == tag)
}

/// `name-<fingerprint>.ext`, as build tools write it. A word is none: `date-formatter.js` may change.
fn is_fingerprinted(name: &str) -> bool {
    let Some((stem, extension)) = name.split_once('.') else { return false };
    let is_long = |fingerprint: &str| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        let is_word = fingerprint.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'));
        fingerprint.len() >= FINGERPRINT_MIN && fingerprint.bytes().all(fits) && !is_word
    };
    // A fingerprint may have hyphens of its own.
    let mut hyphens = stem.match_indices('-').filter(|(at, _)| *at > 0);
    !extension.is_empty() && hyphens.any(|(at, _)| stem.get(at + 1..).is_some_and(is_long))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_each_kind_of_file_is_kept() {
        const FOREVER: &str = "private, max-age=31536000, immutable";
        const ASK: &str = "private, no-cache";
        for (path, rule) in [
            ("/index.html", "no-store"),
            ("/guide/index.html", "no-store"),
            ("/assets/index-DiwrgTda.js", FOREVER),
            ("/assets/index-Dh-3_x9a.css", FOREVER),
            ("/assets/index-0a1b2c3d4e5f.js.map", FOREVER),
            ("/my-app-BX3d9Kq1.js", FOREVER),
            ("/index-DiwrgTd.js", ASK),
            ("/date-formatter.js", ASK),
            ("/some-long-words-here.js", ASK),
            ("/-DiwrgTda.js", ASK),
            ("/index-DiwrgTda", ASK),
            ("/favicon.ico", ASK),
            ("/assets-DiwrgTda.x/plain.js", ASK),
            ("/other.html", ASK),
        ] {
            let headers: HeaderMap = headers(path, "sha256:00").into_iter().collect();
            assert_eq!(headers[CACHE_CONTROL], rule, "{path}");
            assert_eq!(headers[REVISION], "sha256:00", "{path}");
            assert_eq!(headers.contains_key(ETAG), rule != "no-store", "{path}");
        }
    }

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let known = |path, asked: &str| {
            let asked = HeaderMap::from_iter([(IF_NONE_MATCH, asked.parse().unwrap())]);
            is_known(&asked, &headers(path, "sha256:00").into_iter().collect())
        };
        assert!(known("/a.js", "W/\"sha256:00\""));
        assert!(known("/a.js", "\"x\", W/\"sha256:00\""));
        assert!(!known("/a.js", "W/\"sha256:01\""));
        assert!(!known("/index.html", "W/\"sha256:00\""));
    }
}
