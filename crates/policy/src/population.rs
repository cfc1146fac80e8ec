//! The declared entities as Cedar sees them, and who shares slices with whom.

use std::collections::{BTreeMap, BTreeSet};

use callgate_core::{AgentId, DoorName, SessionId};
use cedar_policy::{Entities, Entity, EntityUid, Schema};

use crate::entities::{self, Declarations, Declared, Door, Sort, agent_at_door, uid};
use crate::finding::{Finding, LoadError, Rule};
use crate::index::Index;

/// An agent, as the next call finds it.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) uid: EntityUid,
    pub(crate) revoked: bool,
    /// Its place among the agents.
    pub(crate) place: usize,
    /// Agents of one class have the same slices.
    pub(crate) class: usize,
}

/// Agents that no policy can tell apart by its head.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
pub(crate) struct Class {
    /// The agent, if a head names it.
    pub(crate) agent: Option<String>,
    /// Its blueprints, at any depth.
    pub(crate) blueprints: BTreeSet<String>,
}

/// All declared entities.
#[derive(Debug, Default)]
pub(crate) struct Population {
    agents: BTreeMap<AgentId, Agent>,
    doors: Vec<Door>,
    pub(crate) classes: Vec<Class>,
    known: BTreeMap<EntityUid, Known>,
}

/// One entity, and the entities that policy can reach from it.
#[derive(Debug)]
struct Known {
    entity: Entity,
    next: Vec<EntityUid>,
    /// All that it names.
    named: Vec<EntityUid>,
}

impl Population {
    pub(crate) fn build(declarations: &Declarations, index: &Index, schema: &Schema) -> Result<Self, LoadError> {
        let mut population = Self { doors: declarations.doors().collect(), ..Self::default() };
        let mut classes = BTreeMap::new();
        let mut findings = Vec::new();
        for sort in Sort::ALL {
            for (id, declared) in declarations.of(sort) {
                match Known::new(sort, id, declared) {
                    Some((uid, known)) => drop(population.known.insert(uid, known)),
                    None => {
                        let message = format!("{} {id} refers to an entity that Cedar cannot name", sort.type_name());
                        findings.push(Finding::new(Rule::BadEntity, entities::FILE, message));
                    }
                }
            }
        }
        for (place, (id, declared)) in declarations.of(Sort::Agent).enumerate() {
            let (Ok(agent), Some(uid)) = (id.parse::<AgentId>(), uid("Agent", id)) else { continue };
            let class = Class {
                agent: index.names(id).then(|| id.to_owned()),
                blueprints: declarations.ancestors(Sort::Agent, id).into_iter().map(str::to_owned).collect(),
            };
            let next = classes.len();
            let class = *classes.entry(class).or_insert(next);
            let known = Agent { id: agent.clone(), uid, revoked: declared.revoked, place, class };
            population.agents.insert(agent, known);
        }
        let mut ordered: Vec<_> = classes.into_iter().collect();
        ordered.sort_by_key(|(_, place)| *place);
        population.classes = ordered.into_iter().map(|(class, _)| class).collect();
        findings.extend(population.check(schema));
        if findings.is_empty() { Ok(population) } else { Err(findings.into()) }
    }

    /// Whether all entities conform to the schema, and refer to entities that exist.
    fn check(&self, schema: &Schema) -> Vec<Finding> {
        let mut findings = Vec::new();
        let all = self.known.values().map(|known| known.entity.clone());
        if let Err(error) = Entities::from_entities(all, Some(schema)) {
            let causes: Vec<_> = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source())
                .map(ToString::to_string)
                .collect();
            findings.push(Finding::new(Rule::BadEntity, entities::FILE, causes.join(": ")));
        }
        for (uid, known) in &self.known {
            for next in &known.named {
                let declared = Sort::ALL.iter().any(|sort| next.type_name().basename() == sort.type_name());
                if declared && !self.known.contains_key(next) {
                    let message = format!("{uid} refers to {next}, which is not declared");
                    findings.push(Finding::new(Rule::BadEntity, entities::FILE, message));
                }
            }
        }
        findings
    }

    pub(crate) fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.get(id)
    }

    pub(crate) fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    /// The agent that comes in as this user, through this host, in this session.
    pub(crate) fn at_door(&self, user: u32, host: Option<&DoorName>, session: Option<&SessionId>) -> Option<&AgentId> {
        agent_at_door(&self.doors, user, host, session)
    }

    pub(crate) fn class(&self, place: usize) -> Option<&Class> {
        self.classes.get(place)
    }

    pub(crate) fn knows(&self, uid: &EntityUid) -> bool {
        self.known.contains_key(uid)
    }

    /// `starts` and every declared entity that can be reached from them, each once, and what else they name.
    pub(crate) fn closure<'a>(
        &'a self,
        starts: impl Iterator<Item = &'a EntityUid>,
    ) -> (Vec<Entity>, BTreeSet<&'a EntityUid>) {
        let mut reached: BTreeSet<&EntityUid> = BTreeSet::new();
        let mut open: Vec<&EntityUid> = starts.collect();
        let (mut found, mut others) = (Vec::new(), BTreeSet::new());
        while let Some(uid) = open.pop() {
            match self.known.get(uid) {
                None => drop(others.insert(uid)),
                Some(known) if reached.insert(uid) => {
                    found.push(known.entity.clone());
                    open.extend(&known.next);
                }
                Some(_) => {}
            }
        }
        (found, others)
    }

    /// Every entity that an attribute or parent of a declared entity names, value types among them.
    pub(crate) fn references(&self) -> impl Iterator<Item = &EntityUid> {
        self.known.values().flat_map(|known| &known.named)
    }
}

impl Known {
    fn new(sort: Sort, id: &str, declared: &Declared) -> Option<(EntityUid, Self)> {
        let own = uid(sort.type_name(), id)?;
        let parents = declared.parents.iter().map(|parent| uid(sort.parent()?.type_name(), parent));
        let parents: Vec<EntityUid> = parents.collect::<Option<_>>()?;
        let attributes = declared.attributes.iter().map(|(name, value)| Some((name.clone(), value.expression()?)));
        let tags = declared.tags.iter().map(|(name, value)| Some((name.clone(), value.expression()?)));
        let (mut next, mut named) = (parents.clone(), parents.clone());
        for value in declared.attributes.values().chain(declared.tags.values()) {
            value.references(false, &mut next);
            value.references(true, &mut named);
        }
        let attributes = attributes.collect::<Option<Vec<_>>>()?;
        let tags = tags.collect::<Option<Vec<_>>>()?;
        let entity = Entity::new_with_tags(own.clone(), attributes, parents, tags).ok()?;
        Some((own, Self { entity, next, named }))
    }
}
