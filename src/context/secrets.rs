//! Secrets at rest: what is sealed, opens, and is shown, in settings of installations and in what plugins keep of people.
//!
//! A sealed value belongs to one place: the laboratory, whose document it is, the path in it and the id go into the seal, so that
//! it opens nowhere else.

use std::{collections::BTreeSet, fmt};

use mint_domain::{
    Kind, Refusal, TenantId, Unsealed,
    secret::{Place, Sealed, Stand, Then, unstored, walk},
};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Most secrets of one document. Each place of a new one is compared with those that are held for it.
const SECRETS_MAX: usize = 200;

/// The keys of an installation of the platform.
pub struct Keys {
    current: Option<Key>,
    earlier: Vec<Key>,
}

struct Key {
    id: String,
    cipher: LessSafeKey,
}

/// Why a sealed value does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Locked {
    /// The key of this id is not here.
    NoKey(String),
    /// It was sealed for another place, or changed.
    Elsewhere,
}

/// Who wants something stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A person, who sees references and sends them back.
    Person,
    /// The plugin itself, which sees the values. What MINT's SDKs write in the form of references is theirs.
    Plugin,
}

/// What is sealed anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    /// What should be sealed and is not.
    Plain,
    /// That, and what another key than the present one opens.
    Earlier,
}

impl Keys {
    /// Seals with `current`, and opens what that or the `earlier` ones have sealed. Without it nothing is sealed.
    ///
    /// # Errors
    /// The cipher refuses a key, which one of this length is not.
    pub fn new(current: Option<&[u8; 32]>, earlier: &[[u8; 32]]) -> std::io::Result<Self> {
        Ok(Self { current: current.map(Key::new).transpose()?, earlier: earlier.iter().map(Key::new).collect::<Result<_, _>>()? })
    }

    /// The name of the present key, which tells nothing of it.
    pub fn current(&self) -> Option<&str> {
        self.current.as_ref().map(|key| key.id.as_str())
    }

    /// The names of the keys that open what is there, the present one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.all().map(|key| key.id.as_str())
    }

    /// The box for the secrets of one document.
    pub fn chest(&self, tenant: TenantId, document: impl fmt::Display) -> Chest<'_> {
        Chest { keys: self, whose: format!("{tenant} {document}") }
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        self.current.iter().chain(&self.earlier)
    }
}

impl Key {
    fn new(key: &[u8; 32]) -> std::io::Result<Self> {
        let cipher = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(std::io::Error::other)?;
        let name = Sha256::new().chain_update("mint name of a key of secrets ").chain_update(key).finalize();
        Ok(Self { id: hex::encode(name).chars().take(12).collect(), cipher: LessSafeKey::new(cipher) })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

/// Seals and opens the secrets of one document.
#[derive(Debug)]
pub struct Chest<'a> {
    keys: &'a Keys,
    whose: String,
}

impl Chest<'_> {
    /// A document with its secrets open.
    ///
    /// # Errors
    /// `secrets.locked`, naming the setting, the key and what to do.
    pub fn open(&self, stored: &Value) -> Result<Unsealed, Refusal> {
        let opened = walk(None, stored, &mut |place| match Stand::of(place.value) {
            Stand::Sealed(sealed) => {
                Ok(Then::Put(self.unseal(place, &sealed).map_err(|locked| locked.refusal(place, self.keys))?))
            }
            _ => Ok(Then::Enter),
        });
        opened.map(Unsealed::new)
    }

    /// Takes a document in which clear values and references stand, in the place of the one that is stored.
    ///
    /// # Errors
    /// `VALIDATION_ERROR` for a reference that is none of this place, `secrets.locked`.
    pub fn take(&self, schema: Option<&Value>, present: &Value, new: &Value, by: By) -> Result<Value, Refusal> {
        let held = self.held(present, by);
        let taken = walk(schema, new, &mut |place| match Stand::of(place.value) {
            Stand::Reference(Some(id)) => match held.iter().find(|held| held.id() == Some(&id) && held.path == place.path) {
                Some(held) => Ok(Then::Put(held.value.clone())),
                None if by == By::Plugin => Ok(Then::Put(place.value.clone())),
                None => Err(unknown(place, &id)),
            },
            Stand::Reference(None) if by == By::Person => Ok(Then::Omit),
            Stand::Reference(None) => Ok(Then::Enter),
            Stand::Sealed(_) | Stand::Broken => Err(malformed(place)),
            Stand::Value => self.take_value(place, &held),
        })?;
        if self.held(&taken, By::Person).len() > SECRETS_MAX {
            return Err(Refusal::invalid(format!("At most {SECRETS_MAX} secrets are kept in one place. Keep fewer.")));
        }
        Ok(taken)
    }

    /// A document with everything sealed that should be; none where nothing is to be done.
    ///
    /// # Errors
    /// `secrets.locked`.
    pub fn anew(&self, schema: Option<&Value>, stored: &Value, what: Anew) -> Result<Option<Value>, Refusal> {
        let done = walk::<Refusal>(schema, stored, &mut |place| match Stand::of(place.value) {
            Stand::Sealed(sealed) if what == Anew::Earlier && Some(sealed.key.as_str()) != self.keys.current() => {
                let value = self.unseal(place, &sealed).map_err(|locked| locked.refusal(place, self.keys))?;
                Ok(Then::Put(self.seal(place, sealed.id, &value)?))
            }
            Stand::Value if place.is_secret && !place.value.is_null() => {
                let whole = self.open(place.value)?;
                Ok(Then::Put(self.seal(place, fresh_id(), &whole)?))
            }
            Stand::Sealed(_) => Ok(Then::Put(place.value.clone())),
            _ => Ok(Then::Enter),
        })?;
        Ok((done != *stored).then_some(done))
    }

    /// A document without the secrets that do not open here, and their names.
    pub fn without_locked(&self, stored: &Value) -> (Value, Vec<String>) {
        let mut locked = Vec::new();
        let rest = walk::<std::convert::Infallible>(None, stored, &mut |place| {
            Ok(match Stand::of(place.value) {
                Stand::Sealed(sealed) if self.unseal(place, &sealed).is_err() => {
                    locked.push(place.name());
                    Then::Omit
                }
                Stand::Sealed(_) => Then::Put(place.value.clone()),
                _ => Then::Enter,
            })
        });
        match rest {
            Ok(rest) => (rest, locked),
            Err(never) => match never {},
        }
    }

    fn take_value(&self, place: &Place<'_>, held: &[Held]) -> Result<Then, Refusal> {
        // A plugin sends back what it was given. What it leaves as it is stays as it is.
        let same = |held: &&Held| held.opened.as_ref() == Some(place.value) && held.path == place.path;
        if let Some(held) = held.iter().find(same) {
            return Ok(Then::Put(held.value.clone()));
        }
        if !place.is_secret || place.value.is_null() {
            return Ok(Then::Enter);
        }
        // A secret is whole: nothing in it refers to something else.
        walk(None, place.value, &mut |inner| match Stand::of(inner.value) {
            Stand::Value => Ok(Then::Enter),
            _ => Err(malformed(place)),
        })?;
        Ok(Then::Put(self.seal(place, fresh_id(), place.value)?))
    }

    /// The secrets of a document, opened for a plugin.
    fn held(&self, present: &Value, by: By) -> Vec<Held> {
        let mut held = Vec::new();
        let _same = walk::<std::convert::Infallible>(None, present, &mut |place| {
            let stand = Stand::of(place.value);
            if matches!(stand, Stand::Sealed(_) | Stand::Reference(Some(_))) {
                let opened = match &stand {
                    Stand::Sealed(sealed) if by == By::Plugin => self.unseal(place, sealed).ok(),
                    _ => None,
                };
                held.push(Held { path: place.path.to_owned(), opened, stand, value: place.value.clone() });
            }
            Ok(Then::Enter)
        });
        held
    }

    fn seal(&self, place: &Place<'_>, id: String, value: &Value) -> Result<Value, Refusal> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut text = value.to_string().into_bytes();
        let key = self.keys.current.as_ref().ok_or_else(no_key)?;
        let sealing = key.cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), self.about(place, &id), &mut text);
        sealing.map_err(|_| Refusal::new(Kind::TooLarge, "request.too_large", "A secret is too long to be sealed."))?;
        let sealed = format!("{}{}", hex::encode(nonce), hex::encode(text));
        Ok(Sealed { id, key: key.id.clone(), sealed }.to_value())
    }

    fn unseal(&self, place: &Place<'_>, sealed: &Sealed) -> Result<Value, Locked> {
        let key = self.keys.all().find(|key| key.id == sealed.key).ok_or_else(|| Locked::NoKey(sealed.key.clone()))?;
        let mut bytes = hex::decode(&sealed.sealed).map_err(|_| Locked::Elsewhere)?;
        let (nonce, text) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(Locked::Elsewhere)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Locked::Elsewhere)?;
        let text = key.cipher.open_in_place(nonce, self.about(place, &sealed.id), text).map_err(|_| Locked::Elsewhere)?;
        serde_json::from_slice(text).map_err(|_| Locked::Elsewhere)
    }

    /// What a seal holds for. The path comes last, since it alone may have any form.
    fn about(&self, place: &Place<'_>, id: &str) -> Aad<String> {
        Aad::from(format!("mint secret {} {id} {}", self.whose, place.path))
    }
}

/// A secret, or a reference of a plugin's own, that stands in what is stored.
struct Held {
    path: String,
    /// For a plugin only.
    opened: Option<Value>,
    stand: Stand,
    value: Value,
}

impl Held {
    fn id(&self) -> Option<&String> {
        match &self.stand {
            Stand::Sealed(sealed) => Some(&sealed.id),
            Stand::Reference(id) => id.as_ref(),
            Stand::Value | Stand::Broken => None,
        }
    }
}

impl Locked {
    fn refusal(self, place: &Place<'_>, keys: &Keys) -> Refusal {
        let name = place.name();
        let (why, key) = match self {
            Self::NoKey(key) => (
                format!(
                    "The secret `{name}` was sealed with the key {key}, and this server has {}. Give it that key (as \
                     `secrets.key`, or among `secrets.earlierKeys`) and restart it, or set `{name}` anew.",
                    if keys.all().next().is_some() { keys.ids().collect::<Vec<_>>().join(", ") } else { "none".to_owned() }
                ),
                Some(key),
            ),
            Self::Elsewhere => {
                (format!("The secret `{name}` was sealed for another place, or changed: it does not open. Set it anew."), None)
            }
        };
        Refusal::new(Kind::Conflict, "secrets.locked", why).with(json!({ "setting": name, "key": key }))
    }
}

/// A document as people see it: with references, and no secret.
pub fn shown(schema: Option<&Value>, document: &Value, is_locked: impl Fn(&str) -> bool) -> Value {
    let shown = walk::<std::convert::Infallible>(schema, document, &mut |place| {
        Ok(match Stand::of(place.value) {
            Stand::Sealed(sealed) => Then::Put(sealed.reference()),
            Stand::Value if place.is_secret && !place.value.is_null() => Then::Put(unstored(is_locked(place.path))),
            _ => Then::Enter,
        })
    });
    shown.unwrap_or_else(|never| match never {})
}

/// The names of the keys that a document needs.
pub fn keys_of(document: &Value) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    let _same = walk::<std::convert::Infallible>(None, document, &mut |place| {
        if let Stand::Sealed(sealed) = Stand::of(place.value) {
            keys.insert(sealed.key);
        }
        Ok(Then::Enter)
    });
    keys
}

/// Takes secrets out of words that somebody else has found.
pub(crate) fn scrubbed(words: &str, chest: &Chest<'_>, stored: &Value) -> String {
    let mut words = words.to_owned();
    let _same = walk::<std::convert::Infallible>(None, stored, &mut |place| {
        if let Stand::Sealed(sealed) = Stand::of(place.value)
            && let Ok(Value::String(secret)) = chest.unseal(place, &sealed)
            && !secret.is_empty()
        {
            words = words.replace(&secret, "***");
        }
        Ok(Then::Enter)
    });
    words
}

fn no_key() -> Refusal {
    let message =
        "This server has no key to seal secrets with: `secrets.keyCommand` gave none when it started. Mend that, and restart it.";
    Refusal::new(Kind::Unavailable, "secrets.no_key", message)
}

fn fresh_id() -> String {
    format!("sec_{}", hex::encode(rand::random::<[u8; 16]>()))
}

fn unknown(place: &Place<'_>, id: &str) -> Refusal {
    let name = place.name();
    let message = format!("`{id}` is no secret of `{name}`. Send the reference that stands there, or a new value.");
    Refusal::invalid(message).with(json!({ "field": name }))
}

fn malformed(place: &Place<'_>) -> Refusal {
    let name = place.name();
    let message =
        format!("`{name}` is no reference such as {{\"$secret\": \"sec_…\"}}. Send one that you were shown, or a value.");
    Refusal::invalid(message).with(json!({ "field": name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(current: u8, earlier: &[u8]) -> Keys {
        let earlier: Vec<_> = earlier.iter().map(|key| [*key; 32]).collect();
        Keys::new(Some(&[current; 32]), &earlier).unwrap()
    }

    fn schema() -> Value {
        json!({ "properties": { "token": { "format": "password" }, "pin": { "writeOnly": true }, "host": {}, "many": { "items": { "format": "password" } } } })
    }

    fn take(chest: &Chest<'_>, present: &Value, new: Value, by: By) -> Result<Value, Refusal> {
        chest.take(Some(&schema()), present, &new, by)
    }

    #[test]
    fn what_is_taken_is_sealed_and_opens_in_its_place_only() {
        let keys = keys(1, &[]);
        let chest = keys.chest(TenantId(1), "a");
        let clear = json!({ "token": "canary", "pin": 77_777, "host": "h", "many": ["one", "two"] });
        let stored = take(&chest, &json!({}), clear.clone(), By::Person).unwrap();
        for secret in ["canary", "77777", "one", "two"] {
            assert!(!stored.to_string().contains(secret), "{stored}");
        }
        assert_eq!(*chest.open(&stored).unwrap(), clear);
        for other in [keys.chest(TenantId(2), "a"), keys.chest(TenantId(1), "b")] {
            assert_eq!(other.open(&stored).unwrap_err().code, "secrets.locked");
        }
        let moved = json!({ "pin": stored["token"] });
        assert_eq!(chest.open(&moved).unwrap_err().details["setting"], "pin");
        assert_eq!(keys_of(&stored).into_iter().collect::<Vec<_>>(), [keys.current().unwrap()]);
    }

    #[test]
    fn people_send_references_back_and_no_others() {
        let keys = keys(1, &[]);
        let chest = keys.chest(TenantId(1), "a");
        let stored = take(&chest, &json!({}), json!({ "token": "t", "pin": "p", "many": ["one", "two"] }), By::Person).unwrap();
        let seen = shown(Some(&schema()), &stored, |_| false);
        assert_eq!(take(&chest, &stored, seen.clone(), By::Person).unwrap(), stored);
        // A list may be put in another order.
        let turned = json!({ "many": [seen["many"][1], "three"] });
        let turned = take(&chest, &stored, turned, By::Person).unwrap();
        assert_eq!(*chest.open(&turned).unwrap(), json!({ "many": ["two", "three"] }));
        for wrong in [json!({ "pin": seen["token"] }), json!({ "host": seen["token"] }), json!({ "token": stored["token"] })] {
            assert_eq!(take(&chest, &stored, wrong.clone(), By::Person).unwrap_err().code, "VALIDATION_ERROR", "{wrong}");
        }
        // What is not stored is not stored again, and the same value has another seal: nobody finds out by trying.
        assert_eq!(take(&chest, &stored, json!({ "token": unstored(true) }), By::Person), Ok(json!({})));
        assert_ne!(
            take(&chest, &stored, json!({ "token": "t" }), By::Person).unwrap()["token"]["$secret"],
            seen["token"]["$secret"]
        );
        assert_eq!(take(&chest, &stored, json!({ "token": "t" }), By::Plugin).unwrap()["token"], stored["token"]);
    }

    #[test]
    fn secrets_of_an_sdk_are_sealed_and_its_references_are_its_own() {
        let keys = keys(1, &[]);
        let chest = keys.chest(TenantId(1), "a");
        let id = format!("sec_{}", "0".repeat(32));
        let document = json!({ "api": { "$secret": id }, "__secrets__": { id.as_str(): "canary" } });
        let stored = chest.take(None, &json!({}), &document, By::Plugin).unwrap();
        assert!(!stored.to_string().contains("canary"));
        assert_eq!(*chest.open(&stored).unwrap(), document);
        assert_eq!(chest.take(None, &stored, &document, By::Plugin).unwrap(), stored);
        let seen = shown(None, &stored, |_| false);
        assert_eq!(chest.take(None, &stored, &seen, By::Person).unwrap(), stored);
    }

    #[test]
    fn so_many_secrets_and_no_more() {
        let keys = keys(1, &[]);
        let chest = keys.chest(TenantId(1), "a");
        let many = |count: usize| json!({ "many": (0..count).map(|number| number.to_string()).collect::<Vec<_>>() });
        let stored = take(&chest, &json!({}), many(SECRETS_MAX), By::Plugin).unwrap();
        assert_eq!(take(&chest, &stored, many(SECRETS_MAX), By::Plugin).unwrap(), stored);
        assert_eq!(take(&chest, &stored, many(SECRETS_MAX + 1), By::Plugin).unwrap_err().code, "VALIDATION_ERROR");
    }

    #[test]
    fn a_key_is_retired_and_a_missing_one_is_named() {
        let (old, new) = (keys(1, &[]), keys(2, &[1]));
        let stored = take(&old.chest(TenantId(1), "a"), &json!({}), json!({ "token": "t" }), By::Person).unwrap();
        let chest = new.chest(TenantId(1), "a");
        assert_eq!(*chest.open(&stored).unwrap(), json!({ "token": "t" }));
        assert_eq!(chest.anew(Some(&schema()), &stored, Anew::Plain), Ok(None));
        let anew = chest.anew(Some(&schema()), &stored, Anew::Earlier).unwrap().unwrap();
        assert_eq!(anew["token"]["$secret"], stored["token"]["$secret"]);
        assert_eq!(*keys(2, &[]).chest(TenantId(1), "a").open(&anew).unwrap(), json!({ "token": "t" }));
        let refused = old.chest(TenantId(1), "a").open(&anew).unwrap_err();
        assert!(refused.message.contains(new.current().unwrap()) && refused.message.contains("`token`"), "{refused}");
        let (rest, locked) = old.chest(TenantId(1), "a").without_locked(&anew);
        assert_eq!((rest, locked), (json!({}), vec!["token".to_owned()]));
        // What a schema marks later is sealed then.
        let plain = json!({ "token": "t", "host": "h" });
        let sealed = chest.anew(Some(&schema()), &plain, Anew::Plain).unwrap().unwrap();
        assert_eq!((*chest.open(&sealed).unwrap()).clone(), plain);
        assert!(scrubbed("no canary: t", &chest, &sealed).ends_with("***"));
    }
}
