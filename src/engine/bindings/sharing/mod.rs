//! Who may see, judge and change an object: shares, approvals, access control.

mod access;
mod approval;
mod share;

use super::super::catalog::Registry;

pub(super) fn register(registry: &mut Registry) {
    share::register(registry);
    approval::register(registry);
    access::register(registry);
}
