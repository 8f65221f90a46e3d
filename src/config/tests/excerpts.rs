//! Excerpts in errors show where something is wrong and never a secret, not even a misspelt one.

use super::error_in;

fn error(text: &str) -> String {
    error_in(text, &[])
}

#[test]
fn excerpts_mask_secrets_and_misspelt_secrets() {
    insta::assert_snapshot!(error("iconik = { auth_tokn = \"hunter2\", timeout = \"0s\" }"), @r#"
    error: unknown key `iconik.auth_tokn`
      --> cuegate.toml:1:12
       |
     1 | iconik = { auth_tokn = ***, timeout = "0s" }
       |            ^
      help: did you mean `auth_token`?

    error: `iconik.timeout`: 0s is out of range; it may be 1s to 10m
      --> cuegate.toml:1:45
       |
     1 | iconik = { auth_tokn = ***, timeout = "0s" }
       |                                       ^
    "#);
    insta::assert_snapshot!(
        error("[sources.a]\nverify = { header = \"x-s\", secrets = [\"hunter2\", 7], dedup = 1 } # hunter2"),
        @r#"
        error: `sources.a.verify.secrets[1]` must be a string, not a number
          --> cuegate.toml:2:50
           |
         2 | verify = { header = "x-s", secrets = [***, ***], dedup = *** }
           |                                            ^

        error: unknown key `sources.a.verify.dedup`
          --> cuegate.toml:2:54
           |
         2 | verify = { header = "x-s", secrets = [***, ***], dedup = *** }
           |                                                  ^
          help: known here are `basic`, `header`, `hmac`, `secrets`, `secrets_file`, `standard_webhooks`
        "#
    );
    insta::assert_snapshot!(error("[iconik]\nauth_token = 1234567\n"), @r#"
    error: `iconik.auth_token` must be a string, not a number
      --> cuegate.toml:2:14
       |
     2 | auth_token = ***
       |              ^
    "#);
    for text in [
        "server.listen = { auth_token = \"hunter2\" }",
        "server.listen = [{ auth_token = \"hunter2\" }]",
        "server.public_url = \"https://me:hunter2@host\"",
        "sources.a.verify = \"hunter2\"",
        "iconik.auth_token = \"\"\"\nhunter2\\q\"\"\"",
        "server.listen = \"\"\"\nhunter2",
        "server = { listen =\n\"hunter2\" = 1",
    ] {
        let error = error(text);
        assert!(!error.contains("hunter2"), "{error}");
    }
}
