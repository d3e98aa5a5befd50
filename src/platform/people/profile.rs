//! What a person's record may say.

use mint_domain::Refusal;
use mint_store::users::Fields;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::rules::expect_line;

/// Longest address that mail knows, in bytes.
const EMAIL_BYTES_MAX: usize = 254;
/// Longest name to sign in with, in bytes.
const USERNAME_BYTES_MAX: usize = 100;
/// Longest other name, in characters.
const NAME_CHARACTERS_MAX: usize = 100;

/// Somebody new.
#[derive(Debug)]
pub struct NewUser {
    /// Name to sign in with, unique in the tenant.
    pub username: String,
    /// Without one nobody can sign in by password.
    pub password: Option<SecretString>,
    /// Slug of a role.
    pub role: String,
    /// Address.
    pub email: Option<String>,
    /// Initials.
    pub shortname: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
}

/// What to change of a record: what is absent stays, an inner none empties the field.
#[derive(Debug, Default)]
pub struct UserChange {
    /// Name to sign in with.
    pub username: Option<String>,
    /// Slug of a role.
    pub role: Option<String>,
    /// Whether the person may sign in.
    pub is_active: Option<bool>,
    /// Address.
    pub email: Option<Option<String>>,
    /// Initials.
    pub shortname: Option<Option<String>>,
    /// Given name.
    pub first_name: Option<Option<String>>,
    /// Family name.
    pub last_name: Option<Option<String>>,
}

impl NewUser {
    /// Of whom nothing but a name and a role is known.
    pub(crate) fn named(username: impl Into<String>, role: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: None,
            role: role.into(),
            email: None,
            shortname: None,
            first_name: None,
            last_name: None,
        }
    }

    pub(super) fn fields(&self) -> Fields {
        Fields {
            username: self.username.clone(),
            role: self.role.clone(),
            is_active: true,
            email: self.email.clone(),
            shortname: self.shortname.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
        }
    }
}

impl UserChange {
    /// Whether it is about names and the address only, which are a person's own affair.
    pub(super) fn is_personal(&self) -> bool {
        self.username.is_none() && self.role.is_none() && self.is_active.is_none()
    }

    pub(super) fn apply(self, fields: &mut Fields) {
        fn put<T>(field: &mut T, change: Option<T>) {
            if let Some(value) = change {
                *field = value;
            }
        }
        put(&mut fields.username, self.username);
        put(&mut fields.role, self.role);
        put(&mut fields.is_active, self.is_active);
        put(&mut fields.email, self.email);
        put(&mut fields.shortname, self.shortname);
        put(&mut fields.first_name, self.first_name);
        put(&mut fields.last_name, self.last_name);
    }
}

/// Checks what can be told without looking anything up.
pub(super) fn check(fields: &Fields) -> Result<(), Refusal> {
    let username = &fields.username;
    if username.is_empty() || username.len() > USERNAME_BYTES_MAX || username.chars().any(|c| c.is_control() || c.is_whitespace())
    {
        let message = format!("A user name has 1 to {USERNAME_BYTES_MAX} bytes and no spaces or control characters.");
        return Err(Refusal::invalid(message).with(json!({ "field": "username" })));
    }
    if let Some(email) = &fields.email {
        let is_address = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
        if !is_address || email.len() > EMAIL_BYTES_MAX || email.chars().any(|c| c.is_control() || c.is_whitespace()) {
            let message = "An address looks like `ada@example.org`.";
            return Err(Refusal::invalid(message).with(json!({ "field": "email" })));
        }
    }
    for (field, text) in [("shortname", &fields.shortname), ("first_name", &fields.first_name), ("last_name", &fields.last_name)]
    {
        if let Some(text) = text {
            expect_line(field, text, NAME_CHARACTERS_MAX)?;
        }
    }
    Ok(())
}

/// A record as the audit shows it.
pub(super) fn shown(fields: &Fields) -> Value {
    json!({
        "username": fields.username,
        "role": fields.role,
        "is_active": fields.is_active,
        "email": fields.email,
        "shortname": fields.shortname,
        "first_name": fields.first_name,
        "last_name": fields.last_name,
    })
}
