//! What a wheel says of itself: its core metadata, and its file name.

use pep440_rs::{Version, VersionSpecifiers};

use super::{PackageRequirement, Unusable};

/// The core metadata of a wheel, as far as an installation needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct WheelMetadata {
    /// Name of the distribution, as it is written.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Which Pythons it runs on.
    pub requires_python: VersionSpecifiers,
    /// What it requires.
    pub requires: Vec<PackageRequirement>,
    /// What it requires and nobody can read, or may.
    pub unusable: Vec<Unusable>,
}

/// Why core metadata is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWheel {
    /// A field that must be there.
    #[error("its METADATA has no `{0}`")]
    Missing(&'static str),
    /// A field that cannot be read.
    #[error("its METADATA has `{field}: {value}`, which is not of the form that packages use")]
    Field {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// More requirements than a wheel has.
    #[error("it has more than {} requirements", WheelMetadata::REQUIREMENTS_MAX)]
    TooMany,
}

impl WheelMetadata {
    /// Requirements of one wheel.
    pub const REQUIREMENTS_MAX: usize = 1_000;

    /// Reads the text of `METADATA`.
    ///
    /// # Errors
    /// [`InvalidWheel`].
    pub fn parse(text: &str) -> Result<Self, InvalidWheel> {
        let (mut name, mut version, mut requires_python) = (None, None, None);
        let (mut requires, mut unusable) = (Vec::new(), Vec::new());
        // Headers end with the first empty line; the description follows.
        for (field, value) in text.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            match field.to_ascii_lowercase().as_str() {
                "name" if !value.is_empty() => name = Some(value.to_owned()),
                "version" if !value.is_empty() => version = Some(value),
                "requires-python" => requires_python = Some(value),
                "requires-dist" => match PackageRequirement::parse(value) {
                    Ok(requirement) => requires.push(requirement),
                    Err(wrong) => unusable.push(wrong),
                },
                _ => {}
            }
            if requires.len() + unusable.len() > Self::REQUIREMENTS_MAX {
                return Err(InvalidWheel::TooMany);
            }
        }
        let field = |field, value: &str| InvalidWheel::Field {
            field,
            value: value.chars().take(120).collect::<String>().escape_debug().to_string(),
        };
        let version = version.ok_or(InvalidWheel::Missing("Version"))?;
        let name = name.ok_or(InvalidWheel::Missing("Name"))?;
        // It is shown to people.
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')) {
            return Err(field("Name", &name));
        }
        Ok(Self {
            name,
            version: version.parse().map_err(|_| field("Version", version))?,
            requires_python: match requires_python {
                Some(text) if has_long_number(text) => return Err(field("Requires-Python", text)),
                Some(text) => text.parse().map_err(|_| field("Requires-Python", text))?,
                None => VersionSpecifiers::empty(),
            },
            requires,
            unusable,
        })
    }

    /// The name in the form of PEP 503.
    pub fn package(&self) -> String {
        self.name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-").to_ascii_lowercase()
    }

    /// Whether it requires a package, with whatever marker.
    pub fn requires_package(&self, package: &str) -> bool {
        self.requires.iter().any(|requirement| requirement.package == package)
    }
}

/// Whether a wheel runs on any machine, from its file name: `name-version(-build)-python-abi-platform.whl`.
pub fn is_pure(file: &str) -> bool {
    file.strip_suffix(".whl").is_some_and(|stem| stem.ends_with("-none-any"))
}

fn has_long_number(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > super::text::DIGITS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_read_up_to_the_description() {
        let text = "Metadata-Version: 2.3\nName: My_Plugin\nVersion: 1.2.0\nRequires-Python: >=3.11,<4\n\
                    Requires-Dist: Mint_SDK[server]>=1.2 ; extra == 'x'\nRequires-Dist: numpy (>=2)\n\
                    Requires-Dist: old >= 2.*\n\nName: not this\n";
        let read = WheelMetadata::parse(text).unwrap();
        assert_eq!(
            (read.name.as_str(), read.package().as_str(), read.version.to_string().as_str()),
            ("My_Plugin", "my-plugin", "1.2.0")
        );
        assert_eq!(read.requires_python.to_string(), ">=3.11, <4");
        assert!(read.requires_package("mint-sdk") && read.requires_package("numpy"));
        assert_eq!(read.unusable.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("Version: 1\n", "no `Name`"),
            ("Name: \u{1b}[31mx\nVersion: 1\n", "`Name: \\u{1b}[31mx`"),
            ("Name: x\n", "no `Version`"),
            ("Name: x\nVersion: one\n", "`Version: one`"),
            ("Name: x\nVersion: 1\nRequires-Python: three\n", "`Requires-Python: three`"),
            ("Name: x\nVersion: 1\nRequires-Python: ~=3.18446744073709551615.1\n", "Requires-Python"),
        ] {
            let error = WheelMetadata::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let many = format!("Name: x\nVersion: 1\n{}", "Requires-Dist: y\n".repeat(1_001));
        assert_eq!(WheelMetadata::parse(&many).unwrap_err(), InvalidWheel::TooMany);
    }

    #[test]
    fn a_file_name_says_whether_a_wheel_is_pure() {
        for (file, pure) in [
            ("x-1-py3-none-any.whl", true),
            ("x-1-1-py2.py3-none-any.whl", true),
            ("x-1-cp313-cp313-manylinux_2_28_x86_64.whl", false),
            ("x-1-py3-none-macosx_11_0_arm64.whl", false),
            ("x-1-py3-none-any.zip", false),
        ] {
            assert_eq!(is_pure(file), pure, "{file}");
        }
    }
}
