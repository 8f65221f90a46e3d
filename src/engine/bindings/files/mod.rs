//! What an asset consists of: formats, file sets, files, proxies, keyframes; and where these lie.
//!
//! Model (Iconik's tutorial "Manual Asset Generation"): a version has formats, a format has file sets, one for each
//! storage, a file set has files; proxies and keyframes hang on the version.

mod entry;
mod export;
mod file_set;
mod format;
mod picture;
mod storage;

use super::super::catalog::Registry;

pub(super) fn register(registry: &mut Registry) {
    format::register(registry);
    file_set::register(registry);
    entry::register(registry);
    picture::register(registry);
    storage::register(registry);
    export::register(registry);
}
