//! Password hashes: argon2id, on the blocking pool, a few at a time, so that a flood of sign-ins costs bounded memory.

use std::sync::atomic::{AtomicU64, Ordering};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use mint_domain::{Kind, Refusal};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

/// Each hash takes some 19 MiB.
static SLOTS: Semaphore = Semaphore::const_new(4);

/// What an unknown user's password is compared with, so that the answer takes as long as for a known one. No password has this
/// hash.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Passwords that this process has computed the hash of.
static COMPUTED: AtomicU64 = AtomicU64::new(0);

/// Shortest password.
const CHARACTERS_MIN: usize = 8;
/// Longest password: a bound on the work, not on taste.
const BYTES_MAX: usize = 1_024;

/// Hashes a new password.
///
/// # Errors
/// One that is too short or too long.
pub(crate) async fn hash(password: &SecretString) -> Result<String, Refusal> {
    let text = password.expose_secret();
    if text.chars().count() < CHARACTERS_MIN || text.len() > BYTES_MAX {
        return Err(Refusal::invalid(format!(
            "A password has at least {CHARACTERS_MIN} characters and at most {BYTES_MAX} bytes."
        )));
    }
    let text = text.to_owned();
    on_a_slot(move || hash_now(&text)).await?.map_err(|_| unavailable())
}

/// Whether a password fits a hash; `None` is a user who does not exist.
///
/// # Errors
/// The server is too busy to check.
pub(crate) async fn verify(password: &SecretString, hash: Option<String>) -> Result<bool, Refusal> {
    let text = password.expose_secret().to_owned();
    if text.len() > BYTES_MAX {
        return Ok(false);
    }
    on_a_slot(move || {
        let known = hash.is_some();
        let hash = hash.as_deref().unwrap_or(NOBODY);
        let fits = PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(text.as_bytes(), &hash).is_ok());
        known && fits
    })
    .await
}

/// How many passwords this process has computed the hash of: the work by which one could tell who exists.
pub fn computed() -> u64 {
    COMPUTED.load(Ordering::Relaxed)
}

fn hash_now(text: &str) -> Result<String, argon2::password_hash::Error> {
    Argon2::default().hash_password(text.as_bytes()).map(|hash| hash.to_string())
}

async fn on_a_slot<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let _slot = SLOTS.acquire().await.map_err(|_| unavailable())?;
    COMPUTED.fetch_add(1, Ordering::Relaxed);
    tokio::task::spawn_blocking(work).await.map_err(|_| unavailable())
}

fn unavailable() -> Refusal {
    Refusal::new(Kind::Unavailable, "auth.unavailable", "Passwords cannot be checked at the moment.").retry_after(5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobodys_hash_is_as_much_work_as_anybodys() {
        let parameters = |hash: &str| hash.rsplitn(3, '$').last().unwrap().to_owned();
        let password = SecretString::from("a good password");
        let fresh = hash(&password).await.unwrap();
        assert_eq!(parameters(NOBODY), parameters(&fresh));
        let parsed = PasswordHash::new(NOBODY).unwrap();
        assert_eq!(parsed.hash.map(|hash| hash.len()), PasswordHash::new(&fresh).unwrap().hash.map(|hash| hash.len()));
        let before = computed();
        assert!(!verify(&password, None).await.unwrap() && verify(&password, Some(fresh)).await.unwrap());
        assert_eq!(computed(), before + 2);
    }
}
