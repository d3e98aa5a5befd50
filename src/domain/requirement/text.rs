//! One requirement, read from its text.

use std::{fmt, path::Path};

use pep440_rs::VersionSpecifiers;
use pep508_rs::{ExtraName, MarkerTree, Pep508Url, Requirement, VersionOrUrl};

use super::Environment;

/// Longest requirement, in bytes.
const BYTES_MAX: usize = 2_048;
/// More digits in a row than any version has; what reads them adds one to the number.
pub(super) const DIGITS_MAX: usize = 18;

/// A requirement of a package from an index, or from the bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct PackageRequirement {
    /// Its name in the form of PEP 503.
    pub package: String,
    /// Its extras.
    pub(super) extras: Vec<ExtraName>,
    /// Which versions.
    pub versions: VersionSpecifiers,
    /// Why it is refused wherever its marker holds, if it is: it names a URL.
    pub refused: Option<Unusable>,
    marker: MarkerTree,
}

/// Why a requirement cannot be worked with. Its text is shortened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// `name @ url`, or a bare URL.
    #[error("`{0}` is required by URL, past the package indexes; put its wheel into the bundle")]
    Url(String),
    /// `-e` or a path.
    #[error("`{0}` is a directory of somebody's machine; put its wheel into the bundle")]
    Editable(String),
    /// An option for the installer in the lock, which would change where packages come from.
    #[error("`{0}` is an option for the installer; a bundle's lock has requirements and hashes only")]
    Option(String),
    /// Not of the form of PEP 508.
    #[error("`{text}` cannot be read: {why}")]
    Form {
        /// The requirement.
        text: String,
        /// What is wrong.
        why: String,
    },
}

impl Unusable {
    /// Whether it is refused. What merely cannot be read may be something that uv knows.
    pub fn is_refused(&self) -> bool {
        !matches!(self, Self::Form { .. })
    }
}

impl PackageRequirement {
    /// Reads a line of `Requires-Dist`, or of a requirements file without its hashes.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        let text = text.trim();
        let form = |why: String| Unusable::Form { text: shortened(text), why: shortened(&why) };
        if text.len() > BYTES_MAX {
            return Err(form(format!("it is longer than {BYTES_MAX} bytes")));
        }
        if text.starts_with("-e") || text.starts_with("--editable") || text.starts_with(['.', '/']) {
            return Err(Unusable::Editable(shortened(text)));
        }
        if text.starts_with('-') {
            return Err(Unusable::Option(shortened(text)));
        }
        let head = text.split([' ', ';', '@']).next().unwrap_or_default();
        if head.contains("://") || head.starts_with("git+") {
            return Err(Unusable::Url(shortened(text)));
        }
        if text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > DIGITS_MAX) {
            return Err(form("it has a number that no version has".to_owned()));
        }
        if let Some(name) = unfinished_name(text) {
            return Err(form(format!("the name `{name}` ends with neither a letter nor a digit")));
        }
        if !text.is_ascii() {
            // The library counts some letters as bytes, and breaks in the middle of others. None stands in a name or a version.
            return Err(if text.contains('@') {
                Unusable::Url(shortened(text))
            } else {
                form("it has letters beyond ASCII".to_owned())
            });
        }
        let read: Requirement<RawUrl> = text.parse().map_err(|error: pep508_rs::Pep508Error<RawUrl>| {
            // The message alone: what underlines the place counts letters as bytes.
            form(error.message.to_string().lines().next().unwrap_or_default().to_owned())
        })?;
        let (versions, refused) = match read.version_or_url {
            None => (VersionSpecifiers::empty(), None),
            Some(VersionOrUrl::VersionSpecifier(versions)) => (versions, None),
            Some(VersionOrUrl::Url(_)) => (VersionSpecifiers::empty(), Some(Unusable::Url(shortened(text)))),
        };
        Ok(Self { package: read.name.to_string(), extras: read.extras, versions, refused, marker: read.marker })
    }

    /// Whether it holds in an environment, for a package that was required with `extras`.
    pub(super) fn holds(&self, environment: &Environment, extras: &[ExtraName]) -> bool {
        self.marker.evaluate(environment.markers(), extras)
    }
}

/// The name of the package, or of an extra, that ends as none does: the library breaks on them.
fn unfinished_name(text: &str) -> Option<&str> {
    let (name, rest) = text.split_at(text.find(|c: char| !is_of_name(c)).unwrap_or(text.len()));
    let extras = rest.trim_start().strip_prefix('[').map(|rest| rest.split(']').next().unwrap_or_default());
    let mut names = std::iter::once(name).chain(extras.into_iter().flat_map(|extras| extras.split(|c: char| !is_of_name(c))));
    names.find(|name| name.ends_with(['.', '-', '_']))
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// A URL as it is written: nothing of it is looked up or expanded.
#[derive(Debug)]
struct RawUrl(String);

impl Pep508Url for RawUrl {
    type Err = std::convert::Infallible;

    fn parse_url(url: &str, _working_dir: Option<&Path>) -> Result<Self, Self::Err> {
        Ok(Self(url.to_owned()))
    }
}

impl fmt::Display for RawUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn shortened(text: &str) -> String {
    const CHARS: usize = 120;
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    if text.chars().count() <= CHARS { text } else { text.chars().take(CHARS - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_beyond_ascii_break_nothing_and_hide_no_url() {
        for text in ["a; (((python_version>\"1! \")))\u{2d8}\n9\u{2d8}", "\u{e9}", "a>=1; os_name == '\u{2d8}"] {
            assert!(matches!(PackageRequirement::parse(text), Err(Unusable::Form { .. })), "{text}");
        }
        let url = PackageRequirement::parse("a @ https://ex\u{e4}mple.org/a.whl");
        assert!(matches!(url, Err(Unusable::Url(_))), "{url:?}");
    }

    #[test]
    fn requirements_are_read_or_told_apart() {
        for (text, expected) in [
            ("Mint_SDK.x[server]>=1.2 ; extra == 'x'", "mint-sdk-x >=1.2"),
            ("numpy (>=2,<3)", "numpy >=2, <3"),
            ("six", "six "),
            ("peaks @ https://example.org/peaks.whl", "peaks  !"),
            ("peaks @ git+ssh://git@example.org/peaks ; sys_platform == 'linux'", "peaks  !"),
            ("peaks @ file:///tmp/${HOME}/peaks.whl", "peaks  !"),
        ] {
            let read = PackageRequirement::parse(text).unwrap();
            let mark = if read.refused.is_some() { " !" } else { "" };
            assert_eq!(format!("{} {}{mark}", read.package, read.versions), expected, "{text}");
        }
        let form = |text: &str| match PackageRequirement::parse(text).unwrap_err() {
            Unusable::Url(_) => "url",
            Unusable::Editable(_) => "editable",
            Unusable::Option(_) => "option",
            Unusable::Form { .. } => "form",
        };
        for (text, expected) in [
            ("https://example.org/peaks.whl", "url"),
            ("git+https://example.org/peaks", "url"),
            ("-e .", "editable"),
            ("--editable=/src/peaks", "editable"),
            ("./peaks", "editable"),
            ("/src/peaks.whl", "editable"),
            ("--index-url https://example.org", "option"),
            ("-r other.txt", "option"),
            ("", "form"),
            ("peaks >= two", "form"),
            ("peaks ~= 1", "form"),
            ("peaks ~= 1.18446744073709551615.0", "form"),
            ("peaks ; python_version == '18446744073709551615.*'", "form"),
            (&"x".repeat(3_000), "form"),
            ("peaks.@c https://x/y.whl", "form"),
            ("peaks ; (python_version > '0')       ;%מڤ", "form"),
            ("peaks-[a]", "form"),
            ("peaks [a, b_ ]", "form"),
            ("peaks[a., b]", "form"),
            ("peaks[a. b", "form"),
        ] {
            assert_eq!(form(text), expected, "{text}");
        }
    }
}
