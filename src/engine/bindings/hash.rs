//! The module `hash`: what is derived from a text and is always the same for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rhai::{INT, ImmutableString, NativeCallContext};
use sha2::{Digest as _, Sha256};

use super::super::capped;
use super::super::catalog::{FunctionDoc, Place, Registry};
use super::super::session::{Fallible, error};

type Context<'a> = NativeCallContext<'a>;

/// How many characters of a SHA-256 tell a few thousand names apart.
const SHORT: usize = 12;

fn doc(signature: &'static str, about: &'static str, example: &'static str) -> FunctionDoc {
    FunctionDoc {
        place: Place::Module("hash"),
        signature,
        about,
        example,
    }
}

pub(super) fn register(registry: &mut Registry) {
    registry.add(
        doc(
            "sha256(text)",
            "The SHA-256 of a text as 64 characters of hex.",
            "if !hash::sha256(\"abc\").starts_with(\"ba7816bf8f01cfea\") { fail(\"sha256\"); }",
        ),
        |text: &str| -> ImmutableString { hex::encode(Sha256::digest(text)).into() },
    );
    registry.add(
        doc(
            "short(text)",
            "The first 12 characters of the SHA-256: fit for an `external_id` or a file name, not against people who try.",
            "if hash::short(\"abc\") != \"ba7816bf8f01\" { fail(\"short\"); }",
        ),
        |text: &str| -> ImmutableString {
            let mut whole = hex::encode(Sha256::digest(text));
            whole.truncate(SHORT);
            whole.into()
        },
    );
    registry.add(
        doc(
            "bucket(text, count)",
            "A number from 0 to `count - 1`, evenly spread over texts: every tenth asset is `hash::bucket(asset.id, 10) == 0`.",
            "let bucket = hash::bucket(event.asset_id, 10);\nif bucket < 0 || bucket > 9 { fail(\"bucket\"); }",
        ),
        |text: &str, count: INT| bucket(text, count),
    );
    register_codes(registry);
}

fn register_codes(registry: &mut Registry) {
    registry.add(
        doc(
            "hex(text)",
            "The UTF-8 bytes of a text as hex.",
            "if hash::hex(\"Ab\") != \"4162\" { fail(\"hex\"); }",
        ),
        |context: Context<'_>, text: &str| bounded(&context, hex::encode(text)),
    );
    registry.add(
        doc(
            "base64(text)",
            "The UTF-8 bytes of a text as base64, with padding.",
            "if hash::base64(\"user:word\") != \"dXNlcjp3b3Jk\" { fail(\"base64\"); }",
        ),
        |context: Context<'_>, text: &str| bounded(&context, STANDARD.encode(text)),
    );
    registry.add(
        doc(
            "from_base64(text)",
            "The text that base64 stands for; an error where it is none, or where its bytes are no text.",
            "if hash::from_base64(\"dXNlcjp3b3Jk\") != \"user:word\" { fail(\"from base64\"); }",
        ),
        |text: &str| -> Fallible<ImmutableString> {
            let bytes = STANDARD.decode(text).map_err(|e| error(format!("this is no base64: {e}")))?;
            let text = String::from_utf8(bytes);
            text.map(Into::into).map_err(|_| error("the bytes of this base64 are no text"))
        },
    );
}

fn bucket(text: &str, count: INT) -> Fallible<INT> {
    let count = u64::try_from(count).ok().filter(|count| *count > 0);
    let count = count.ok_or_else(|| error("there is at least 1 bucket"))?;
    let digest = Sha256::digest(text);
    let number = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    INT::try_from(number % count).map_err(|_| error("there are too many buckets"))
}

/// The text, if it is not too long for a text.
fn bounded(context: &Context<'_>, text: String) -> Fallible<ImmutableString> {
    capped::bounded(context, text.len())?;
    Ok(text.into())
}
