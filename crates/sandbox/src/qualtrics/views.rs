//! Objects as the API shows them.

use serde_json::{Map, Value, json};

use super::fixtures::BRAND;
use super::knobs::HistoryTimes;
use super::state::{Contact, Directory, Mail, MailingList, Member, State, SurveyResponse, Ticket, User};
use super::times::{rfc3339, spaced};

pub(super) fn directory(directory: &Directory, count: bool) -> Value {
    json!({
        "directoryId": directory.id,
        "name": directory.name,
        // Without `includeCount` it is zero, not absent.
        "contactCount": if count { directory.contacts.len() } else { 0 },
        "isDefault": directory.is_default,
        "deduplicationCriteria":
            {"email": true, "firstName": false, "lastName": false, "externalDataReference": false, "phone": false},
    })
}

/// An element of a list of contacts.
pub(super) fn listed(contact: &Contact) -> Value {
    json!({
        "contactId": contact.id,
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "email": contact.email,
        "phone": contact.phone,
        "extRef": contact.ext_ref,
        "language": contact.language,
        "unsubscribed": contact.unsubscribed_ms.is_some(),
    })
}

/// An element of a search answer, whose fields are named otherwise.
pub(super) fn hit(state: &State, contact: &Contact, embedded: bool, segments: bool) -> Value {
    json!({
        "id": contact.id,
        "creationDate": rfc3339(contact.created_ms),
        "lastModified": rfc3339(contact.modified_ms),
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "email": contact.email,
        "phoneNumber": contact.phone,
        "externalDataReference": contact.ext_ref,
        "language": contact.language,
        "unsubscribed": contact.unsubscribed_ms.is_some(),
        "unsubscribeDate": contact.unsubscribed_ms.map(rfc3339),
        "stats": stats(state, contact),
        "embeddedData": embedded.then_some(&contact.embedded_data),
        // There are no segments here.
        "segmentMembership": segments.then(Map::new),
    })
}

/// One contact.
pub(super) fn contact(state: &State, contact: &Contact) -> Value {
    let email_domain = contact.email.as_deref().and_then(|email| email.trim().rsplit_once('@'));
    let lists = state.directory(&contact.directory).map(|home| home.lists.as_slice()).unwrap_or_default();
    let membership: Map<String, Value> = lists
        .iter()
        .filter_map(|list| {
            let member = list.members.get(&contact.number)?;
            let membership = json!({
                "contactLookupId": member.lookup,
                "name": list.name,
                "unsubscribed": member.unsubscribed,
                "unsubscribeDate": null,
                "ownerId": list.owner,
            });
            Some((list.id.clone(), membership))
        })
        .collect();
    json!({
        "contactId": contact.id,
        "creationDate": contact.created_ms,
        "lastModified": contact.modified_ms,
        "firstName": contact.first_name,
        "lastName": contact.last_name,
        "email": contact.email,
        "emailDomain": email_domain.map(|(_, domain)| domain),
        "phone": contact.phone,
        "extRef": contact.ext_ref,
        "embeddedData": contact.embedded_data,
        "language": contact.language,
        "skipped": null,
        "segmentMembership": {},
        "directoryUnsubscribed": contact.unsubscribed_ms.is_some(),
        "directoryUnsubscribeDate": contact.unsubscribed_ms,
        "stats": stats(state, contact),
        "mailingListMembership": membership,
    })
}

/// Counters, as strings.
fn stats(state: &State, contact: &Contact) -> Value {
    let responses = state.responses_of(contact.number).count();
    let last_response = state.responses_of(contact.number).last();
    let invites = contact.mails.iter().filter(|mail| mail.kind == "Invite");
    let last_invite = invites.clone().next_back();
    json!({
        "AvgTimeToRespond": null,
        "DataIntegrity": "0",
        "EmailCount": contact.mails.len().to_string(),
        "InviteCount": invites.count().to_string(),
        "LastEmailDate": contact.mails.last().map(|mail| rfc3339(mail.sent_ms)),
        "LastInviteDate": last_invite.map(|mail| rfc3339(mail.sent_ms)),
        "LastResponseDate": last_response.map(|response| rfc3339(response.completed_ms)),
        "MonthEmailCount": "0",
        "MonthInviteCount": "0",
        "Points": null,
        "ResponseCount": responses.to_string(),
        "ResponseRate": if responses > 0 { "1" } else { "0" },
    })
}

pub(super) fn mailing_list(list: &MailingList, count: bool) -> Value {
    json!({
        "mailingListId": list.id,
        "name": list.name,
        "ownerId": list.owner,
        "creationDate": list.created_ms,
        "lastModifiedDate": list.created_ms,
        "contactCount": if count { list.members.len() } else { 0 },
    })
}

/// An element of a list's contacts, or one of them in full.
pub(super) fn member(state: &State, whose: &Contact, member: &Member, whole: bool) -> Value {
    let mut view = if whole { contact(state, whose) } else { listed(whose) };
    view["mailingListUnsubscribed"] = member.unsubscribed.into();
    view["contactLookupId"] = member.lookup.clone().into();
    if whole {
        view["mailingListUnsubscribeDate"] = Value::Null;
        view["privateEmbeddedData"] = json!({});
    }
    view
}

fn time(ms: u64, times: HistoryTimes) -> String {
    match times {
        HistoryTimes::Spaced => spaced(ms),
        HistoryTimes::Rfc3339 => rfc3339(ms),
    }
}

/// A response in a contact's history. Own choice: it is the unfinished ones whose id may be `null`.
pub(super) fn past_response(response: &SurveyResponse, times: HistoryTimes) -> Value {
    json!({
        "responseId": response.finished.then_some(&response.id),
        "distributionId": response.distribution,
        "surveyId": response.survey,
        "dateStarted": time(response.started_ms, times),
        "dateCompleted": response.finished.then(|| time(response.completed_ms, times)),
        "surveyFinished": response.finished,
    })
}

/// A mail in a contact's history.
pub(super) fn past_mail(mail: &Mail, times: HistoryTimes) -> Value {
    json!({
        "distributionId": mail.distribution,
        "date": time(mail.sent_ms, times),
        "type": mail.kind,
        "result": "Success",
        "bounceInfo": null,
        "surveyId": mail.survey,
        "read": mail.read,
    })
}

pub(super) fn user(user: &User) -> Value {
    json!({
        "id": user.id,
        "divisionId": null,
        "username": user.username,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "userType": user.user_type,
        "email": user.email,
        "accountStatus": user.account_status,
    })
}

pub(super) fn whoami(user: &User, datacenter: &str) -> Value {
    json!({
        "brandId": BRAND,
        "userId": user.id,
        "userName": user.username,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "accountType": user.user_type,
        "language": "EN",
        "datacenter": datacenter,
    })
}

/// A response in a customer data file.
pub(super) fn response(response: &SurveyResponse) -> Value {
    json!({
        "responseId": response.id,
        "surveyId": response.survey,
        "distributionId": response.distribution,
        "recipientEmail": response.linked.as_ref().and_then(|link| link.email.as_deref()),
        "startDate": rfc3339(response.started_ms),
        "endDate": response.finished.then(|| rfc3339(response.completed_ms)),
        "finished": response.finished,
        "values": response.values,
    })
}

pub(super) fn ticket(ticket: &Ticket) -> Value {
    json!({
        "ticketId": ticket.id,
        "responseId": ticket.response,
        "subject": ticket.subject,
        "created": rfc3339(ticket.created_ms),
    })
}

/// Everything there is about people.
pub(super) fn snapshot(state: &State) -> Value {
    let whole = |home: &Directory| {
        let contacts = home.contacts.iter().filter_map(|number| state.contact(*number));
        let lists = home.lists.iter().map(|list| mailing_list(list, true));
        json!({
            "directory": directory(home, true),
            "contacts": contacts.map(|it| contact(state, it)).collect::<Vec<_>>(),
            "mailingLists": lists.collect::<Vec<_>>(),
        })
    };
    json!({
        "directories": state.directories.iter().map(whole).collect::<Vec<_>>(),
        "responses": state.responses.values().map(response).collect::<Vec<_>>(),
        "tickets": state.tickets.values().map(ticket).collect::<Vec<_>>(),
        "users": state.users.iter().map(user).collect::<Vec<_>>(),
    })
}
