//! How often a password may be tried: so often by one address, and so often wrongly for one person from one address. Somebody
//! who tries for another's account locks themselves out of it, and nobody else.
//!
//! Each server counts for itself, in memory: with several of them there are as many tries more.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use mint_domain::{Kind, Refusal, address::network};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// In which the tries of an address are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// In which wrong passwords are counted, and for which they lock.
const LOCKOUT: Duration = Duration::from_secs(15 * 60);
/// Wrong passwords for one person from one address.
const FAILURES_MAX: u32 = 5;
/// Addresses, and pairs of person and address, that are remembered.
const REMEMBERED_MAX: u64 = 100_000;

/// Tries of passwords.
#[derive(Debug)]
pub(crate) struct Attempts {
    per_minute: u32,
    addresses: Cache<IpAddr, Arc<Counter>>,
    failures: Cache<Account, Arc<Counter>>,
}

/// A person and an address, whether or not there is such a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Account([u8; 32]);

#[derive(Debug)]
struct Counter {
    since: Instant,
    count: AtomicU32,
}

impl Attempts {
    /// None yet; `per_minute` is how many one address has.
    pub(crate) fn new(per_minute: u32) -> Self {
        let addresses = Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(WINDOW).build();
        let failures = Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(LOCKOUT).build();
        Self { per_minute, addresses, failures }
    }

    /// Counts a try.
    ///
    /// # Errors
    /// `rate_limit.exceeded` when the address has had its share; `auth.locked` after too many wrong passwords.
    pub(crate) fn admit(&self, address: Option<IpAddr>, account: Account) -> Result<(), Refusal> {
        self.admit_address(address)?;
        match self.failures.get(&account) {
            Some(counter) if counter.count.load(Ordering::Relaxed) >= FAILURES_MAX => {
                let message = "There were too many wrong passwords for this user from this address. Try again later.";
                Err(Refusal::new(Kind::QuotaExceeded, "auth.locked", message).retry_after(counter.left(LOCKOUT)))
            }
            _ => Ok(()),
        }
    }

    /// Counts a try that is for nobody's account.
    ///
    /// # Errors
    /// `rate_limit.exceeded` when the address has had its share.
    pub(crate) fn admit_address(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(address) = address else { return Ok(()) };
        let counter = self.addresses.get_with(network(address), Counter::begin);
        if counter.count.fetch_add(1, Ordering::Relaxed) >= self.per_minute {
            let message = "There were too many attempts to sign in from this address. Try again later.";
            let refusal = Refusal::new(Kind::QuotaExceeded, "rate_limit.exceeded", message);
            return Err(refusal.retry_after(counter.left(WINDOW)));
        }
        Ok(())
    }

    /// Notes a wrong password.
    pub(crate) fn failed(&self, account: Account) {
        self.failures.get_with(account, Counter::begin).count.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes the right one.
    pub(crate) fn succeeded(&self, account: Account) {
        self.failures.invalidate(&account);
    }
}

impl Account {
    /// By the names that were given, of whatever length.
    pub(crate) fn new(tenant: &str, username: &str, address: Option<IpAddr>) -> Self {
        let address = address.map(|address| network(address).to_string()).unwrap_or_default();
        let mut hasher = Sha256::new();
        for part in [tenant, username, &address] {
            hasher.update(part.len().to_le_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

impl Counter {
    fn begin() -> Arc<Self> {
        Arc::new(Self { since: Instant::now(), count: AtomicU32::new(0) })
    }

    fn left(&self, of: Duration) -> u32 {
        u32::try_from(of.saturating_sub(self.since.elapsed()).as_secs()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_counts_as_one_address() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let attempts = Attempts::new(2);
        let account = Account::new("a", "b", None);
        for (text, is_admitted) in
            [("2001:db8::1", true), ("2001:db8::2", true), ("2001:db8::3", false), ("2001:db8:0:1::1", true), ("192.0.2.1", true)]
        {
            assert_eq!(attempts.admit(Some(address(text)), account).is_ok(), is_admitted, "{text}");
        }
    }

    #[test]
    fn wrong_passwords_lock_one_person_for_one_address() {
        let attempts = Attempts::new(u32::MAX);
        let (here, there) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        let account = Account::new("lab", "ada", here);
        for _ in 0..FAILURES_MAX {
            assert!(attempts.admit(here, account).is_ok());
            attempts.failed(account);
        }
        let refused = attempts.admit(here, account).unwrap_err();
        assert_eq!(
            (refused.code, refused.retry_after_s.is_some_and(|seconds| (1..=901).contains(&seconds))),
            ("auth.locked", true)
        );
        for (tenant, username, address) in
            [("lab", "ada", there), ("lab", "bob", here), ("lada", "b", here), ("la", "bada", here)]
        {
            assert!(attempts.admit(address, Account::new(tenant, username, address)).is_ok());
        }
        attempts.succeeded(account);
        assert!(attempts.admit(here, account).is_ok());
    }
}
