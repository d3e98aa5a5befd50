use std::path::{Path, PathBuf};

use super::BuildError;

/// How to build. The command line fills it; [`Default`] reads nothing from the environment.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct BuildOptions {
    /// Directory `guests/sdk` of MINT's source; by default found upward from the guest
    #[arg(long, env = "MINT_SDK_DIR", value_name = "DIR")]
    pub sdk_dir: Option<PathBuf>,

    /// Where the tools for JavaScript are kept between builds; by default `mint` in the user's cache directory
    #[arg(long, env = "MINT_CACHE_DIR", value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,

    /// The user's cache directory
    #[arg(hide = true, long, env = "XDG_CACHE_HOME")]
    pub xdg_cache_home: Option<PathBuf>,

    /// Version of the release, in the place of that in mint.toml
    #[arg(long, value_name = "VERSION")]
    pub release_version: Option<String>,

    /// Rust: cargo features instead of the default ones; may be repeated
    #[arg(long, value_name = "FEATURE")]
    pub features: Vec<String>,

    /// Say nothing while building
    #[arg(long, short)]
    pub quiet: bool,
}

impl BuildOptions {
    /// Where the SDK of a language is, if it can be found.
    pub(super) fn sdk(&self, guest: &Path, language: &'static str, folder: &str) -> Result<PathBuf, BuildError> {
        let looked_for = match &self.sdk_dir {
            Some(dir) => dir.join(folder),
            None => {
                let tail = Path::new("guests/sdk").join(folder);
                match guest.ancestors().map(|dir| dir.join(&tail)).find(|dir| dir.is_dir()) {
                    Some(found) => return Ok(found),
                    None => guest.join("…").join(tail),
                }
            }
        };
        if looked_for.is_dir() { Ok(looked_for) } else { Err(BuildError::SdkMissing { language, looked_for }) }
    }

    /// The directory for tools that are kept between builds.
    pub(super) fn cache(&self) -> PathBuf {
        let user_cache = || self.xdg_cache_home.clone().or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
        self.cache_dir
            .clone()
            .or_else(|| user_cache().map(|dir| dir.join("mint")))
            .unwrap_or_else(|| std::env::temp_dir().join("mint"))
    }
}
