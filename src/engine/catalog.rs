//! Every function that rules can see, registered once with its documentation and a runnable example.
//!
//! The reference, the editor definitions, the suggestions for misspelt names and the tests of the examples
//! all read this one list, so none of them can drift from what is really there.

use std::any::TypeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rhai::module_resolvers::DummyModuleResolver;
use rhai::packages::{Package, StandardPackage};
use rhai::{
    Dynamic, Engine, FuncRegistration, Module, NativeCallContext, Position, RhaiFunc,
    RhaiNativeFunc, Shared, Variant,
};

use super::{bindings, capped, caught, compare};

/// Where a function is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Called by its bare name.
    Top,
    /// Called as `module::name`.
    Module(&'static str),
    /// Called on a value of this type.
    Type(&'static str),
}

/// One documented function, method or property.
#[derive(Clone, Copy, Debug)]
pub struct FunctionDoc {
    /// Where it is found.
    pub place: Place,
    /// How it is written: `metadata(view)`; a property has no parentheses.
    pub signature: &'static str,
    /// What it does, its units, its errors, and where facts about Iconik come from.
    pub about: &'static str,
    /// The body of a `fn run(event)` that shows it.
    pub example: &'static str,
}

impl FunctionDoc {
    /// Of a function that is called as `iconik::name`.
    pub(super) const fn of_iconik(
        signature: &'static str,
        about: &'static str,
        example: &'static str,
    ) -> Self {
        Self {
            place: Place::Module("iconik"),
            signature,
            about,
            example,
        }
    }

    /// The bare name.
    pub fn name(&self) -> &'static str {
        self.signature.split('(').next().unwrap_or(self.signature)
    }

    fn is_property(&self) -> bool {
        !self.signature.contains('(')
    }
}

/// Everything that is registered.
pub(super) struct Catalog {
    standard: Shared<Module>,
    global: Shared<Module>,
    modules: BTreeMap<&'static str, Shared<Module>>,
    docs: Vec<FunctionDoc>,
    names: Names,
}

/// The names that a rule may use, for checking calls before anything runs.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Bare functions and methods with the numbers of arguments that they take; a method counts its object.
    pub(super) functions: BTreeMap<String, BTreeSet<usize>>,
    /// `module::name` likewise.
    pub(super) in_modules: BTreeMap<(String, String), BTreeSet<usize>>,
    /// Those of the functions that are called by their bare names: no function of a rule takes their place.
    pub(super) bare: BTreeMap<String, BTreeSet<usize>>,
    /// The bare functions and methods that we added, for suggestions.
    pub(super) ours: BTreeSet<String>,
}

/// Collects registrations.
pub(super) struct Registry {
    global: Module,
    modules: BTreeMap<&'static str, Module>,
    docs: Vec<FunctionDoc>,
    names: Names,
}

impl Registry {
    /// Registers a documented function, or a property when the signature has no parentheses.
    ///
    /// This is compiled once for each function of ours, so it does only what has to know their types.
    pub(super) fn add<A: 'static, const N: usize, const X: bool, R, const F: bool, T>(
        &mut self,
        doc: FunctionDoc,
        function: T,
    ) where
        R: Variant + Clone,
        T: RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
    {
        let in_module = matches!(doc.place, Place::Module(_));
        self.place(
            doc,
            &T::param_types(),
            function.into_rhai_function(true, in_module),
        );
    }

    fn place(&mut self, doc: FunctionDoc, parameters: &[TypeId], function: RhaiFunc) {
        let name = doc.name();
        let arity = parameters.len();
        match doc.place {
            Place::Module(module) => {
                let key = (module.to_owned(), name.to_owned());
                self.names.in_modules.entry(key).or_default().insert(arity);
                FuncRegistration::new(name)
                    .in_internal_namespace()
                    .set_into_module_raw(
                        self.modules.entry(module).or_default(),
                        parameters,
                        placed(function),
                    );
            }
            Place::Top | Place::Type(_) if doc.is_property() => {
                FuncRegistration::new_getter(name).set_into_module_raw(
                    &mut self.global,
                    parameters,
                    function,
                );
            }
            Place::Top | Place::Type(_) => {
                self.names
                    .functions
                    .entry(name.to_owned())
                    .or_default()
                    .insert(arity);
                self.names.ours.insert(name.to_owned());
                if doc.place == Place::Top {
                    let bare = self.names.bare.entry(name.to_owned());
                    bare.or_default().insert(arity);
                }
                FuncRegistration::new(name)
                    .in_global_namespace()
                    .set_into_module_raw(&mut self.global, parameters, function);
            }
        }
        let known =
            |other: &FunctionDoc| other.place == doc.place && other.signature == doc.signature;
        if !self.docs.iter().any(known) {
            self.docs.push(doc);
        }
    }

    /// The module of bare functions, for what is no function of ours but changes one of Rhai's.
    pub(super) fn global(&mut self) -> &mut Module {
        &mut self.global
    }
}

/// Rhai gives the errors of natives that are called as `module::name` no place; this gives them the call's.
fn placed(function: RhaiFunc) -> RhaiFunc {
    let RhaiFunc::Pure { func, .. } = function else {
        return function;
    };
    let func = move |context: Option<NativeCallContext<'_>>, arguments: &mut [&mut Dynamic]| {
        let at = context
            .as_ref()
            .map_or(Position::NONE, NativeCallContext::call_position);
        func(context, arguments).map_err(|mut error| {
            if error.position().is_none() {
                error.set_position(at);
            }
            error
        })
    };
    RhaiFunc::Pure {
        func: Shared::new(func),
        has_context: true,
        is_pure: true,
        is_volatile: true,
    }
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::build);

impl Catalog {
    pub(super) fn shared() -> &'static Self {
        &CATALOG
    }

    fn build() -> Self {
        let standard = StandardPackage::new().as_shared_module();
        let mut registry = Registry {
            global: Module::new(),
            modules: BTreeMap::new(),
            docs: Vec::new(),
            names: Names::default(),
        };
        add_stock_names(&mut registry.names, &standard);
        compare::register(registry.global());
        capped::register(registry.global());
        caught::register(registry.global());
        bindings::register(&mut registry);
        Self {
            standard,
            global: registry.global.into(),
            modules: registry
                .modules
                .into_iter()
                .map(|(name, module)| (name, indexed(name, module)))
                .collect(),
            docs: registry.docs,
            names: registry.names,
        }
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn docs(&self) -> &[FunctionDoc] {
        &self.docs
    }

    /// Names of our modules, those included that every rule has its own of.
    pub(super) fn module_names(&self) -> impl Iterator<Item = &'static str> {
        self.modules.keys().copied().chain(["vars", "egress"])
    }

    /// A Rhai engine that has our functions and none of the dangerous ones, without limits.
    pub(super) fn engine(&self, own: &OwnModules) -> Engine {
        let mut engine = Engine::new_raw();
        engine.register_global_module(self.standard.clone());
        engine.register_global_module(self.global.clone());
        for (name, module) in &self.modules {
            engine.register_static_module(*name, module.clone());
        }
        engine.register_static_module("vars", own.vars.clone());
        engine.register_static_module("egress", own.egress.clone());
        engine.set_module_resolver(DummyModuleResolver::new());
        for symbol in ["eval", "exit"] {
            engine.disable_symbol(symbol);
        }
        engine
    }
}

/// The modules that every rule has its own of.
#[derive(Clone, Debug)]
pub(super) struct OwnModules {
    /// The values of `[vars]`.
    vars: Shared<Module>,
    /// The targets that its header allows.
    egress: Shared<Module>,
}

impl OwnModules {
    pub(super) fn new(vars: &serde_json::Value, allow: &[String]) -> Self {
        let mut values = Module::new();
        for (name, value) in vars.as_object().into_iter().flatten() {
            values.set_var(name.as_str(), super::convert::to_dynamic(value));
        }
        Self {
            vars: indexed("vars", values),
            egress: indexed("egress", bindings::egress_module(allow)),
        }
    }
}

/// A module as engines share it. One without index or id is copied by every engine that it is registered with,
/// and there is an engine for every advance.
fn indexed(name: &str, mut module: Module) -> Shared<Module> {
    module.set_id(name);
    module.build_index();
    module.into()
}

/// Rhai tells its own functions as signatures, `name(a: …, b: …) -> …`; the number of commas tells the arity.
fn add_stock_names(names: &mut Names, standard: &Module) {
    for signature in standard.gen_fn_signatures_with_mapper(Into::into) {
        let Some((name, rest)) = signature.split_once('(') else {
            continue;
        };
        let parameters = rest.split(')').next().unwrap_or_default().trim();
        let arity = if parameters.is_empty() {
            0
        } else {
            parameters.matches(": ").count().max(1)
        };
        names
            .functions
            .entry(name.trim().to_owned())
            .or_default()
            .insert(arity);
    }
    for (name, arity) in [
        ("print", 1),
        ("debug", 1),
        ("type_of", 1),
        ("call", 1),
        ("curry", 2),
        ("is_shared", 1),
        ("Fn", 1),
    ] {
        names
            .functions
            .entry(name.to_owned())
            .or_default()
            .insert(arity);
    }
    names.bare = names.functions.clone();
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalog")
            .field("functions", &self.docs.len())
            .finish()
    }
}

/// A value of a missing kind: what scripts get where there is nothing.
pub(super) fn or_unit<T: Into<Dynamic>>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Into::into)
}
