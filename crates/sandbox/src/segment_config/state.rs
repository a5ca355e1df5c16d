//! Everything the vendor holds. Nothing here knows how an API shows it, so that more than one can.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::account::{Api, Source, Token, Workspace};
use super::catalogue;
use super::ids;
use super::knobs::{Knobs, QuotaCounts, Unsupported};
use super::regulation::{
    Attribute, FAILED, NOT_SUPPORTED, Part, Regulation, RegulationType, SEGMENT, Step, Stream,
};
use super::specs::{DestinationOutcome, RegulationPlan, RegulationRecord, SpecRefused};
use crate::random::Random;
use crate::sliding_window::SlidingWindows;

const DAY_MS: u64 = 86_400_000;

#[derive(Debug)]
pub(super) struct State {
    pub(super) workspaces: Vec<Workspace>,
    pub(super) tokens: HashMap<String, Token>,
    /// Own choice: by token; calls with a bad token do not count.
    pub(super) limits: SlidingWindows<String>,
    pub(super) knobs: Knobs,
    pub(super) random: Random,
    /// In the order of their creation.
    regulations: Vec<Regulation>,
    regulation_positions: HashMap<String, usize>,
    /// Positions of regulations that are not done yet.
    open: Vec<usize>,
    /// What the next regulations are to do, one each.
    pub(super) plans: VecDeque<RegulationPlan>,
    /// How often each user id was accepted in a regulation that deletes.
    acceptances: BTreeMap<String, u64>,
    last_created_us: i64,
}

/// A regulation somebody asks for; the workspace and the source exist.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) workspace: String,
    pub(super) source: Option<String>,
    pub(super) kind: RegulationType,
    pub(super) attribute: Attribute,
    pub(super) values: Vec<String>,
    pub(super) collection: Option<String>,
}

impl State {
    pub(super) fn new(random: Random) -> Self {
        Self {
            workspaces: Vec::new(),
            tokens: HashMap::new(),
            limits: SlidingWindows::default(),
            knobs: Knobs::default(),
            random,
            regulations: Vec::new(),
            regulation_positions: HashMap::new(),
            open: Vec::new(),
            plans: VecDeque::new(),
            acceptances: BTreeMap::new(),
            last_created_us: 0,
        }
    }

    pub(super) fn workspace(&self, slug: &str) -> Option<&Workspace> {
        self.workspaces.iter().find(|workspace| workspace.slug == slug)
    }

    pub(super) fn workspace_mut(&mut self, slug: &str) -> Option<&mut Workspace> {
        self.workspaces.iter_mut().find(|workspace| workspace.slug == slug)
    }

    /// A token, if it opens this API.
    pub(super) fn token(&self, token: &str, api: Api) -> Option<&Token> {
        self.tokens.get(token).filter(|found| found.api == api)
    }

    /// Carries out what has become due, in the order in which it did.
    pub(super) fn settle(&mut self, now_ms: u64) {
        let due = |position: &usize| {
            let regulation = &self.regulations[*position];
            regulation.due(now_ms).map(move |(due_ms, step)| (due_ms, *position, step)).collect::<Vec<_>>()
        };
        let mut steps: Vec<_> = self.open.iter().flat_map(due).collect();
        if steps.is_empty() {
            return;
        }
        steps.sort_unstable();
        for (_, position, step) in steps {
            match step {
                Step::Start => self.start(position),
                Step::Erase => self.erase(position),
            }
        }
        let regulations = &self.regulations;
        self.open.retain(|position| regulations[*position].is_open());
    }

    /// Own choice: suppression is in force, or lifted, from the moment a regulation is `running`.
    fn start(&mut self, position: usize) {
        let regulation = &mut self.regulations[position];
        regulation.started = true;
        let Some(workspace) = self.workspaces.iter_mut().find(|it| it.slug == regulation.workspace) else {
            return;
        };
        if regulation.attribute != Attribute::UserId {
            return;
        }
        let source = regulation.source.as_deref();
        let mut refused = false;
        for value in &regulation.values {
            if regulation.kind.suppresses() {
                workspace.suppressions.add(source, value);
            } else if regulation.kind == RegulationType::Unsuppress {
                refused |= !workspace.suppressions.lift(source, value);
            }
        }
        if refused {
            for part in regulation.streams.iter_mut().filter_map(Stream::segment_mut) {
                part.outcome = DestinationOutcome {
                    status: FAILED.to_owned(),
                    err_string: "suppressed for the whole workspace".to_owned(),
                };
            }
        }
    }

    fn erase(&mut self, position: usize) {
        let regulation = &mut self.regulations[position];
        let sources = regulation.erase();
        let Some(workspace) = self.workspaces.iter_mut().find(|it| it.slug == regulation.workspace) else {
            return;
        };
        if regulation.attribute != Attribute::UserId {
            return;
        }
        for source in &sources {
            for value in &regulation.values {
                workspace.people.erase(value, source);
            }
        }
    }

    /// Takes a regulation in and answers its id; `None` when the quota of this month does not allow for it.
    /// Repeats are taken in as often as they come (own choice).
    pub(super) fn regulate(&mut self, wanted: Wanted, now_ms: u64) -> Option<String> {
        let knobs = self.knobs;
        let workspace = self.workspaces.iter_mut().find(|it| it.slug == wanted.workspace)?;
        let mut unique: Vec<_> = wanted.values.iter().collect();
        unique.sort_unstable();
        unique.dedup();
        let limit = knobs.monthly_quota(wanted.kind.family());
        let amount = match knobs.quota_counts {
            QuotaCounts::Users => unique.len() as u64,
            QuotaCounts::Regulations => 1,
        };
        if !workspace.quota.take(wanted.kind.family(), amount, limit, now_ms) {
            return None;
        }
        if wanted.kind.deletes() && wanted.attribute == Attribute::UserId {
            for value in unique {
                *self.acceptances.entry(value.clone()).or_default() += 1;
            }
        }
        let sources = workspace.sources.iter();
        let streams = sources
            .filter(|source| wanted.source.as_ref().is_none_or(|slug| *slug == source.slug))
            .map(|source| stream(source, &wanted, &knobs))
            .collect();
        let now_us = i64::try_from(now_ms).unwrap_or(i64::MAX).saturating_mul(1000);
        self.last_created_us = now_us.max(self.last_created_us + 1);
        let mut regulation = Regulation {
            id: ids::ksuid(&mut self.random, now_ms),
            workspace: wanted.workspace,
            source: wanted.source,
            kind: wanted.kind,
            attribute: wanted.attribute,
            values: wanted.values,
            collection: wanted.collection,
            created_us: self.last_created_us,
            initialized_ms: knobs.initialized_seconds.saturating_mul(1000),
            running_ms: knobs.running_seconds.saturating_mul(1000),
            streams,
            final_status: None,
            shown_status: None,
            deleted: false,
            started: false,
        };
        if let Some(plan) = self.plans.pop_front() {
            regulation.follow(&plan);
        }
        let (id, position) = (regulation.id.clone(), self.regulations.len());
        self.regulations.push(regulation);
        self.regulation_positions.insert(id.clone(), position);
        self.open.push(position);
        Some(id)
    }

    /// The regulations a workspace still knows about, newest first.
    pub(super) fn regulations_of(&self, workspace: &str, now_ms: u64) -> impl Iterator<Item = &Regulation> {
        let of_workspace = self.regulations.iter().rev().filter(move |it| it.workspace == workspace);
        of_workspace.filter(move |it| self.remembers(it, now_ms))
    }

    /// A regulation the workspace still knows about.
    pub(super) fn regulation_of(&self, workspace: &str, id: &str, now_ms: u64) -> Option<&Regulation> {
        let regulation = self.regulations.get(*self.regulation_positions.get(id)?)?;
        (regulation.workspace == workspace && self.remembers(regulation, now_ms)).then_some(regulation)
    }

    fn remembers(&self, regulation: &Regulation, now_ms: u64) -> bool {
        let kept = self.knobs.remembered_days.map(|days| days.saturating_mul(DAY_MS));
        let age = now_ms.saturating_sub(regulation.created_ms());
        !regulation.deleted && kept.is_none_or(|kept| age < kept)
    }

    pub(super) fn delete_regulation(&mut self, id: &str) {
        if let Some(regulation) = self.regulation_mut(id) {
            regulation.deleted = true;
        }
    }

    fn regulation_mut(&mut self, id: &str) -> Option<&mut Regulation> {
        self.regulations.get_mut(*self.regulation_positions.get(id)?)
    }

    pub(super) fn check_plan(&self, plan: &RegulationPlan) -> Result<(), SpecRefused> {
        let sources = || self.workspaces.iter().flat_map(|workspace| &workspace.sources);
        let exists = |key: &str| {
            let (source, slug) = key.split_once('/').map_or((None, key), |(a, b)| (Some(a), b));
            sources()
                .filter(|it| source.is_none_or(|source| source == it.slug))
                .any(|it| slug == SEGMENT || it.destination(slug).is_some())
        };
        match plan.destinations.keys().find(|key| !exists(key)) {
            Some(key) => Err(SpecRefused::UnknownDestination(key.clone())),
            None => Ok(()),
        }
    }

    /// Changes how a regulation goes on.
    pub(super) fn amend(&mut self, id: &str, plan: &RegulationPlan) -> Result<(), SpecRefused> {
        self.check_plan(plan)?;
        let regulation =
            self.regulation_mut(id).ok_or_else(|| SpecRefused::UnknownRegulation(id.to_owned()))?;
        regulation.follow(plan);
        Ok(())
    }

    pub(super) fn acceptances(&self) -> &BTreeMap<String, u64> {
        &self.acceptances
    }

    /// Everything that was ever accepted, oldest first.
    pub(super) fn records(&self, now_ms: u64) -> Vec<RegulationRecord> {
        self.regulations.iter().map(|regulation| record(regulation, now_ms)).collect()
    }

    pub(super) fn record(&self, id: &str, now_ms: u64) -> Option<RegulationRecord> {
        let regulation = self.regulations.get(*self.regulation_positions.get(id)?)?;
        Some(record(regulation, now_ms))
    }
}

/// One source's part of a regulation, as it goes unless a plan says otherwise.
///
/// Own choice: destinations have a part only where the type is forwarded to them, they are enabled, and the
/// values are people.
fn stream(source: &Source, wanted: &Wanted, knobs: &Knobs) -> Stream {
    let mut parts = vec![Part::segment()];
    let is_forwarded = wanted.kind.is_forwarded() && wanted.attribute == Attribute::UserId;
    for destination in source.destinations.iter().filter(|it| it.enabled && is_forwarded) {
        let takes = catalogue::find_destination(&destination.slug).is_none_or(|entry| entry.takes_deletions);
        let outcome = match (takes, knobs.unsupported_destinations) {
            (true, _) => DestinationOutcome::finished(),
            (false, Unsupported::LeftOut) => continue,
            (false, mode) => DestinationOutcome {
                status: if mode == Unsupported::Failed { FAILED } else { NOT_SUPPORTED }.to_owned(),
                err_string: "this destination does not support deletion".to_owned(),
            },
        };
        let (slug, name) = (destination.slug.clone(), destination.display_name.clone());
        parts.push(Part { slug, name, outcome });
    }
    Stream {
        source: source.slug.clone(),
        source_id: source.id.clone(),
        parts,
        erased: !wanted.kind.deletes(),
    }
}

fn record(regulation: &Regulation, now_ms: u64) -> RegulationRecord {
    let report = regulation.report(now_ms);
    let parts = report.streams.into_iter().flat_map(|stream| {
        stream.parts.into_iter().map(move |part| (format!("{}/{}", stream.source, part.slug), part.status))
    });
    RegulationRecord {
        id: regulation.id.clone(),
        workspace: regulation.workspace.clone(),
        source: regulation.source.clone(),
        kind: regulation.kind,
        attribute: regulation.attribute,
        values: regulation.values.clone(),
        collection: regulation.collection.clone(),
        status: report.status,
        created_ms: regulation.created_ms(),
        finished_ms: report.finished_ms,
        destinations: parts.collect(),
        deleted: regulation.deleted,
    }
}
