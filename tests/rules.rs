//! The rules of the house that a compiler does not know. A number here may only go down.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Lines of a file, tests not counted.
const FILE_LINES_MAX: usize = 600;
/// Lines of a function.
const FUNCTION_LINES_MAX: usize = 80;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    for directory in ["src", "xtask/src", "benches"] {
        walk(&root().join(directory), &mut found);
    }
    found
}

/// The lines before the file's tests.
fn without_tests(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| *line != "#[cfg(test)]").collect()
}

fn dependencies(krate: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("src").join(krate).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

#[test]
fn who_may_know_whom() {
    let edges = BTreeMap::from([
        ("domain", vec![]),
        ("store", vec!["domain"]),
        ("bundle", vec!["domain"]),
        ("context", vec!["domain", "store"]),
        ("wasm", vec!["context", "domain"]),
        ("subprocess", vec!["context", "domain"]),
        ("platform", vec!["bundle", "context", "domain", "store"]),
        ("server", vec!["context", "domain", "platform", "store"]),
        ("cli", vec!["bundle", "context", "domain", "platform", "server", "store", "subprocess", "wasm"]),
    ]);
    let crates: BTreeSet<String> =
        fs::read_dir(root().join("src")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(crates, edges.keys().map(|name| (*name).to_owned()).collect(), "a crate without a place in the picture");
    for (krate, allowed) in edges {
        let known: Vec<String> =
            dependencies(krate).iter().filter_map(|name| name.strip_prefix("mint-").map(str::to_owned)).collect();
        assert_eq!(known, allowed, "what `{krate}` knows is not what the picture in ARCHITECTURE.md shows");
    }
}

#[test]
fn what_stands_in_one_place_only() {
    for (dependency, homes) in [
        ("sqlx", vec!["store"]),
        ("wasmtime", vec!["wasm"]),
        ("axum", vec!["subprocess", "server"]),
        ("zip", vec!["bundle", "subprocess"]),
        ("object_store", vec!["context"]),
        ("argon2", vec!["platform"]),
    ] {
        let crates = ["domain", "store", "bundle", "context", "wasm", "subprocess", "platform", "server", "cli"];
        let found: Vec<&str> = crates.into_iter().filter(|krate| dependencies(krate).contains(dependency)).collect();
        assert_eq!(found, homes, "{dependency}");
    }
}

#[test]
fn files_stay_short() {
    for (path, text) in sources() {
        let lines = without_tests(&text).len();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines; make two rooms of it", path.display());
    }
}

#[test]
fn functions_stay_short() {
    for (path, text) in sources() {
        let mut begun: Option<(usize, usize, String)> = None;
        for (number, line) in without_tests(&text).into_iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            match &begun {
                Some((start, depth, head)) if line.trim_start() == "}" && indent == *depth => {
                    let lines = number - start + 1;
                    assert!(lines <= FUNCTION_LINES_MAX, "{}: `{head}` has {lines} lines", path.display());
                    begun = None;
                }
                Some(_) => {}
                None if (line.contains("fn ") && line.trim_end().ends_with('{')) && !line.trim_start().starts_with("//") => {
                    begun = Some((number, indent, line.trim().to_owned()));
                }
                None => {}
            }
        }
    }
}

#[test]
fn crate_roots_and_mod_files_only_declare() {
    for (path, text) in sources() {
        let name = path.file_name().unwrap().to_str().unwrap();
        if name == "lib.rs" {
            assert!(!text.contains("fn "), "{} holds code; a crate's root only declares", path.display());
        }
    }
}

#[test]
fn only_the_store_has_sql() {
    for (path, text) in sources() {
        if path.components().any(|part| part.as_os_str() == "store") {
            continue;
        }
        for statement in ["insert into ", "select * from", "delete from ", "update installations"] {
            assert!(!text.to_lowercase().contains(&format!("\"{statement}")), "{} contains SQL", path.display());
        }
    }
}

#[test]
fn migrations_pair_up() {
    let names = |dialect: &str| -> BTreeSet<String> {
        let directory = root().join("migrations").join(dialect);
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert_eq!(names("sqlite"), names("postgres"));
    for (position, name) in names("sqlite").iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", position + 1)), "{name} is out of order");
    }
}

/// Interfaces of `mint:platform`, from the WIT.
fn interfaces() -> BTreeSet<String> {
    let directory = root().join("wit/mint-platform@1.0.0");
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| name != "package" && name != "types").collect()
}

#[test]
fn every_interface_has_a_host_file_and_a_service() {
    for interface in interfaces() {
        for directory in ["src/context", "src/wasm/host/v1"] {
            let file = root().join(directory).join(format!("{interface}.rs"));
            assert!(file.is_file(), "{} is missing", file.display());
        }
        // Projects have no route on MINT's wire.
        if interface != "projects" {
            let file = root().join("src/subprocess/rpc").join(format!("{interface}.rs"));
            assert!(file.is_file(), "{} is missing", file.display());
        }
    }
}

#[test]
fn every_function_of_an_interface_is_called_by_its_namesake() {
    for interface in interfaces() {
        let wit = fs::read_to_string(root().join(format!("wit/mint-platform@1.0.0/{interface}.wit"))).unwrap();
        let host = fs::read_to_string(root().join(format!("src/wasm/host/v1/{interface}.rs"))).unwrap();
        for line in wit.lines().filter(|line| line.contains(": func(")) {
            let name = line.trim().trim_start_matches('%').split(':').next().unwrap().replace('-', "_");
            assert!(host.contains(&format!("fn {name}(")), "{interface}.{name} has no host function");
        }
    }
}

#[test]
fn every_variable_of_the_limits_is_read_somewhere() {
    let code: String = sources().into_iter().filter(|(path, _)| !path.ends_with("limit.rs")).map(|(_, text)| text).collect();
    let unread: Vec<&str> =
        mint_domain::limit::TABLE.iter().map(|(name, ..)| *name).filter(|name| !code.contains(&format!(".{name}"))).collect();
    assert!(unread.is_empty(), "limits that nothing enforces: {unread:?}");
}

#[test]
fn nothing_promises_what_is_not_there() {
    for (path, text) in sources() {
        for promise in ["TODO", "FIXME", "XXX", "HACK", "unimplemented!", "todo!"] {
            let found = text.lines().any(|line| line.contains(promise) && !line.contains('"'));
            assert!(!found, "{} contains {promise}", path.display());
        }
    }
}
