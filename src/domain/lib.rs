//! The words and the rules of the platform: values that check themselves, tables, pure functions.
//!
//! **Invariant:** nothing here does I/O, is `async`, or reads a clock of its own. Every rule can be tested on a table.

pub mod access;
pub mod actor;
pub mod address;
pub mod archive;
pub mod capability;
pub mod clock;
pub mod digest;
pub mod experiment;
pub mod grant;
pub mod id;
pub mod instrument;
pub mod job;
pub mod lifecycle;
pub mod limit;
pub mod manifest;
pub mod migration;
pub mod mode;
pub mod object_key;
pub mod permission;
pub mod plan;
pub mod policy;
pub mod prefix;
pub mod refusal;
pub mod requirement;
pub mod role;
pub mod secret;
pub mod share;
pub mod situation;
pub mod slug;

pub use actor::{Actor, Service, User};
pub use archive::ArchiveName;
pub use capability::Capability;
pub use clock::Clock;
pub use digest::Digest;
pub use experiment::Standing;
pub use grant::Grants;
pub use id::{ExperimentId, InstallationId, JobId, OperationId, ProjectId, ReleaseId, RequestId, SnapshotId, TenantId, UserId};
pub use instrument::InstrumentId;
pub use job::JobStatus;
pub use lifecycle::State;
pub use limit::Limits;
pub use manifest::Manifest;
pub use mode::Mode;
pub use object_key::ObjectKey;
pub use permission::Permission;
pub use plan::Plan;
pub use prefix::Prefix;
pub use refusal::{Kind, Refusal};
pub use role::{PluginAccess, ProjectReach, Rights};
pub use secret::Unsealed;
pub use share::Share;
pub use situation::Situation;
pub use slug::Slug;
