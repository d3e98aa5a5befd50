//! A platform without a server, on SQLite in a directory of its own, for targets that need one.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use mint_context::{
    Call, PluginAuthority, Services, Terms, logs::PluginLog, secrets::Keys, storage::Storage, unstored::Unstored,
};
use mint_domain::{
    Actor, Digest, Grants, InstallationId, Limits, Manifest, Mode, Plan, PluginAccess, ProjectReach, RequestId, State, TenantId,
    User, UserId, access::Visibility, clock::SystemClock, limit::LimitChanges, permission::SystemRole, plan::Findings,
};
use mint_platform::{Accounts, running::Running};
use mint_store::{
    Db,
    installations::{self, NewInstallation},
    releases,
    tables::{Bounds, Owner, PluginTables},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::{runtime::Runtime, time::Instant};

/// One for the whole process.
pub struct House {
    runtime: Runtime,
    directory: TempDir,
    services: Arc<Services>,
    tenant: TenantId,
    authority: Arc<PluginAuthority>,
    nobody: Call,
    owner: Owner,
}

impl House {
    /// It, made when it is first wanted.
    pub fn get() -> &'static Self {
        static HOUSE: OnceLock<House> = OnceLock::new();
        HOUSE.get_or_init(Self::new)
    }

    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let directory = tempfile::tempdir().expect("a directory");
        let (services, tenant) = runtime.block_on(open(directory.path()));
        let slug: mint_domain::Slug = "fuzz".parse().expect("a slug");
        let grants = [
            "projects:read",
            "experiments:read",
            "experiments:write",
            "designs:write",
            "results:write",
            "objects",
            "settings:write",
            "users:read",
            "database",
            "jobs",
            "files",
        ];
        let limits = Limits { objects_bytes_max: 1 << 20, document_bytes_max: 1 << 16, ..Limits::default() };
        let terms = Terms { grants: Arc::new(Grants::new(grants.iter().filter_map(|name| name.parse().ok()))), limits };
        let manifest = Arc::new(Manifest::parse(manifest().to_string().as_bytes()).expect("a manifest"));
        let log = PluginLog::new(slug.clone(), slug.clone(), "1.0.0".to_owned(), InstallationId(1), 1 << 20);
        let authority = PluginAuthority::new(InstallationId(1), (tenant, slug.clone()), manifest, terms, Arc::new(log));
        let authority = Arc::new(authority);
        let nobody = call(&services, tenant, &authority, Actor::System);
        let owner = Owner { tenant: slug.clone(), plugin: slug };
        runtime.block_on(async {
            install(&services, &authority).await;
            let bounds = Bounds {
                bytes_max: 1 << 20,
                statement: Duration::from_secs(5),
                rows_max: 100,
                memory_bytes_max: 1 << 16,
                deadline: Instant::now() + Duration::from_secs(30),
            };
            services.tables.prepare(&owner, bounds).await.expect("tables");
            let made = "create table samples (id integer primary key, name text, amount real)".to_owned();
            services.tables.run(&owner, made, Vec::new(), bounds).await.expect("a table");
        });
        Self { runtime, directory, services, tenant, authority, nobody, owner }
    }

    /// Waits for `future`.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// What calls work with.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Where everything stands.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Whose tables there are.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// A call of the plugin on its own account.
    pub fn nobody(&self) -> &Call {
        &self.nobody
    }

    /// A call of the plugin for a person with one of the platform's roles.
    pub fn person(&self, role: &str) -> Call {
        let permissions = SystemRole::parse(role).map(SystemRole::permissions).unwrap_or_default();
        let user = User {
            id: UserId(1),
            username: "ada".to_owned(),
            role: role.to_owned(),
            permissions,
            plugin_access: PluginAccess::All,
            project_reach: ProjectReach::All,
            plugin_roles: BTreeMap::new(),
            bound: None,
        };
        call(&self.services, self.tenant, &self.authority, Actor::User(Arc::new(user)))
    }
}

fn call(services: &Arc<Services>, tenant: TenantId, authority: &Arc<PluginAuthority>, actor: Actor) -> Call {
    Call {
        services: services.clone(),
        tenant,
        actor,
        plugin: Some(authority.clone()),
        service: None,
        job: None,
        request_id: RequestId::from_bits(1),
        deadline: Instant::now() + Duration::from_secs(365 * 24 * 3_600),
    }
}

fn manifest() -> serde_json::Value {
    json!({
        "format_version": 2,
        "plugin": { "slug": "fuzz", "version": "1.0.0", "display_name": "f", "description": "", "analysis_type": "x",
                    "plugin_type": "full", "routes_prefix": "/fuzz" },
        "component": "plugin.wasm",
        "files": { "plugin.wasm": format!("sha256:{}", "0".repeat(64)) },
    })
}

/// The plugin's row, which is the first one.
async fn install(services: &Services, authority: &PluginAuthority) {
    let (manifest, now) = (&*authority.manifest, services.clock.now());
    let mut tx = services.db.begin().await.expect("a transaction");
    let digest = Digest::of(b"a bundle");
    releases::insert(&mut tx, manifest, &digest, now).await.expect("a release");
    let release = releases::find(&mut tx, authority.slug().as_str(), &manifest.plugin.version)
        .await
        .expect("an answer")
        .expect("the release");
    let new = NewInstallation {
        slug: authority.slug().as_str(),
        release: release.id,
        prefix: "/fuzz",
        plan: &Plan { mode: Mode::Shared, reason: String::new(), findings: Findings::default() },
        state: &State::Ready,
        grants: &authority.grants(),
        limits: &LimitChanges::default(),
    };
    let row = installations::insert(&mut tx, authority.tenant, &new, now).await.expect("an installation");
    assert_eq!(row.id, authority.installation);
    tx.commit().await.expect("a commit");
}

async fn open(directory: &Path) -> (Arc<Services>, TenantId) {
    let db = Db::open(&format!("sqlite:{}", directory.join("mint.sqlite").display())).await.expect("a database");
    let storage = Storage::local(directory).expect("a storage");
    let services = Arc::new(Services {
        tables: PluginTables::beside(&db, &directory.join("plugin-tables")),
        db,
        blobs: storage.area("objects"),
        bundles: storage.area("bundles"),
        snapshots: storage.area("snapshots"),
        storage,
        clock: Arc::new(SystemClock),
        followers: Arc::new(Running::default()),
        plugin_environment: BTreeMap::new(),
        unstored: Unstored::default(),
        secrets: Keys::new(Some(&[7; 32]), &[]).expect("keys"),
        visibility: Visibility::default(),
        jobs: Arc::default(),
    });
    let accounts = Accounts::new(services.clone());
    let tenant = accounts.ensure_tenant(&"fuzz".parse().expect("a slug"), "Fuzz").await.expect("a laboratory");
    let password = "correct horse battery".to_owned().into();
    accounts.create_user(&tenant, "ada", &password, "admin").await.expect("a user");
    (services, tenant.id)
}
