//! Which requests a hold or a fault is about.

use crate::model::Method;

/// Which requests are meant.
#[derive(Clone, Debug)]
pub struct Matching {
    method: Option<Method>,
    path: Vec<String>,
    whole: bool,
}

impl Matching {
    /// Requests of the method whose path below `/API/` begins with these segments. `*` stands for any one
    /// segment: `assets/v1/assets/*/segments/`.
    pub fn prefix(method: Method, path: &str) -> Self {
        Self {
            method: Some(method),
            path: segments(path).map(str::to_owned).collect(),
            whole: false,
        }
    }

    /// Requests of the method with exactly this path, `*` standing for any one segment.
    pub fn path(method: Method, path: &str) -> Self {
        Self {
            whole: true,
            ..Self::prefix(method, path)
        }
    }

    /// Requests of the method, if one is named, with this path; a last `**` stands for all that follow.
    pub(super) fn written(method: Option<Method>, path: &str) -> Self {
        let below = path.trim_end_matches('/').strip_suffix("**");
        Self {
            method,
            path: segments(below.unwrap_or(path)).map(str::to_owned).collect(),
            whole: below.is_none(),
        }
    }

    /// Every request.
    pub fn all() -> Self {
        Self {
            method: None,
            path: Vec::new(),
            whole: false,
        }
    }

    pub(super) fn matches(&self, method: &str, path: &str) -> bool {
        let mut of_request = segments(path);
        self.method.is_none_or(|it| it.as_str() == method)
            && self.path.iter().all(|part| {
                of_request
                    .next()
                    .is_some_and(|it| part == "*" || part == it)
            })
            && (!self.whole || of_request.next().is_none())
    }
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_matches_whole_segments_and_a_path_nothing_beyond() {
        let prefix = Matching::prefix(Method::Post, "/assets/v1/assets/");
        assert!(prefix.matches("POST", "assets/v1/assets/"));
        assert!(prefix.matches("POST", "assets/v1/assets/1/segments/"));
        assert!(!prefix.matches("POST", "assets/v1/assets_of_others/"));
        assert!(!prefix.matches("GET", "assets/v1/assets/"));
        let path = Matching::path(Method::Post, "assets/v1/assets/*/segments/");
        assert!(path.matches("POST", "assets/v1/assets/1/segments/"));
        assert!(!path.matches("POST", "assets/v1/assets/1/segments/2/"));
        assert!(!path.matches("POST", "assets/v1/assets/1/"));
        assert!(Matching::all().matches("DELETE", "anything/"));
    }
}
