//! The people of a tenant: who they are, what they may do, and by what they are known.
//!
//! **Invariant:** nobody gives, or takes into their hands, rights that they lack; one person who may everything is always left.

mod passwords;
mod profile;
mod roles;
mod rules;
mod users;

pub use profile::{NewUser, UserChange};
pub use roles::{NewRole, Role, RoleChange};
pub(crate) use users::insert;
