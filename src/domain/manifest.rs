//! What a bundle says of itself: our `format_version: 2`, and MINT's 1, read into one type.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Capability, Digest, Limits, Prefix, Slug, limit::LimitChanges, policy::PluginType};

/// Largest `manifest.json` read, in bytes.
pub const MANIFEST_BYTES_MAX: u64 = 1 << 20;

/// What stands beside plugins under `/api/plugins/`: no plugin may be called so.
pub const NAMES_OF_ROUTES: [&str; 3] = ["dev", "plan", "upload"];

/// A checked manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 2, or 1 for a bundle made by MINT.
    pub format_version: u32,
    /// Who the plugin is.
    pub plugin: PluginInfo,
    /// Entry of the component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Python wheels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wheels: Option<Wheels>,
    /// A native executable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Directory of its front-end, with an `index.html` in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontend: Option<String>,
    /// Instance policy; by default `request`.
    #[serde(default)]
    pub instances: InstancePolicy,
    /// What it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<CapabilityRequest>,
    /// What it would like to use at most; an administrator decides.
    #[serde(default)]
    pub limits: LimitChanges,
    /// JSON Schema of its settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_schema: Option<Value>,
    /// JSON Schema of its design data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design_schema: Option<Value>,
    /// SHA-256 of every entry but `manifest.json`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Digest>,
}

/// The fields of MINT's `PluginMetadata` that a host needs before it runs anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginInfo {
    /// Name in URLs.
    pub slug: Slug,
    /// Version of the release: 1 to 64 of `[A-Za-z0-9.+!_-]`.
    pub version: String,
    /// Name shown to people, up to 64 characters; by default the slug.
    #[serde(default)]
    pub display_name: String,
    /// One sentence.
    #[serde(default)]
    pub description: String,
    /// Free text, such as `lcms`.
    #[serde(default)]
    pub analysis_type: String,
    /// Which writes its type allows.
    #[serde(default)]
    pub plugin_type: PluginType,
    /// Its routes stand under `/api` and this; by default `/<slug>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes_prefix: Option<Prefix>,
    /// Who wrote it.
    #[serde(default)]
    pub author: String,
    /// Where to read more.
    #[serde(default)]
    pub homepage: String,
    /// SPDX expression.
    #[serde(default)]
    pub license: String,
    /// SVG path data, raster data URL or https URL.
    #[serde(default)]
    pub icon: String,
}

/// The wheels of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheels {
    /// Entry of the plugin's own wheel.
    pub main: String,
    /// Entries of further wheels.
    #[serde(default)]
    pub dependencies: Vec<String>,
    /// Entry of a fully pinned and hashed requirements file that also names the bundled wheels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements: Option<String>,
    /// Distribution that owns the entry point.
    pub distribution: String,
    /// Name of the entry point in the group `mint.plugins`.
    pub entry_point: String,
}

/// A native executable that serves HTTP on the socket it is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Entry of the file to run.
    pub executable: String,
    /// Its arguments; `{socket}` becomes the path of the socket.
    #[serde(default)]
    pub args: Vec<String>,
}

/// How long an instance of a component lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstancePolicy {
    /// A fresh one for every request.
    #[default]
    Request,
    /// A warm one is used again, for the same installation only.
    Tenant,
}

/// A capability and the author's reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapabilityRequest {
    /// What is asked for.
    pub name: Capability,
    /// Why, in a sentence.
    #[serde(default)]
    pub why: String,
}

/// Why a manifest is refused.
#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    /// Not JSON, or not of the form.
    #[error("manifest.json is not valid: {0}")]
    Json(#[from] serde_json::Error),
    /// Made for a platform that knows more.
    #[error("manifest.json has format_version {0}; this platform reads 1 and 2")]
    FormatVersion(u64),
    /// A field that parses but cannot be.
    #[error("manifest.json: {0}")]
    Field(String),
}

impl Manifest {
    /// Reads and checks `manifest.json`, of either format.
    ///
    /// # Errors
    /// [`InvalidManifest`], naming the field.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidManifest> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u64,
        }
        let version: Version = serde_json::from_slice(json)?;
        let manifest: Self = match version.format_version {
            2 => serde_json::from_slice(json)?,
            1 => mint_v1::read(json)?,
            other => return Err(InvalidManifest::FormatVersion(other)),
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// The manifest of a plugin that is being developed: there is nothing of it to run but its developer's server.
    ///
    /// # Errors
    /// [`InvalidManifest`], naming the field.
    pub fn of_development(plugin: PluginInfo) -> Result<Self, InvalidManifest> {
        plugin.check()?;
        let manifest = Self {
            format_version: 2,
            plugin,
            component: None,
            wheels: None,
            process: None,
            instances: InstancePolicy::default(),
            capabilities: Vec::new(),
            limits: LimitChanges::default(),
            settings_schema: None,
            design_schema: None,
            frontend: None,
            files: BTreeMap::new(),
        };
        manifest.prefix()?;
        Ok(manifest)
    }

    /// Where its routes stand.
    ///
    /// # Errors
    /// [`InvalidManifest::Field`] when no prefix is given and the slug belongs to the platform.
    pub fn prefix(&self) -> Result<Prefix, InvalidManifest> {
        match &self.plugin.routes_prefix {
            Some(prefix) => Ok(prefix.clone()),
            None => format!("/{}", self.plugin.slug).parse().map_err(|e| InvalidManifest::Field(format!("{e}"))),
        }
    }

    /// What it asks for, without the reasons.
    pub fn requested(&self) -> impl Iterator<Item = &Capability> {
        self.capabilities.iter().map(|request| &request.name)
    }

    fn check(&self) -> Result<(), InvalidManifest> {
        let field = |text: String| Err(InvalidManifest::Field(text));
        self.plugin.check()?;
        if self.component.is_none() && self.wheels.is_none() && self.process.is_none() {
            return field("names neither a component nor wheels nor a process, so there is nothing to run".to_owned());
        }
        self.prefix()?;
        Limits::default().merged(&self.limits).map_err(|error| InvalidManifest::Field(error.to_string()))?;
        if let Some(frontend) = &self.frontend
            && !self.files.contains_key(&format!("{frontend}/index.html"))
        {
            let shown = frontend.escape_debug();
            return field(format!("the front-end `{shown}` has no `index.html` with a SHA-256 under `files`"));
        }
        if self.format_version == 2 {
            for entry in self.entries() {
                if !self.files.contains_key(entry) {
                    return field(format!("`{entry}` has no SHA-256 under `files`"));
                }
            }
        }
        Ok(())
    }

    /// Every entry that the manifest names.
    pub fn entries(&self) -> Vec<&str> {
        let wheels = self.wheels.iter().flat_map(|wheels| {
            [Some(&wheels.main), wheels.requirements.as_ref()].into_iter().flatten().chain(&wheels.dependencies)
        });
        let process = self.process.iter().map(|process| &process.executable);
        self.component.iter().chain(wheels).chain(process).map(String::as_str).collect()
    }
}

impl PluginInfo {
    fn check(&self) -> Result<(), InvalidManifest> {
        let field = |text: String| Err(InvalidManifest::Field(text));
        let slug = self.slug.as_str();
        if NAMES_OF_ROUTES.contains(&slug) {
            return field(format!("`/api/plugins/{slug}` belongs to the platform; choose another slug than `{slug}`"));
        }
        let version = &self.version;
        let version_char = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'!' | b'_' | b'-');
        if version.is_empty() || version.len() > 64 || version.starts_with('.') || !version.bytes().all(version_char) {
            return field(format!("version `{}` must be 1 to 64 of letters, digits and `.+!_-`", version.escape_debug()));
        }
        if self.display_name.chars().count() > 64 {
            return field("display_name is longer than 64 characters".to_owned());
        }
        Ok(())
    }
}

/// MINT's own format: wheels only, no hashes.
mod mint_v1 {
    use serde::Deserialize;

    use super::{InstancePolicy, InvalidManifest, Manifest, PluginInfo, Wheels};
    use crate::{limit::LimitChanges, policy::PluginType};

    #[derive(Deserialize)]
    struct V1 {
        plugin: V1Plugin,
        wheels: V1Wheels,
    }

    #[derive(Deserialize)]
    struct V1Plugin {
        name: String,
        version: String,
        #[serde(default)]
        description: String,
    }

    #[derive(Deserialize)]
    struct V1Wheels {
        main: String,
        #[serde(default)]
        dependencies: Vec<String>,
    }

    pub(super) fn read(json: &[u8]) -> Result<Manifest, InvalidManifest> {
        let v1: V1 = serde_json::from_slice(json)?;
        // MINT compares distribution names as PEP 503 does; a slug is that form.
        let slug = v1.plugin.name.to_lowercase().replace(['_', '.'], "-");
        let slug: crate::Slug = slug.parse().map_err(|e| InvalidManifest::Field(format!("plugin.name: {e}")))?;
        Ok(Manifest {
            format_version: 1,
            plugin: PluginInfo {
                display_name: v1.plugin.name.chars().take(64).collect(),
                version: v1.plugin.version,
                description: v1.plugin.description,
                analysis_type: String::new(),
                // A v1 manifest does not say its type; MINT trusts the class, so the grants alone decide here.
                plugin_type: PluginType::Full,
                routes_prefix: None,
                author: String::new(),
                homepage: String::new(),
                license: String::new(),
                icon: String::new(),
                slug: slug.clone(),
            },
            component: None,
            wheels: Some(Wheels {
                main: v1.wheels.main,
                dependencies: v1.wheels.dependencies,
                requirements: None,
                distribution: v1.plugin.name,
                entry_point: slug.to_string(),
            }),
            process: None,
            frontend: None,
            instances: InstancePolicy::Request,
            capabilities: Vec::new(),
            limits: LimitChanges::default(),
            settings_schema: None,
            design_schema: None,
            files: std::collections::BTreeMap::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn v2() -> Value {
        json!({
            "format_version": 2,
            "plugin": {"slug": "hello", "version": "1.0.0"},
            "component": "plugin.wasm",
            "capabilities": [{"name": "experiments:read", "why": "To look."}],
            "files": {"plugin.wasm": Digest::of(b"x").to_string()},
        })
    }

    fn parse(value: &Value) -> Result<Manifest, InvalidManifest> {
        Manifest::parse(value.to_string().as_bytes())
    }

    #[test]
    fn a_small_manifest_is_enough() {
        let manifest = parse(&v2()).unwrap();
        assert_eq!(manifest.prefix().unwrap().public(), "/api/hello");
        assert_eq!(manifest.instances, InstancePolicy::Request);
        assert_eq!(manifest.requested().collect::<Vec<_>>(), [&Capability::ExperimentsRead]);
    }

    #[test]
    fn mints_own_manifest_is_read() {
        let manifest = parse(&json!({
            "format_version": 1,
            "plugin": {"name": "My_Plugin", "version": "1.2.0", "description": "d", "requires_mint": ">=1.0", "has_frontend": false},
            "wheels": {"main": "my_plugin-1.2.0-py3-none-any.whl", "dependencies": []},
        }))
        .unwrap();
        assert_eq!(manifest.plugin.slug.as_str(), "my-plugin");
        assert_eq!(manifest.wheels.unwrap().distribution, "My_Plugin");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let broken = |change: &dyn Fn(&mut Value)| {
            let mut value = v2();
            change(&mut value);
            parse(&value).unwrap_err().to_string()
        };
        let table = [
            broken(&|v| v["format_version"] = json!(3)),
            broken(&|v| v["plugin"]["slug"] = json!("../x")),
            broken(&|v| v["plugin"]["slug"] = json!("plan")),
            broken(&|v| v["plugin"]["version"] = json!("")),
            broken(&|v| v["plugin"]["routes_prefix"] = json!("/experiments")),
            broken(&|v| v["component"] = Value::Null),
            broken(&|v| v["component"] = json!("other.wasm")),
            broken(&|v| v["capabilities"][0]["name"] = json!("root")),
            broken(&|v| v["surprise"] = json!(1)),
            broken(&|v| v["limits"] = json!({ "cpu_ms_max": 99_999_999_999_u64 })),
            broken(&|v| v["frontend"] = json!("frontend")),
            broken(&|v| v["files"]["plugin.wasm"] = json!("sha256:00")),
            Manifest::parse(b"{").unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(table.join("\n"));
    }
}
