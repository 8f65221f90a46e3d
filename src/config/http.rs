//! `[http]`: how requests leave this machine, to Iconik and to other systems alike.

use reqwest::{Certificate, Proxy, Url};

use super::Http;
use super::section::Section;
use super::tree::Value;
use crate::model::Secret;

pub(super) fn read(section: &mut Section<'_, '_>) -> Http {
    Http {
        proxy: section.secret("proxy", "proxy_file", proxy_url),
        ca: ca(section),
    }
}

/// Says what is wrong with a proxy's URL without quoting it: it may hold a password.
fn proxy_url(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "is no URL; it looks like http://proxy.example:3128")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must begin with http:// or https:// and a host");
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("has something after its host and port");
    }
    Proxy::all(text)
        .map(|_| ())
        .map_err(|_| "is no proxy that can be used")
}

fn ca(section: &mut Section<'_, '_>) -> Vec<Certificate> {
    let path = section.path_of("ca_file");
    let Some(node) = section.take("ca_file") else {
        return Vec::new();
    };
    if matches!(node.value, Value::Broken) {
        return Vec::new();
    }
    let Some(pem) = section.certificates_at(&path, node) else {
        return Vec::new();
    };
    let certificates = Certificate::from_pem_bundle(pem.as_bytes()).unwrap_or_default();
    if certificates.is_empty() {
        section.fail(
            "ca_file",
            format!("`{path}`: the file holds no certificate"),
            "it is in PEM, and each certificate begins with -----BEGIN CERTIFICATE-----",
        );
    }
    certificates
}

impl Http {
    /// The proxy that requests go through, if they go through one.
    pub fn outgoing(&self) -> Option<Proxy> {
        let proxy = self.proxy.as_ref().map(Secret::expose)?;
        // It was tried when it was read.
        Proxy::all(proxy).ok()
    }
}
