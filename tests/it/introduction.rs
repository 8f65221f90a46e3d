//! The endpoints of Iconik's public introduction, each by its name: a rule of the real gateway makes the request by
//! the function that it is bound to, and looks at what it gets; the simulator tells which request came and what it
//! answered.

use cuegate::model::RunState;
use cuegate::operations;
use cuegate::simulator::{ReceivedRequest, Simulator};
use serde_json::{Value, json};

use super::gateway::{Gateway, simulated, webhook};

const ASSET: &str = "33333333-cccc-4ccc-8ccc-000000000001";
const COLLECTION: &str = "44444444-dddd-4ddd-8ddd-000000000001";

/// Everything that any of the rules needs.
const ALLOW: &str = r#"["assets:write", "assets:delete", "files:write", "jobs:write", "jobs:delete", "metadata:write", "metadata:delete"]"#;

/// What the rules have in common.
const ASSET_READ: &str = "let asset = iconik::asset(event.asset_id);";
const JOB_MADE: &str =
    r#"let job = iconik::create_job(#{ type: "CUSTOM", title: "Check", status: "STARTED" });"#;
const FORMAT_MADE: &str = r#"let format = asset.create_format(#{ name: "ORIGINAL" });"#;
const SET_MADE: &str = r#"let set = asset.create_file_set(#{ name: "a", base_dir: "/", component_ids: [], format_id: format.id });"#;
const FILE_MADE: &str = r#"let file = asset.create_file(#{ original_name: "a.mov", directory_path: "", type: "FILE", file_set_id: set.id, format_id: format.id });"#;
const FIELD_MADE: &str =
    r#"iconik::create_field(#{ name: "Season", label: "Season", field_type: "integer" });"#;

/// An endpoint, and a rule's way to it. The rule fails where the answer is not what it should be.
struct Endpoint {
    method: &'static str,
    /// As the introduction writes it.
    path: &'static str,
    made: &'static [&'static str],
    script: &'static str,
}

const fn endpoint(
    method: &'static str,
    path: &'static str,
    made: &'static [&'static str],
    script: &'static str,
) -> Endpoint {
    Endpoint {
        method,
        path,
        made,
        script,
    }
}

const ENDPOINTS: &[Endpoint] = &[
    endpoint(
        "GET",
        "/assets/v1/assets/",
        &[],
        r#"if !iconik::assets(#{ per_page: 50 }).some(|asset| asset.id == event.asset_id) { fail("not listed"); }"#,
    ),
    endpoint(
        "POST",
        "/assets/v1/assets/",
        &[],
        r#"let made = iconik::create_asset(#{ title: "Promo", type: "PLACEHOLDER" });
           if iconik::asset(made.id).type != "PLACEHOLDER" { fail("type"); }"#,
    ),
    endpoint(
        "GET",
        "/assets/v1/assets/{id}/",
        &[],
        r#"let asset = iconik::asset(event.asset_id, #{ include_collections: true, include_users: true });
           if asset.title != "Interview" { fail("title"); }"#,
    ),
    endpoint(
        "PATCH",
        "/assets/v1/assets/{id}/",
        &[],
        r#"let made = iconik::create_asset(#{ title: "Promo" });
           if made.update(#{ title: "Trailer" }).title != "Trailer" { fail("title"); }"#,
    ),
    endpoint(
        "PUT",
        "/assets/v1/assets/{id}/",
        &[],
        r#"let made = iconik::create_asset(#{ title: "Promo" });
           made.replace(#{ title: "Teaser" });
           if made.reload().title != "Teaser" { fail("title"); }"#,
    ),
    endpoint(
        "DELETE",
        "/assets/v1/assets/{id}/",
        &[],
        r#"let made = iconik::create_asset(#{ title: "Promo" });
           made.trash();
           if made.reload().status != "DELETED" { fail("status"); }"#,
    ),
    endpoint(
        "GET",
        "/metadata/v1/assets/{id}/",
        &[ASSET_READ],
        r#"if asset.metadata().owner != ["archive"] { fail("owner"); }"#,
    ),
    endpoint(
        "POST",
        "/files/v1/assets/{id}/formats/",
        &[ASSET_READ, FORMAT_MADE],
        r#"if asset.format(format.id).name != "ORIGINAL" { fail("format"); }"#,
    ),
    endpoint(
        "POST",
        "/files/v1/assets/{id}/file_sets/",
        &[ASSET_READ, FORMAT_MADE, SET_MADE],
        r#"if !asset.file_sets().some(|one| one.id == set.id) { fail("file set"); }"#,
    ),
    endpoint(
        "POST",
        "/files/v1/assets/{id}/files/",
        &[ASSET_READ, FORMAT_MADE, SET_MADE, FILE_MADE],
        r#"if asset.file(file.id).original_name != "a.mov" { fail("file"); }"#,
    ),
    endpoint(
        "GET",
        "/files/v1/assets/{id}/files/",
        &[ASSET_READ, FORMAT_MADE, SET_MADE, FILE_MADE],
        r#"if !asset.files().some(|one| one.id == file.id) { fail("not listed"); }"#,
    ),
    endpoint(
        "POST",
        "/files/v1/assets/{id}/proxies/",
        &[ASSET_READ],
        r#"let proxy = asset.create_proxy(#{ name: "low.mp4" });
           if asset.proxy(proxy.id).name != "low.mp4" { fail("proxy"); }"#,
    ),
    endpoint(
        "GET",
        "/files/v1/assets/{id}/proxies/",
        &[ASSET_READ],
        r#"let proxy = asset.create_proxy(#{ name: "high.mp4" });
           if !asset.proxies().some(|one| one.id == proxy.id) { fail("not listed"); }"#,
    ),
    endpoint(
        "POST",
        "/jobs/v1/jobs/",
        &[JOB_MADE],
        r#"if job.title != "Check" { fail("title"); }"#,
    ),
    endpoint(
        "GET",
        "/jobs/v1/jobs/{id}/",
        &[JOB_MADE],
        r#"if iconik::job(job.id).status != "STARTED" { fail("status"); }"#,
    ),
    endpoint(
        "PATCH",
        "/jobs/v1/jobs/{id}/",
        &[JOB_MADE],
        r#"if job.update(#{ message: "half" }).message != "half" { fail("message"); }"#,
    ),
    endpoint(
        "PUT",
        "/jobs/v1/jobs/{id}/",
        &[JOB_MADE],
        r#"job.replace(#{ type: "CUSTOM", title: "Done", status: "FINISHED" });
           if job.reload().title != "Done" { fail("title"); }"#,
    ),
    endpoint(
        "DELETE",
        "/jobs/v1/jobs/{id}/",
        &[JOB_MADE],
        r#"job.delete();
           let gone = false;
           try { job.reload(); } catch (e) { gone = e.status == 404; }
           if !gone { fail("it is there"); }"#,
    ),
    endpoint(
        "GET",
        "/metadata/v1/fields/",
        &[],
        r#"if !iconik::fields().some(|field| field.name == "owner") { fail("not listed"); }"#,
    ),
    endpoint(
        "POST",
        "/metadata/v1/fields/",
        &[FIELD_MADE],
        r#"if iconik::field("Season").field_type != "integer" { fail("type"); }
           iconik::delete_field("Season");"#,
    ),
    endpoint(
        "GET",
        "/metadata/v1/fields/{name}/",
        &[],
        r#"if iconik::field("owner").label != "Owner" { fail("label"); }"#,
    ),
    endpoint(
        "PATCH",
        "/metadata/v1/fields/{name}/",
        &[],
        r#"iconik::update_field("desk", #{ label: "Newsdesk" });
           if iconik::field("desk").label != "Newsdesk" { fail("label"); }"#,
    ),
    endpoint(
        "PUT",
        "/metadata/v1/fields/{name}/",
        &[],
        r#"iconik::replace_field("desk", #{ label: "The desk", field_type: "string" });
           if iconik::field("desk").label != "The desk" { fail("label"); }"#,
    ),
    endpoint(
        "DELETE",
        "/metadata/v1/fields/{name}/",
        &[FIELD_MADE],
        r#"iconik::delete_field("Season");
           if iconik::fields().some(|field| field.name == "Season") { fail("it is there"); }"#,
    ),
    endpoint(
        "GET",
        "/metadata/v1/views/",
        &[],
        r#"if !iconik::views().some(|view| view.name == "Rights") { fail("not listed"); }"#,
    ),
];

impl Endpoint {
    fn rule(&self, number: usize) -> (String, String) {
        let source = format!(
            "rule(#{{ on: [\"assets/tour/{number}\"], allow: {ALLOW} }});\nfn run(event) {{\n{}\n{}\n}}\n",
            self.made.join("\n"),
            self.script
        );
        (format!("endpoint_{number}.rhai"), source)
    }

    fn is(&self, request: &ReceivedRequest) -> bool {
        let wanted = self.path.trim_matches('/').split('/');
        let came: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        request.method == self.method
            && came.len() == wanted.clone().count()
            && wanted
                .zip(came)
                .all(|(wanted, came)| wanted.starts_with('{') || wanted == came)
    }
}

async fn iconik() -> Simulator {
    let text =
        |name: &str, label: &str| json!({ "name": name, "label": label, "field_type": "string" });
    simulated(json!({
        "fields": [text("owner", "Owner"), text("desk", "Desk")],
        "views": [{
            "id": "22222222-bbbb-4bbb-8bbb-000000000002", "name": "Rights",
            "view_fields": [{ "name": "owner" }, { "name": "desk" }],
        }],
        "collections": [{
            "id": COLLECTION, "title": "Finals", "contents": [{ "object_type": "assets", "object_id": ASSET }],
        }],
        "assets": [{ "id": ASSET, "title": "Interview", "metadata": { "owner": "archive" } }],
    }))
    .await
}

#[tokio::test]
async fn every_endpoint_of_the_introduction_is_reached_by_a_rule() {
    let simulator = iconik().await;
    let rules: Vec<(String, String)> = (0..)
        .zip(ENDPOINTS)
        .map(|(number, it)| it.rule(number))
        .collect();
    let files: Vec<(&str, &str)> = rules
        .iter()
        .map(|(name, source)| (name.as_str(), source.as_str()))
        .collect();
    let mut gateway = Gateway::started(&simulator, &files).await;
    let mut events = Vec::new();
    for (number, endpoint) in ENDPOINTS.iter().enumerate() {
        let before = simulator.requests().len();
        let body = webhook(
            "tour",
            &number.to_string(),
            ASSET,
            &json!({ "asset_id": ASSET }),
        );
        events.push(gateway.accepted(&body, &[]).await);
        // One after the other: some of them change what others read.
        gateway.until_quiet().await;
        let came = simulator.requests().split_off(before);
        let answered = came
            .iter()
            .find(|request| endpoint.is(request))
            .and_then(|request| request.status);
        assert!(
            answered.is_some_and(|status| (200..300).contains(&status)),
            "{} {}: {came:#?}",
            endpoint.method,
            endpoint.path
        );
    }
    gateway.stop().await;
    for (event, endpoint) in events.into_iter().zip(ENDPOINTS) {
        let (_, runs) = gateway.stored(event).await;
        let states: Vec<RunState> = runs.iter().map(|run| run.state).collect();
        assert_eq!(
            states,
            [RunState::Succeeded],
            "{} {}: {runs:#?}",
            endpoint.method,
            endpoint.path
        );
    }
}

#[test]
fn every_endpoint_of_the_introduction_is_an_operation_that_is_known() {
    for endpoint in ENDPOINTS {
        let path = endpoint.path.trim_start_matches('/');
        let method = serde_json::from_value(Value::from(endpoint.method)).expect("a method");
        assert!(
            operations::find(method, path).is_some(),
            "{} {path}",
            endpoint.method
        );
    }
}
