//! How Python code becomes a component.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{
    RecipeError,
    world::{self, WASI, World},
};

/// The release of componentize-py.
pub const COMPONENTIZE_PY: &str = "0.25.1";
/// The Python inside the components that it makes.
pub const PYTHON_INSIDE: &str = "3.14";
/// Distribution name of the SDK for Python.
pub const SDK: &str = "mint-guest-sdk";
/// The packages that are in every component of a Python plugin, besides what its author adds.
pub const CARRIED: &[(&str, &str)] = &[(SDK, "1.0.0")];

/// The SDK's module that exports what the world asks for; it imports the author's class from [`ENTRY_MODULE`].
const SDK_MODULE: &str = "mint_sdk.component_app";
const ENTRY_MODULE: &str = "mint_entry";

/// Packages whose native part only makes them faster: they work without it.
const NATIVE_PART_OPTIONAL: &[&str] = &["markupsafe", "yaml", "_yaml"];

const LATE_IMPORTS: &str = include_str!("assets/late_imports.py");
/// Largest list of late imports that is read.
const LATE_IMPORTS_BYTES_MAX: u64 = 1 << 20;

/// A plugin's class: `module:Class`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    module: String,
    class: String,
}

/// A component in the making, in a directory of its own.
#[derive(Clone, Debug)]
pub struct Recipe {
    directory: PathBuf,
}

impl Entry {
    /// Reads `module:Class`.
    ///
    /// # Errors
    /// [`RecipeError::Entry`].
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        match text.split_once(':') {
            Some((module, class)) if module.split('.').all(is_identifier) && is_identifier(class) => {
                Ok(Self { module: module.to_owned(), class: class.to_owned() })
            }
            _ => Err(RecipeError::Entry(text.to_owned())),
        }
    }

    /// The module that hands the class to the SDK, and loads what `late` names: a component has no files to import from.
    fn text(&self, late: &[String]) -> String {
        let mut text = format!("from {} import {} as Plugin\n", self.module, self.class);
        if !late.is_empty() {
            let list = serde_json::Value::from(late);
            // A late import is often an optional one, so that its absence here means nothing.
            text.push_str(&format!(
                "\nimport importlib\n\nfor _name in {list}:\n    try:\n        importlib.import_module(_name)\n    except Exception:\n        pass\n"
            ));
        }
        text
    }
}

impl Recipe {
    /// A component to be made in `directory`, which is empty.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    /// Where the plugin's modules, the SDK and all that they require are to stand, as `pip install --target` leaves them.
    pub fn code(&self) -> PathBuf {
        self.directory.join("dependencies")
    }

    /// Where the component stands in the end.
    pub fn component(&self) -> PathBuf {
        self.directory.join("plugin.wasm")
    }

    fn late_imports(&self) -> PathBuf {
        self.directory.join("late_imports.json")
    }

    /// Deletes compiled extensions that their package can do without.
    ///
    /// # Errors
    /// [`RecipeError::Native`] names a package with others.
    pub fn remove_native_parts(&self) -> Result<(), RecipeError> {
        let root = self.code();
        let mut dirs = vec![root.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(&dir).map_err(RecipeError::at(&dir))? {
                let entry = entry.map_err(RecipeError::at(&dir))?;
                let path = entry.path();
                if entry.file_type().map_err(RecipeError::at(&path))?.is_dir() {
                    dirs.push(path);
                } else if path.extension().is_some_and(|extension| extension == "so") {
                    let relative = path.strip_prefix(&root).unwrap_or(&path);
                    let package = relative.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
                    let package = package.unwrap_or_default();
                    if !NATIVE_PART_OPTIONAL.contains(&package.as_str()) {
                        return Err(RecipeError::Native(package));
                    }
                    fs::remove_file(&path).map_err(RecipeError::at(path))?;
                }
            }
        }
        Ok(())
    }

    /// Arguments with which any Python looks for what the code imports inside functions.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn look_for_late_imports(&self) -> Result<Vec<OsString>, RecipeError> {
        let script = self.directory.join("late_imports.py");
        fs::write(&script, LATE_IMPORTS).map_err(RecipeError::at(&script))?;
        Ok(vec![script.into(), self.code().into(), self.late_imports().into()])
    }

    /// Writes what stands beside the code, once late imports were looked for, and gives the arguments of componentize-py.
    ///
    /// # Errors
    /// [`RecipeError`].
    pub fn prepare(&self, entry: &Entry, world: &World) -> Result<Vec<OsString>, RecipeError> {
        let (path, mut late) = (self.late_imports(), Vec::new());
        let file = File::open(&path).map_err(RecipeError::at(&path))?;
        file.take(LATE_IMPORTS_BYTES_MAX).read_to_end(&mut late).map_err(RecipeError::at(&path))?;
        let late: Vec<String> = serde_json::from_slice(&late).map_err(RecipeError::LateImports)?;
        let (app, wit) = (self.directory.join("app"), self.directory.join("wit"));
        fs::create_dir(&app).map_err(RecipeError::at(&app))?;
        let module = app.join(format!("{ENTRY_MODULE}.py"));
        fs::write(&module, entry.text(&late)).map_err(RecipeError::at(&module))?;
        world.write(&wit, WASI)?;
        // Full names: what a module of the bindings is called must not depend on what else the world imports.
        let mut arguments: Vec<OsString> = ["--quiet", "--full-names", "--wit-path"].map(OsString::from).into();
        arguments.extend([wit.into(), "--world".into(), world::WORLD.into(), "componentize".into(), SDK_MODULE.into()]);
        arguments.extend(["-p".into(), app.into(), "-p".into(), self.code().into(), "-o".into(), self.component().into()]);
        Ok(arguments)
    }
}

fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_') && chars.all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_components_carry_is_what_the_sdk_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/sdk/python/pyproject.toml");
        let text = fs::read_to_string(path).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{name} = \""))?.strip_suffix('"'));
        assert_eq!(CARRIED, [(field("name").unwrap(), field("version").unwrap())]);
    }

    #[test]
    fn the_entry_loads_late_imports_early() {
        let entry = |text: &str| Entry::parse(text).unwrap();
        assert_eq!(entry("hello:Hello").text(&[]), "from hello import Hello as Plugin\n");
        let text = entry("a.b:C").text(&["json".to_owned(), "os.path".to_owned()]);
        assert!(text.contains("for _name in [\"json\",\"os.path\"]:"), "{text}");
        for bad in ["hello", "hello:", "a b:C", "a:C()", "a..b:C", "a:b.C", "import os; x:C"] {
            assert!(Entry::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_native_part_goes_only_where_it_is_not_needed() {
        let dir = tempfile::tempdir().unwrap();
        let recipe = Recipe::new(dir.path());
        let put = |path: &str| {
            let path = recipe.code().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        put("markupsafe/_speedups.cpython-313-x86_64-linux-gnu.so");
        put("markupsafe/_native.py");
        recipe.remove_native_parts().unwrap();
        assert_eq!(fs::read_dir(recipe.code().join("markupsafe")).unwrap().count(), 1);
        put("numpy/_core/_multiarray_umath.so");
        assert!(recipe.remove_native_parts().unwrap_err().to_string().starts_with("`numpy` has native code"));
    }
}
