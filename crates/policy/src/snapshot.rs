//! One policy, immutable, and how a call is judged by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use callgate_core::seam::{Offer, Snapshot, Standing};
use callgate_core::{
    AgentId, Call, Changes, Code, CommandForm, CommandLine, DoorName, Evaluation, Facts, Offered, ProfileAsked, Reason,
    Satisfied, ServerName, SessionId, Subject, ToolName, WorkingDirectory,
};
use callgate_text::{Digest, Json};
use cedar_policy::{Authorizer, Context, Effect, Entities, EntityUid, Request};

use crate::built_in;
use crate::catalogue::{Action, Catalogue};
use crate::config::Config;
use crate::entities::{Declarations, Sort};
use crate::explain;
use crate::facts::FactPlan;
use crate::index::Index;
use crate::operations::{self, Operation};
use crate::policies::Policy;
use crate::population::{Agent, Population};
use crate::slice::{Found, Slice};
use crate::slots::Slots;
use crate::value::Ancestors;

/// A loaded gate directory.
#[derive(Debug)]
pub struct GateSnapshot {
    pub(crate) digest: Digest,
    pub(crate) config: Config,
    /// The text of `callgate.toml`, in which the sandbox finds its profiles.
    pub(crate) settings: Arc<str>,
    pub(crate) declarations: Declarations,
    pub(crate) facts: FactPlan,
    pub(crate) catalogue: Catalogue,
    pub(crate) policies: Vec<Policy>,
    pub(crate) index: Index,
    pub(crate) population: Population,
    pub(crate) ancestors: Ancestors,
    /// The text of `programs.toml`, which the shell guard reads.
    pub(crate) programs: Option<Arc<str>>,
    pub(crate) authorizer: Authorizer,
    pub(crate) slices: Slots<Slice>,
    pub(crate) stages: Slots<Stage>,
}

/// What can be prepared before an agent calls a tool.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) slice: Arc<((usize, usize), Slice)>,
    entities: Entities,
}

/// A call that is ready to be evaluated.
pub(crate) struct Prepared<'a> {
    pub(crate) agent: &'a Agent,
    pub(crate) action: &'a Action,
    pub(crate) stage: Arc<((usize, usize), Stage)>,
    pub(crate) request: Request,
    /// With the arguments' entities, if they have any.
    entities: Option<Entities>,
}

impl Prepared<'_> {
    pub(crate) fn entities(&self) -> &Entities {
        self.entities.as_ref().unwrap_or(&self.stage.1.entities)
    }

    pub(crate) fn slice(&self) -> &Slice {
        &self.stage.1.slice.1
    }
}

impl GateSnapshot {
    /// The settings of `callgate.toml`.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The text of `callgate.toml`, in which the sandbox finds its profiles.
    pub fn settings(&self) -> &Arc<str> {
        &self.settings
    }

    /// Whether the agent is declared, revoked or not.
    pub fn knows(&self, agent: &AgentId) -> bool {
        self.population.agent(agent).is_some()
    }

    /// All declared agents, sorted, each with whether it is revoked.
    pub fn agents(&self) -> Vec<(AgentId, bool)> {
        let mut agents: Vec<_> = self.population.agents().map(|agent| (agent.id.clone(), agent.revoked)).collect();
        agents.sort();
        agents
    }

    /// The agent that a process of this user is, in this host and this session, as `entities.toml` maps it. Host and
    /// session may be the process's own word: they never reach another user's agent.
    pub fn agent_at(&self, uid: u32, host: Option<&DoorName>, session: Option<&SessionId>) -> Option<&AgentId> {
        self.population.at_door(uid, host, session)
    }

    /// The blueprints of an agent, at any depth, sorted.
    pub fn blueprints(&self, agent: &AgentId) -> Vec<&str> {
        self.declarations.ancestors(Sort::Agent, agent.as_str()).into_iter().collect()
    }

    /// The users in a group, sorted; `None` if there is no such group.
    pub fn members(&self, group: &str) -> Option<Vec<&str>> {
        Some(self.declarations.members(group)?.into_iter().collect())
    }

    /// The tools that run contained, sorted, each with the name of its profile.
    pub fn contained(&self) -> impl Iterator<Item = (&ToolName, &str)> {
        self.catalogue.actions().iter().filter_map(|action| Some((&action.name, action.profile.as_deref()?)))
    }

    /// The pinned tools, sorted, with the definition that is pinned.
    pub fn tools(&self) -> Vec<(&ToolName, &Json)> {
        self.catalogue.pins.values().flat_map(|pin| &pin.tools).collect()
    }

    /// The pinned servers, sorted.
    pub fn servers(&self) -> Vec<&ServerName> {
        self.catalogue.pins.keys().collect()
    }

    /// The ids of all policies, in order of file and place.
    pub fn policies(&self) -> impl ExactSizeIterator<Item = &callgate_core::PolicyRef> {
        self.policies.iter().map(|policy| &policy.at)
    }

    /// What can be said before policies are asked.
    pub(crate) fn prepare(&self, call: &Call, facts: &Facts) -> Result<Prepared<'_>, Vec<Reason>> {
        let refuse = |code: Code, message: String| Err(vec![Reason::new(code, message)]);
        let Some(agent) = self.population.agent(call.agent()) else {
            return refuse(Code::UnknownAgent, format!("agent {} is not declared", call.agent()));
        };
        if agent.revoked {
            return refuse(Code::AgentRevoked, format!("agent {} is revoked", call.agent()));
        }
        let Some((place, action)) = self.catalogue.find(call.tool()) else {
            return refuse(Code::UnknownTool, format!("no pinned tool is called {}", call.tool()));
        };
        if let (Some(pinned), Some(offered)) = (&action.pinned, call.offered())
            && let Some((code, what)) = unlike_pinned(pinned, offered)
        {
            return refuse(code, format!("{what} {}", call.tool()));
        }
        let subject = action.subject();
        if let Some(missing) = facts.missing(self.facts.specs_of(subject)) {
            if subject == Subject::Changes {
                let message = format!("{} is what the gate itself asks when a contained run has ended", call.tool());
                return refuse(Code::InvalidArguments, message);
            }
            let message = format!("the declared fact {} was not established", missing.path);
            return refuse(Code::Internal, message);
        }
        let lifted = action.kind.lift_in(call.arguments(), call.cwd(), &self.ancestors)?;
        let internal = |what: &str| vec![Reason::new(Code::Internal, what)];
        let mut entities = BTreeMap::new();
        let placed = self.facts.context(facts, subject, &self.ancestors, &mut entities);
        let mut pairs = placed.map_err(|reason| vec![reason])?;
        entities.extend(lifted.entities.into_iter().map(|entity| (entity.uid(), entity)));
        pairs.push(("input".to_owned(), lifted.input));
        pairs.push(("common".to_owned(), lifted.common));
        let context = Context::from_pairs(pairs).map_err(|_| internal("the context cannot be built"))?;
        let (principal, resource) = (agent.uid.clone(), action.server.clone());
        // Cedar's own message would repeat the whole context, facts included.
        let request = Request::new(principal, action.uid.clone(), resource, context, Some(&self.catalogue.schema))
            .map_err(|_| vec![Reason::new(Code::InvalidArguments, "the call does not fit the tool's schema")])?;
        let stage = self.stage(agent, place, action);
        let entities = match entities.is_empty() {
            true => None,
            false => {
                // An argument may be a value that a policy names, too; then it is inside at least as much.
                let all = stage.1.entities.clone().upsert_entities(entities.into_values(), None);
                Some(all.map_err(|_| internal("the arguments name an entity twice"))?)
            }
        };
        Ok(Prepared { agent, action, stage, request, entities })
    }

    /// The slice and the entities for an agent and an action.
    pub(crate) fn stage(&self, agent: &Agent, place: usize, action: &Action) -> Arc<((usize, usize), Stage)> {
        self.stages.get((agent.place, place), || {
            let slice = self.slice(agent, place, action);
            let entities = slice.1.stage(self, &agent.uid, action);
            Stage { slice, entities }
        })
    }

    pub(crate) fn slice(&self, agent: &Agent, place: usize, action: &Action) -> Arc<((usize, usize), Slice)> {
        self.slices.get((agent.class, place), || match self.population.class(agent.class) {
            Some(class) => Slice::new(self, class, action),
            None => Slice::of(Vec::new(), &self.policies),
        })
    }

    /// What the policies of the slice say.
    pub(crate) fn find(&self, prepared: &Prepared<'_>) -> Found {
        let (request, entities) = (&prepared.request, prepared.entities());
        prepared.slice().evaluate(&self.authorizer, &self.policies, request, entities)
    }

    /// What follows for `judge`.
    pub(crate) fn conclude(&self, prepared: &Prepared<'_>, found: &Found) -> Evaluation {
        let satisfied = |places: &[usize]| places.iter().filter_map(|place| self.satisfied(*place)).collect::<Vec<_>>();
        let (permits, forbids) = (satisfied(&found.permits), satisfied(&found.forbids));
        let errors: Vec<_> = found
            .errors
            .iter()
            .map(|(place, error)| {
                let policy = self.policies.get(*place).map(|policy| policy.at.clone());
                let unknown = || callgate_core::PolicyRef { id: "?".into(), at: "?".into() };
                (policy.unwrap_or_else(unknown), explain::tidied(error))
            })
            .collect();
        let closed = !errors.is_empty() || forbids.iter().any(|forbid| forbid.approval.is_none());
        if closed || !permits.is_empty() {
            return Evaluation::Evaluated { permits, forbids, errors, nearest: None };
        }
        let mut in_scope = self.permits_in(prepared.slice()).peekable();
        if in_scope.peek().is_none() {
            let (tool, agent) = (&prepared.action.name, &prepared.agent.id);
            let message = format!("tool not permitted: no policy permits {tool} to agent {agent}");
            return Evaluation::Refused(vec![Reason::new(Code::NotPermitted, message)]);
        }
        let nearest = explain::nearest(in_scope, &prepared.request, prepared.entities());
        Evaluation::Evaluated { permits, forbids, errors, nearest }
    }

    pub(crate) fn permits_in<'a>(&'a self, slice: &'a Slice) -> impl Iterator<Item = &'a Policy> {
        let policies = slice.places.iter().filter_map(|place| self.policies.get(*place));
        policies.filter(|policy| policy.parsed.effect == Effect::Permit)
    }

    fn satisfied(&self, place: usize) -> Option<Satisfied> {
        let policy = self.policies.get(place)?;
        let annotations = &policy.parsed.annotations;
        Some(Satisfied {
            policy: policy.at.clone(),
            code: annotations.code,
            message: annotations.message.clone(),
            approval: annotations.approval.clone(),
            disclose: annotations.disclose,
        })
    }

    /// Whether a policy may name this entity: it is declared, or of a type whose entities need no declaration.
    pub(crate) fn may_name(&self, uid: &EntityUid) -> bool {
        let kind = uid.type_name().to_string();
        match kind.as_str() {
            "Action" => self.catalogue.declares(uid.id().unescaped()),
            "Server" => self.catalogue.has_server(uid.id().unescaped()),
            _ if Sort::ALL.iter().any(|sort| sort.type_name() == kind) => self.population.knows(uid),
            _ => true,
        }
    }
}

impl Snapshot for GateSnapshot {
    fn digest(&self) -> Digest {
        self.digest
    }

    fn evaluate(&self, call: &Call, facts: &Facts) -> Evaluation {
        match self.prepare(call, facts) {
            Err(reasons) => Evaluation::Refused(reasons),
            Ok(prepared) => self.conclude(&prepared, &self.find(&prepared)),
        }
    }

    fn commands(&self, call: &Call) -> Vec<CommandLine> {
        let Some((_, action)) = self.catalogue.find(call.tool()) else { return Vec::new() };
        let forms = action.kind.commands(call.arguments());
        // What is run contained starts in its workspace.
        let own = (action.operation == Some(Operation::Run)).then(|| operations::workspace(call.arguments())).flatten();
        let (shell, home) = built_in::shell(&action.name, &self.config);
        let line = |(form, cwd): (CommandForm, Option<&str>)| CommandLine {
            form,
            // A session does not stay where it began.
            cwd: own.or(call.cwd().map(WorkingDirectory::as_str)).or(cwd).map(Arc::from),
            home: home.map(Arc::from),
            shell,
            programs: self.programs.clone(),
        };
        forms.into_iter().map(line).collect()
    }

    fn profile(&self, call: &Call) -> Option<ProfileAsked> {
        let (_, action) = self.catalogue.find(call.tool())?;
        let name = match action.operation {
            Some(Operation::Run) => Arc::from(operations::profile(call.arguments())?),
            Some(Operation::Commit) => return None,
            None => Arc::clone(action.profile.as_ref()?),
        };
        Some(ProfileAsked { name, settings: Arc::clone(&self.settings) })
    }

    fn tell_apart(&self, call: &Call, changes: &Changes) -> Changes {
        operations::tell_apart(&self.ancestors, call, changes)
    }

    fn trace(&self, call: &Call, facts: &Facts) -> Json {
        crate::trace::trace(self, call, facts)
    }

    fn standing(&self, agent: &AgentId, server: &ServerName, offers: &[Offer]) -> Vec<Standing> {
        crate::standing::standing(self, agent, server, offers)
    }
}

/// What keeps the server's offer from being the pinned tool, as a sentence that the tool's name ends.
fn unlike_pinned(pinned: &Digest, offered: Offered) -> Option<(Code, &'static str)> {
    match offered {
        Offered::Definition(definition) if definition == *pinned => None,
        Offered::Definition(_) => {
            Some((Code::ToolChanged, "the server now has another definition than the pinned one of"))
        }
        Offered::Nothing => Some((Code::ToolChanged, "the server no longer offers")),
        Offered::Unsettled => Some((Code::ToolChanged, "the server has more than one definition of")),
        Offered::Unlisted => Some((Code::ServerUnavailable, "the server could not be asked whether it still offers")),
    }
}
