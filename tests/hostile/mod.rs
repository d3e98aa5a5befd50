//! Components that take more than their share: each request's error, and nobody else's.

mod bodies;
mod compile;
mod crowds;
mod exhaust;
mod faults;
mod floods;
mod laboratories;
mod limits;
pub(crate) mod neighbour;
mod prisoners;
mod processes;
mod quarantine;
mod quotas;
mod slow_clients;
pub(crate) mod tables;
