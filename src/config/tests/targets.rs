//! What is said about `[egress]`.

use super::messages::check_faults;

#[test]
fn a_target_that_no_rule_could_name_or_reach_is_refused_without_showing_its_url() {
    check_faults(&[
        ("egress.a = {}", "`egress.a.url` is missing"),
        ("egress.a.url = \"\"", "`egress.a.url` is empty"),
        ("egress.a.url = \"hunter2\"", "is no URL"),
        (
            "egress.a.url = \"ftp://hunter2/\"",
            "must begin with https://",
        ),
        (
            "egress.a.url = \"https://me:hunter2@desk.example/\"",
            "a user name or a password",
        ),
        ("egress.a.url = \"https://desk.example/#hunter2\"", "a `#`"),
        (
            "egress.a = { url = \"https://a/\", url_file = \"b\" }",
            "given twice",
        ),
        (
            "egress.as.url = \"https://a/\"",
            "cannot write `egress::as`",
        ),
        (
            "egress.a-b.url = \"https://a/\"",
            "cannot write `egress::a-b`",
        ),
        (
            "egress.a = { url = \"https://a/\", uncertain = \"ask\" }",
            "none of \"park\", \"repeat\", \"drop\"",
        ),
        (
            "egress.a = { url = \"https://a/\", allow_private = 1 }",
            "must be true or false",
        ),
        (
            "egress.a = { url = \"https://a/\", max_answer = \"2MiB\" }",
            "out of range",
        ),
        (
            "egress.a = { url = \"https://a/\", headers = { Host = \"hunter2\" } }",
            "belongs to the connection",
        ),
        (
            "egress.a = { url = \"https://a/\", headers = { \"x y\" = \"hunter2\" } }",
            "no name of a header",
        ),
        (
            "egress.a = { url = \"https://a/\", headers = { x = \" hunter2\" } }",
            "white space",
        ),
        (
            "egress.a = { url = \"https://a/\", headers = { x = \"hunter2\", X = \"b\" } }",
            "given twice",
        ),
        (
            "egress.a = { url = \"https://a/\", headers = { x_file = \"/nowhere/x\" } }",
            "cannot read `/nowhere/x`",
        ),
    ]);
}
