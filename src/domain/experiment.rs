//! Enumerations of the laboratory's own records, with their text on the wire and in the database.

/// A text that is none of an enumeration's values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is none of {expected:?}")]
pub struct UnknownValue {
    text: String,
    expected: &'static [&'static str],
}

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The text on the wire and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The value of a text.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = UnknownValue;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text).ok_or(UnknownValue { text, expected: &[$($text,)*] })
            }
        }
    };
}

text_enum! {
    /// Where an experiment stands.
    ExperimentStatus {
        /// Not begun.
        Planned = "planned",
        /// Running.
        Ongoing = "ongoing",
        /// Done.
        Completed = "completed",
        /// Given up.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// Where a project stands.
    ProjectStatus {
        /// Worked on.
        Active = "active",
        /// Put away.
        Archived = "archived",
        /// Done.
        Completed = "completed",
    }
}

text_enum! {
    /// What somebody is to a project, or to one experiment; the later ones may more.
    Standing {
        /// Looks.
        Viewer = "viewer",
        /// Works on it.
        Editor = "editor",
        /// Decides on it.
        Owner = "owner",
    }
}

text_enum! {
    /// Whether an artifact is shown.
    ArtifactStatus {
        /// Shown.
        Active = "active",
        /// Put away by its plugin.
        Archived = "archived",
    }
}
