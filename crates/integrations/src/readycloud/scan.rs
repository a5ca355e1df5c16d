//! One pass over all contacts of all organisations, page by page.
//!
//! **Why pages cannot simply follow each other.** The list is addressed by offset. If a contact before the
//! reading position is deleted between two pages (by ourselves, or by anybody), everything behind it moves
//! up by one and the next page begins one contact too late: that contact would never be seen, and a
//! person's data would be called absent.
//!
//! **What is done about it.** The next page is asked for one or two contacts early, so it must begin with
//! contacts that were seen last (the cursor keeps fingerprints of a few of them, not their keys). If none
//! of them is on the page, the list has moved: the page is thrown away and the reading position goes back,
//! by as many contacts as `count` has shrunk and at least [`STEP_BACK`], twice as far each time, until a
//! contact that was seen turns up or the beginning is reached. Contacts may so be reported twice; none that
//! exists during the whole pass is missed, as long as the vendor keeps the order of those it already
//! listed. Where pages hold a single contact nothing can overlap, and a shrunken `count` alone sends the
//! position back.
//!
//! Every step asks the vendor for one page, so a pass makes progress even if the limit lets only one call
//! through at a time.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use habeas_domain::IdentifierType;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::api::{self, Api, Contact, Page};
use super::check;
use super::connector::RecordId;
use super::errors::{self, Asked};
use super::manifest::ORDER_SCOPE;
use crate::client::Reply;
use crate::connector::{Cursor, FoundRecord, Match, Residual, ScanPage, Subject};
use crate::error::VendorError;

/// How many of the last contacts are remembered: all of them would have to be deleted at once for the pass
/// to begin anew.
const REMEMBERED: usize = 16;
/// How far the position goes back at first when the list has moved further than the overlap shows.
const STEP_BACK: u64 = 10;
/// How often a list may be read over again because it moves, before the vendor is not believed any more.
const MOST_READINGS: u64 = 4;
/// Pages that are always allowed, for short lists.
const FREE_PAGES: u64 = 40;
/// How many contacts' orders are asked for in one step; the lease is renewed between steps.
const ORDERS_PER_STEP: usize = 10;
/// How long the first call for orders of a step waits for leave: the step would otherwise be lost and come
/// to the same point again.
const ORDERS_PATIENCE: Duration = Duration::from_secs(15);

/// Where a pass stands. Stored in clear: organisations, numbers and fingerprints, nothing about a person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Organisations that are not finished, the one being read first.
    pub(super) organisations: Vec<String>,
    /// The first contact of it that has not been seen.
    #[serde(default)]
    pub(super) offset: u64,
    /// How far before it the next page begins because the list moved.
    #[serde(default)]
    pub(super) back: u64,
    /// Fingerprints of the contacts seen last.
    #[serde(default)]
    pub(super) seen: Vec<u64>,
    /// How many contacts there were when it was last asked.
    #[serde(default)]
    pub(super) count: Option<u64>,
    /// How many there were at most: what the number of pages is judged by.
    #[serde(default)]
    pub(super) largest: u64,
    /// Pages asked for in this organisation.
    #[serde(default)]
    pub(super) pages: u64,
    /// Whether orders can be read; unknown until the first matching contact.
    #[serde(default)]
    pub(super) orders_readable: Option<bool>,
}

impl Position {
    fn read(cursor: &Cursor) -> Result<Self, VendorError> {
        serde_json::from_value::<Self>(cursor.0.clone())
            .ok()
            .filter(|position| position.organisations.iter().all(|key| api::is_key(key)))
            .ok_or_else(errors::cursor_not_understood)
    }

    fn write(&self) -> Result<Cursor, VendorError> {
        serde_json::to_value(self).map(Cursor).map_err(|_| errors::cursor_not_understood())
    }

    /// Where the next page begins.
    fn start(&self) -> u64 {
        // Two on a full page: a single deletion then leaves one of them in sight, and nothing is read
        // again.
        let overlap = if self.seen.is_empty() { 0 } else { (self.seen.len() as u64 / 8).max(1) };
        self.offset.saturating_sub(overlap.saturating_add(self.back))
    }

    /// Whether contacts may have slipped past between the last page and this one.
    fn has_lost_its_place(&self, page: &Page<Contact>) -> bool {
        if self.start() == 0 {
            return false;
        }
        if self.seen.is_empty() {
            return shrunk(self.count, page.count()) > 0;
        }
        !page.results.iter().any(|contact| self.seen.contains(&contact.fingerprint()))
    }

    /// The same place, further back.
    fn stepped_back(mut self, count: Option<u64>) -> Self {
        let farther = if self.back == 0 { STEP_BACK } else { self.back.saturating_mul(2) };
        self.back = farther.max(shrunk(self.count, count));
        self.count = count;
        self.pages += 1;
        self
    }

    /// The place behind `contacts`, of which the last one is followed by `offset`.
    fn advanced(mut self, offset: u64, count: Option<u64>, contacts: &[Contact], page_len: usize) -> Self {
        self.offset = offset;
        self.back = 0;
        self.count = count;
        // On a page of one contact an overlap would be all there is, and the pass would stand still.
        let remembered =
            if page_len > 1 { &contacts[contacts.len().saturating_sub(REMEMBERED)..] } else { &[] };
        self.seen = remembered.iter().map(Contact::fingerprint).collect();
        self
    }

    /// The beginning of the next organisation, or nothing if this was the last one.
    fn next_organisation(mut self) -> Option<Self> {
        self.organisations.remove(0);
        (!self.organisations.is_empty()).then(|| Self {
            organisations: self.organisations,
            orders_readable: self.orders_readable,
            ..Self::default()
        })
    }
}

fn shrunk(before: Option<u64>, now: Option<u64>) -> u64 {
    before.zip(now).map_or(0, |(before, now)| before.saturating_sub(now))
}

/// One step of the pass: the list of organisations, or one page of contacts.
pub(super) async fn page(
    api: &Api,
    cursor: Option<&Cursor>,
    subjects: &[Subject],
) -> Result<ScanPage, VendorError> {
    let Some(cursor) = cursor else {
        let reply = api.organisations().await?;
        let organisations = api::granted(reply, |answer| errors::refused(answer, Asked::Organisations))?;
        let position = Position { organisations: check::usable(&organisations)?, ..Position::default() };
        return Ok(ScanPage { next: Some(position.write()?), ..ScanPage::default() });
    };
    let mut position = Position::read(cursor)?;
    let Some(organisation) = position.organisations.first().cloned() else { return Ok(ScanPage::default()) };

    let start = position.start();
    let reply = api.contacts(&organisation, start).await?;
    let page = api::granted(reply, |answer| errors::refused(answer, Asked::Contacts))?;
    position.largest = position.largest.max(page.count().unwrap_or_default());
    let next_offset = next_offset(api, &organisation, &position, start, &page)?;

    if position.has_lost_its_place(&page) {
        let position = position.stepped_back(page.count());
        return Ok(ScanPage { next: Some(position.write()?), ..ScanPage::default() });
    }

    // Where this step counts as having got on: a failure at or before it is the caller's to see.
    let floor = if position.back == 0 { position.offset } else { start };
    let mut reader =
        Reader { api, organisation: &organisation, orders_readable: position.orders_readable, asked: 0 };
    let mut found = ScanPage::default();
    let mut residuals = BTreeSet::new();
    let by_email = by_email(subjects);
    let mut stopped_at = None;
    for (index, contact) in page.results.iter().enumerate() {
        let place = start.saturating_add(u64::try_from(index).unwrap_or(u64::MAX));
        if position.seen.contains(&contact.fingerprint()) {
            continue;
        }
        let owners = owners(contact, &by_email)?;
        if owners.is_empty() {
            continue;
        }
        let got_on = place > floor;
        match reader.records(contact, got_on).await {
            Ok(Step::Read { records, residual }) => {
                residuals.extend(residual);
                for subject in owners {
                    found.matches.extend(records.iter().cloned().map(|record| Match { subject, record }));
                }
            }
            Err(error) if !got_on => return Err(error),
            // What was read before this contact is kept, and the next step begins with it: a failure shows
            // again there.
            Ok(Step::Enough) | Err(_) => {
                stopped_at = Some((index, place));
                break;
            }
        }
    }
    position.orders_readable = reader.orders_readable;
    found.residuals = residuals.into_iter().collect();

    // A page that is read in several steps counts once.
    position.pages += u64::from(stopped_at.is_none());
    let (count, length) = (page.count(), page.results.len());
    let next = match (stopped_at, next_offset) {
        (Some((index, place)), _) => Some(position.advanced(place, count, &page.results[..index], length)),
        (None, Some(offset)) => Some(position.advanced(offset, count, &page.results, length)),
        (None, None) => position.next_organisation(),
    };
    found.next = next.map(|position| position.write()).transpose()?;
    Ok(found)
}

/// Where the page after `page` begins, if there is one and it can be believed.
fn next_offset(
    api: &Api,
    organisation: &str,
    position: &Position,
    start: u64,
    page: &Page<Contact>,
) -> Result<Option<u64>, VendorError> {
    let Some(next) = page.next() else { return Ok(None) };
    let offset = api.next_offset(organisation, next)?;
    let step = offset.saturating_sub(start);
    let count = page.count().unwrap_or(offset);
    let justified =
        (position.largest.max(count) / step.max(1)).saturating_mul(MOST_READINGS).saturating_add(FREE_PAGES);
    let is_endless = step == 0 || page.results.is_empty() || offset > count || position.pages > justified;
    if is_endless { Err(errors::endless_list()) } else { Ok(Some(offset)) }
}

/// Subjects by each of their e-mail addresses, in the form in which they are compared.
fn by_email(subjects: &[Subject]) -> HashMap<String, Vec<usize>> {
    let mut index: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, subject) in subjects.iter().enumerate() {
        for email in subject.values(IdentifierType::Email) {
            index.entry(IdentifierType::Email.comparable(email)).or_default().push(at);
        }
    }
    index
}

/// Whose contact it is: several subjects may share an address, and a contact has several addresses.
fn owners(contact: &Contact, by_email: &HashMap<String, Vec<usize>>) -> Result<BTreeSet<usize>, VendorError> {
    if !contact.is_expanded() {
        return Err(errors::addresses_not_expanded());
    }
    Ok(contact.emails().filter_map(|email| by_email.get(&email)).flatten().copied().collect())
}

/// Reads what belongs to matching contacts.
struct Reader<'a> {
    api: &'a Api,
    organisation: &'a str,
    orders_readable: Option<bool>,
    asked: usize,
}

enum Step {
    Read {
        records: Vec<FoundRecord>,
        residual: Option<Residual>,
    },
    /// Enough was asked in one step; the contact was not read.
    Enough,
}

impl Reader<'_> {
    async fn records(&mut self, contact: &Contact, got_on: bool) -> Result<Step, VendorError> {
        let key = match contact.keys() {
            Some((organisation, key)) if organisation == self.organisation => key,
            // One that belongs to nobody who asked is not worth stopping for; this one must be found again.
            _ => return Err(errors::contact_not_understood()),
        };
        let mut records = vec![FoundRecord {
            kind: "contact".to_owned(),
            vendor_id: RecordId::of_contact(self.organisation, key),
            title: contact.title(),
            person: contact.person(),
            fields: contact.0.clone(),
            file: None,
        }];
        if self.orders_readable == Some(false) {
            return Ok(Step::Read { records, residual: None });
        }
        if self.asked == ORDERS_PER_STEP {
            return Ok(Step::Enough);
        }
        self.asked += 1;
        let patience = if got_on { Duration::ZERO } else { ORDERS_PATIENCE };
        let residual = match self.api.orders(self.organisation, key, patience).await? {
            Reply::Value(orders) => {
                self.orders_readable = Some(true);
                for order in orders.items {
                    let order_key = order.key().ok_or_else(errors::order_not_understood)?;
                    records.push(FoundRecord {
                        kind: "order".to_owned(),
                        vendor_id: RecordId::of_order(self.organisation, order_key),
                        title: order.title(),
                        // The name of whoever it is shipped to, which need not be the subject.
                        person: None,
                        fields: order.0,
                        file: None,
                    });
                }
                (!orders.is_complete).then(not_all)
            }
            Reply::Refused(answer) => match answer.status {
                StatusCode::FORBIDDEN => {
                    self.orders_readable = Some(false);
                    Some(not_readable())
                }
                StatusCode::NOT_FOUND => Some(not_there()),
                _ => return Err(errors::refused(&answer, Asked::Orders)),
            },
        };
        Ok(Step::Read { records, residual })
    }
}

fn not_readable() -> Residual {
    Residual {
        what: "orders".to_owned(),
        why: format!(
            "orders are not readable with this grant (scope `{ORDER_SCOPE}` is missing); look the person's orders up in \
             ReadyCloud by hand"
        ),
    }
}

fn not_all() -> Residual {
    Residual {
        what: "further orders of a contact".to_owned(),
        why:
            "a contact has more orders than are read of one contact; look the others up in ReadyCloud by hand"
                .to_owned(),
    }
}

fn not_there() -> Residual {
    Residual {
        what: "orders of a contact".to_owned(),
        why: "ReadyCloud said that there are none to read (HTTP 404), for example because the contact was deleted \
              meanwhile; look them up in ReadyCloud by hand"
            .to_owned(),
    }
}
