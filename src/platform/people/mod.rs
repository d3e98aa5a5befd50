//! The people of a tenant: who they are, what they may do, and by what they are known.
//!
//! **Invariant:** nobody gives, or takes into their hands, rights that they lack; one person who may everything is always left.

mod audit;
pub mod external;
mod passkeys;
mod passwords;
mod policy;
mod profile;
mod roles;
mod rules;
mod service_tokens;
mod sessions;
mod tokens;
mod users;

pub use audit::{AuditEntry, AuditVerdict};
pub use passkeys::{BegunPasskey, NewPasskey, Passkey, ShownPasskey};
pub use policy::{CredentialPolicy, Origin};
pub use profile::{NewUser, UserChange};
pub use roles::{NewRole, Role, RoleChange};
pub(crate) use rules::{expect_line, session_needed};
pub(crate) use service_tokens::PREFIX as SERVICE_TOKEN_PREFIX;
pub use service_tokens::{ServiceToken, ServiceTokenDraft};
pub use sessions::Session;
pub(crate) use tokens::PREFIX as TOKEN_PREFIX;
pub use tokens::{Token, TokenDraft};
pub(crate) use users::insert;
