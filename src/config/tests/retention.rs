//! How long things are kept, as operators write it.

use std::time::Duration;

use super::super::Retention;
use super::{parse, parse_in};

#[test]
fn retention_is_read_key_by_key_and_the_rest_stays() {
    let text =
        "[store]\nallow_network_fs = true\nretention = { journals = \"7d\", min_free = \"0B\" }";
    let store = parse(text).unwrap().store;
    assert!(store.allow_network_fs);
    let default = Retention::default();
    assert_eq!(store.retention.events, default.events);
    assert_eq!(store.retention.max_size, default.max_size);
    assert_eq!(store.retention.journals, Duration::from_secs(7 * 86_400));
    assert_eq!(store.retention.min_free, 0);
    let error = parse("[store]\nallow_network_fs = \"yes\"").unwrap_err();
    assert!(error.to_string().contains("true or false"), "{error}");
    let overridden = parse_in("", &[("CUEGATE__STORE__ALLOW_NETWORK_FS", "true")]).unwrap();
    assert!(overridden.store.allow_network_fs);
}
