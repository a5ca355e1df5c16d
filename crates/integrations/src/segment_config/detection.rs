//! Which systems are connected to a workspace.
//!
//! Segment names one vendor in many ways (`braze`, `actions-braze-cloud`, `actions-braze-web`), and a vendor's source and
//! destination differ in spelling (`active-campaign`, `activecampaign`). What is left after taking the variants off is one
//! system, and so is what leads to the same web site.

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use crate::connector::{Confidence, DetectedSystem, Detection, Evidence, Residual, SystemKind, harmless};

/// Categories of sources that are the company's own programs; every other source is somebody else's system.
const OWN_APPLICATIONS: [&str; 4] = ["Website", "Mobile", "Server", "Ott"];
/// The category of sources that read from a warehouse.
const WAREHOUSE: &str = "Warehouse";
/// Variants of one vendor's destination, at the end of its slug.
const VARIANTS: [&str; 4] = ["-cloud", "-web", "-mobile", "-cohorts"];
/// The same in names.
const VARIANT_WORDS: [&str; 4] = ["(Actions)", "(Legacy)", "Cloud Mode", "Web Mode"];

/// As what something is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    Source,
    Destination,
    Warehouse,
}

impl Role {
    const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Warehouse => "warehouse",
        }
    }
}

/// Something that is connected, as one of Segment's APIs shows it. Write keys and configuration are not read at all.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) role: Role,
    /// The slug of its kind in Segment's catalogue (`amplitude`, `javascript`).
    pub(super) slug: String,
    /// How it is called in the workspace.
    pub(super) name: String,
    /// What the catalogue says; `None` if it does not know the slug.
    pub(super) entry: Option<Entry>,
    /// Behind which source.
    pub(super) source: Option<String>,
    pub(super) is_enabled: Option<bool>,
}

impl Seen {
    fn place(&self) -> (Role, &str, &str, Option<&str>) {
        (self.role, &self.slug, &self.name, self.source.as_deref())
    }
}

/// What Segment's catalogue says of a kind of system.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) website: String,
    pub(super) categories: Vec<String>,
}

/// The systems behind everything that was seen.
pub(super) fn systems(mut seen: Vec<Seen>, warehouses_are_seen: bool) -> Detection {
    // The two APIs list the same things in different orders, and a system is told by the first that says something.
    seen.sort_by(|one, other| one.place().cmp(&other.place()));
    let mut groups: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    for one in seen {
        groups.entry(key(&one)).or_default().push(one);
    }
    let mut by_site: BTreeMap<String, String> = BTreeMap::new();
    let mut merged: BTreeMap<String, Vec<Seen>> = BTreeMap::new();
    for (key, group) in groups {
        let site = group.iter().find_map(|one| site(one.entry.as_ref()?));
        let key = match site {
            Some(site) => by_site.entry(site).or_insert(key).clone(),
            None => key,
        };
        merged.entry(key).or_default().extend(group);
    }
    let mut systems: Vec<DetectedSystem> =
        merged.into_iter().map(|(key, group)| system(key, &group)).collect();
    systems.sort_by_key(|one| one.name.to_lowercase());
    let unseen = if warehouses_are_seen { Vec::new() } else { vec![warehouses()] };
    Detection { systems, unseen }
}

fn warehouses() -> Residual {
    Residual {
        what: "warehouses".to_owned(),
        why: "the Config API does not show which warehouses are connected; look in Segment (Connections, Storage), or \
              connect with a token of the Public API"
            .to_owned(),
    }
}

/// What several sightings of one system have in common. An application of the company's own is told apart by its own name.
fn key(seen: &Seen) -> String {
    if kind(seen) == SystemKind::OwnApplication {
        return format!("source/{}", seen.name);
    }
    let mut slug = seen.slug.trim().to_ascii_lowercase();
    if let Some(rest) = slug.strip_prefix("actions-") {
        slug = rest.to_owned();
    }
    if let Some(rest) = VARIANTS.iter().find_map(|variant| slug.strip_suffix(variant)) {
        slug = rest.to_owned();
    }
    let plain: String = slug.chars().filter(|character| character.is_alphanumeric()).collect();
    let plain = if plain.is_empty() { "unknown".to_owned() } else { plain };
    // A warehouse and a destination of one name are two systems.
    if kind(seen) == SystemKind::Warehouse { format!("warehouse/{plain}") } else { plain }
}

fn kind(seen: &Seen) -> SystemKind {
    let is_of = |wanted: &[&str]| {
        let categories = seen.entry.iter().flat_map(|entry| &entry.categories);
        categories.into_iter().any(|category| wanted.iter().any(|one| category.eq_ignore_ascii_case(one)))
    };
    match seen.role {
        Role::Warehouse => SystemKind::Warehouse,
        Role::Source if is_of(&[WAREHOUSE]) => SystemKind::Warehouse,
        Role::Source if is_of(&OWN_APPLICATIONS) => SystemKind::OwnApplication,
        Role::Source | Role::Destination => SystemKind::Service,
    }
}

/// The host of the vendor's web site, without `www.`.
fn site(entry: &Entry) -> Option<String> {
    let url = Url::parse(entry.website.trim()).ok()?;
    let host = url.host_str()?.to_ascii_lowercase();
    Some(host.strip_prefix("www.").map_or(host.clone(), str::to_owned))
}

fn system(key: String, group: &[Seen]) -> DetectedSystem {
    let entries = || group.iter().filter_map(|one| one.entry.as_ref());
    let entry = entries().next();
    let kind = group.iter().map(kind).min().unwrap_or(SystemKind::Service);
    let is_on = group.iter().any(|one| one.is_enabled != Some(false));
    let confidence = match entry {
        None => Confidence::Low,
        Some(_) if is_on => Confidence::High,
        Some(_) => Confidence::Medium,
    };
    let own_name = group.iter().find_map(|one| harmless(&one.name));
    let catalogued = entry.map(|entry| without_variant(&entry.name));
    let catalogued = catalogued.as_deref().and_then(harmless);
    let name = match kind {
        SystemKind::OwnApplication => match (own_name, catalogued) {
            (Some(own), Some(made_with)) => format!("{own} ({made_with})"),
            (own, made_with) => {
                own.or(made_with).unwrap_or("an application without a usable name").to_owned()
            }
        },
        _ => {
            let slug = group.iter().find_map(|one| harmless(&one.slug));
            catalogued.or(slug).or(own_name).unwrap_or("a system without a usable name").to_owned()
        }
    };
    let evidence: BTreeSet<Evidence> = group
        .iter()
        .map(|one| Evidence {
            role: one.role.word(),
            name: harmless(&one.name).unwrap_or("without a usable name").to_owned(),
            source: one.source.as_deref().and_then(harmless).map(str::to_owned),
            is_enabled: one.is_enabled,
        })
        .collect();
    let categories: BTreeSet<String> = entries()
        .flat_map(|entry| &entry.categories)
        .filter_map(|category| harmless(category))
        .map(str::to_owned)
        .collect();
    DetectedSystem {
        key,
        name,
        kind,
        // Sources have none.
        website: entries().find_map(site).map(|host| format!("https://{host}")),
        categories: categories.into_iter().collect(),
        confidence,
        evidence: evidence.into_iter().collect(),
    }
}

fn without_variant(name: &str) -> String {
    let plain = VARIANT_WORDS.iter().fold(name.to_owned(), |name, word| name.replace(word, ""));
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}
