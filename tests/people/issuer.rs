//! A server of OpenID Connect, in this process: it signs in, without a question, whoever the test says, and lies when it is told to.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use mint_domain::clock::{Clock as _, SystemClock};
use ring::{
    digest, hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::task::AbortOnDropHandle;
use url::form_urlencoded;

pub(crate) const CLIENT: &str = "mint at a test";
pub(crate) const SECRET: &str = "a secret/with: what needs escaping";

/// What is wrong with its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    Nonce,
    NoNonce,
    Audience,
    Issuer,
    Expired,
    Unsigned,
    /// Signed with the secret that the client has too.
    SignedWithTheSecret,
    /// Signed with a key that it does not show.
    AnotherKey,
    NoToken,
    Garbage,
    Endless,
    Silent,
}

pub(crate) const LIES: [Lie; 11] = [
    Lie::Nonce,
    Lie::NoNonce,
    Lie::Audience,
    Lie::Issuer,
    Lie::Expired,
    Lie::Unsigned,
    Lie::SignedWithTheSecret,
    Lie::AnotherKey,
    Lie::NoToken,
    Lie::Garbage,
    Lie::Endless,
];

pub(crate) struct Issuer {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    _serving: AbortOnDropHandle<()>,
}

struct State {
    url: String,
    key: EcdsaKeyPair,
    key_id: u32,
    person: Value,
    lie: Option<Lie>,
    codes: HashMap<String, HashMap<String, String>>,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State { url: url.clone(), key: fresh_key(), key_id: 1, person: json!({}), lie: None, codes: HashMap::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = state.clone();
        let mut connections = JoinSet::new();
        let serving = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                let service = service_fn(move |request| answer(request, state.clone()));
                connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        };
        #[expect(clippy::disallowed_methods, reason = "it ends with the value")]
        let serving = AbortOnDropHandle::new(tokio::spawn(serving));
        Self { url, state, _serving: serving }
    }

    /// Who signs in from now on: what is told beside `sub`.
    pub(crate) fn knows(&self, person: Value) {
        self.state().person = person;
    }

    pub(crate) fn lies(&self, lie: Option<Lie>) {
        self.state().lie = lie;
    }

    /// Signs with another key, which it shows.
    pub(crate) fn changes_its_key(&self) {
        let mut state = self.state();
        state.key = fresh_key();
        state.key_id += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

fn fresh_key() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
}

async fn answer(request: Request<Incoming>, state: Arc<Mutex<State>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let is_silent = state.lock().unwrap().lie == Some(Lie::Silent);
    if is_silent {
        return std::future::pending().await;
    }
    let mut state = state.lock().unwrap();
    let query = fields(head.uri.query().unwrap_or_default().as_bytes());
    Ok(match (head.method, head.uri.path()) {
        (Method::GET, "/.well-known/openid-configuration") => json_of(&state.metadata()),
        (Method::GET, "/keys") => json_of(&state.keys()),
        (Method::GET, "/authorize") => state.authorize(query),
        (Method::POST, "/token") => {
            let shown = head.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
            state.token(shown.as_deref(), &fields(&body))
        }
        (Method::GET, "/person") => json_of(&state.person),
        _ => status(StatusCode::NOT_FOUND),
    })
}

impl State {
    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.url);
        json!({
            "issuer": self.url,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "jwks_uri": at("/keys"),
            "userinfo_endpoint": at("/person"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
        })
    }

    fn keys(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.key_id.to_string(), "x": x, "y": y },
        ] })
    }

    /// Somebody is here with their browser, and goes back at once.
    fn authorize(&mut self, query: HashMap<String, String>) -> Response<Full<Bytes>> {
        assert_eq!((query["response_type"].as_str(), query["client_id"].as_str()), ("code", CLIENT));
        assert_eq!((query["scope"].as_str(), query["code_challenge_method"].as_str()), ("openid profile email", "S256"));
        let code = format!("code {}", self.codes.len());
        let back = form_urlencoded::Serializer::new(format!("{}?", query["redirect_uri"]))
            .extend_pairs([("code", &code), ("state", &query["state"]), ("iss", &self.url)])
            .finish();
        self.codes.insert(code, query);
        let response = Response::builder().status(StatusCode::SEE_OTHER).header(header::LOCATION, back);
        response.body(Full::default()).unwrap()
    }

    fn token(&mut self, shown: Option<&str>, asked: &HashMap<String, String>) -> Response<Full<Bytes>> {
        let escape = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let credentials = STANDARD.encode(format!("{}:{}", escape(CLIENT), escape(SECRET)));
        let Some(begun) = self.codes.remove(&asked["code"]) else { return status(StatusCode::BAD_REQUEST) };
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, asked["code_verifier"].as_bytes()));
        let fits = shown == Some(&format!("Basic {credentials}"))
            && challenge == begun["code_challenge"]
            && asked["redirect_uri"] == begun["redirect_uri"];
        if !fits {
            return status(StatusCode::UNAUTHORIZED);
        }
        let mut answer = json!({ "access_token": "an access token", "token_type": "Bearer", "expires_in": 60 });
        match self.lie {
            Some(Lie::Garbage) => return Response::new("{\"access_token\":".into()),
            Some(Lie::Endless) => return Response::new(vec![b' '; 4 << 20].into()),
            Some(Lie::NoToken) => {}
            _ => answer["id_token"] = json!(self.id_token(&begun["nonce"])),
        }
        json_of(&answer)
    }

    fn id_token(&self, nonce: &str) -> String {
        let now = SystemClock.now().unix_timestamp();
        let mut claims = json!({ "iss": self.url, "aud": CLIENT, "iat": now - 5, "exp": now + 60, "nonce": nonce });
        for (name, value) in self.person.as_object().unwrap() {
            // What it tells whoever asks for it apart.
            if name != "preferred_username" || self.person["tells_at_once"] == true {
                claims[name] = value.clone();
            }
        }
        let mut header = json!({ "alg": "ES256", "kid": self.key_id.to_string() });
        match self.lie {
            Some(Lie::Nonce) => claims["nonce"] = json!("another"),
            Some(Lie::NoNonce) => drop(claims.as_object_mut().unwrap().remove("nonce")),
            Some(Lie::Audience) => claims["aud"] = json!("somebody else"),
            Some(Lie::Issuer) => claims["iss"] = json!("https://elsewhere.example"),
            Some(Lie::Expired) => claims["exp"] = json!(now - 60),
            Some(Lie::Unsigned) => header = json!({ "alg": "none" }),
            Some(Lie::SignedWithTheSecret) => header = json!({ "alg": "HS256" }),
            _ => {}
        }
        let text = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let random = SystemRandom::new();
        let signature = match self.lie {
            Some(Lie::Unsigned) => Vec::new(),
            Some(Lie::SignedWithTheSecret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), text.as_bytes()).as_ref().to_vec()
            }
            Some(Lie::AnotherKey) => fresh_key().sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
            _ => self.key.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn fields(text: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn json_of(value: &Value) -> Response<Full<Bytes>> {
    Response::builder().header(header::CONTENT_TYPE, "application/json").body(value.to_string().into()).unwrap()
}

fn status(status: StatusCode) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::default()).unwrap()
}
