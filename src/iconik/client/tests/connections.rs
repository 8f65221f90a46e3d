//! Connections that fail at every point of a request, byte by byte.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// The base URL of a server that accepts connections and does with them what `act` says.
async fn raw<F, R>(act: F) -> String
where
    F: Fn(TcpStream) -> R + Send + Sync + 'static,
    R: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            act(stream).await;
        }
    });
    format!("http://{address}/API")
}

/// Reads the head of a request.
async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a request"));
    }
}

#[tokio::test]
async fn half_an_answer_is_uncertain() {
    let server = raw(|mut stream| async move {
        read_head(&mut stream).await;
        let half = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"id\": \"7\"";
        stream.write_all(half).await.expect("written");
    })
    .await;
    let client = client_of(&server);
    let error = error_of(&client, &get()).await;
    assert!(
        matches!(
            error,
            CallError::Uncertain {
                status: Some(201),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("broke off after 10 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn a_refusal_that_breaks_off_is_still_a_refusal() {
    let server = raw(|mut stream| async move {
        read_head(&mut stream).await;
        let half = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 100\r\n\r\nno rights";
        stream.write_all(half).await.expect("written");
    })
    .await;
    let client = client_of(&server);
    let error = error_of(&client, &get()).await;
    assert!(
        matches!(&error, CallError::Refused { status: 403, message, .. } if message == "no rights"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_connection_that_ends_before_the_answer_is_uncertain() {
    // With bytes left unread the end is a reset; with all of them read it is an orderly close.
    for read_all in [false, true] {
        let server = raw(move |mut stream| async move {
            if read_all {
                read_head(&mut stream).await;
            } else {
                stream.read_u8().await.expect("a request");
            }
        })
        .await;
        let client = client_of(&server);
        let error = error_of(&client, &get()).await;
        assert!(
            matches!(error, CallError::Uncertain { status: None, .. }),
            "{error:?}"
        );
        assert!(!error.proves_nothing_happened());
    }
}

#[tokio::test]
async fn no_answer_in_time_is_uncertain_before_and_after_the_status() {
    for head in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"] {
        let server = raw(move |mut stream| async move {
            read_head(&mut stream).await;
            stream.write_all(head.as_bytes()).await.expect("written");
            // Until the client hangs up.
            let _ = stream.read_u8().await;
        })
        .await;
        let config = config::Iconik {
            timeout: Duration::from_millis(500),
            ..config_of(&server)
        };
        let client = client_with(&config).expect("a client");
        let error = error_of(&client, &get()).await;
        assert!(matches!(error, CallError::Uncertain { .. }), "{error:?}");
        assert_eq!(error.status(), (!head.is_empty()).then_some(200));
    }
}

#[tokio::test]
async fn a_refused_connection_proves_that_nothing_happened() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = client_at(listener.local_addr().expect("an address"));
    drop(listener);
    let error = error_of(&client, &call(Method::Post, "assets/v1/assets/")).await;
    assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
    assert!(error.proves_nothing_happened());
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_failed_handshake_proves_that_nothing_happened() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let config = config::Iconik {
        timeout: Duration::from_secs(5),
        ..config_of(&format!("https://127.0.0.1:{port}/API"))
    };
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"this is no TLS").await;
        }
    });
    match client_with(&config) {
        Ok(client) => {
            let error = error_of(&client, &get()).await;
            assert!(matches!(error, CallError::NotSent { .. }), "{error:?}");
        }
        // A machine without certificates cannot speak TLS, and must be told so.
        Err(error) => assert!(error.to_string().contains("ca-certificates"), "{error}"),
    }
}

#[tokio::test]
async fn a_request_that_may_have_arrived_is_not_sent_a_second_time() {
    // The connection is a used one from the pool, where a library might think of repeating.
    let heads = Arc::new(AtomicUsize::new(0));
    let server = raw({
        let heads = Arc::clone(&heads);
        move |mut stream| {
            let heads = Arc::clone(&heads);
            async move {
                read_head(&mut stream).await;
                heads.fetch_add(1, Ordering::SeqCst);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
                stream.write_all(answer).await.expect("written");
                read_head(&mut stream).await;
                heads.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    let client = client_of(&server);
    client.send(&get()).await.expect("success");
    let error = error_of(&client, &call(Method::Post, "assets/v1/assets/")).await;
    assert!(
        matches!(error, CallError::Uncertain { status: None, .. }),
        "{error:?}"
    );
    assert_eq!(heads.load(Ordering::SeqCst), 2);
}
