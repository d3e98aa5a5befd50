//! WebSockets and event streams of a plugin on FastAPI and MINT's SDK, as they come from the registry, with a client that
//! checks every frame.

use futures_util::{SinkExt as _, StreamExt as _};
use http::Method;
use mint_tests::{Client, TestServer, eventually};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, protocol::frame::coding::CloseCode},
};

use super::sdk_fixture::Fixture;

async fn serving() -> Option<TestServer> {
    let fixture = Fixture::of("live");
    let python = fixture.python()?;
    let drain = ("MINT_PLUGINS__DRAIN_SECONDS", "2");
    let server = TestServer::with(&[("MINT_PLUGINS__UV__PYTHON", &python), drain]).await;
    server.admin.installed(&fixture.bundle(), json!({})).await;
    Some(server)
}

async fn connect(client: &Client, path: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let stream = client.connect().await;
    let mut request = format!("ws://{}{path}", stream.peer_addr().unwrap()).into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {}", client.token()).parse().unwrap());
    headers.insert("sec-websocket-protocol", "words".parse().unwrap());
    client_async(request, stream).await.map(|(socket, response)| {
        assert_eq!(response.headers()["sec-websocket-protocol"], "words");
        socket
    })
}

#[tokio::test]
async fn people_and_plugins_talk() {
    let Some(server) = serving().await else { return };
    let member = server.client("member").await;
    let mut socket = connect(&member, "/api/live/talk?a=1&b=%20").await.unwrap();
    let seen: Value = serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
    assert_eq!((&seen["path"], &seen["query"]), (&json!("/api/live/talk"), &json!("a=1&b=%20")));
    assert_eq!(seen["headers"]["x-mint-username"], "member", "{seen}");
    assert!(seen["headers"].get("authorization").is_none() && !seen.to_string().contains(member.token()), "{seen}");

    for text in ["hello", "", "grüße"] {
        socket.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(text.repeat(2)));
    }
    let large = vec![7_u8; 700_000];
    socket.send(Message::binary(large.clone())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().into_data(), [large.clone(), large].concat());
    socket.send(Message::Ping("are you there".into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong("are you there".into()));

    socket.send(Message::text("enough")).await.unwrap();
    let Message::Close(Some(frame)) = socket.next().await.unwrap().unwrap() else { panic!("no farewell") };
    assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::from(4001), "as you wish"));
    assert!(socket.next().await.is_none());
}

#[tokio::test]
async fn a_client_that_goes_away_is_missed() {
    let Some(server) = serving().await else { return };
    let mut polite = connect(&server.admin, "/api/live/talk").await.unwrap();
    polite.close(None).await.unwrap();
    let rude = connect(&server.admin, "/api/live/talk").await.unwrap();
    drop(rude);
    // Which code it is told depends on how much it had to say when the connection ended.
    eventually("two that left", || async {
        let left = server.admin.get("/api/live/left").await.json()["left"].clone();
        (left.as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    eventually("their places", || async { (server.admin.plugin("live").await["usage"]["in_progress"] == 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_plugin_that_is_replaced_keeps_nobody_waiting() {
    let Some(server) = serving().await else { return };
    let mut socket = connect(&server.admin, "/api/live/talk").await.unwrap();
    socket.next().await.unwrap().unwrap();
    let (operation, said) = tokio::join!(server.admin.reload("live"), socket.next());
    assert_eq!(operation["status"], "done", "{operation}");
    let Some(Ok(Message::Close(Some(frame)))) = said else { panic!("no farewell, but {said:?}") };
    assert_eq!(frame.code, CloseCode::Away);
    assert!(connect(&server.admin, "/api/live/talk").await.is_ok());
}

#[tokio::test]
async fn a_plugin_that_does_not_want_to_answers_as_any_request() {
    let Some(server) = serving().await else { return };
    let Err(Error::Http(response)) = connect(&server.admin, "/api/live/refuse").await else { panic!("it was opened") };
    assert_eq!(response.status(), 403);
    let Err(Error::Http(response)) = connect(&server.admin, "/api/live/nowhere").await else { panic!("it was opened") };
    assert!(response.status().is_client_error(), "{response:?}");
    assert_eq!(server.admin.plugin("live").await["usage"]["in_progress"], 0);
}

#[tokio::test]
async fn events_pass_one_by_one_until_nobody_listens() {
    let Some(server) = serving().await else { return };
    let response = server.admin.request(Method::GET, "/api/live/events").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    let mut events = response.bytes_stream();
    for number in 0..3 {
        let poked = server.admin.post(&format!("/api/live/poke/{number}"), &Value::Null).await;
        assert!(poked.status.is_success(), "{poked:?}");
        assert_eq!(events.next().await.unwrap().unwrap(), format!("event: tick\ndata: {number}\n\n"));
    }
    assert_eq!(server.admin.get("/api/live/left").await.json()["left"], json!([]));
    drop(events);
    eventually("the plugin to miss its listener", || async {
        (server.admin.get("/api/live/left").await.json()["left"] == json!(["events"])).then_some(())
    })
    .await;
}
