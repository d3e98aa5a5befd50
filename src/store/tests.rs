//! One story for each family of tables, told on every database there is.

use mint_domain::{
    Digest, ExperimentId, Grants, Manifest, State, TenantId,
    experiment::{ArtifactStatus, ExperimentStatus},
    lifecycle::{Event, Failure},
    limit::LimitChanges,
    mode::{Mode, Plan},
};
use serde_json::json;
use time::{Duration, OffsetDateTime, macros::datetime};

use crate::{
    Db, Error, Page, artifacts, audit, designs, experiments,
    installations::{self, NewInstallation},
    objects::{self, NewObject},
    operations::{self, NewOperation},
    plugin_roles, projects, releases, sessions, tenants,
    testing::databases,
    users,
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
        sessions::insert(&mut tx, "t", a, user.id, NOW, NOW + Duration::hours(1)).await.unwrap();
        assert_eq!(sessions::find(&mut tx, "t", NOW).await.unwrap().unwrap().username, "ada");
        assert!(sessions::find(&mut tx, "t", NOW + Duration::hours(2)).await.unwrap().is_none());
        assert!(plugin_roles::of_user(&mut tx, a, user.id).await.unwrap().is_empty());
        assert_eq!(sessions::delete_expired(&mut tx, NOW + Duration::hours(2)).await.unwrap(), 1);
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
        let mut tx = test.db.begin().await.unwrap();
        let project = projects::insert(&mut tx, a, "P", None, None, NOW).await.unwrap();
        let changed = experiments::Fields { project: Some(project.id), notes: Some("n".to_owned()), ..fields("Peak 100%_x") };
        assert!(experiments::update(&mut tx, a, id, &changed, NOW).await.unwrap());
        assert!(!experiments::update(&mut tx, b, id, &changed, NOW).await.unwrap());
        let row = experiments::get(&mut tx, a, id).await.unwrap().unwrap();
        assert_eq!((row.project.as_deref(), &row.tags), (Some("P"), &json!({"a": [1, null, "ä"]})));
        for (search, expected) in [("100%_", 1), ("%", 1), ("_x", 1), ("peak", 1), ("!", 0)] {
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
                content_type: Some("text/plain"),
                metadata: &metadata,
                size,
                sha256: "00",
                blob,
                created_by: None,
            };
            objects::replace(&mut tx, tenant, id, &new, NOW).await.unwrap();
        }
        assert_eq!(objects::get(&mut tx, tenant, id, "p", "a/b.txt").await.unwrap().unwrap().blob, "second");
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
            plan: &Plan { mode: Mode::Shared, reason: "r".to_owned() },
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
        assert_eq!((row.mode(), row.state, row.settings), (Mode::Shared, failed, json!({"x": 1})));
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
        let id = operations::begin(&mut tx, tenant, &begun, NOW).await.unwrap().unwrap();
        assert!(operations::begin(&mut tx, tenant, &begun, NOW).await.unwrap().is_none(), "two operations on one plugin");
        operations::begin_step(&mut tx, id, 0, "stage", NOW).await.unwrap();
        operations::end_step(&mut tx, id, 0, "done", "note", NOW).await.unwrap();
        assert!(operations::abandoned(&mut tx, "other", NOW).await.unwrap().is_empty());
        let later = NOW + Duration::minutes(1);
        assert_eq!(operations::abandoned(&mut tx, "other", later).await.unwrap().len(), 1);
        assert!(operations::take_over(&mut tx, id, "other", later + Duration::seconds(30), later).await.unwrap());
        assert!(!operations::renew(&mut tx, id, "me", later).await.unwrap(), "a lost lease was renewed");
        operations::end(&mut tx, id, "done", &json!({"changed": true}), later).await.unwrap();
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
