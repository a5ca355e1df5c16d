//! Sources, destinations and warehouses, as the Public API shows them: whole lists, with what the catalogue says inside.

use std::collections::{HashMap, HashSet};

use http::Method;
use serde::de::DeserializeOwned;

use super::super::api::PATIENCE;
use super::super::detection::{Entry, Role, Seen};
use super::super::errors::{self, Asked};
use super::api::PublicApi;
use super::wire::{Connected, DestinationsData, Metadata, Pagination, SourcesData, WarehousesData};
use crate::error::VendorError;

/// Entries asked for per page: what every version of the API gives.
const PAGE: u32 = 200;
/// Most pages of one list.
const MOST_PAGES: usize = 50;

/// Everything that is connected.
pub(super) async fn read(api: &PublicApi) -> Result<Vec<Seen>, VendorError> {
    let sources = list(api, "sources", |data: SourcesData| (data.sources, data.pagination)).await?;
    let names: HashMap<String, String> = sources
        .iter()
        .map(|source| (source.id.clone(), first([&source.slug, &source.name, &source.id])))
        .collect();
    let destinations =
        list(api, "destinations", |data: DestinationsData| (data.destinations, data.pagination)).await?;
    let warehouses =
        list(api, "warehouses", |data: WarehousesData| (data.warehouses, data.pagination)).await?;
    let sources = sources.into_iter().map(|one| (Role::Source, one, None));
    let destinations = destinations.into_iter().map(|one| {
        let source = names.get(&one.source_id).cloned();
        (Role::Destination, one, source)
    });
    let warehouses = warehouses.into_iter().map(|one| (Role::Warehouse, one, None));
    Ok(sources
        .chain(destinations)
        .chain(warehouses)
        .map(|(role, one, source)| seen(role, one, source))
        .collect())
}

fn seen(role: Role, one: Connected, source: Option<String>) -> Seen {
    let own = if role == Role::Source { &one.slug } else { &one.name };
    Seen {
        role,
        name: first([own, &one.name, &one.metadata.name, &one.metadata.slug]),
        slug: one.metadata.slug.clone(),
        is_enabled: one.enabled,
        entry: entry(one.metadata),
        source,
    }
}

fn entry(metadata: Metadata) -> Option<Entry> {
    let is_known = !metadata.name.is_empty();
    is_known.then_some(Entry {
        name: metadata.name,
        website: metadata.website,
        categories: metadata.categories,
    })
}

fn first<const N: usize>(texts: [&String; N]) -> String {
    texts.into_iter().find(|text| !text.is_empty()).cloned().unwrap_or_default()
}

async fn list<T: DeserializeOwned>(
    api: &PublicApi,
    what: &str,
    parts: impl Fn(T) -> (Vec<Connected>, Pagination),
) -> Result<Vec<Connected>, VendorError> {
    let mut all = Vec::new();
    let mut place: Option<String> = None;
    let mut places = HashSet::new();
    for _ in 0..MOST_PAGES {
        let mut call = api.call(Method::GET).path([what]).query("pagination.count", PAGE).patient(PATIENCE);
        if let Some(place) = &place {
            call = call.query("pagination.cursor", place);
        }
        let (items, pagination) = parts(api.granted(call, Asked::Systems).await?);
        all.extend(items);
        place = pagination.place().map_err(|()| errors::not_a_list())?;
        match &place {
            None => return Ok(all),
            Some(place) if !places.insert(place.clone()) => return Err(errors::endless_list()),
            Some(_) => {}
        }
    }
    Err(errors::endless_list())
}
