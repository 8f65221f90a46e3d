//! Iconik's OpenAPI documents, as far as a test needs them: which operations there are, and whether a body
//! is one of theirs.
//!
//! The documents are OpenAPI 3.0, whose schemas are almost JSON schemas: `nullable` becomes a type, what is
//! read-only is not required of a request, and what is write-only not of an answer.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// Which way a body goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Request,
    Answer,
}

/// An operation of the documents.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) method: String,
    /// Below `/API/`, with the documents' own names: `assets/v1/assets/{asset_id}/`.
    pub(crate) path: String,
    service: String,
    operation: Value,
}

impl Described {
    /// As reports name it.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Statuses of success, as documented.
    pub(crate) fn successes(&self) -> Vec<u16> {
        let responses = self.operation["responses"].as_object();
        let codes = responses.into_iter().flat_map(Map::keys);
        let codes = codes.filter_map(|code| code.parse().ok());
        codes.filter(|code| (200..300).contains(code)).collect()
    }

    /// The schema of the request's body, if it has one.
    pub(crate) fn request(&self) -> Option<&Value> {
        content(&self.operation["requestBody"]).map(|(_, schema)| schema)
    }

    /// Content type and schema of an answer with this status, if it has a body.
    pub(crate) fn answer(&self, status: u16) -> Option<(&str, &Value)> {
        content(&self.operation["responses"][status.to_string()])
    }
}

fn content(of: &Value) -> Option<(&str, &Value)> {
    let contents = of.get("content")?.as_object()?;
    let (kind, first) = contents.iter().next()?;
    Some((kind.as_str(), first.get("schema")?))
}

/// All documents.
pub(crate) struct Documents {
    services: BTreeMap<String, Value>,
    pub(crate) operations: Vec<Described>,
    validators: BTreeMap<(String, String, Way), jsonschema::Validator>,
}

impl Documents {
    /// Those beside the repository, or below `ICONIK_RECORDINGS`.
    pub(crate) fn at_hand() -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/iconik");
        let given = std::env::var_os("ICONIK_RECORDINGS").map(PathBuf::from);
        let folder = given.unwrap_or(beside).join("specs/openapi-2025-05");
        folder.is_dir().then(|| Self::read(&folder))
    }

    fn read(folder: &Path) -> Self {
        let files = std::fs::read_dir(folder).unwrap();
        let mut services = BTreeMap::new();
        for file in files.map(|file| file.unwrap().path()) {
            let service = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&file).unwrap();
            let document: Value = serde_json::from_str(&text).unwrap();
            services.insert(service, document);
        }
        let mut operations = Vec::new();
        for (service, document) in &services {
            for (path, methods) in document["paths"].as_object().unwrap() {
                for method in ["get", "post", "put", "patch", "delete"] {
                    let Some(operation) = methods.get(method) else {
                        continue;
                    };
                    operations.push(Described {
                        method: method.to_uppercase(),
                        path: format!("{service}{path}"),
                        service: service.clone(),
                        operation: operation.clone(),
                    });
                }
            }
        }
        Self {
            services,
            operations,
            validators: BTreeMap::new(),
        }
    }

    /// The operation of a method and a path, whatever its parts are called.
    pub(crate) fn named(&self, method: &str, path: &str) -> Option<usize> {
        let alike = |it: &&(usize, &Described)| shape(&it.1.path) == shape(path);
        let of_method = self.operations.iter().enumerate();
        let of_method: Vec<_> = of_method.filter(|(_, it)| it.method == method).collect();
        let exact = of_method.iter().find(|(_, it)| it.path == path);
        exact
            .or_else(|| of_method.iter().find(alike))
            .map(|(at, _)| *at)
    }

    /// The operation of a request, whose path has ids where the documents have names: of several, the one that
    /// names least.
    pub(crate) fn of_request(&self, method: &str, path: &str) -> Option<usize> {
        let parts: Vec<_> = path.split('/').collect();
        let fits = |of: &str| {
            let named: Vec<_> = of.split('/').collect();
            let mut pairs = named.iter().zip(&parts);
            named.len() == parts.len()
                && pairs.all(|(named, part)| named.starts_with('{') || named == part)
        };
        let fitting = self.operations.iter().enumerate();
        let fitting = fitting.filter(|(_, it)| it.method == method && fits(&it.path));
        let least = fitting.min_by_key(|(_, it)| it.path.matches('{').count());
        least.map(|(at, _)| at)
    }

    /// Whether the documents write the path like this.
    pub(crate) fn names(&self, method: &str, path: &str) -> bool {
        let mut operations = self.operations.iter();
        operations.any(|it| it.method == method && it.path == path)
    }

    /// What a schema names, followed to where it is defined.
    pub(crate) fn resolved<'a>(&'a self, at: usize, schema: &'a Value) -> &'a Value {
        let mut schema = schema;
        while let Some(name) = reference(schema) {
            let service = &self.services[&self.operations[at].service];
            schema = &service["components"]["schemas"][name];
        }
        schema
    }

    /// What a body has that the schema does not allow.
    pub(crate) fn differences(
        &mut self,
        at: usize,
        schema: &Value,
        way: Way,
        body: &Value,
    ) -> Vec<String> {
        let service = self.operations[at].service.clone();
        let key = (service, schema.to_string(), way);
        if !self.validators.contains_key(&key) {
            let validator = self.validator(&key.0, schema, way);
            self.validators.insert(key.clone(), validator);
        }
        let errors = self.validators[&key].iter_errors(body);
        errors
            .map(|error| {
                format!(
                    "{}: {}",
                    error.instance_path(),
                    shortened(&error.to_string())
                )
            })
            .collect()
    }

    fn validator(&self, service: &str, schema: &Value, way: Way) -> jsonschema::Validator {
        let known = &self.services[service]["components"]["schemas"];
        let mut open = BTreeSet::new();
        let mut root = converted(schema, way, &mut open);
        let mut definitions = Map::new();
        while let Some(name) = open.pop_first() {
            if !definitions.contains_key(&name) {
                let definition = converted(&known[&name], way, &mut open);
                definitions.insert(name, definition);
            }
        }
        root["$defs"] = Value::Object(definitions);
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .should_validate_formats(true)
            .build(&root)
            .unwrap()
    }
}

/// A path with all its named parts alike.
pub(crate) fn shape(path: &str) -> String {
    let parts = path.split('/');
    let parts = parts.map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.rsplit('/').next()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The same as a JSON schema; `open` collects what it refers to.
fn converted(schema: &Value, way: Way, open: &mut BTreeSet<String>) -> Value {
    if let Some(name) = reference(schema) {
        open.insert(name.to_owned());
        return json!({ "$ref": format!("#/$defs/{name}") });
    }
    let Some(entries) = schema.as_object() else {
        return json!({});
    };
    let mut made = Map::new();
    for (key, value) in entries {
        let value = match key.as_str() {
            "properties" => {
                let properties = value.as_object().unwrap().iter();
                let properties =
                    properties.map(|(name, it)| (name.clone(), converted(it, way, open)));
                Value::Object(properties.collect())
            }
            "items" => converted(value, way, open),
            "additionalProperties" if value.is_object() => converted(value, way, open),
            "allOf" | "anyOf" | "oneOf" => {
                let parts = value.as_array().unwrap().iter();
                parts.map(|it| converted(it, way, open)).collect()
            }
            "required" => required(value, &entries["properties"], way),
            "type"
            | "enum"
            | "format"
            | "minimum"
            | "maximum"
            | "minLength"
            | "maxLength"
            | "minItems"
            | "maxItems"
            | "pattern"
            | "additionalProperties" => value.clone(),
            _ => continue,
        };
        made.insert(key.clone(), value);
    }
    match entries.get("nullable") {
        Some(Value::Bool(true)) => json!({ "anyOf": [made, { "type": "null" }] }),
        _ => Value::Object(made),
    }
}

fn required(names: &Value, properties: &Value, way: Way) -> Value {
    let left_out = match way {
        Way::Request => "readOnly",
        Way::Answer => "writeOnly",
    };
    let names = names.as_array().unwrap().iter();
    let names = names.filter(|name| {
        let property = &properties[name.as_str().unwrap()];
        property.get(left_out) != Some(&Value::Bool(true))
    });
    names.cloned().collect()
}
