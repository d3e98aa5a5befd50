//! The rules of the house that a compiler does not know. A number here may only go down.

mod wit;

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

/// The lines before the file's tests; none of a file that is nothing else.
fn without_tests<'a>(path: &Path, text: &'a str) -> Vec<&'a str> {
    if path.ends_with("tests.rs") {
        return Vec::new();
    }
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
        ("rusqlite", vec!["store"]),
        ("tokio-postgres", vec!["store"]),
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
        let lines = without_tests(&path, &text).len();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines; make two rooms of it", path.display());
    }
}

#[test]
fn functions_stay_short() {
    for (path, text) in sources() {
        let mut begun: Option<(usize, usize, String)> = None;
        for (number, line) in without_tests(&path, &text).into_iter().enumerate() {
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

/// Files that hold more than declarations, and should not. The list may only shrink.
const ROOTS_WITH_CODE: &[&str] = &[
    "src/cli/commands/mod.rs",
    "src/domain/capability/mod.rs",
    "src/platform/install/mod.rs",
    "src/server/api/mod.rs",
    "src/subprocess/rpc/mod.rs",
];

#[test]
fn crate_roots_and_mod_files_only_declare() {
    let mut with_code = Vec::new();
    for (path, text) in sources() {
        let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let is_root = path.ends_with("/lib.rs") || path.ends_with("/mod.rs");
        if is_root && without_tests(Path::new(&path), &text).into_iter().any(is_code) {
            with_code.push(path);
        }
    }
    with_code.sort();
    assert_eq!(with_code, ROOTS_WITH_CODE, "the root of a crate or a module only declares, and says what it is for");
}

/// Whether a line begins an item that does something.
fn is_code(line: &str) -> bool {
    // `pub(crate) const fn new() {` is the words pub, const, fn, …
    let mut words = line.split_whitespace().map(|word| word.split(['(', '<']).next().unwrap_or_default());
    let item = words.find(|word| !matches!(*word, "pub" | "async" | "const" | "unsafe" | "extern"));
    matches!(item, Some("fn" | "struct" | "enum" | "union" | "trait" | "impl" | "macro_rules!"))
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

#[test]
fn every_variable_of_the_limits_is_read_somewhere() {
    let code: String = sources().into_iter().filter(|(path, _)| !path.ends_with("limit.rs")).map(|(_, text)| text).collect();
    let unread: Vec<&str> =
        mint_domain::limit::TABLE.iter().map(|row| row.name).filter(|name| !code.contains(&format!(".{name}"))).collect();
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

/// A kind of change that is in no list would be killed by no test.
#[test]
fn every_change_is_in_the_lists_that_tests_of_crashes_go_through() {
    let platform = root().join("src/platform");
    let declared: BTreeSet<String> = sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with(&platform))
        .flat_map(|(_, text)| {
            let after = |declared: &str| declared.split_once("kind: \"")?.1.split_once('"').map(|(kind, _)| kind.to_owned());
            text.split("> = Change {").skip(1).filter_map(after).collect::<Vec<_>>()
        })
        .collect();
    let listed = crate::cli::crashes::changes().into_iter().map(|(kind, _)| kind.to_owned()).collect();
    assert_eq!(declared, listed);
}
