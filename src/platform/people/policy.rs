//! How long credentials last, and from where people come.

use std::net::IpAddr;

use time::Duration;

/// How long credentials last.
#[derive(Clone, Copy, Debug)]
pub struct CredentialPolicy {
    /// A session, at the longest.
    pub session: Duration,
    /// A session that nobody uses.
    pub idle: Duration,
    /// Days that a token lasts at the longest.
    pub token_days_max: u32,
    /// How often one address may try a password in a minute.
    pub attempts_per_minute: u32,
    /// Whether the password alone no longer lets in who has a passkey.
    pub passkey_replaces_password: bool,
}

impl CredentialPolicy {
    /// How long a use may go without being noted.
    pub(crate) fn note_after(&self) -> Duration {
        Duration::minutes(1).min(self.idle / 4)
    }
}

/// From where somebody signs in, for whoever looks at their sessions.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The program, as it names itself.
    pub user_agent: Option<String>,
    /// The address.
    pub address: Option<IpAddr>,
}

impl Origin {
    /// Longest name of a program that is kept, in characters.
    const USER_AGENT_MAX: usize = 200;

    /// A program and an address; what is too long is cut.
    pub fn new(user_agent: Option<&str>, address: Option<IpAddr>) -> Self {
        let user_agent = user_agent.map(|text| text.chars().filter(|c| !c.is_control()).take(Self::USER_AGENT_MAX).collect());
        Self { user_agent, address }
    }
}
