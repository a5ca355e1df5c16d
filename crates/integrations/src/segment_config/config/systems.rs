//! Sources, their destinations and the catalogue, as the Config API shows them. There is no list of all destinations: one
//! call (or more) per source. Write keys and configuration values hold secrets and are not even read.

use std::collections::{BTreeMap, HashSet};

use http::Method;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::super::api::PATIENCE;
use super::super::detection::{Entry, Role, Seen};
use super::super::errors::{self, Asked};
use super::super::lenient::{LONGEST_PLACE, nullable};
use super::api::ConfigApi;
use crate::client::Call;
use crate::error::VendorError;

/// Entries asked for per page; the vendor's own script asks for as many.
const PAGE: u32 = 100;
/// Most pages of one list.
const MOST_PAGES: usize = 50;

/// One page of one of these lists: only the list's own key is there.
#[derive(Deserialize)]
struct Page {
    #[serde(default, deserialize_with = "present")]
    sources: Option<Vec<Listed>>,
    #[serde(default, deserialize_with = "present")]
    destinations: Option<Vec<Listed>>,
    #[serde(default, deserialize_with = "nullable")]
    next_page_token: String,
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

/// A list that is there, whatever it holds: an empty one may be null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Listed>>, D::Error> {
    nullable(deserializer).map(Some)
}

impl Page {
    /// The entries; `None` if it is no list. An empty list may be left out, but then nothing else stands in its place.
    fn entries(self) -> Option<Vec<Listed>> {
        let nothing_else = self.others.is_empty().then(Vec::new);
        self.sources.or(self.destinations).or(nothing_else)
    }
}

#[derive(Deserialize)]
struct Listed {
    /// `workspaces/acme-shop/sources/web-prod`, `catalog/destinations/amplitude`.
    #[serde(default, deserialize_with = "nullable")]
    name: String,
    /// `catalog/sources/javascript`.
    #[serde(default, deserialize_with = "nullable")]
    catalog_name: String,
    #[serde(default, deserialize_with = "nullable")]
    display_name: String,
    #[serde(default, deserialize_with = "nullable")]
    website: String,
    #[serde(default)]
    enabled: Option<bool>,
    /// A list, or `{primary, secondary, additional}`.
    #[serde(default)]
    categories: Value,
}

impl Listed {
    /// The last part of the name: a slug may hold dots, never a slash.
    fn slug(&self) -> Option<&str> {
        last(&self.name)
    }

    fn entry(&self) -> Entry {
        Entry {
            name: self.display_name.clone(),
            website: self.website.clone(),
            categories: categories(&self.categories),
        }
    }
}

fn last(name: &str) -> Option<&str> {
    name.rsplit('/').next().filter(|slug| !matches!(*slug, "" | "." | ".."))
}

fn categories(value: &Value) -> Vec<String> {
    let texts: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(parts) => parts
            .values()
            .flat_map(|part| match part {
                Value::Array(list) => list.iter().collect::<Vec<_>>(),
                one => vec![one],
            })
            .collect(),
        _ => Vec::new(),
    };
    texts.into_iter().filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// Everything that is connected.
pub(super) async fn read(api: &ConfigApi) -> Result<Vec<Seen>, VendorError> {
    let catalogue = |what: &'static str| move || api.root(Method::GET).path(["catalog", what]);
    let sources_catalogue = by_slug(&list(api, catalogue("sources")).await?);
    let destinations_catalogue = by_slug(&list(api, catalogue("destinations")).await?);
    let mut seen = Vec::new();
    for source in list(api, || api.call(Method::GET).path(["sources"])).await? {
        let Some(own) = source.slug().map(str::to_owned) else { continue };
        let slug = last(&source.catalog_name).unwrap_or_default().to_owned();
        seen.push(Seen {
            role: Role::Source,
            entry: sources_catalogue.get(&slug).cloned(),
            slug,
            name: own.clone(),
            source: None,
            is_enabled: source.enabled,
        });
        let behind = || api.call(Method::GET).path(["sources", own.as_str(), "destinations"]);
        for destination in list(api, behind).await? {
            let Some(slug) = destination.slug().map(str::to_owned) else { continue };
            seen.push(Seen {
                role: Role::Destination,
                entry: destinations_catalogue.get(&slug).cloned(),
                name: if destination.display_name.is_empty() {
                    slug.clone()
                } else {
                    destination.display_name.clone()
                },
                slug,
                source: Some(own.clone()),
                is_enabled: destination.enabled,
            });
        }
    }
    Ok(seen)
}

fn by_slug(listed: &[Listed]) -> BTreeMap<String, Entry> {
    listed.iter().filter_map(|one| Some((one.slug()?.to_owned(), one.entry()))).collect()
}

async fn list(api: &ConfigApi, call: impl Fn() -> Call) -> Result<Vec<Listed>, VendorError> {
    let mut all = Vec::new();
    let mut place = String::new();
    let mut places = HashSet::new();
    for _ in 0..MOST_PAGES {
        let mut next = call().query("page_size", PAGE).patient(PATIENCE);
        if !place.is_empty() {
            next = next.query("page_token", &place);
        }
        let mut page: Page = api.granted(next, Asked::Systems).await?;
        place = std::mem::take(&mut page.next_page_token);
        all.extend(page.entries().ok_or_else(errors::not_a_list)?);
        if place.is_empty() {
            return Ok(all);
        }
        if place.len() > LONGEST_PLACE || !places.insert(place.clone()) {
            return Err(errors::endless_list());
        }
    }
    Err(errors::endless_list())
}
