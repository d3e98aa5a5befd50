//! What can be set.

/// Every name, what kind of value it has, and what it means.
pub const NAMES: &[(&str, Kind, &str)] = &[
    ("server.listen", Kind::Text, "Address and port to listen on"),
    ("server.dataPath", Kind::Text, "Directory of the database, files and plugins"),
    ("server.cachePath", Kind::Text, "Directory of compiled components and venvs; by default `cache` in the data directory"),
    ("server.cacheDays", Kind::Number, "Days after which something in the cache that nobody uses is removed; by default 30"),
    (
        "server.keyPath",
        Kind::Text,
        "File with the secret of this installation, 64 hexadecimal digits; by default `installation.key` in the data directory, \
         which is made. Servers that share a cache directory share it",
    ),
    (
        "server.leaseSeconds",
        Kind::Number,
        "Seconds after which another replica takes up what one that is gone was doing; by default 30, at least 3",
    ),
    ("server.runtimePath", Kind::Text, "Directory of sockets; its path must be short"),
    (
        "server.pluginDomain",
        Kind::Text,
        "Domain of plugins' front-ends, such as `plugins.example.org`: every sub-domain must lead here by https",
    ),
    (
        "server.tenantDomain",
        Kind::Text,
        "Domain of laboratories' own hosts, such as `mint.example.org`: `north.mint.example.org` is the laboratory `north`, and knows \
         nobody of another one",
    ),
    (
        "server.externalUrl",
        Kind::Text,
        "The address by which browsers reach this server, such as `https://mint.example.org`; by default `http://localhost:<port>` \
         where it listens on loopback. Passkeys are good for it alone",
    ),
    (
        "server.trustedProxyCidrs",
        Kind::List,
        "Networks of proxies whose X-Forwarded-For says who asks, such as `10.0.0.0/8`; by default none is believed",
    ),
    ("database.url", Kind::Text, "`sqlite:<path>` or `postgres://…`; by default `mint.sqlite` in the data directory"),
    (
        "database.directUrl",
        Kind::Text,
        "The address of the same PostgreSQL without its pooler, where `database.url` leads to PgBouncer in transaction mode",
    ),
    (
        "storage.url",
        Kind::Text,
        "Where bundles and files stand: `file:///<directory>` or `s3://<bucket>/<prefix>?endpoint=<url>&region=<name>`; by default \
         the data directory",
    ),
    ("storage.accessKeyId", Kind::Text, "Name of the key to a bucket; by default what the AWS_ variables say"),
    ("storage.secretAccessKey", Kind::Text, "The key itself"),
    ("auth.sessionSeconds", Kind::Number, "How long a session lasts; by default 86400, a day"),
    ("auth.idleSeconds", Kind::Number, "How long a session lasts that nobody uses; by default 28800, eight hours"),
    ("auth.tokenDaysMax", Kind::Number, "Days that an access token lasts at the longest; by default 365"),
    ("auth.attemptsPerMinute", Kind::Number, "Passwords that one address may try in a minute; by default 20"),
    (
        "auth.requireSecondFactor",
        Kind::Bool,
        "Whether the password alone does not let in who has a passkey; by default where browsers come by https",
    ),
    (
        "auth.oidc",
        Kind::Object,
        "Servers of OpenID Connect at which people may sign in, by a name of yours: `{\"edu\": {\"name\": …, \"issuer\": …, \
         \"clientId\": …, \"clientSecret\": …, \"laboratory\": …, \"newcomers\": …}}`. Without `newcomers`, the slug of a role, \
         people whom nobody knows here are refused",
    ),
    (
        "access.experimentVisibilityMode",
        Kind::Text,
        "Who sees experiments: `open`, everybody whose role may see experiments, or `restricted`, who made one, has a part in it or in its \
         project, and administrators; by default open",
    ),
    (
        "secrets.key",
        Kind::Text,
        "The key that seals secrets which are stored, 64 hexadecimal digits; by default one that comes from the secret of this \
         installation. Servers that share a database share it",
    ),
    (
        "secrets.keyCommand",
        Kind::List,
        "A program and its arguments that writes that key to its standard output when the server starts, within 10 seconds; \
         earlier keys may follow, a line each",
    ),
    ("secrets.earlierKeys", Kind::List, "Keys that still open what they have sealed; `mint secrets rotate` makes them needless"),
    ("plugins.instances", Kind::Number, "Live instances of components, all installations together"),
    (
        "plugins.laboratory.concurrencyMax",
        Kind::Number,
        "Requests in progress of all plugins of one laboratory together; by default 128. What `mint tenant give` says goes before",
    ),
    ("plugins.laboratory.queueMax", Kind::Number, "Requests of theirs that wait; by default 1024"),
    ("plugins.laboratory.requestsPerSecondMax", Kind::Number, "Requests of theirs that begin in a second; by default 2000"),
    ("plugins.laboratory.jobsMax", Kind::Number, "Jobs of theirs in progress; by default 16"),
    ("plugins.resetPath", Kind::Text, "How memory of components is made clean: `auto`, or `memset` to ask nothing of the kernel"),
    ("plugins.forceShared", Kind::List, "Slugs of plugins that must run shared"),
    ("plugins.forceIsolated", Kind::List, "Slugs of plugins that must run isolated"),
    ("plugins.snapshotsKept", Kind::Number, "Snapshots of each installation that are kept; by default 5"),
    ("plugins.snapshotDays", Kind::Number, "Days after which a snapshot is deleted; by default 30"),
    ("plugins.trialSeconds", Kind::Number, "How long a new release answers before the old one is let go; by default 10"),
    (
        "plugins.drainSeconds",
        Kind::Number,
        "How long a release that makes way may go on with requests, streams, WebSockets and jobs; by default 30",
    ),
    (
        "plugins.dev",
        Kind::Bool,
        "Let developers' own servers answer, by `mint dev` or config.dev.toml; by default on loopback only",
    ),
    ("plugins.uv.path", Kind::Text, "The program uv"),
    ("plugins.uv.indexUrl", Kind::Text, "Where Python packages come from"),
    ("plugins.uv.extraIndexUrls", Kind::List, "Further package indexes"),
    ("plugins.uv.offline", Kind::Bool, "Use only bundled wheels and uv's cache"),
    (
        "plugins.uv.sourceBuilds",
        Kind::Bool,
        "Allow packages without a wheel: building one runs its author's code with the server's rights",
    ),
    ("plugins.uv.python", Kind::Text, "The Python for plugins; by default what each asks for"),
    (
        "plugins.idleSeconds",
        Kind::Number,
        "After how long an isolated plugin of which nobody wants anything is stopped; by default 900, 0: never",
    ),
    (
        "plugins.warmParent",
        Kind::Bool,
        "Keep the imports of isolated Python plugins in memory, 50 to 100 MB each, for faster starts",
    ),
    ("plugins.health.intervalSeconds", Kind::Number, "Seconds between two questions to a plugin how it is"),
    ("plugins.health.failures", Kind::Number, "Unhealthy answers in a row after which a plugin is stopped, as failed"),
    ("plugins.compile.secondsMax", Kind::Number, "Longest time to compile one component; by default 60"),
    ("plugins.compile.memoryBytesMax", Kind::Number, "Memory for compiling one component; by default 4 GiB"),
    ("plugins.components.make", Kind::Bool, "Make a component of pure Python wheels that fit one; by default true"),
    ("plugins.components.componentizePy", Kind::Text, "A venv with componentize-py for that; by default uv makes one"),
    ("plugins.components.secondsMax", Kind::Number, "Longest time to make one component"),
    ("plugins.sandbox.require", Kind::List, SANDBOX_REQUIRE),
    ("plugins.sandbox.readable", Kind::List, "Files and directories that every isolated plugin may read and run"),
    (
        "plugins.sandbox.users",
        Kind::Text,
        "Range of user ids for isolated plugins when the server runs as root, such as `200000-265535`",
    ),
    (
        "plugins.sandbox.cpus",
        Kind::Number,
        "Processors that one isolated plugin may use at once, where a control group is delegated",
    ),
    ("logging.level", Kind::Text, "A filter such as `info` or `info,plugin=debug`"),
    ("logging.format", Kind::Text, "`text` or `json`"),
];

const SANDBOX_REQUIRE: &str = "Isolated plugins are not started without these: files, network, signals, syscalls, privileges, \
     limits, session, cgroup, user";

/// What kind of value a name has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Number,
    /// Texts: a JSON list, or separated by commas in the environment.
    List,
    /// Values by name, as JSON.
    Object,
}

impl Kind {
    pub(super) fn article(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Bool => "`true` or `false`",
            Self::Number => "a whole number",
            Self::List => "a list",
            Self::Object => "a JSON object",
        }
    }
}
