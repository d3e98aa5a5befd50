//! One story for each family of tables, told on every database there is.

use mint_domain::{
    Digest, ExperimentId, Grants, Manifest, Mode, Permission, Plan, State, TenantId, UserId,
    experiment::{ArtifactStatus, ExperimentStatus},
    lifecycle::{Event, Failure},
    limit::LimitChanges,
    plan::{Findings, ForcedBy},
};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{
    Db, Error, Page, artifacts, audit,
    calendar::{self, NewCalendarEvent},
    ceremonies::{self, NewCeremony},
    designs, experiments,
    installations::{self, NewInstallation},
    instruments,
    notifications::{self, NewNotification, Reader},
    objects::{self, NewObject},
    operations::{self, NewOperation},
    plugin_roles, projects, releases, roles,
    sessions::{self, NewSession},
    tenants,
    testing::databases,
    tokens, users,
};

const NOW: OffsetDateTime = datetime!(2026-11-21 09:26:00.123456 UTC);

async fn lab(db: &Db, slug: &str) -> TenantId {
    let mut tx = db.begin().await.unwrap();
    let tenant = tenants::insert(&mut tx, &slug.parse().unwrap(), slug, NOW).await.unwrap();
    tx.commit().await.unwrap();
    tenant.id
}

fn fields(name: &str) -> experiments::Fields {
    experiments::Fields {
        name: name.to_owned(),
        experiment_type: "test".to_owned(),
        status: ExperimentStatus::Planned,
        project: None,
        parent_experiment_id: None,
        notes: None,
        tags: json!({"a": [1, null, "ä"]}),
        custom_metadata: json!({}),
        start_date: None,
        end_date: None,
    }
}

async fn experiment(db: &Db, tenant: TenantId, name: &str) -> ExperimentId {
    let mut tx = db.begin().await.unwrap();
    let id = experiments::insert(&mut tx, tenant, &fields(name), None, NOW).await.unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn people_and_their_sessions() {
    for test in databases().await {
        let (a, b) = (lab(&test.db, "a").await, lab(&test.db, "b").await);
        let mut tx = test.db.begin().await.unwrap();
        let user = users::insert(&mut tx, a, "ada", Some("hash"), "admin", NOW).await.unwrap();
        users::insert(&mut tx, b, "ada", None, "member", NOW).await.unwrap();
        assert_eq!(user.created_at, NOW, "an instant comes back as it was");
        assert_eq!(users::password_hash(&mut tx, a, "ada").await.unwrap(), Some((user.id, "hash".to_owned())));
        assert_eq!(users::password_hash(&mut tx, b, "ada").await.unwrap(), None);
        assert!(users::get(&mut tx, b, user.id).await.unwrap().is_none(), "another tenant's user");
        let (later, idle) = (NOW + Duration::hours(2), NOW - Duration::hours(1));
        let expires_at = NOW + Duration::hours(1);
        let session = NewSession {
            token_sha256: "t",
            user: user.id,
            expires_at,
            is_read_only: false,
            user_agent: None,
            address: Some("::1"),
        };
        sessions::insert(&mut tx, a, session, NOW).await.unwrap();
        assert_eq!(sessions::find(&mut tx, "t", NOW, idle).await.unwrap().unwrap().username, "ada");
        assert!(sessions::find(&mut tx, "t", NOW, NOW).await.unwrap().is_none(), "an idle session");
        assert!(sessions::find(&mut tx, "t", later, idle).await.unwrap().is_none());
        assert!(plugin_roles::of_user(&mut tx, a, user.id).await.unwrap().is_empty());
        assert_eq!(sessions::delete_expired(&mut tx, later, idle).await.unwrap(), 1);
        assert!(!sessions::delete(&mut tx, "t").await.unwrap());
        tx.commit().await.unwrap();

        let mut tx = test.db.begin().await.unwrap();
        let again = users::insert(&mut tx, a, "ada", None, "member", NOW).await;
        assert!(matches!(again, Err(Error::Duplicate { what: "user" })), "{again:?}");
    }
}

#[tokio::test]
async fn experiments_are_found_by_their_own_tenant() {
    for test in databases().await {
        let (a, b) = (lab(&test.db, "a").await, lab(&test.db, "b").await);
        let id = experiment(&test.db, a, "Peak 100%_x").await;
        experiment(&test.db, a, "other").await;
        experiment(&test.db, a, "Ärger im GRÖẞTEN Ёлка [ΩΣ]").await;
        let mut tx = test.db.begin().await.unwrap();
        let project = projects::insert(&mut tx, a, "P", None, None, NOW).await.unwrap();
        let changed = experiments::Fields { project: Some(project.id), notes: Some("n".to_owned()), ..fields("Peak 100%_x") };
        assert!(experiments::update(&mut tx, a, id, &changed, NOW).await.unwrap());
        assert!(!experiments::update(&mut tx, b, id, &changed, NOW).await.unwrap());
        let row = experiments::get(&mut tx, a, id).await.unwrap().unwrap();
        assert_eq!((row.project.as_deref(), &row.tags), (Some("P"), &json!({"a": [1, null, "ä"]})));
        let too_long = "ä".repeat(60_000);
        for (search, expected) in [
            ("100%_", 1),
            ("%", 1),
            ("_x", 1),
            ("peak", 1),
            ("!", 0),
            ("*", 0),
            ("?", 0),
            ("ärger", 1),
            ("ÄRGER IM", 1),
            ("größten", 1),
            ("ёЛКА", 1),
            ("[ωσ]", 1),
            ("[a", 0),
            (".*", 0),
            ("(?i)", 0),
            ("\\", 0),
            ("a\0", 0),
            (&too_long, 0),
        ] {
            let filter = experiments::Filter { search: Some(search.to_owned()), ..experiments::Filter::default() };
            let (found, total) = experiments::list(&mut tx, a, &filter, Page::new(0, 10)).await.unwrap();
            assert_eq!((found.len(), total), (expected, expected as u64), "{search}");
        }
        assert_eq!(experiments::list(&mut tx, b, &experiments::Filter::default(), Page::new(0, 10)).await.unwrap().1, 0);
        assert!(!experiments::delete(&mut tx, b, id).await.unwrap());
        assert!(experiments::delete(&mut tx, a, id).await.unwrap());
    }
}

#[tokio::test]
async fn a_design_has_one_owner_and_an_artifact_one_key() {
    for test in databases().await {
        let tenant = lab(&test.db, "a").await;
        let id = experiment(&test.db, tenant, "e").await;
        let mut tx = test.db.begin().await.unwrap();
        let saved = designs::upsert(&mut tx, tenant, id, "one", &json!({"v": 1}), "1.0", NOW).await.unwrap();
        assert_eq!(saved.unwrap().data, json!({"v": 1}));
        assert!(designs::upsert(&mut tx, tenant, id, "two", &json!({}), "1.0", NOW).await.unwrap().is_none());
        assert!(!designs::delete(&mut tx, tenant, id, "two").await.unwrap());

        let input =
            |result| artifacts::Input { key: "default".to_owned(), result, display_name: None, note: Some("n".to_owned()) };
        artifacts::upsert(&mut tx, tenant, id, "one", &input(json!({"b": 1, "a": 2})), NOW).await.unwrap();
        let archived = artifacts::archive(&mut tx, tenant, id, "one", "default", None, NOW).await.unwrap().unwrap();
        assert_eq!((archived.status, archived.archived_at), (ArtifactStatus::Archived, Some(NOW)));
        let replaced = artifacts::upsert(&mut tx, tenant, id, "one", &input(json!({"c": 1})), NOW).await.unwrap();
        assert_eq!((replaced.summary.status, replaced.summary.result_keys), (ArtifactStatus::Active, vec!["c".to_owned()]));
        assert_eq!(artifacts::list(&mut tx, tenant, id).await.unwrap().len(), 1);
        assert!(artifacts::restore(&mut tx, tenant, id, "one", "none", NOW).await.unwrap().is_none());
        assert!(artifacts::delete(&mut tx, tenant, id, "one", "default").await.unwrap());
    }
}

#[tokio::test]
async fn a_replaced_file_leaves_its_blob_to_the_sweep() {
    for test in databases().await {
        let tenant = lab(&test.db, "a").await;
        let id = experiment(&test.db, tenant, "e").await;
        let mut tx = test.db.begin().await.unwrap();
        let (key, metadata) = ("a/b.txt".parse().unwrap(), json!({}));
        for (blob, size) in [("first", 3), ("second", 5)] {
            let new = NewObject {
                plugin: "p",
                key: &key,
                filename: Some("c.txt"),
                content_type: Some("text/plain"),
                metadata: &metadata,
                size,
                sha256: "00",
                blob,
                created_by: None,
            };
            objects::replace(&mut tx, tenant, id, &new, NOW).await.unwrap();
        }
        let stored = objects::get(&mut tx, tenant, id, "p", "a/b.txt").await.unwrap().unwrap();
        assert_eq!((stored.blob.as_str(), stored.filename.as_deref()), ("second", Some("c.txt")));
        assert_eq!(objects::bytes_of(&mut tx, tenant, "p").await.unwrap(), 5);
        assert_eq!(objects::marked(&mut tx, 10).await.unwrap(), ["first"]);
        objects::unmark(&mut tx, "first").await.unwrap();
        assert_eq!(objects::mark_all(&mut tx, tenant, id, NOW).await.unwrap(), 1);
        assert_eq!(objects::marked(&mut tx, 10).await.unwrap(), ["second"]);
    }
}

#[tokio::test]
async fn an_installation_and_its_operations() {
    for test in databases().await {
        let tenant = lab(&test.db, "a").await;
        let digest = Digest::of(b"bundle");
        let manifest =
            json!({"format_version": 2, "plugin": {"slug": "p", "version": "1"}, "component": "c", "files": {"c": digest}});
        let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
        let mut tx = test.db.begin().await.unwrap();
        releases::insert(&mut tx, &manifest, &digest, NOW).await.unwrap();
        releases::insert(&mut tx, &manifest, &digest, NOW).await.unwrap();
        let release = releases::find(&mut tx, "p", "1").await.unwrap().unwrap();
        assert_eq!((release.digest, &release.manifest), (digest, &manifest));
        let new = NewInstallation {
            slug: "p",
            release: release.id,
            prefix: "/p",
            plan: &Plan { mode: Mode::Shared, reason: "r".to_owned(), findings: Findings::default() },
            state: &State::Installing,
            grants: &Grants::new(["objects".parse().unwrap()]),
            limits: &LimitChanges::default(),
        };
        let installed = installations::insert(&mut tx, tenant, &new, NOW).await.unwrap();
        let failed = State::Installing.after(Event::Faulted(Failure::new("stage", "no", "retry"))).unwrap();
        assert!(installations::set_state(&mut tx, tenant, installed.id, &failed, NOW).await.unwrap());
        assert_eq!(installations::bump_generation(&mut tx, tenant, installed.id, NOW).await.unwrap(), Some(2));
        let swap = [(json!({}), json!({"x": 1}), true), (json!({}), json!({"x": 2}), false)];
        for (expected, settings, done) in swap {
            assert_eq!(
                installations::swap_settings(&mut tx, tenant, installed.id, &expected, &settings, NOW).await.unwrap(),
                done
            );
        }
        let row = installations::find(&mut tx, tenant, "p").await.unwrap().unwrap();
        assert_eq!((row.mode(), &row.state, &row.settings), (Mode::Shared, &failed, &json!({"x": 1})));
        let findings = Findings { forced_by: Some(ForcedBy::Configuration), ..Findings::default() };
        let plan = Plan { mode: Mode::Isolated, reason: "s".to_owned(), findings };
        assert!(installations::set_plan(&mut tx, tenant, installed.id, &plan, NOW).await.unwrap());
        assert_eq!(installations::get(&mut tx, tenant, installed.id).await.unwrap().unwrap().plan(), plan);
        assert!(!releases::delete_unused(&mut tx, release.id).await.unwrap(), "a release in use was deleted");

        let input = json!({});
        let begun = NewOperation {
            plugin: "p",
            kind: "reload",
            actor: "system",
            request_id: "r",
            input: &input,
            lease_owner: "me",
            lease_until: NOW + Duration::seconds(30),
        };
        let lease = operations::begin(&mut tx, tenant, &begun, NOW).await.unwrap().unwrap();
        let id = lease.operation;
        assert!(operations::begin(&mut tx, tenant, &begun, NOW).await.unwrap().is_none(), "two operations on one plugin");
        operations::begin_step(&mut tx, lease, 0, "stage", NOW).await.unwrap();
        operations::end_step(&mut tx, lease, 0, "done", "note", NOW).await.unwrap();
        assert!(operations::abandoned(&mut tx, "other", NOW).await.unwrap().is_empty());
        let later = NOW + Duration::minutes(1);
        assert_eq!(operations::abandoned(&mut tx, "other", later).await.unwrap().len(), 1);
        assert!(
            operations::begin(&mut tx, tenant, &begun, later).await.unwrap().is_none(),
            "one was begun over an abandoned one"
        );
        let taken = operations::take_over(&mut tx, id, "other", later + Duration::seconds(30), later).await.unwrap().unwrap();
        assert_eq!(taken, operations::Lease { operation: id, epoch: lease.epoch + 1 });
        assert!(operations::take_over(&mut tx, id, "third", later, later).await.unwrap().is_none(), "a live lease was taken");
        let outcome = json!({"changed": true});
        for lost in [
            operations::guard(&mut tx, lease).await,
            operations::renew(&mut tx, lease, later).await,
            operations::begin_step(&mut tx, lease, 1, "late", later).await,
            operations::end_step(&mut tx, lease, 0, "failed", "late", later).await,
            operations::end(&mut tx, lease, "failed", &outcome, later).await,
        ] {
            assert!(matches!(lost, Err(Error::LeaseLost)), "a lost lease counted: {lost:?}");
        }
        operations::renew(&mut tx, taken, later + Duration::minutes(1)).await.unwrap();
        operations::end(&mut tx, taken, "done", &outcome, later).await.unwrap();
        assert!(matches!(operations::guard(&mut tx, taken).await, Err(Error::LeaseLost)), "one that ended is still held");
        let ended = operations::get(&mut tx, tenant, id).await.unwrap().unwrap();
        assert_eq!((ended.status.as_str(), ended.outcome), ("done", Some(json!({"changed": true}))));
        assert_eq!(operations::steps(&mut tx, id).await.unwrap()[0].note, "note");

        let entry =
            audit::Entry { actor: "system", action: "plugin.install", entity: "plugin:p", request_id: "r", details: &json!({}) };
        audit::record(&mut tx, tenant, &entry, NOW).await.unwrap();
        assert!(installations::delete(&mut tx, tenant, installed.id).await.unwrap());
        assert!(releases::delete_unused(&mut tx, release.id).await.unwrap());
    }
}

#[tokio::test]
async fn a_database_is_opened_again_and_two_open_it_at_once() {
    for test in databases().await {
        let (first, second) = tokio::join!(Db::open(&test.url), Db::open(&test.url));
        first.unwrap().ping().await.unwrap();
        second.unwrap().ping().await.unwrap();
    }
    let refusal = Db::open("mysql://x").await.unwrap_err().to_string();
    assert!(refusal.contains("sqlite:") && refusal.contains("postgres://"), "{refusal}");
}

#[tokio::test]
async fn a_role_is_one_for_each_plugin() {
    for test in databases().await {
        let (a, b) = (lab(&test.db, "a").await, lab(&test.db, "b").await);
        let mut tx = test.db.begin().await.unwrap();
        let user = users::insert(&mut tx, a, "ada", None, "member", NOW).await.unwrap().id;
        let first = plugin_roles::upsert(&mut tx, a, "peaks", user, "reader", NOW).await.unwrap();
        let second = plugin_roles::upsert(&mut tx, a, "peaks", user, "lead", NOW + Duration::hours(1)).await.unwrap();
        assert_eq!((second.id, second.role.as_str(), second.created_at), (first.id, "lead", NOW));
        plugin_roles::upsert(&mut tx, a, "other", user, "x", NOW).await.unwrap();
        assert_eq!(plugin_roles::of_user(&mut tx, a, user).await.unwrap()["peaks"], "lead");
        assert_eq!(plugin_roles::list(&mut tx, a, "peaks", Page::new(0, 10)).await.unwrap().len(), 1);
        assert!(plugin_roles::get(&mut tx, b, "peaks", user).await.unwrap().is_none());
        assert!(!plugin_roles::delete(&mut tx, b, "peaks", user).await.unwrap());
        assert!(plugin_roles::delete(&mut tx, a, "peaks", user).await.unwrap());
        assert!(plugin_roles::get(&mut tx, a, "peaks", user).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_event_is_told_once_and_old_ones_are_forgotten() {
    for test in databases().await {
        let tenant = lab(&test.db, "a").await;
        let mut tx = test.db.begin().await.unwrap();
        let ada = users::insert(&mut tx, tenant, "ada", None, "member", NOW).await.unwrap().id;
        let bob = users::insert(&mut tx, tenant, "bob", None, "member", NOW).await.unwrap().id;
        let event = |key: &str, recipient| NewNotification {
            kind: "event",
            function_id: "f".to_owned(),
            event_key: key.to_owned(),
            severity: if key == "c" { "warning" } else { "info" }.to_owned(),
            title: "t".to_owned(),
            message: "m".to_owned(),
            source: None,
            channels: vec!["email".to_owned()],
            recipient,
            occurred_at: NOW,
        };
        assert!(notifications::insert(&mut tx, tenant, "peaks", &event("a", None), NOW).await.unwrap());
        assert!(!notifications::insert(&mut tx, tenant, "peaks", &event("a", Some(bob)), NOW).await.unwrap());
        assert!(notifications::insert(&mut tx, tenant, "peaks", &event("b", Some(bob)), NOW).await.unwrap());
        assert!(notifications::insert(&mut tx, tenant, "other", &event("a", None), NOW).await.unwrap());
        let seen = async |tx: &mut crate::Tx, user| {
            let reader = Reader { user, receives_important: false };
            let found = notifications::list(tx, tenant, reader, Page::new(0, 10)).await.unwrap();
            found.into_iter().map(|one| format!("{} {}", one.plugin, one.event_key)).collect::<Vec<_>>()
        };
        assert_eq!(seen(&mut tx, ada).await, ["other a", "peaks a"]);
        assert_eq!(seen(&mut tx, bob).await, ["other a", "peaks b", "peaks a"]);
        assert_eq!(notifications::prune(&mut tx, tenant, "peaks", 2).await.unwrap(), 0);
        assert_eq!(notifications::prune(&mut tx, tenant, "peaks", 1).await.unwrap(), 1);
        assert_eq!(seen(&mut tx, bob).await, ["other a", "peaks b"]);
        assert!(notifications::insert(&mut tx, tenant, "peaks", &event("c", Some(bob)), NOW).await.unwrap());
        assert_eq!(seen(&mut tx, ada).await, ["other a"]);
        let reader = Reader { user: ada, receives_important: true };
        let found = notifications::list(&mut tx, tenant, reader, Page::new(0, 10)).await.unwrap();
        assert_eq!(found.iter().map(|one| one.event_key.as_str()).collect::<Vec<_>>(), ["c", "a"]);
    }
}

#[tokio::test]
async fn an_event_in_the_calendar_moves_and_is_cancelled() {
    for test in databases().await {
        let tenant = lab(&test.db, "a").await;
        let mut tx = test.db.begin().await.unwrap();
        let event = |key: &str, starts: &str| NewCalendarEvent {
            event_key: key.to_owned(),
            title: "t".to_owned(),
            starts: starts.to_owned(),
            ends: "2027".to_owned(),
            participants: vec![1, 2],
            description: None,
            location: None,
            mint_path: None,
        };
        for (key, starts) in [("a", "2026-02-01"), ("b", "2026-01-01"), ("a", "2026-03-01")] {
            calendar::upsert(&mut tx, tenant, "peaks", &event(key, starts), NOW).await.unwrap();
        }
        assert!(calendar::cancel(&mut tx, tenant, "peaks", "b", NOW).await.unwrap());
        assert!(!calendar::cancel(&mut tx, tenant, "peaks", "b", NOW).await.unwrap());
        assert!(!calendar::cancel(&mut tx, tenant, "other", "a", NOW).await.unwrap());
        let found = calendar::list(&mut tx, tenant, None, Page::new(0, 10)).await.unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.event_key.as_str(), one.starts.as_str(), one.status.as_str())).collect();
        assert_eq!(found, [("b", "2026-01-01", "cancelled"), ("a", "2026-03-01", "confirmed")]);
        for (user, events) in [(2, 2), (3, 0), (12, 0)] {
            let own = calendar::list(&mut tx, tenant, Some(UserId(user)), Page::new(0, 10)).await.unwrap();
            assert_eq!(own.len(), events, "{user}");
        }
        assert_eq!(calendar::count(&mut tx, tenant, "peaks").await.unwrap(), 2);
    }
}

#[tokio::test]
async fn an_instrument_is_in_its_state_since_it_changed() {
    for test in databases().await {
        let (a, b) = (lab(&test.db, "a").await, lab(&test.db, "b").await);
        let mut tx = test.db.begin().await.unwrap();
        let id = mint_domain::InstrumentId::from_bits(7);
        instruments::insert(&mut tx, a, &id, "One", &json!({"model": "x"}), true, NOW).await.unwrap();
        instruments::insert(&mut tx, b, &id, "Theirs", &json!({}), true, NOW).await.unwrap();
        assert_eq!(instruments::last_report(&mut tx, a, &id).await.unwrap(), None);
        let later = NOW + Duration::hours(1);
        for (is_same, now, since) in [(false, NOW, NOW), (true, later, NOW), (false, later, later)] {
            let reported = instruments::report(&mut tx, a, &id, "watch", &json!({"state": "idle"}), is_same, now).await.unwrap();
            assert_eq!(reported, Some(instruments::Reported { status_since: since, last_seen: now }));
        }
        assert_eq!(instruments::last_report(&mut tx, a, &id).await.unwrap(), Some(json!({"state": "idle"})));
        assert_eq!(instruments::last_report(&mut tx, b, &id).await.unwrap(), None);
        let changed = instruments::update(&mut tx, a, &id, "Two", &json!({}), false, later).await.unwrap().unwrap();
        assert_eq!((changed.name.as_str(), changed.is_active, changed.created_at), ("Two", false, NOW));
        assert!(instruments::list(&mut tx, a, true, Page::new(0, 10)).await.unwrap().is_empty());
        assert_eq!(instruments::list(&mut tx, a, false, Page::new(0, 10)).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_artifact_is_made_once_and_swapped_from_what_was_read() {
    for test in databases().await {
        let tenant = lab(&test.db, "a").await;
        let id = experiment(&test.db, tenant, "e").await;
        let mut tx = test.db.begin().await.unwrap();
        let document = |key: &str| json!({"file": {"key": key}, "x": 0.1});
        let input =
            artifacts::Input { key: "k".to_owned(), result: document("old"), display_name: None, note: Some("n".to_owned()) };
        let made = artifacts::insert(&mut tx, tenant, id, "one", &input, NOW).await.unwrap().unwrap();
        assert!(artifacts::insert(&mut tx, tenant, id, "one", &input, NOW).await.unwrap().is_none());
        assert!(artifacts::refers_to(&mut tx, tenant, id, "one", "old").await.unwrap());
        assert!(!artifacts::refers_to(&mut tx, tenant, id, "two", "old").await.unwrap());
        let later = NOW + Duration::hours(1);
        let swapped = artifacts::swap(&mut tx, tenant, &made.summary, &document("new"), None, later).await.unwrap().unwrap();
        assert_eq!((swapped.result, swapped.summary.note), (document("new"), None));
        assert!(artifacts::swap(&mut tx, tenant, &made.summary, &document("newer"), None, later).await.unwrap().is_none());
        assert!(!artifacts::refers_to(&mut tx, tenant, id, "one", "old").await.unwrap());
        assert!(artifacts::refers_to(&mut tx, tenant, id, "one", "new").await.unwrap());
    }
}

#[tokio::test]
async fn a_database_that_lacks_characters_is_refused() {
    for test in databases().await.into_iter().filter(|test| matches!(test.db, Db::Postgres(_))) {
        let name = format!("mint_test_ascii_{}", std::process::id());
        let mut connection = PgConnection::connect(&test.url).await.unwrap();
        let ascii = format!("create database {name} encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0");
        connection.execute(AssertSqlSafe(ascii)).await.unwrap();
        let (base, query) = test.url.split_once('?').unwrap();
        let url = format!("{}/{name}?{query}", base.rsplit_once('/').unwrap().0);
        let error = Db::open(&url).await.unwrap_err();
        assert!(matches!(&error, Error::Encoding(encoding) if encoding == "SQL_ASCII"), "{error}");
    }
}

/// Who saw instruments by another permission, before they had their own, goes on doing so; and nobody gets more.
#[tokio::test]
async fn roles_and_tokens_of_eighteen_permissions_go_on_as_they_were() {
    use Permission as P;
    for test in databases().await {
        let tenant = lab(&test.db, "a").await;
        let mut tx = test.db.begin().await.unwrap();
        let user = users::insert(&mut tx, tenant, "ada", None, "admin", NOW).await.unwrap().id;
        let cases: [(&str, &[P], &[P]); 4] = [
            ("none", &[], &[]),
            ("looks", &[P::ExperimentsView], &[P::ExperimentsView, P::InstrumentsView]),
            ("has", &[P::ExperimentsView, P::InstrumentsView], &[P::ExperimentsView, P::InstrumentsView]),
            (
                "works",
                &[P::ExperimentsView, P::ExperimentsEdit, P::PluginsUse],
                &[
                    P::ExperimentsView,
                    P::ExperimentsEdit,
                    P::PluginsUse,
                    P::InstrumentsView,
                    P::InstrumentsEdit,
                    P::CalendarReadAll,
                ],
            ),
        ];
        let token = |name, permissions| tokens::NewToken {
            name,
            beginning: name,
            sha256: name,
            is_read_only: false,
            permissions,
            expires_at: NOW,
        };
        for (name, before, _) in cases {
            let fields = roles::Fields { name, description: "", permissions: before, plugins: None, is_assigned: false };
            roles::insert(&mut tx, tenant, &name.parse().unwrap(), fields, NOW).await.unwrap();
            tokens::insert(&mut tx, tenant, user, token(name, Some(before)), NOW).await.unwrap();
        }
        tokens::insert(&mut tx, tenant, user, token("all", None), NOW).await.unwrap();
        tx.commit().await.unwrap();
        let migration = match &mut test.db.begin().await.unwrap() {
            crate::Tx::Sqlite(_) => include_str!("../../migrations/sqlite/0025_more_permissions.sql"),
            crate::Tx::Postgres(_) => include_str!("../../migrations/postgres/0025_more_permissions.sql"),
        };
        let mut tx = test.db.begin().await.unwrap();
        for _ in 0..2 {
            for statement in migration.split(';').filter(|statement| statement.contains("update")) {
                execute!(&mut tx, AssertSqlSafe(statement.to_owned()),).unwrap();
            }
        }
        let given = tokens::list(&mut tx, tenant, user, Page::new(0, 10)).await.unwrap();
        let of_token =
            |name: &str| given.iter().find(|one| one.name == name).unwrap().permissions.as_ref().map(|held| held.0.clone());
        for (name, _, after) in cases {
            assert_eq!(roles::find(&mut tx, tenant, name).await.unwrap().unwrap().permissions.0, after, "{name}");
            assert_eq!(of_token(name).as_deref(), Some(after), "{name}");
        }
        assert_eq!(of_token("all"), None);
    }
}

/// Whoever begins many keeps nobody from ending one that was begun since.
#[tokio::test]
async fn the_oldest_ceremony_makes_way() {
    for test in databases().await {
        let mut tx = test.db.begin().await.unwrap();
        for (number, token) in ["first", "second", "third"].into_iter().enumerate() {
            let expires_at = NOW + Duration::seconds(60 + i64::try_from(number).unwrap());
            let new = NewCeremony { token_sha256: token, kind: "kind", user: None, state: "{}", expires_at };
            ceremonies::insert(&mut tx, new, 2, NOW).await.unwrap();
        }
        let mut found = Vec::new();
        for token in ["first", "second", "third", "third"] {
            found.push(ceremonies::take(&mut tx, token, "kind").await.unwrap().is_some());
        }
        assert_eq!(found, [false, true, true, false], "{}", test.url);
    }
}
