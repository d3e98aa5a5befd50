//! Every operation and the permission that it takes: who has all others is refused, and told which one is missing; who has that one,
//! and may look, is not.

use std::collections::BTreeSet;

use http::Method;
use mint_domain::Permission;
use serde_json::json;

use super::strangers::{FOR_EVERYBODY, FOR_THE_INSTALLATION, Laboratory, PUBLIC};

/// Operations by what they take.
const NEEDED: &[(&str, &[&str])] = &[
    ("projects.view", &["GET /api/projects", "GET /api/projects/{id}", "GET /api/projects/{id}/members"]),
    ("projects.create", &["POST /api/projects"]),
    ("projects.edit", &["PATCH /api/projects/{id}"]),
    ("projects.manage_members", &["PUT /api/projects/{id}/members/{user}", "DELETE /api/projects/{id}/members/{user}"]),
    (
        "experiments.view",
        &[
            "GET /api/experiments",
            "GET /api/experiments/{id}",
            "GET /api/experiments/{id}/analysis-artifacts",
            "GET /api/experiments/{id}/analysis-artifacts/{plugin}/{key}",
            "GET /api/experiments/{id}/collaborators",
            "GET /api/experiments/{id}/data",
            "GET /api/experiments/{id}/objects",
            "GET /api/experiments/{id}/objects/{key}",
            "GET /api/experiments/{id}/results",
            "GET /api/experiments/{id}/results/{plugin}",
        ],
    ),
    ("instruments.view", &["GET /api/instruments"]),
    ("experiments.create", &["POST /api/experiments"]),
    (
        "experiments.edit",
        &["PATCH /api/experiments/{id}", "PUT /api/experiments/{id}/objects/{key}", "DELETE /api/experiments/{id}/objects/{key}"],
    ),
    ("experiments.delete", &["DELETE /api/experiments/{id}"]),
    ("projects.delete", &["DELETE /api/projects/{id}"]),
    (
        "plugins.use",
        &[
            "GET /api/calendar/events",
            "GET /api/jobs",
            "GET /api/jobs/{job}",
            "GET /api/notifications",
            "POST /api/jobs/{job}/cancel",
            "POST /api/jobs/{job}/retry",
        ],
    ),
    (
        "plugins.view",
        &[
            "GET /api/plugins",
            "GET /api/plugins/{name}",
            "GET /api/plugins/{name}/config",
            "GET /api/plugins/{name}/limits",
            "GET /api/plugins/{name}/migrations",
            "GET /api/plugins/{name}/releases",
            "GET /api/plugins/{name}/snapshots",
            "GET /api/platform/limits",
            "GET /api/platform/share",
            "GET /api/archives",
            "GET /api/operations/{id}",
            "GET /api/operations/{id}/events",
        ],
    ),
    (
        "plugins.configure",
        &[
            "PUT /api/plugins/{name}/config",
            "PATCH /api/plugins/{name}/grants",
            "PATCH /api/plugins/{name}/limits",
            "PATCH /api/platform/limits",
        ],
    ),
    (
        "plugins.install",
        &[
            "GET /api/replicas",
            "GET /api/plugins/{name}/snapshots/{snapshot}",
            "POST /api/operations/{id}/cancel",
            "POST /api/plugins/plan",
            "POST /api/plugins/upload",
            "POST /api/plugins/{name}/upgrade",
            "POST /api/plugins/{name}/rollback",
            "POST /api/plugins/{name}/reset",
            "POST /api/plugins/{name}/restore",
            "POST /api/plugins/{name}/snapshots/upload",
            "POST /api/plugins/{name}/reload",
            "POST /api/plugins/{name}/enable",
            "POST /api/plugins/{name}/snapshots",
            "DELETE /api/plugins/{name}/snapshots/{snapshot}",
            "POST /api/plugins/{name}/disable",
            "DELETE /api/plugins/{name}",
            "DELETE /api/archives/{archive}",
        ],
    ),
    ("users.view", &["GET /api/users", "GET /api/users/{id}", "GET /api/roles", "GET /api/admin/plugin-roles/{plugin}"]),
    (
        "users.manage",
        &[
            "PUT /api/admin/plugin-roles/{plugin}/{user}",
            "PUT /api/admin/plugin-roles/{plugin}/{user}/fields",
            "DELETE /api/admin/plugin-roles/{plugin}/{user}",
            "POST /api/roles",
            "PATCH /api/roles/{role}",
            "DELETE /api/roles/{role}",
            "PATCH /api/users/{id}",
            "PUT /api/users/{id}/password",
            "DELETE /api/users/{id}",
        ],
    ),
    (
        "platform.view_logs",
        &["GET /api/admin/audit", "GET /api/admin/audit/export", "GET /api/admin/audit/verify", "GET /api/platform/metrics"],
    ),
];
/// What takes more than one permission, either of two, a part in the work beside, or nothing but to be signed in.
const OTHERWISE: &[(&str, Takes)] = &[
    ("GET /api/auth/identities", Takes::SigningIn),
    ("GET /api/auth/verify", Takes::SigningIn),
    ("GET /api/jobs/{job}", Takes::Owning("plugins.use", "jobs.read_all")),
    ("GET /api/oauth/device/{user_code}", Takes::SigningIn),
    ("GET /api/passkey", Takes::SigningIn),
    ("GET /api/platform/export", Takes::Administrator),
    ("GET /api/projects/{id}/experiments", Takes::All(&["projects.view", "experiments.view"])),
    ("GET /api/sessions", Takes::SigningIn),
    ("GET /api/tokens", Takes::SigningIn),
    ("GET /api/tokens/service", SERVICE_TOKENS),
    ("GET /api/users/me", Takes::SigningIn),
    ("POST /api/jobs/{job}/cancel", Takes::Owning("plugins.use", "jobs.manage_all")),
    ("POST /api/jobs/{job}/retry", Takes::Owning("plugins.use", "jobs.manage_all")),
    ("POST /api/plugins/dev", Takes::Permission("plugins.install")),
    ("POST /api/tokens/service", SERVICE_TOKENS),
    ("POST /api/users", Takes::Any(&["users.manage", "users.invite"])),
    ("DELETE /api/tokens/service/{service_token}", SERVICE_TOKENS),
    // Or a part in it.
    ("PUT /api/experiments/{id}/collaborators/{user}", Takes::Permission("projects.manage_members")),
    ("DELETE /api/experiments/{id}/collaborators/{user}", Takes::Permission("projects.manage_members")),
];
const SERVICE_TOKENS: Takes = Takes::All(&["users.manage", "plugins.configure"]);

/// What it takes to be answered by an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing at all.
    Nothing,
    /// To be somebody.
    SigningIn,
    /// A permission.
    Permission(&'static str),
    /// All of these.
    All(&'static [&'static str]),
    /// One of these.
    Any(&'static [&'static str]),
    /// The first permission for what is one's own, and the second for what is others', which is not found without.
    Owning(&'static str, &'static str),
    /// To be an administrator of the laboratory.
    Administrator,
    /// To look after the whole installation.
    Installation,
}

/// What an operation takes, such as `GET /api/projects`.
pub(super) fn takes(operation: &str) -> Takes {
    if operation.split_once(' ').unwrap().1.starts_with(FOR_THE_INSTALLATION) {
        return Takes::Installation;
    }
    if PUBLIC.contains(&operation) {
        return Takes::Nothing;
    }
    if FOR_EVERYBODY.contains(&operation) {
        return Takes::SigningIn;
    }
    if let Some((_, otherwise)) = OTHERWISE.iter().find(|(known, _)| *known == operation) {
        return *otherwise;
    }
    let needed = NEEDED.iter().find(|(_, operations)| operations.contains(&operation));
    needed.map_or_else(|| panic!("say here what {operation} takes"), |(permission, _)| Takes::Permission(permission))
}
/// What is refused for another reason too: nobody gives rights that they lack.
const BOUND_BY_OWN_RIGHTS: &str = "PATCH /api/users/{id}";
/// What lets somebody look, and use plugins.
const LOOKING: &[&str] = &["projects.view", "experiments.view", "plugins.view", "plugins.use", "users.view", "instruments.view"];

fn role(slug: &str, permissions: &[&str]) -> serde_json::Value {
    json!({ "slug": slug, "name": slug, "permissions": permissions })
}

#[tokio::test]
async fn every_operation_takes_its_permission_and_no_other() {
    let lab = Laboratory::furnished().await;
    let all: Vec<&str> = Permission::ALL.iter().filter(|one| one.is_enforced()).map(|one| one.as_str()).collect();
    let operations = |list: &'static [&'static str]| {
        list.iter().map(|operation| {
            let (method, path) = operation.split_once(' ').unwrap();
            (method.parse::<Method>().unwrap(), path)
        })
    };
    for (permission, list) in NEEDED {
        let slug = format!("without-{}", permission.replace(['.', '_'], "-"));
        let others: Vec<&str> = all.iter().copied().filter(|other| other != permission).collect();
        let person = crate::people::with_role(&lab.server, &slug, &role(&slug, &others)).await;
        for (method, path) in operations(list) {
            let reply = lab.ask(&person, &method, path).await;
            let said = (reply.status.as_u16(), reply.code());
            assert_eq!(said, (403, "PERMISSION_DENIED".to_owned()), "{method} {path} without {permission}: {reply:?}");
            assert!(reply.text().contains(permission), "{method} {path}: {reply:?}");
        }
    }
    for (permission, list) in NEEDED {
        let slug = format!("with-{}", permission.replace(['.', '_'], "-"));
        let own: BTreeSet<&str> = LOOKING.iter().copied().chain([*permission]).collect();
        let own: Vec<&str> = own.into_iter().collect();
        let person = crate::people::with_role(&lab.server, &slug, &role(&slug, &own)).await;
        for (method, path) in operations(list).filter(|(method, path)| format!("{method} {path}") != BOUND_BY_OWN_RIGHTS) {
            let reply = lab.ask(&person, &method, path).await;
            let is_refused = [401, 403].contains(&reply.status.as_u16());
            assert!(!is_refused && !reply.status.is_server_error(), "{method} {path} with {permission}: {reply:?}");
        }
    }
}
