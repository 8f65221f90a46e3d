//! Usage and billing: only to be looked at.
//!
//! What costs money or sends logs elsewhere is no rule's business.

use super::{Operation, get};

#[rustfmt::skip]
pub(super) static OPERATIONS: &[Operation] = &[
    get("stats/v1/assets/by/{period}/"),
    get("stats/v1/automations/usage/by/day/"),
    get("stats/v1/billing/"),
    get("stats/v1/billing/charges/{charge_id}/receipt_url/"),
    get("stats/v1/billing/credits/price/"),
    get("stats/v1/billing/customer/"),
    get("stats/v1/billing/invoices/"),
    get("stats/v1/billing/price_lists/"),
    get("stats/v1/billing/price_lists/{name}/{currency}/"),
    get("stats/v1/billing/recipients/"),
    get("stats/v1/billing/settings/"),
    get("stats/v1/billing/status/"),
    get("stats/v1/billing_expiration/"),
    get("stats/v1/collections/by/{period}/"),
    get("stats/v1/current_usage/"),
    get("stats/v1/id/{object_id}/info/"),
    get("stats/v1/ordway/billing/"),
    get("stats/v1/ordway/billing/customer/"),
    get("stats/v1/ordway/billing/invoices/"),
    get("stats/v1/storage/access/by/{period}/"),
    get("stats/v1/storage/usage/by/{period}/"),
    get("stats/v1/system/logs/recipients/"),
    get("stats/v1/system/logs/recipients/{logs_recipient_id}/"),
    get("stats/v1/transcoder/usage/by/{period}/"),
    get("stats/v1/user/audit/by/{period}/"),
];
