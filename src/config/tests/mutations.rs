//! Valid documents, damaged at random: whatever happens, nothing panics and no secret gets out.

use proptest::prelude::*;
use proptest::sample::Index;

use super::{parse_in, show, uncommented_example};

const SECRET: &str = "hunter2hunter2";

const DOCUMENT: &str = r#"[server]
listen = "0.0.0.0:8080"
drain = "50s"
[iconik]
app_id = "app"
auth_token = "hunter2hunter2"
rate = { per_second = 45, per_20s = 900 }
[sources.iconik]
verify = { header = "x-cuegate-secret", secrets = ["hunter2hunter2", "${OTHER}"] }
[sources.signed.verify.hmac]
header = 'x-signature'
signed = ["v0", "timestamp", "body"]
timestamp_header = "x-time"
secrets = [
  "hunter2hunter2",
]
[egress.desk]
url = "https://desk.example/hunter2hunter2"
headers = { x-key = "hunter2hunter2" }
[vars]
"quoted" = "a"
"#;

#[derive(Clone, Debug)]
enum Damage {
    Delete(Index),
    Insert(Index, char),
    Swap(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let character = prop_oneof![
        prop::sample::select(vec![
            '"', '\'', '\n', '=', '[', ']', '{', '}', '#', '.', '$', ',', ' ', '0', 'a', '\\'
        ]),
        any::<char>(),
    ];
    prop_oneof![
        any::<Index>().prop_map(Damage::Delete),
        (any::<Index>(), character).prop_map(|(at, c)| Damage::Insert(at, c)),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Damage::Swap(a, b)),
    ]
}

/// Damages the document between its secrets, lines swapped included, so that the secrets stay in one piece.
fn damaged(document: &str, damages: Vec<Damage>) -> String {
    let mut pieces: Vec<Vec<char>> = document
        .split(SECRET)
        .map(|piece| piece.chars().collect())
        .collect();
    for damage in damages {
        match damage {
            Damage::Delete(at) => {
                let piece = at.index(pieces.len());
                let piece = &mut pieces[piece];
                if !piece.is_empty() {
                    let at = at.index(piece.len());
                    piece.remove(at);
                }
            }
            Damage::Insert(at, c) => {
                let piece = at.index(pieces.len());
                let piece = &mut pieces[piece];
                let at = at.index(piece.len() + 1);
                piece.insert(at, c);
            }
            Damage::Swap(a, b) => {
                let text: String = pieces
                    .join(&SECRET.chars().collect::<Vec<_>>()[..])
                    .iter()
                    .collect();
                let mut lines: Vec<&str> = text.lines().collect();
                if !lines.is_empty() {
                    let (a, b) = (a.index(lines.len()), b.index(lines.len()));
                    lines.swap(a, b);
                }
                pieces = lines
                    .join("\n")
                    .split(SECRET)
                    .map(|piece| piece.chars().collect())
                    .collect();
            }
        }
    }
    let pieces: Vec<String> = pieces
        .into_iter()
        .map(|piece| piece.into_iter().collect())
        .collect();
    pieces.join(SECRET)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        let _ = parse_in(&text, &[]).map_err(|error| error.to_string());
    }

    #[test]
    fn no_damage_makes_it_panic_or_tell_a_secret(damages in prop::collection::vec(damage(), 1..6)) {
        let text = damaged(DOCUMENT, damages);
        match parse_in(&text, &[("OTHER", SECRET)]) {
            Ok(mut config) => {
                // A line that strayed into [vars] is no secret any more.
                config.vars.clear();
                prop_assert!(!show(&config).contains(SECRET), "{text}");
            }
            Err(error) => prop_assert!(!error.to_string().contains(SECRET), "{text}\n{error}"),
        }
    }
}

proptest! {
    #[test]
    fn no_damage_to_the_example_makes_it_panic(damages in prop::collection::vec(damage(), 1..6)) {
        let _ = parse_in(&damaged(&uncommented_example(), damages), &[]).map_err(|error| error.to_string());
    }

    #[test]
    fn no_override_makes_it_panic(name in "[A-Z_]{0,20}", value in ".{0,30}") {
        let name = format!("CUEGATE__{name}");
        let _ = parse_in(DOCUMENT, &[("OTHER", "x"), (&name, &value)]).map_err(|error| error.to_string());
    }
}
