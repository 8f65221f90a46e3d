//! A rule, compiled: the syntax tree of its file, its libraries as modules, its constants.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::module_resolvers::StaticModuleResolver;
use rhai::{
    AST, CallFnOptions, Dynamic, Engine, EvalAltResult, Module, Position as At, Scope, Shared,
};
use serde_json::Value;

use super::bindings::{EventView, query_of};
use super::catalog::{Catalog, vars_module};
use super::convert::{to_dynamic, type_name};
use super::session::{Phase, Session, SharedSession, position, terminated};
use super::source::{Source, bound_parsing, sentence};
use super::{Advance, EngineLimits, LANE_KEY_BYTES_MAX, Moment, Outcome, Part, When, failure};
use crate::model::{DeadClass, Diagnostic, Event, Failure, LogLevel, Program, RuleFile, Step};

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
    vars: Shared<Module>,
}

/// Compiles a file that was taken apart, strictly: every variable must be known. `libraries` are in an order
/// in which each comes after those that it imports.
pub(super) fn link(
    main: &Source,
    libraries: &[&Source],
    vars: &Value,
) -> Result<Linked, Vec<Diagnostic>> {
    let vars = vars_module(vars);
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
        let module = compile_library(library, &resolver, &vars)?;
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
    let mut engine = compiling_engine(&vars);
    for (alias, module) in &modules {
        engine.register_static_module(alias, module.clone());
    }
    let ast = compile_strictly(&engine, main)?;
    Ok(Linked {
        ast,
        modules,
        constants,
        vars,
    })
}

fn compiling_engine(vars: &Shared<Module>) -> Engine {
    let mut engine = Catalog::shared().engine(vars);
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
        .compile_with_scope(&scope, &source.text)
        .map_err(|e| {
            vec![Diagnostic::at(
                &source.path,
                &source.text,
                position(e.position()),
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
    vars: &Shared<Module>,
) -> Result<Module, Vec<Diagnostic>> {
    let mut engine = compiling_engine(vars);
    engine.set_module_resolver(resolver.clone());
    let ast = compile_strictly(&engine, library)?;
    let mut module = Module::eval_ast_as_new(Scope::new(), &ast, &engine)
        .map_err(|e| vec![library.finding(e.position(), sentence(&e.to_string()))])?;
    module.set_id(library.path.as_str());
    Ok(module)
}

impl Linked {
    /// An engine for one call: limits, the latch, the constants, the log.
    fn engine(&self, session: &SharedSession) -> Engine {
        let mut engine = Catalog::shared().engine(&self.vars);
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
            drop(printing.log(At::NONE, None, LogLevel::Info, text.to_owned()));
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
    fn call(
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

/// One rule, compiled and ready to be advanced any number of times.
pub struct Rule {
    program: Arc<Program>,
    limits: EngineLimits,
    linked: Linked,
}

impl Rule {
    /// Compiles the files of a program that was checked before.
    ///
    /// # Errors
    ///
    /// When it does not compile (any more): class `script_error`, with the place.
    pub fn load(program: Arc<Program>, limits: &EngineLimits) -> Result<Self, Box<Failure>> {
        let linked = Self::link(&program, limits).map_err(|findings| {
            let mut failure =
                Failure::new(DeadClass::ScriptError, "the rule does not compile any more");
            if let Some(first) = findings.first() {
                failure.message = format!("the rule does not compile any more: {}", first.message);
                failure.file = Some(first.file.clone());
                failure.position = first.position;
                failure.excerpt.clone_from(&first.excerpt);
                failure.hint.clone_from(&first.hint);
            }
            Box::new(failure)
        })?;
        Ok(Self {
            program,
            limits: *limits,
            linked,
        })
    }

    fn link(program: &Program, limits: &EngineLimits) -> Result<Linked, Vec<Diagnostic>> {
        let main = Source::parse(&program.main, limits)?;
        let libraries: Vec<Source> = program
            .libraries
            .iter()
            .map(|file: &RuleFile| Source::parse(file, limits))
            .collect::<Result<_, _>>()?;
        let ordered = in_import_order(&libraries)?;
        link(&main, &ordered, &program.vars)
    }

    /// Whether the rule concerns the event. `time::now()` is its `received_at`.
    pub fn when(&self, event: &Arc<Event>) -> When {
        let session = self.pure(Phase::When, event);
        match self.linked.call(&session, event, None) {
            Ok(value) => match value.as_bool() {
                Ok(true) => When::Yes,
                Ok(false) => When::No,
                Err(kind) => When::Failed(self.wrong_result(
                    Phase::When,
                    format!(
                        "`when` must return true or false, and returned a value of type {kind}"
                    ),
                )),
            },
            Err(error) => match self.outcome(&session, *error, event) {
                Outcome::Skipped(_) => When::No,
                Outcome::Failed(failure) => When::Failed(failure),
                Outcome::Effect(_) | Outcome::Finished | Outcome::Found(_) => When::No,
            },
        }
    }

    /// The order key that `lane` gives the event. `time::now()` is its `received_at`.
    ///
    /// # Errors
    ///
    /// When `lane` fails, or returns anything but a text of 1 to [`LANE_KEY_BYTES_MAX`] bytes.
    pub fn lane(&self, event: &Arc<Event>) -> Result<String, Box<Failure>> {
        let session = self.pure(Phase::Lane, event);
        let wrong = |message: String| Box::new(self.wrong_result(Phase::Lane, message));
        match self.linked.call(&session, event, None) {
            Ok(value) => {
                let key = value.as_immutable_string_ref().map_err(|_| {
                    let kind = type_name(&value);
                    wrong(format!("`lane` must return a text, and returned a {kind}"))
                })?;
                match key.len() {
                    1..=LANE_KEY_BYTES_MAX => Ok(key.to_string()),
                    0 => Err(wrong("`lane` returned an empty text".to_owned())),
                    bytes => Err(wrong(format!(
                        "`lane` returned a text of {bytes} bytes; a key may have {LANE_KEY_BYTES_MAX}"
                    ))),
                }
            }
            Err(error) => Err(match self.outcome(&session, *error, event) {
                Outcome::Failed(failure) => Box::new(failure),
                _ => wrong("`lane` must return a text, and ended the run instead".to_owned()),
            }),
        }
    }

    fn pure(&self, phase: Phase, event: &Event) -> SharedSession {
        let (program, limits) = (self.program.clone(), self.limits);
        Session::new(
            program,
            limits,
            phase,
            event.received_at,
            Default::default(),
        )
    }

    /// Runs the rule from the top, answering its calls from the journal, to its next call or to its end.
    pub fn advance(&self, moment: &Moment, event: &Arc<Event>, journal: Arc<Vec<Step>>) -> Advance {
        let (phase, result) = match &moment.part {
            Part::Run => (Phase::Run, None),
            Part::Each => (Phase::Each, None),
            Part::Done(result) => (Phase::Done, Some(&**result)),
        };
        let session = Session::new(
            self.program.clone(),
            self.limits,
            phase,
            moment.started_at,
            (journal, moment.steps_before),
        );
        let outcome = match self.linked.call(&session, event, result) {
            Ok(value) if phase == Phase::Each => match query_of(&value) {
                Ok(query) => Outcome::Found(query),
                Err(error) => self.outcome(&session, *error, event),
            },
            Ok(_) => Outcome::Finished,
            Err(error) => self.outcome(&session, *error, event),
        };
        Advance {
            outcome,
            logs: session.new_logs(),
        }
    }

    fn outcome(&self, session: &SharedSession, error: EvalAltResult, event: &Event) -> Outcome {
        let Some((mut outcome, file)) = session.take_outcome() else {
            let mut failure = failure::of(error, &self.program, event);
            let function = session.phase().function();
            failure.function.get_or_insert_with(|| function.to_owned());
            return Outcome::Failed(failure);
        };
        if let Outcome::Failed(failure) = &mut outcome {
            failure::locate(failure, file.as_deref(), &self.program);
        }
        outcome
    }

    /// A function returned what it must not.
    fn wrong_result(&self, phase: Phase, message: String) -> Failure {
        let mut failure = Failure::new(DeadClass::ScriptError, message);
        failure.function = Some(phase.function().to_owned());
        failure::locate(&mut failure, None, &self.program);
        failure
    }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule")
            .field("rule", &self.program.rule)
            .field("version", &self.program.version)
            .finish()
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
