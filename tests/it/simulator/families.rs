//! Plain families, and what sets some of them apart.

use serde_json::{Value, json};

use super::{Iconik, Receiver};

const USER: &str = cuegate::simulator::DEFAULT_USER;

#[tokio::test]
async fn a_plain_object_is_made_read_changed_listed_and_removed() {
    let iconik = Iconik::start().await;
    let playlists = "assets/v1/playlists/";
    assert_eq!(
        iconik.post(playlists, json!({})).await.0,
        400,
        "a name is required"
    );
    let playlist = iconik.make(playlists, json!({ "name": "Evening" })).await;
    let path = format!("{playlists}{playlist}/");
    let (status, changed) = iconik.patch(&path, json!({ "name": "Night" })).await;
    assert_eq!((status, &changed["name"]), (200, &json!("Night")));
    assert_eq!(iconik.put(&path, json!({})).await.0, 400, "a PUT is whole");
    let (_, list) = iconik.get(playlists).await;
    assert_eq!(
        (&list["total"], &list["objects"][0]["id"]),
        (&json!(1), &json!(playlist))
    );
    assert_eq!(iconik.delete(&path).await.0, 204);
    assert_eq!(iconik.get(&path).await.0, 404);
}

#[tokio::test]
async fn what_hangs_on_one_object_is_not_found_below_another_and_goes_with_it() {
    let iconik = Iconik::start().await;
    let (asset, other) = (iconik.asset("a").await, iconik.asset("b").await);
    let of = |asset: &str| format!("files/v1/assets/{asset}/proxies/");
    let proxy = iconik.make(&of(&asset), json!({ "name": "Web" })).await;
    assert_eq!(iconik.get(&format!("{}{proxy}/", of(&asset))).await.0, 200);
    assert_eq!(iconik.get(&format!("{}{proxy}/", of(&other))).await.0, 404);
    assert_eq!(
        iconik
            .get(&of("0a1b2c3d-7a8b-41ee-9d3f-0a580a3c0f10"))
            .await
            .0,
        404
    );
    iconik.delete(&format!("assets/v1/assets/{asset}/")).await;
    iconik
        .delete(&format!("assets/v1/assets/{asset}/purge/"))
        .await;
    assert_eq!(iconik.get(&format!("{}{proxy}/", of(&asset))).await.0, 404);
}

#[tokio::test]
async fn a_share_raises_the_recorded_event_and_keeps_its_password_from_view() {
    let iconik = Iconik::start().await;
    let mut receiver = Receiver::start().await;
    let asset = iconik.asset("a").await;
    let webhook = json!({
        "event_type": "assets", "realm": "shares", "status": "ENABLED", "url": receiver.url,
    });
    iconik.make("notifications/v1/webhooks/", webhook).await;
    let shares = format!("assets/v1/assets/{asset}/shares/");
    let share = json!({
        "emails": ["someone@example.com"], "password": "hush", "allow_comments": true,
        "allow_download": false, "allow_approving_comments": false,
        "allow_setting_approve_status": false,
    });
    let (status, share) = iconik.post(&shares, share).await;
    assert_eq!(status, 202, "{share}");
    assert_eq!(
        (&share["has_password"], &share["password"]),
        (&json!(true), &Value::Null)
    );
    let event = receiver.next().await.body;
    assert_eq!(
        (&event["object_id"], &event["data"]["object_id"]),
        (&share["id"], &json!(asset))
    );
    assert_eq!(event["data"]["owner_id"], USER);
}

#[tokio::test]
async fn access_rights_are_replaced_unless_they_are_to_be_added() {
    let iconik = Iconik::start().await;
    let asset = iconik.asset("a").await;
    let grant = |user: &str, mode: Option<&str>| {
        let mut body = json!({
            "object_keys": [asset], "permissions": ["read"], "user_ids": [user],
        });
        if let Some(mode) = mode {
            body["mode"] = json!(mode);
        }
        body
    };
    let path = "acls/v1/acl/assets/";
    let count = async || {
        let (_, acl) = iconik.get(&format!("{path}{asset}/")).await;
        acl["users_acl"].as_array().unwrap().len()
    };
    for (user, mode, left) in [
        ("u-1", None, 1),
        ("u-2", Some("APPEND"), 2),
        ("u-3", None, 1),
    ] {
        assert_eq!(iconik.put(path, grant(user, mode)).await.0, 200);
        assert_eq!(count().await, left, "{user}");
    }
    let may_read = format!("{path}{asset}/read/");
    assert_eq!(iconik.get(&may_read).await.0, 403, "the caller is not u-3");
    assert_eq!(iconik.put(path, grant(USER, Some("APPEND"))).await.0, 200);
    assert_eq!(iconik.get(&may_read).await.0, 200);
}

#[tokio::test]
async fn an_approval_is_what_its_answers_come_to() {
    let iconik = Iconik::start().await;
    let asset = iconik.asset("a").await;
    let approvals = format!("assets/v1/assets/{asset}/approvals/");
    let request = json!({ "users": [USER, "0a1b2c3d-7a8b-41ee-9d3f-0a580a3c0f10"] });
    let path = format!("{approvals}request/");
    assert_eq!(iconik.get(&path).await.0, 404);
    assert_eq!(iconik.post(&path, request).await.0, 201);
    for (user, said, state) in [
        (USER, "APPROVED", "REQUESTED"),
        (
            "0a1b2c3d-7a8b-41ee-9d3f-0a580a3c0f10",
            "APPROVED",
            "APPROVED",
        ),
        (USER, "NOT_APPROVED", "MIXED"),
    ] {
        let answer = json!({ "user": user, "status": said });
        assert_eq!(iconik.put(&approvals, answer).await.0, 200);
        assert_eq!(iconik.get(&path).await.1["status"], state);
    }
}

#[tokio::test]
async fn a_token_of_a_log_in_opens_until_it_is_revoked() {
    let iconik = Iconik::start().await;
    let login = |password: &str| {
        let email = format!("{USER}@example.com");
        json!({ "email": email, "password": password, "app_name": "test" })
    };
    let path = "auth/v1/auth/simple/login/";
    assert_eq!(iconik.post(path, login("wrong")).await.0, 401);
    let (status, token) = iconik.post(path, login("demo")).await;
    assert_eq!(status, 201, "{token}");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let call = async |method: reqwest::Method, path: &str| {
        let url = format!("{}/{path}", iconik.simulator.base_url());
        let request = client.request(method, url);
        let request = request
            .header("App-ID", token["app_id"].as_str().unwrap())
            .header("Auth-Token", token["token"].as_str().unwrap());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(
        call(reqwest::Method::GET, "users/v1/users/current/").await,
        200
    );
    assert_eq!(
        call(reqwest::Method::DELETE, "auth/v1/auth/token/").await,
        200
    );
    assert_eq!(
        call(reqwest::Method::GET, "users/v1/users/current/").await,
        401
    );
}

#[tokio::test]
async fn bad_input_is_refused_with_the_documented_body_and_breaks_nothing() {
    let iconik = Iconik::start().await;
    let assets = "assets/v1/assets/";
    let long = "x".repeat(10 * 1024 * 1024);
    let mut deep = json!("x");
    for _ in 0..100 {
        deep = json!([deep]);
    }
    for (path, body) in [
        (assets, json!({ "title": 7 })),
        (assets, json!({ "title": deep })),
        (assets, json!({ "title": "x", "collection_id": "no-uuid" })),
        (assets, json!({ "title": "x".repeat(40_000) })),
        ("assets/v1/playlists/", json!({ "name": ["x"] })),
        (
            "search/v1/search/",
            json!({ "metadata_view_id": "unknown" }),
        ),
        (
            "notifications/v1/webhooks/",
            json!({
                "event_type": "assets", "status": "ENABLED", "url": "http://localhost/",
                "query": "data.size >",
            }),
        ),
    ] {
        let (status, answer) = iconik.post(path, body).await;
        assert_eq!(status, 400, "{path}: {answer}");
        assert!(!answer["errors"].is_null(), "{path}: {answer}");
    }
    let (status, _) = iconik
        .post("assets/v1/collections/", json!({ "title": long }))
        .await;
    assert_eq!(status, 400);
    let huge = vec![b'x'; 17 * 1024 * 1024];
    let sent = iconik.request("POST", assets).body(huge).send().await;
    // The answer may come before the body has been taken.
    if let Ok(answer) = sent {
        assert_eq!(answer.status().as_u16(), 413);
    }
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let answer = iconik
        .request("POST", assets)
        .body(nested)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 400);
    assert_eq!(iconik.get(assets).await.0, 200);
}
