//! From files to a snapshot, everything or nothing.

use std::sync::Arc;

use callgate_core::FactSpec;
use callgate_text::{Digest, Json};
use cedar_policy::{Authorizer, EntityUid};

use crate::cache::Cache;
use crate::catalogue::Catalogue;
use crate::check;
use crate::config::{self, Config};
use crate::entities::{self, Declarations, Sort};
use crate::facts::FactPlan;
use crate::files::GateFiles;
use crate::finding::{Finding, LoadError, Rule, Severity, tidy};
use crate::index::Index;
use crate::pins::Pin;
use crate::policies::{self, Policy};
use crate::population::Population;
use crate::slots::Slots;
use crate::snapshot::GateSnapshot;
use crate::value::Ancestors;

/// A part of the policy digest: changes whenever the same files could mean something else.
const SEMANTICS: &str = "callgate-policy 4, cedar 4.14.1";

/// What the operator says about programs that commands run.
pub(crate) const PROGRAMS: &str = "programs.toml";

/// A snapshot, and what somebody should look at.
#[derive(Debug)]
pub struct Loaded {
    /// Judges calls.
    pub snapshot: GateSnapshot,
    /// Warnings alone; an error would have kept the directory from loading.
    pub findings: Vec<Finding>,
}

/// Loads a gate directory for the facts that the gate establishes.
///
/// # Errors
/// Everything that is wrong with the files.
pub fn load(files: &GateFiles, specs: &[FactSpec]) -> Result<Loaded, LoadError> {
    load_with(files, specs, &Cache::default())
}

/// On a stack of its own: Cedar's parser and validator recurse with the depth of an expression, and a policy
/// must never be able to end the process that judges by the one before.
pub(crate) fn load_with(files: &GateFiles, specs: &[FactSpec], cache: &Cache) -> Result<Loaded, LoadError> {
    let failed = |what: &str| LoadError::from(Finding::new(Rule::Unreadable, "", format!("the loader {what}")));
    std::thread::scope(|scope| {
        let loader = std::thread::Builder::new().name("policy-loader".to_owned()).stack_size(STACK);
        let loading = loader.spawn_scoped(scope, || load_here(files, specs, cache));
        match loading.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(failed("panicked")),
            Err(error) => Err(failed(&format!("could not start: {error}"))),
        }
    })
}

/// Address space; pages are taken only if they are used.
const STACK: usize = 64 << 20;

fn load_here(files: &GateFiles, specs: &[FactSpec], cache: &Cache) -> Result<Loaded, LoadError> {
    let remarked = |findings: &[Finding]| findings.iter().chain(files.remarks()).cloned().collect::<Vec<_>>();
    let snapshot = assemble(files, specs, cache).map_err(|error| remarked(error.findings()))?;
    let mut findings = remarked(&check::run(&snapshot, cache));
    tidy(&mut findings);
    cache.turn();
    match findings.iter().any(|finding| finding.severity() == Severity::Error) {
        true => Err(findings.into()),
        false => Ok(Loaded { snapshot, findings }),
    }
}

/// Everything but the checks of what the policies say.
pub(crate) fn assemble(files: &GateFiles, specs: &[FactSpec], cache: &Cache) -> Result<GateSnapshot, LoadError> {
    let facts = FactPlan::new(specs)?;
    let empty: Arc<str> = "".into();
    let config_text = files.get(config::FILE).unwrap_or(&empty);
    // What does not depend on each other is read in spite of errors elsewhere, so that all are shown at once.
    let config = Config::parse(config_text);
    let declarations = Declarations::parse(files.get(entities::FILE).unwrap_or(&empty));
    let pins = Pin::read_all(files);
    let policies = policies::read_all(files, cache);
    let ((config, declarations), (pins, policies)) = both(both(config, declarations), both(pins, policies))?;

    let catalogue = Catalogue::build(&config, config_text, pins, &declarations, &facts)?;
    let index = Index::new(&policies);
    let population = Population::build(&declarations, &index, &catalogue.schema)?;
    let named: Vec<EntityUid> = policies.iter().flat_map(|policy| policy.parsed.literals.iter().cloned()).collect();
    let ancestors = Ancestors::collect(named.into_iter().chain(population.references().cloned()));
    let programs = files.get(PROGRAMS).cloned();
    let digest = digest(&config, &declarations, &facts, &catalogue, &policies, programs.as_deref());
    let agents = population.agents().count();
    let actions = catalogue.actions().len();
    Ok(GateSnapshot {
        digest,
        slices: Slots::new(population.classes.len().saturating_mul(actions)),
        stages: Slots::new(agents.saturating_mul(4).max(actions)),
        config,
        settings: Arc::clone(config_text),
        declarations,
        facts,
        catalogue,
        policies,
        index,
        population,
        ancestors,
        programs,
        authorizer: Authorizer::new(),
    })
}

/// Both, or everything that is wrong with either.
fn both<A, B>(a: Result<A, LoadError>, b: Result<B, LoadError>) -> Result<(A, B), LoadError> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(a.and(b)),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
    }
}

/// The digest of everything that can change a verdict, its reasons and their places among it.
fn digest(
    config: &Config,
    declarations: &Declarations,
    facts: &FactPlan,
    catalogue: &Catalogue,
    policies: &[Policy],
    programs: Option<&str>,
) -> Digest {
    let policies = policies.iter().map(|policy| {
        Json::object([
            ("id", Json::from(&*policy.at.id)),
            ("at", Json::from(&*policy.at.at)),
            ("text", Json::from(policy.parsed.canonical.as_str())),
        ])
    });
    let entities = Sort::ALL.into_iter().map(|sort| {
        let declared = declarations.of(sort).map(|(id, declared)| (id, declared.to_json()));
        (sort.type_name(), Json::object(declared))
    });
    let overlays = config.tool.iter().map(|(name, overlay)| (name.as_str(), Json::from(format!("{overlay:?}"))));
    let facts = facts.specs().iter().map(|spec| (spec.path, Json::from(format!("{:?}", spec.kind))));
    let document = Json::object([
        ("semantics", Json::from(SEMANTICS)),
        ("policies", Json::Array(policies.collect())),
        ("entities", Json::object(entities)),
        ("overlays", Json::object(overlays)),
        ("shell", Json::from(format!("{:?}", config.shell))),
        ("tools", Json::from(config.tools.workspace.clone())),
        ("sandbox", Json::from(config.sandbox.to_string())),
        ("programs", Json::from(programs.map(str::to_owned))),
        ("facts", Json::object(facts)),
        ("catalogue", catalogue.to_json()),
    ]);
    Digest::of(&document.canonical())
}
