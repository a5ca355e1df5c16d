//! Objects as the API shows them.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::state::{Address, Contact, Moment, Note, Order, Org, State};

/// Most fields are constant: the connector of a privacy tool has no use for billing details.
pub(super) fn org(org: &Org) -> Value {
    json!({
        "url": format!("/api/v2/orgs/{}/", org.key),
        "name": org.name,
        "avatar": null,
        "website": null,
        "fees_paid_by": "org",
        "app_seat_licenses": 1,
        "user_slots": 5,
        "payment_plan": {},
        "subscriptions": {},
        "billing_status": "active",
        "trial_expires_at": null,
        "deleted_at": org.deleted_at,
    })
}

#[derive(Debug, Serialize)]
pub(super) struct ContactView<'a> {
    url: String,
    first_name: &'a str,
    last_name: &'a str,
    is_company: bool,
    occupation: Option<&'a str>,
    description: Option<&'a str>,
    website: Option<&'a str>,
    profile_image: Option<&'a str>,
    custom_fields: &'a Map<String, Value>,
    notes: Vec<NoteView<'a>>,
    orders: String,
    source: Source,
    created_at: Moment,
    updated_at: Moment,
    addresses: Vec<AddressView<'a>>,
}

/// Own choice: a link, or with `expand=notes` an object; the reference shows only the empty list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum NoteView<'a> {
    Link(String),
    Whole { url: String, text: &'a str, created_at: Moment },
}

#[derive(Debug, Serialize)]
struct Source {
    retrieved_at: String,
}

#[derive(Debug, Serialize)]
pub(super) struct AddressView<'a> {
    url: String,
    #[serde(flatten)]
    address: &'a Address,
}

pub(super) fn contact<'a>(contact: &'a Contact, expand_notes: bool) -> ContactView<'a> {
    let url = contact_url(contact);
    let note = |note: &'a Note| {
        let url = format!("{url}notes/{}/", note.key);
        if expand_notes {
            NoteView::Whole { url, text: &note.text, created_at: note.created_at }
        } else {
            NoteView::Link(url)
        }
    };
    ContactView {
        first_name: &contact.first_name,
        last_name: &contact.last_name,
        is_company: contact.is_company,
        occupation: contact.occupation.as_deref(),
        description: contact.description.as_deref(),
        website: contact.website.as_deref(),
        profile_image: None,
        custom_fields: &contact.custom_fields,
        notes: contact.notes.iter().map(note).collect(),
        orders: format!("{url}orders/"),
        source: Source {
            retrieved_at: contact.created_at.timestamp().strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
        },
        created_at: contact.created_at,
        updated_at: contact.updated_at,
        addresses: contact.addresses.iter().map(|address| address_below(&url, address)).collect(),
        url,
    }
}

pub(super) fn address<'a>(contact: &Contact, address: &'a Address) -> AddressView<'a> {
    address_below(&contact_url(contact), address)
}

fn address_below<'a>(contact_url: &str, address: &'a Address) -> AddressView<'a> {
    AddressView { url: format!("{contact_url}addresses/{}/", address.key), address }
}

fn contact_url(contact: &Contact) -> String {
    format!("/api/v2/orgs/{}/contacts/{}/", contact.org, contact.key)
}

pub(super) fn order(order: &Order) -> Value {
    let money = format!("{}.{:02} USD", order.cents / 100, order.cents % 100);
    json!({
        "url": format!("/api/v2/orgs/{}/orders/{}/", order.org, order.key),
        "primary_id": order.number,
        "unique_id": order.number,
        "order_number": order.number,
        "customer_number": null,
        "ordered_at": order.ordered_at,
        "created_at": order.ordered_at,
        "updated_at": order.ordered_at,
        "notes": [],
        "billing": {"status": "paid", "subtotal": money, "tax": "0.00 USD", "total": money},
        "shipping": {
            "status": "shipped",
            "ship_to": {
                "first_name": order.ship_to.first_name,
                "last_name": order.ship_to.last_name,
                "company": order.ship_to.company,
                "email": order.ship_to.email,
                "phone": order.ship_to.phone,
                "address_1": order.ship_to.address_1,
                "address_2": order.ship_to.address_2,
                "city": order.ship_to.city,
                "region": order.ship_to.region,
                "post_code": order.ship_to.post_code,
                "country": order.ship_to.country,
            },
        },
        "boxes": [],
    })
}

/// Everything there is.
pub(super) fn snapshot(state: &State) -> Value {
    let whole = |one: &Org| {
        let contacts: Vec<_> =
            one.contacts.iter().filter_map(|id| state.contact(*id)).map(|it| contact(it, true)).collect();
        let orders: Vec<_> = one.orders.iter().filter_map(|id| state.order(*id)).map(order).collect();
        json!({"org": org(one), "contacts": contacts, "orders": orders})
    };
    json!({"orgs": state.orgs.iter().map(whole).collect::<Vec<_>>()})
}
