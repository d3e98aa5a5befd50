//! Every operation of the document, asked by six kinds of people. What each of them is answered follows from what the operation
//! takes (`permissions.rs`) and from the rights of the system's roles; an operation of which nothing is said there fails here.

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use mint_domain::{ProjectReach, Rights, permission::SystemRole};
use mint_tests::{Client, Reply};
use serde_json::{Value, json};

use super::{
    permissions::{Takes, takes},
    strangers::{EMPTY_ELSEWHERE, Laboratory, SECRET},
};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// Without a credential.
    Nobody,
    /// Of the laboratory, with a role of no permissions, and without a part in anything.
    Stranger,
    /// The administrator of another laboratory.
    OtherLaboratory,
    Viewer,
    Member,
    Administrator,
}

/// What somebody is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// What the operation has to say, also that there is nothing to do.
    Given,
    /// That they sign in first.
    SignIn,
    /// No, and whom to ask.
    Refused,
    /// That there is no such thing.
    NotThere,
}

impl Asker {
    fn rights(self) -> Rights {
        match self {
            Self::Nobody | Self::Stranger => Rights::none(),
            Self::OtherLaboratory | Self::Administrator => SystemRole::Admin.into(),
            Self::Viewer => SystemRole::Viewer.into(),
            Self::Member => SystemRole::Member.into(),
        }
    }

    fn answer(self, takes: Takes, names_something: bool) -> Answer {
        let rights = self.rights();
        let has = |wanted: &str| {
            let permission = wanted.parse().unwrap();
            // The work of the laboratory is the administrator's: members do not own it.
            rights.permissions.contains(&permission) && rights.project_reach.has_outright(permission)
        };
        let may = match takes {
            Takes::Nothing | Takes::SigningIn => true,
            Takes::Permission(wanted) | Takes::Owning(wanted, _) => has(wanted),
            Takes::All(wanted) => wanted.iter().all(|one| has(one)),
            Takes::Any(wanted) => wanted.iter().any(|one| has(one)),
            Takes::Administrator => rights.project_reach == ProjectReach::Whole,
            // Nobody was appointed; `people/tenants.rs` has somebody who was.
            Takes::Installation => false,
        };
        match self {
            _ if takes == Takes::Nothing => Answer::Given,
            Self::Nobody => Answer::SignIn,
            _ if !may => Answer::Refused,
            Self::OtherLaboratory if names_something => Answer::NotThere,
            // It is all the administrator's.
            _ if matches!(takes, Takes::Owning(_, others) if !has(others)) => Answer::NotThere,
            _ => Answer::Given,
        }
    }

    async fn client(self, lab: &Laboratory) -> Client {
        let role = json!({ "slug": "stranger", "name": "x", "permissions": [], "project_scope": "assigned" });
        match self {
            Self::Nobody => Client::anonymous(&lab.server.url),
            Self::Stranger => crate::people::with_role(&lab.server, "stranger", &role).await,
            Self::OtherLaboratory => lab.server.other_tenant("other").await,
            Self::Viewer => lab.server.client("viewer").await,
            Self::Member => lab.server.client("member").await,
            Self::Administrator => lab.server.client("admin").await,
        }
    }
}

/// Reading comes first, then changing, then removing, what lies deepest first; who signs out asks nothing more.
fn order((method, path): &(Method, String)) -> (usize, usize, String) {
    let kind = match (method.as_str(), path.as_str()) {
        ("POST", "/api/auth/logout") => 4,
        ("GET", _) => 0,
        ("DELETE", _) => 2,
        (_, "/api/plugins/{name}/disable") => 2,
        _ => 1,
    };
    (kind, usize::MAX - path.matches('/').count(), path.clone())
}

/// None for an answer of another sort.
fn answer(reply: &Reply) -> Option<Answer> {
    let code = || reply.code();
    match reply.status.as_u16() {
        401 if code() == "auth.required" => Some(Answer::SignIn),
        403 if code() == "PERMISSION_DENIED" => Some(Answer::Refused),
        // Said to somebody who may ask, and does not know or show what it takes.
        401 | 403 => {
            let about_what_is_shown = ["auth.wrong_password", "auth.ceremony_ended", "auth.another_browser"];
            about_what_is_shown.contains(&code().as_str()).then_some(Answer::Given)
        }
        404 => (code() == "NOT_FOUND").then_some(Answer::NotThere),
        405 | 500.. => None,
        _ => Some(Answer::Given),
    }
}

/// The words of a refusal, without the names of what was asked for.
fn words(reply: &Reply, names: &BTreeSet<String>) -> Value {
    let body = reply.json();
    let told = format!("{} {} {}", body["code"], body["message"], body["details"]);
    told.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !names.contains(*word)).collect()
}

/// What is wrong with the answer to an operation.
async fn mistake(lab: &Laboratory, client: &Client, asker: Asker, (method, path): &(Method, String)) -> Option<String> {
    let operation = format!("{method} {path}");
    let expected = asker.answer(takes(&operation), path.contains('{'));
    let reply = lab.ask(client, method, path).await;
    println!("{operation}: {}, {expected:?}", reply.status);
    let is_empty = asker == Asker::OtherLaboratory && EMPTY_ELSEWHERE.contains(&operation.as_str());
    let found = match answer(&reply) {
        // What was removed on the way, or never was: whoever may change it does not find it.
        Some(Answer::NotThere) if expected == Answer::Given && method != Method::GET => Some(Answer::Given),
        Some(Answer::Given) if is_empty && reply.json() == json!([]) => Some(Answer::NotThere),
        found => found,
    };
    let is_read = found == Some(Answer::Given) && method == Method::GET;
    if found != Some(expected) || (is_read && reply.status != StatusCode::OK) {
        return Some(format!("{operation} is not {expected:?}: {reply:?}"));
    }
    let tells_whom = ["administrator", "an owner", "look after the whole installation"];
    if found == Some(Answer::Refused) && !tells_whom.iter().any(|whom| reply.text().contains(whom)) {
        return Some(format!("{operation} does not tell whom to ask: {reply:?}"));
    }
    let is_outside = matches!(asker, Asker::Nobody | Asker::Stranger | Asker::OtherLaboratory);
    if is_outside && reply.text().contains(SECRET) {
        return Some(format!("{operation} tells what the laboratory keeps: {reply:?}"));
    }
    if is_outside && path.contains('{') && found != Some(Answer::Given) && !is_empty {
        let (absent, names) = lab.ask_for_nothing(client, method, path).await;
        if (reply.status, words(&reply, &names)) != (absent.status, words(&absent, &names)) {
            return Some(format!("{operation} tells what there is: {reply:?}, and where there is nothing {absent:?}"));
        }
    }
    None
}

async fn walk(asker: Asker) {
    let lab = Laboratory::furnished().await;
    let client = asker.client(&lab).await;
    let mut operations = lab.operations.clone();
    operations.sort_by_key(order);
    let mut mistakes = Vec::new();
    for operation in &operations {
        mistakes.extend(mistake(&lab, &client, asker, operation).await);
    }
    assert!(mistakes.is_empty(), "{asker:?}:\n{}", mistakes.join("\n"));
    if !matches!(asker, Asker::Member | Asker::Administrator) {
        lab.is_as_it_was().await;
    }
}

#[tokio::test]
async fn every_operation_as_nobody() {
    walk(Asker::Nobody).await;
}

#[tokio::test]
async fn every_operation_as_a_stranger() {
    walk(Asker::Stranger).await;
}

#[tokio::test]
async fn every_operation_from_another_laboratory() {
    walk(Asker::OtherLaboratory).await;
}

#[tokio::test]
async fn every_operation_as_a_viewer() {
    walk(Asker::Viewer).await;
}

#[tokio::test]
async fn every_operation_as_a_member() {
    walk(Asker::Member).await;
}

#[tokio::test]
async fn every_operation_as_an_administrator() {
    walk(Asker::Administrator).await;
}
