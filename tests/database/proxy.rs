//! A way to PostgreSQL that can be cut, also at a word that a client says.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UnixStream},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Where the way is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Before the server hears the word.
    Word,
    /// After the server has heard the commit that follows the word, and before the client hears of it.
    Commit,
}

/// The way, and its switch.
pub(super) struct Proxy {
    /// The address of the database by this way.
    pub(super) url: String,
    state: Arc<State>,
    _accepting: AbortOnDropHandle<()>,
}

struct State {
    server: PathBuf,
    is_cut: AtomicBool,
    cut: Mutex<CancellationToken>,
    trap: Mutex<Option<(&'static str, At)>>,
    was_cut: watch::Sender<bool>,
}

impl State {
    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.cut.lock().unwrap().cancel();
        self.was_cut.send_replace(true);
    }
}

impl Proxy {
    /// A way to the database of `url`, whose server listens at a socket in the directory that `host=` names.
    #[expect(clippy::disallowed_methods, reason = "its handle is kept")]
    pub(super) async fn to(url: &str) -> Option<Self> {
        let (base, query) = url.split_once('?')?;
        let directory = query.split('&').find_map(|pair| pair.strip_prefix("host="))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            server: PathBuf::from(directory).join(".s.PGSQL.5432"),
            is_cut: AtomicBool::new(false),
            cut: Mutex::default(),
            trap: Mutex::default(),
            was_cut: watch::Sender::new(false),
        });
        let accepting = state.clone();
        let accepting = AbortOnDropHandle::new(tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if !accepting.is_cut.load(Ordering::SeqCst) {
                    tokio::spawn(carry(accepting.clone(), client));
                }
            }
        }));
        let (head, name) = base.rsplit_once('/')?;
        let user = head.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map_or("postgres", |(user, _)| user);
        Some(Self { url: format!("postgres://{user}@127.0.0.1:{port}/{name}?sslmode=disable"), state, _accepting: accepting })
    }

    /// Cuts every connection, and lets nobody in.
    pub(super) fn cut(&self) {
        self.state.cut();
    }

    /// Cuts the way when a client says `word`.
    pub(super) fn cut_at(&self, word: &'static str, at: At) {
        *self.state.trap.lock().unwrap() = Some((word, at));
    }

    /// Waits until it is cut.
    pub(super) async fn was_cut(&self) {
        self.state.was_cut.subscribe().wait_for(|was_cut| *was_cut).await.unwrap();
    }

    /// Lets everybody in again.
    pub(super) fn mend(&self) {
        *self.state.cut.lock().unwrap() = CancellationToken::new();
        self.state.was_cut.send_replace(false);
        self.state.is_cut.store(false, Ordering::SeqCst);
    }
}

fn says(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

async fn carry(state: Arc<State>, client: tokio::net::TcpStream) {
    let cut = state.cut.lock().unwrap().clone();
    let Ok(server) = UnixStream::connect(&state.server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asks = async {
        let (mut buffer, mut commits) = (vec![0; 64 << 10], false);
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            let bytes = &buffer[..read];
            let trap = *state.trap.lock().unwrap();
            if let Some((word, at)) = trap
                && says(bytes, word)
            {
                commits = at == At::Commit;
                if !commits {
                    *state.trap.lock().unwrap() = None;
                    return state.cut();
                }
            }
            let is_last = commits && says(bytes, "COMMIT");
            if to_server.write_all(bytes).await.is_err() {
                return;
            }
            if is_last {
                *state.trap.lock().unwrap() = None;
                return state.cut();
            }
        }
    };
    let answers = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::select! {
        () = cut.cancelled() => {}
        () = asks => {}
        _ = answers => {}
    }
}
