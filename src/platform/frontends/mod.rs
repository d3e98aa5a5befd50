//! Front-ends of plugins. Each plugin of each tenant has an origin of its own, so that its scripts can reach what is theirs
//! and nothing else; a person's session takes them there by a code, and what the browser keeps there is good for that
//! plugin alone. Laboratories may have hosts of their own beside them.

mod address;
mod enter;
mod hosts;
pub mod origin;
mod page;
mod visit;

pub use address::PublicAddress;
pub use enter::{Entered, Entry};
pub use hosts::{TenantHosts, Whose};
pub use origin::{Asked, OriginName, Origins, PluginDomain};
pub use page::Page;
pub use visit::{Visitor, Visits};
