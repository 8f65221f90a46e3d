//! A rule's file and its libraries, compiled strictly: what can be called, with limits, latch, constants and log.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::module_resolvers::StaticModuleResolver;
use rhai::{AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Module, Scope, Shared};
use serde_json::Value;

use super::bindings::EventView;
use super::catalog::{Catalog, OwnModules};
use super::caught::Inserted;
use super::convert::to_dynamic;
use super::here::{Here, position};
use super::session::{SharedSession, terminated};
use super::source::{Source, bound_parsing, sentence};
use crate::model::{Diagnostic, Event, LogLevel};

/// How deep functions may call each other.
const CALL_DEPTH: usize = 32;
/// Rhai knows no size of one text or list: it adds up all text and all elements below a value, answers and the
/// event's `data` included. So a value may hold this many texts and lists of the configured size: an answer of
/// 1 MiB, a collection of 2,000 entries.
const NESTED: (usize, usize) = (64, 16);
/// The most variables that a script holds at once.
const VARIABLES: usize = 256;

type Constants = BTreeMap<String, BTreeMap<String, Dynamic>>;

/// A file and its libraries, compiled strictly and ready to run.
pub(super) struct Linked {
    ast: AST,
    modules: Vec<(String, Shared<Module>)>,
    constants: Arc<Constants>,
    inserted: Arc<BTreeMap<String, Inserted>>,
    own: OwnModules,
}

/// Compiles a file that was taken apart, strictly: every variable must be known. `libraries` are in an order
/// in which each comes after those that it imports.
pub(super) fn link(
    main: &Source,
    libraries: &[&Source],
    own: &OwnModules,
) -> Result<Linked, Vec<Diagnostic>> {
    let constants: Arc<Constants> = Arc::new(
        libraries
            .iter()
            .chain([&main])
            .map(|source| {
                let constants = source
                    .constants
                    .iter()
                    .map(|(name, value)| (name.clone(), value.to_dynamic()));
                (source.path.clone(), constants.collect())
            })
            .collect(),
    );
    let mut resolver = StaticModuleResolver::new();
    for library in libraries {
        let module = compile_library(library, &resolver, own)?;
        resolver.insert(library.path.trim_end_matches(".rhai"), module);
    }
    let mut modules = Vec::new();
    for import in &main.imports {
        let key = import.file.trim_end_matches(".rhai");
        let found = resolver
            .iter()
            .find(|(path, _)| *path == key)
            .map(|(_, module)| module.clone());
        let Some(module) = found else {
            return Err(vec![
                main.finding(import.at, format!("there is no file {}", import.file)),
            ]);
        };
        modules.push((import.alias.clone(), module));
    }
    let mut engine = compiling_engine(own);
    for (alias, module) in &modules {
        engine.register_static_module(alias, module.clone());
    }
    let ast = compile_strictly(&engine, main)?;
    let inserted = libraries
        .iter()
        .chain([&main])
        .map(|source| (source.path.clone(), source.watched.inserted.clone()))
        .collect();
    Ok(Linked {
        ast,
        modules,
        constants,
        inserted: Arc::new(inserted),
        own: own.clone(),
    })
}

fn compiling_engine(own: &OwnModules) -> Engine {
    let mut engine = Catalog::shared().engine(own);
    bound_parsing(&mut engine);
    engine.set_strict_variables(true);
    engine.set_fast_operators(false);
    engine
}

fn compile_strictly(engine: &Engine, source: &Source) -> Result<AST, Vec<Diagnostic>> {
    let mut scope = Scope::new();
    for (name, value) in &source.constants {
        scope.push_constant_dynamic(name.as_str(), value.to_dynamic());
    }
    let mut ast = engine
        .compile_with_scope(&scope, &source.watched.text)
        .map_err(|e| {
            vec![Diagnostic::at(
                &source.path,
                &source.text,
                position(e.position()).map(|at| source.watched.inserted.original(at)),
                sentence(&e.err_type().to_string()),
            )]
        })?;
    ast.set_source(&source.path);
    Ok(ast)
}

/// A library's statements are literal constants and imports, so evaluating them runs nothing of the author's.
fn compile_library(
    library: &Source,
    resolver: &StaticModuleResolver,
    own: &OwnModules,
) -> Result<Module, Vec<Diagnostic>> {
    let mut engine = compiling_engine(own);
    engine.set_module_resolver(resolver.clone());
    let ast = compile_strictly(&engine, library)?;
    let mut module = Module::eval_ast_as_new(Scope::new(), &ast, &engine)
        .map_err(|e| vec![library.finding(e.position(), sentence(&e.to_string()))])?;
    module.set_id(library.path.as_str());
    Ok(module)
}

impl Linked {
    /// What was inserted into which file.
    pub(super) fn inserted(&self) -> &Arc<BTreeMap<String, Inserted>> {
        &self.inserted
    }

    /// An engine for one call: limits, the latch, the constants, the log.
    fn engine(&self, session: &SharedSession) -> Engine {
        let mut engine = Catalog::shared().engine(&self.own);
        for (alias, module) in &self.modules {
            engine.register_static_module(alias, module.clone());
        }
        let limits = session.limits();
        engine.set_fast_operators(false);
        engine.set_max_call_levels(CALL_DEPTH);
        engine.set_max_variables(VARIABLES);
        engine.set_max_modules(64);
        engine.set_max_string_size(limits.string_bytes.saturating_mul(NESTED.0));
        engine.set_max_array_size(limits.elements.saturating_mul(NESTED.1));
        engine.set_max_map_size(limits.elements.saturating_mul(NESTED.1));
        let ticking = session.clone();
        engine.on_progress(move |_| ticking.tick().then_some(Dynamic::UNIT));
        let printing = session.clone();
        // A line too many sets the latch, which ends the script at its next operation.
        let keep = move |text: &str| {
            drop(printing.log(Here::default(), LogLevel::Info, text.to_owned()));
        };
        engine.on_print(keep.clone());
        engine.on_debug(move |text, _, _| keep(text));
        self.answer_constants(&mut engine, session);
        engine
    }

    /// A constant is visible in every function of its file; functions of Rhai see no variables from outside.
    #[expect(
        deprecated,
        reason = "on_var is the documented hook; the mark only says that it may change"
    )]
    fn answer_constants(&self, engine: &mut Engine, session: &SharedSession) {
        let constants = self.constants.clone();
        let main = session.program().main.path.clone();
        engine.on_var(move |name, _, mut context| {
            let file = context.source().unwrap_or(&main);
            let Some(value) = constants
                .get(file)
                .and_then(|constants| constants.get(name))
            else {
                return Ok(None);
            };
            let value = value.clone();
            let shadowed = context.scope_mut().contains(name);
            Ok((!shadowed).then_some(value))
        });
    }

    /// Calls the function of the session's phase with the event, and with `result` where it takes one.
    pub(super) fn call(
        &self,
        session: &SharedSession,
        event: &Arc<Event>,
        result: Option<&Value>,
    ) -> Result<Dynamic, Box<EvalAltResult>> {
        let engine = self.engine(session);
        let options = CallFnOptions::new()
            .eval_ast(false)
            .with_tag(Dynamic::from(session.clone()));
        let mut arguments = vec![Dynamic::from(EventView::new(event.clone())).into_read_only()];
        arguments.extend(result.map(|result| to_dynamic(result).into_read_only()));
        let function = session.phase().function();
        let value =
            engine.call_fn_with_options(options, &mut Scope::new(), &self.ast, function, arguments);
        if session.is_latched() {
            Err(terminated())
        } else {
            value
        }
    }
}

/// Libraries in an order in which each comes after those that it imports; a circle is a finding.
pub(super) fn in_import_order(libraries: &[Source]) -> Result<Vec<&Source>, Vec<Diagnostic>> {
    let mut ordered: Vec<&Source> = Vec::new();
    let mut open: Vec<&Source> = libraries.iter().collect();
    while !open.is_empty() {
        let ready = |source: &&Source| {
            source.imports.iter().all(|import| {
                ordered.iter().any(|done| done.path == import.file)
                    || !libraries.iter().any(|l| l.path == import.file)
            })
        };
        let Some(index) = open.iter().position(ready) else {
            let names = open
                .iter()
                .map(|source| source.path.as_str())
                .collect::<Vec<_>>()
                .join(", ");
            return Err(vec![open[0].finding(
                rhai::Position::NONE,
                format!("these files import each other in a circle: {names}"),
            )]);
        };
        ordered.push(open.remove(index));
    }
    Ok(ordered)
}
