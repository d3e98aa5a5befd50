//! The WIT: frozen where it was released, served in both modes, called by a guest.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use mint_domain::Digest;

use super::root;

/// What the platform's internal API, which is MINT's, has for a function of the WIT.
enum Wire {
    /// Method, path below `/api/internal`, and the handler in `src/subprocess/rpc`.
    Route(&'static str, &'static str, &'static str),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

use Wire::{Nothing, Route};

const ARTIFACT: &str = "/experiments/{id}/analysis-artifacts/{*rest}";
const OBJECT: &str = "/experiments/{id}/objects/{*key}";

/// Theirs is a session of SQLAlchemy, which speaks to a database and not to the platform.
const NO_SQL: &str = "MINT's internal API has no SQL: its plugins are given a session on a database of their own.";

/// A process of MINT's has a session of its own, and MINT's own operations on it.
const NO_OPS: &str = "MINT's SDK changes the tables of its plugins by itself, on the session that they are given.";

/// Every function of `mint:platform`, and its counterpart for processes.
const FUNCTIONS: &[(&str, Wire)] = &[
    ("database.begin", Nothing(NO_SQL)),
    ("database.columns", Nothing(NO_SQL)),
    ("database.commit", Nothing(NO_SQL)),
    ("database.execute", Nothing(NO_SQL)),
    ("database.next", Nothing(NO_SQL)),
    ("database.open", Nothing(NO_SQL)),
    ("database.query", Nothing(NO_SQL)),
    ("designs.delete", Route("delete", "/experiments/{id}/data", "designs::delete")),
    ("designs.load", Route("get", "/experiments/{id}/data", "designs::load")),
    ("designs.save", Route("put", "/experiments/{id}/data", "designs::save")),
    ("experiments.create", Route("post", "/experiments", "experiments::create")),
    ("experiments.delete", Route("delete", "/experiments/{id}", "experiments::delete")),
    ("experiments.get", Route("get", "/experiments/{id}", "experiments::get")),
    ("experiments.list", Route("get", "/experiments", "experiments::list")),
    ("experiments.set-status", Route("patch", "/experiments/{id}", "experiments::update")),
    ("experiments.update", Route("patch", "/experiments/{id}", "experiments::update")),
    ("identity.current", Nothing("The headers of a request say who acts.")),
    ("identity.find-user", Route("get", "/users/by-username/{username}", "identity::find_user")),
    ("identity.get-user", Route("get", "/users/{id}", "identity::get_user")),
    ("identity.list-users", Route("get", "/users", "identity::list_users")),
    ("identity.permissions", Nothing("The headers of a request say what who acts may do.")),
    ("identity.require-role", Route("get", "/plugin-roles/{user}", "roles::get")),
    ("jobs.cancel", Route("post", "/jobs/{id}/cancel", "jobs::cancel")),
    ("jobs.cancelled", Route("post", "/jobs/{id}/heartbeat", "jobs::heartbeat")),
    ("jobs.current", Nothing("The request for a job says which it is.")),
    ("jobs.enqueue", Route("post", "/jobs", "jobs::enqueue")),
    ("jobs.get", Route("get", "/jobs/{id}", "jobs::get")),
    ("jobs.heartbeat", Route("post", "/jobs/{id}/heartbeat", "jobs::heartbeat")),
    ("jobs.list", Route("get", "/jobs", "jobs::list")),
    ("jobs.progress", Route("post", "/jobs/{id}/progress", "jobs::progress")),
    ("migration-ops.add-column", Nothing(NO_OPS)),
    ("migration-ops.alter-column", Nothing(NO_OPS)),
    ("migration-ops.backfill", Nothing(NO_OPS)),
    ("migration-ops.create-index", Nothing(NO_OPS)),
    ("migration-ops.create-table", Nothing(NO_OPS)),
    ("migration-ops.dialect", Nothing(NO_OPS)),
    ("migration-ops.drop-column", Nothing(NO_OPS)),
    ("migration-ops.drop-index", Nothing(NO_OPS)),
    ("migration-ops.drop-table", Nothing(NO_OPS)),
    ("migration-ops.execute", Nothing(NO_OPS)),
    ("migration-ops.query", Nothing(NO_OPS)),
    ("migration-ops.rename-column", Nothing(NO_OPS)),
    ("objects.body", Route("put", OBJECT, "objects::put")),
    ("objects.delete", Route("delete", OBJECT, "objects::delete")),
    ("objects.exists", Route("head", OBJECT, "objects::exists")),
    ("objects.finish", Route("put", OBJECT, "objects::put")),
    ("objects.get", Route("get", OBJECT, "objects::get")),
    ("objects.info", Nothing("MINT gives the facts of one object with the list, and after `put`.")),
    ("objects.list", Route("get", "/experiments/{id}/objects", "objects::list")),
    ("objects.put", Route("put", OBJECT, "objects::put")),
    ("projects.get", Nothing("MINT's internal API has no projects; an experiment has the name of its project.")),
    ("projects.list", Nothing("MINT's internal API has no projects; an experiment has the name of its project.")),
    ("results.archive", Route("post", ARTIFACT, "artifacts::act")),
    ("results.delete", Route("delete", "/experiments/{id}/results/{plugin}", "results::delete")),
    ("results.list", Route("get", "/experiments/{id}/analysis-artifacts", "artifacts::list")),
    ("results.load", Route("get", ARTIFACT, "artifacts::load")),
    ("results.restore", Route("post", ARTIFACT, "artifacts::act")),
    ("results.save", Route("put", ARTIFACT, "artifacts::save")),
    ("results.save-all", Route("put", "/experiments/{id}/analysis-artifacts", "artifacts::save_all")),
    ("settings.compare-and-swap", Route("post", "/plugin-config/{name}/compare-and-swap", "settings::compare_and_swap")),
    ("settings.load", Route("get", "/plugin-config/{name}", "settings::load")),
];

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(directory: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(root().join(directory)).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Interfaces of `mint:platform` that have functions.
fn interfaces() -> BTreeSet<String> {
    let files = names("wit/mint-platform@1.0.0");
    files
        .iter()
        .map(|name| name.trim_end_matches(".wit").to_owned())
        .filter(|name| name != "package" && name != "types")
        .collect()
}

/// `interface.function` of all of them.
fn functions() -> BTreeSet<String> {
    let mut functions = BTreeSet::new();
    for interface in interfaces() {
        let wit = read(format!("wit/mint-platform@1.0.0/{interface}.wit"));
        for line in wit.lines().filter(|line| line.contains(": func(") || line.contains(": static func(")) {
            let name = line.trim().trim_start_matches('%').split(':').next().unwrap();
            functions.insert(format!("{interface}.{name}"));
        }
    }
    functions
}

fn parts(function: &str) -> (&str, &str) {
    function.split_once('.').unwrap()
}

/// The first release of the platform freezes `@1.0.0`. Until then, a change of it changes `wit/DIGESTS` too.
#[test]
fn released_interfaces_do_not_change() {
    let mut digests = String::new();
    let mut packages: Vec<String> = names("wit/deps").into_iter().map(|name| format!("deps/{name}")).collect();
    packages.extend(names("wit").into_iter().filter(|name| name.contains('@')));
    packages.sort();
    for package in packages {
        let mut files = names(format!("wit/{package}"));
        files.sort();
        for file in files {
            let path = format!("{package}/{file}");
            digests.push_str(&format!("{}  {path}\n", Digest::of(read(format!("wit/{path}")).as_bytes())));
        }
    }
    assert!(
        digests == read("wit/DIGESTS"),
        "The WIT is not that of wit/DIGESTS. A released package never changes: make a new version of it beside the old one. \
         Of what was never released, wit/DIGESTS is to say:\n{digests}"
    );
}

#[test]
fn every_interface_has_a_host_file_and_a_service() {
    for interface in interfaces() {
        for directory in ["src/context", "src/wasm/host/v1"] {
            let file = format!("{directory}/{}.rs", interface.replace('-', "_"));
            assert!(root().join(&file).is_file(), "{file} is missing");
        }
    }
}

#[test]
fn every_function_is_served_to_components() {
    for function in functions() {
        let (interface, name) = parts(&function);
        let host = read(format!("src/wasm/host/v1/{}.rs", interface.replace('-', "_")));
        assert!(host.contains(&format!("fn {}(", name.replace('-', "_"))), "{function} has no host function");
    }
}

#[test]
fn every_function_is_served_to_processes_or_it_is_said_why_not() {
    let table: BTreeMap<&str, &Wire> = FUNCTIONS.iter().map(|(function, wire)| (*function, wire)).collect();
    let known: BTreeSet<String> = table.keys().map(|function| (*function).to_owned()).collect();
    assert_eq!(known, functions(), "the table of this file and the WIT do not name the same functions");
    let routes: String = read("src/subprocess/rpc/mod.rs").split_whitespace().collect();
    let routes: Vec<&str> = routes.split(".route(").collect();
    for (function, wire) in table {
        match wire {
            Route(method, path, handler) => {
                let route = routes.iter().find(|route| route.starts_with(&format!("\"{path}\",")));
                let route = route.unwrap_or_else(|| panic!("{function}: there is no route {path}"));
                assert!(route.contains(&format!("{method}({handler})")), "{function}: {method} {path} is not {handler}: {route}");
                let (file, name) = handler.split_once("::").unwrap();
                assert!(read(format!("src/subprocess/rpc/{file}.rs")).contains(&format!("fn {name}(")), "{function}: {handler}");
            }
            Nothing(why) => assert!(!why.is_empty(), "{function}: say why processes cannot have it"),
        }
    }
}

/// The guest `everything` calls them all, and a test reads its answers.
#[test]
fn every_function_is_called_by_a_guest_whose_answer_is_read() {
    let (tests, changes) = (read("tests/wasm/everything.rs"), read("tests/lifecycle/migrations/changes.rs"));
    for function in functions() {
        let (interface, name) = parts(&function);
        // Writing an object is one call of the SDK.
        let (name, function) = match function.as_str() {
            "objects.body" | "objects.finish" => ("put", "objects.put"),
            // Handles do not leave a call: the guest does all with them that it is told.
            "database.commit" => ("begin", "database.begin"),
            "database.columns" | "database.next" => ("open", "database.open"),
            other => (name, other),
        };
        let (guest, tests, function) = match interface {
            // Only a migration has them in its hands.
            "migration-ops" => (read("guests/hostile/migrator/src/steps.rs"), &changes, name),
            _ => (read(format!("guests/hostile/everything/src/calls/{interface}.rs")), &tests, function),
        };
        assert!(guest.contains(&format!("\"{name}\" =>")), "no guest calls {function}");
        assert!(tests.contains(&format!("\"{function}\"")), "no test reads what {function} answers");
    }
}
