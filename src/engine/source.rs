//! A rule file or library taken apart: imports, constants, the `rule(…)` call, functions.
//!
//! Nothing at the top level is ever run. A file that holds anything else there is refused with the place.

use std::collections::BTreeMap;

use rhai::{AST, ASTFlags, Engine, Expr, OptimizationLevel, Position as At, Stmt};

use super::EngineLimits;
use super::catalog::Catalog;
use super::caught::{Watched, watch};
use super::here::position;
use super::literal::Literal;
use crate::model::{Diagnostic, RuleFile};

/// Where shared functions live.
pub(super) const LIBRARIES: &str = "lib/";
/// How deep expressions may be nested at the top level and inside functions.
const DEPTH: (usize, usize) = (64, 32);

/// A file, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
    pub(super) about: String,
    pub(super) constants: BTreeMap<String, Literal>,
    pub(super) exports: Vec<String>,
    pub(super) imports: Vec<Import>,
    pub(super) header: Option<Literal>,
    pub(super) functions: Vec<(String, usize)>,
    pub(super) ast: AST,
    /// What is compiled to run.
    pub(super) watched: Watched,
}

/// `import "lib/x" as x;`
#[derive(Clone, Debug)]
pub(super) struct Import {
    pub(super) alias: String,
    /// The file, with its ending.
    pub(super) file: String,
    pub(super) at: At,
}

impl Source {
    /// Parses a file and takes it apart.
    pub(super) fn parse(file: &RuleFile, limits: &EngineLimits) -> Result<Self, Vec<Diagnostic>> {
        let most = limits.source_bytes;
        if file.source.len() > most {
            let message = format!(
                "the file has {} bytes; a rule file may have {most}",
                file.source.len()
            );
            return Err(vec![
                Diagnostic::at(&file.path, &file.source, None, message)
                    .with_hint("move functions to a file below lib/, or split the rule"),
            ]);
        }
        let mut engine = Engine::new_raw();
        bound_parsing(&mut engine);
        let ast = engine.compile(&file.source).map_err(|e| {
            vec![Diagnostic::at(
                &file.path,
                &file.source,
                position(e.position()),
                sentence(&e.err_type().to_string()),
            )]
        })?;
        let functions = ast
            .iter_functions()
            .map(|f| (f.name.to_owned(), f.params.len()))
            .collect();
        let mut source = Self {
            path: file.path.clone(),
            text: file.source.clone(),
            about: about(ast.doc()),
            constants: BTreeMap::new(),
            exports: Vec::new(),
            imports: Vec::new(),
            header: None,
            functions,
            watched: watch(&file.source, &ast),
            ast: ast.clone(),
        };
        let findings: Vec<Diagnostic> = ast
            .statements()
            .iter()
            .filter_map(|statement| source.top_level(statement).err())
            .collect();
        if findings.is_empty() {
            Ok(source)
        } else {
            Err(findings)
        }
    }

    pub(super) fn is_library(&self) -> bool {
        self.path.starts_with(LIBRARIES)
    }

    /// A finding in this file.
    pub(super) fn finding(&self, at: At, message: impl Into<String>) -> Diagnostic {
        Diagnostic::at(&self.path, &self.text, position(at), message)
    }

    /// Where a function begins. Rhai keeps no position for it, so the line is looked for in the text.
    pub(super) fn place_of(&self, function: &str) -> At {
        let mark = format!("fn {function}(");
        for (index, line) in self.text.lines().enumerate() {
            let squeezed = line
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .replace(" (", "(");
            if squeezed.contains(&mark) {
                let column = line.find("fn").unwrap_or(0) + 1;
                let (line, column) = (u16::try_from(index + 1), u16::try_from(column));
                return At::new(line.unwrap_or(u16::MAX), column.unwrap_or(1));
            }
        }
        At::NONE
    }

    fn top_level(&mut self, statement: &Stmt) -> Result<(), Diagnostic> {
        match statement {
            Stmt::Noop(_) => Ok(()),
            Stmt::Var(variable, flags, at) if flags.contains(ASTFlags::CONSTANT) => {
                let name = variable.0.name.to_string();
                let value = Literal::of(&variable.1, &self.constants).map_err(|e| {
                    self.finding(
                        e.at,
                        format!("the constant `{name}` is no literal: {}", e.message),
                    )
                })?;
                if self.constants.insert(name.clone(), value).is_some() {
                    return Err(self.finding(*at, format!("the constant `{name}` is set twice")));
                }
                if flags.contains(ASTFlags::EXPORTED) {
                    self.exports.push(name);
                }
                Ok(())
            }
            Stmt::Import(import, at) => self.import(&import.0, import.1.name.as_str(), *at),
            Stmt::FnCall(call, at) if call.name == "rule" => self.rule(&call.args, *at),
            Stmt::Expr(expression) => match &**expression {
                Expr::FnCall(call, at) if call.name == "rule" => self.rule(&call.args, *at),
                _ => Err(self.stray(statement)),
            },
            _ => Err(self.stray(statement)),
        }
    }

    fn stray(&self, statement: &Stmt) -> Diagnostic {
        let holds = if self.is_library() {
            "a library holds only imports, constants and functions"
        } else {
            "a rule file holds only imports, constants, one `rule(#{…})` and functions"
        };
        self.finding(
            statement.position(),
            format!("this statement would never run: {holds}"),
        )
        .with_hint("put it into `fn run(event) { … }`")
    }

    fn import(&mut self, path: &Expr, alias: &str, at: At) -> Result<(), Diagnostic> {
        let Expr::StringConstant(path, _) = path else {
            return Err(self.finding(
                at,
                "an import needs a literal path, such as `import \"lib/dates\" as dates;`",
            ));
        };
        let file = format!("{path}.rhai");
        let plain = path.starts_with(LIBRARIES)
            && !path.split('/').any(|part| matches!(part, "" | "." | ".."));
        if !plain {
            return Err(self.finding(
                at,
                format!("`{path}` cannot be imported: only files below lib/ can"),
            ));
        }
        if alias.is_empty() {
            return Err(self.finding(
                at,
                format!("write `import \"{path}\" as …;` so that its functions have a name"),
            ));
        }
        if Catalog::shared().module_names().any(|known| known == alias) {
            return Err(self
                .finding(at, format!("`{alias}` is the name of a built-in module"))
                .with_hint("give the import another name behind `as`"));
        }
        self.imports.push(Import {
            alias: alias.to_owned(),
            file,
            at,
        });
        Ok(())
    }

    fn rule(&mut self, arguments: &[Expr], at: At) -> Result<(), Diagnostic> {
        if self.is_library() {
            return Err(self
                .finding(at, "a library has no `rule(…)`")
                .with_hint("move the rule out of lib/"));
        }
        if self.header.is_some() {
            return Err(self.finding(at, "this is a second `rule(…)`: one file is one rule"));
        }
        let [header] = arguments else {
            return Err(self.finding(
                at,
                "`rule` takes one map: `rule(#{ on: [\"assets/*/*\"] });`",
            ));
        };
        let header = Literal::of(header, &self.constants).map_err(|e| {
            self.finding(
                e.at,
                format!("the header is read, never run: {}", e.message),
            )
        })?;
        self.header = Some(header);
        Ok(())
    }
}

/// Whether a name can stand behind `::` in a rule: a word of letters, digits and `_` that Rhai does not keep for itself.
pub(super) fn can_be_written(name: &str) -> bool {
    let word = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut engine = Engine::new_raw();
    bound_parsing(&mut engine);
    word && engine.compile(format!("egress::{name}.get()")).is_ok()
}

/// What keeps the parser itself in bounds, and positions inside the tree (an optimizer would drop them).
pub(super) fn bound_parsing(engine: &mut Engine) {
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_max_expr_depths(DEPTH.0, DEPTH.1);
    engine.set_max_functions(200);
    engine.disable_symbol("eval");
}

/// The text of `//!` comments without their marks.
fn about(doc: &str) -> String {
    doc.lines()
        .map(|line| line.trim_start().trim_start_matches("//!").trim())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Rhai's message as a sentence of ours: no capital in front, no position behind.
pub(super) fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
