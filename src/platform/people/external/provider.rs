//! One other server, by OpenID Connect: what it says of itself, where people sign in, and what its answer proves.

use std::sync::Arc;

use mint_domain::Slug;
use openidconnect::{
    AccessToken, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse as _,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreIdTokenClaims, CoreJwsSigningAlgorithm,
        CoreProviderMetadata, CoreUserInfoClaims,
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    sync::Mutex,
    time::{Duration, Instant},
};
use url::Url;

use super::http::Asker;

/// How long what a server says of itself is believed.
const KNOWN_FOR: Duration = Duration::from_secs(60 * 60);
/// How long nobody asks again who could not be reached.
const UNREACHABLE_FOR: Duration = Duration::from_secs(5);
/// How old its keys are at least when an answer has them asked for again.
const KEYS_AGE_MIN: Duration = Duration::from_secs(1);

/// What is configured of a server.
#[derive(Clone, Debug)]
pub struct ProviderOptions {
    /// Names it in addresses.
    pub id: Slug,
    /// What people call it.
    pub name: String,
    /// The laboratory whose people sign in there.
    pub tenant: Slug,
    /// Its address, as it names itself.
    pub issuer: IssuerUrl,
    /// How it knows this server.
    pub client_id: String,
    /// What this server shows it; none for a public client.
    pub client_secret: Option<SecretString>,
    /// What is asked for, beside `openid`.
    pub scopes: Vec<String>,
    /// The role of whom nobody knows here; none where they are refused.
    pub newcomers: Option<String>,
}

/// A server at which people sign in.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) options: ProviderOptions,
    asker: Asker,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
enum Known {
    #[default]
    Nothing,
    Metadata(Instant, Arc<CoreProviderMetadata>),
    Unreachable(Instant, String),
}

/// Where somebody is to sign in, and what is to be known when they come back.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) url: Url,
    pub(super) nonce: Nonce,
    pub(super) verifier: PkceCodeVerifier,
}

/// Whom the server knows.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) subject: String,
    pub(super) username: Option<String>,
    /// An address of which the server has made sure.
    pub(super) email: Option<String>,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
}

/// Why a server says nothing that counts.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It does not answer as it should.
    #[error("{0}")]
    Unreachable(String),
    /// Its answer proves nothing.
    #[error("{0}")]
    Unproven(String),
}

type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Reads a person out of what a token, or the server itself, says: two types with the same words.
macro_rules! person {
    ($claims:expr) => {
        Person {
            subject: $claims.subject().to_string(),
            username: $claims.preferred_username().map(|name| name.to_string()),
            email: $claims.email().filter(|_| $claims.email_verified() == Some(true)).map(|email| email.to_string()),
            first_name: $claims.given_name().and_then(|names| names.get(None)).map(|name| name.to_string()),
            last_name: $claims.family_name().and_then(|names| names.get(None)).map(|name| name.to_string()),
        }
    };
}

impl Provider {
    pub(super) fn new(options: ProviderOptions, asker: Asker) -> Self {
        Self { options, asker, known: Mutex::default() }
    }

    /// Where somebody is to sign in.
    pub(super) async fn send(&self, redirect: Url, state: &SecretString) -> Result<Sent, Failure> {
        let client = self.client(&*self.metadata(KNOWN_FOR).await?, redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = state.expose_secret().to_owned();
        let asked = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || CsrfToken::new(state), Nonce::new_random)
            .add_scopes(self.options.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge);
        let (url, _, nonce) = asked.url();
        Ok(Sent { url, nonce, verifier })
    }

    /// Who came back with a code.
    pub(super) async fn receive(
        &self,
        redirect: Url,
        code: String,
        nonce: &Nonce,
        verifier: PkceCodeVerifier,
    ) -> Result<Person, Failure> {
        let metadata = self.metadata(KNOWN_FOR).await?;
        let client = self.client(&metadata, redirect.clone());
        let exchange = client.exchange_code(AuthorizationCode::new(code)).map_err(|error| unreachable(&error))?;
        let answer = exchange.set_pkce_verifier(verifier).request_async(&self.asker).await;
        let answer = answer.map_err(|error| match &error {
            RequestTokenError::Request(_) => unreachable(&error),
            _ => unproven(&error),
        })?;
        let token = answer.id_token().ok_or_else(|| Failure::Unproven("its answer has no ID token".to_owned()))?;
        let claims = match claims_of(&client, token, nonce) {
            // It may sign with a new key by now.
            Err(ClaimsVerificationError::SignatureVerification(_)) => {
                let client = self.client(&*self.metadata(KEYS_AGE_MIN).await?, redirect);
                claims_of(&client, token, nonce).cloned()
            }
            claims => claims.cloned(),
        };
        let claims = claims.map_err(|error| unproven(&error))?;
        let person = person!(claims);
        if person.username.is_some() {
            return Ok(person);
        }
        let more = self.ask_again(&client, answer.access_token(), &claims).await;
        Ok(more.into_iter().fold(person, Person::or))
    }

    /// What the server says of a person where it is asked for that apart.
    async fn ask_again(&self, client: &Client, token: &AccessToken, claims: &CoreIdTokenClaims) -> Option<Person> {
        let request = client.user_info(token.clone(), Some(claims.subject().clone())).ok()?;
        let answered: Result<CoreUserInfoClaims, _> = request.request_async(&self.asker).await;
        match answered {
            Ok(claims) => Some(person!(claims)),
            Err(error) => {
                tracing::info!(provider = %self.options.id, error = %chain(&error), "a server says nothing more of a person");
                None
            }
        }
    }

    fn client(&self, metadata: &CoreProviderMetadata, redirect: Url) -> Client {
        let secret = self.options.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let in_the_body = metadata.token_endpoint_auth_methods_supported().is_some_and(|methods| {
            !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost)
        });
        let auth_type = if in_the_body { AuthType::RequestBody } else { AuthType::BasicAuth };
        CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(self.options.client_id.clone()), secret)
            .set_auth_type(auth_type)
            .set_redirect_uri(RedirectUrl::from_url(redirect))
    }

    /// What the server says of itself, no older than that. Whoever waits for the same answer has it, or its failure, with the first.
    async fn metadata(&self, age_max: Duration) -> Result<Arc<CoreProviderMetadata>, Failure> {
        let mut known = self.known.lock().await;
        match &*known {
            Known::Metadata(since, metadata) if since.elapsed() < age_max => return Ok(metadata.clone()),
            Known::Unreachable(since, why) if since.elapsed() < UNREACHABLE_FOR => return Err(Failure::Unreachable(why.clone())),
            Known::Metadata(..) | Known::Unreachable(..) | Known::Nothing => {}
        }
        match CoreProviderMetadata::discover_async(self.options.issuer.clone(), &self.asker).await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                *known = Known::Metadata(Instant::now(), metadata.clone());
                Ok(metadata)
            }
            Err(error) => {
                let why = chain(&error);
                *known = Known::Unreachable(Instant::now(), why.clone());
                Err(Failure::Unreachable(why))
            }
        }
    }
}

/// What a token proves, signed with a key that only the server has: neither with our own secret nor with nothing.
fn claims_of<'a>(
    client: &Client,
    token: &'a CoreIdToken,
    nonce: &Nonce,
) -> Result<&'a CoreIdTokenClaims, ClaimsVerificationError> {
    let verifier = client.id_token_verifier().set_allowed_algs([
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
        CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
        CoreJwsSigningAlgorithm::RsaSsaPssSha256,
        CoreJwsSigningAlgorithm::RsaSsaPssSha384,
        CoreJwsSigningAlgorithm::RsaSsaPssSha512,
        CoreJwsSigningAlgorithm::EcdsaP256Sha256,
        CoreJwsSigningAlgorithm::EcdsaP384Sha384,
        CoreJwsSigningAlgorithm::EdDsa,
    ]);
    token.claims(&verifier, nonce)
}

impl Person {
    /// What the person is known by who has nothing of their own.
    fn or(self, other: Self) -> Self {
        Self {
            subject: self.subject,
            username: self.username.or(other.username),
            email: self.email.or(other.email),
            first_name: self.first_name.or(other.first_name),
            last_name: self.last_name.or(other.last_name),
        }
    }
}

fn unreachable(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::Unreachable(chain(error))
}

fn unproven(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::Unproven(chain(error))
}

/// An error with its causes, for the operator. What another server writes is cut.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    const CHARACTERS_MAX: usize = 500;
    let causes = std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string);
    causes.collect::<Vec<_>>().join(": ").chars().filter(|c| !c.is_control()).take(CHARACTERS_MAX).collect()
}
