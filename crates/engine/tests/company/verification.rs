//! Whoever asks proves that it is them, through a link that only they get.

use std::time::Duration;

use habeas_casework::CaseworkError;
use habeas_domain::{Actor, Outcome, RequestId, RequestState, Right, Role};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::support::{ANA, Company, Setup, asking, operator};

on_both_databases![
    confirming_starts_the_work_once,
    one_answer_for_whatever_is_wrong_with_a_link,
    a_reminder_has_a_link_of_its_own,
    whoever_is_late_may_still_confirm_until_the_answer_is_due,
    a_person_may_make_sure_in_another_way,
    a_link_of_what_was_taken_back_shows_nothing,
    an_address_that_is_known_needs_no_link,
];

const HOUR: Duration = Duration::from_secs(3_600);

async fn company(database: TestDatabase) -> Company {
    Company::with(database, Setup { verification: true, ..Setup::USUAL }).await
}

/// An agent, who does not vouch for addresses, takes a request in.
async fn ask(company: &Company, right: Right) -> RequestId {
    let agent = Actor::with_roles("key_agent", [Role::RequestAgent]);
    let new = habeas_casework::intake::NewRequest { review: None, ..asking(right, ANA, true) };
    let id = company.casework.create_request(&agent, new, None).await.unwrap();
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Verifying);
    assert_eq!(company.all_calls(), 0, "nothing is asked before");
    id
}

fn token(company: &Company) -> String {
    company.outside.mailbox.token(ANA, "verify")
}

async fn is_unusable(company: &Company, token: &str) -> bool {
    let page = company.casework.verification_page(token).await;
    let act = company.casework.confirm_identity(token).await;
    matches!(page, Err(CaseworkError::LinkUnusable)) && matches!(act, Err(CaseworkError::LinkUnusable))
}

async fn confirming_starts_the_work_once(database: TestDatabase) {
    let company = company(database).await;
    let id = ask(&company, Right::Access).await;
    let token = token(&company);
    let before = company.dump().await;
    let page = company.casework.verification_page(&token).await.unwrap();
    assert_eq!(page.right, Right::Access);
    assert_eq!(company.dump().await, before, "looking changes nothing");
    company.casework.confirm_identity(&token).await.unwrap();
    company.work().await;
    assert_eq!(company.state(id).await, RequestState::Review);
    let details = company.request(id).await.details.unwrap();
    assert!(details.identifiers.iter().all(|one| one.verified));
    assert!(is_unusable(&company, &token).await, "used up");
    assert!(company.audit_is_whole().await);
}

async fn one_answer_for_whatever_is_wrong_with_a_link(database: TestDatabase) {
    let company = company(database).await;
    ask(&company, Right::Access).await;
    let token = token(&company);
    for wrong in
        ["", "x", "../../etc", "' OR 1=1 --", &token[1..], &format!("{token}A"), &token.to_uppercase()]
    {
        assert!(is_unusable(&company, wrong).await, "{wrong}");
    }
    // A link is nothing to the pages of another purpose.
    assert!(matches!(company.casework.contact_page(&token).await, Err(CaseworkError::LinkUnusable)));
    assert!(matches!(company.casework.download_page(&token, None).await, Err(CaseworkError::LinkUnusable)));
    company.time.advance_days(7);
    assert!(is_unusable(&company, &token).await, "its time is over");
}

async fn a_reminder_has_a_link_of_its_own(database: TestDatabase) {
    let company = company(database).await;
    let id = ask(&company, Right::Access).await;
    let first = token(&company);
    company.time.advance(25 * HOUR);
    company.work().await;
    let second = token(&company);
    assert_ne!(first, second);
    company.time.advance(50 * HOUR);
    company.work().await;
    assert_eq!(token(&company), second, "reminded once");
    company.casework.confirm_identity(&first).await.unwrap();
    assert!(is_unusable(&company, &second).await, "one act uses up both");
    assert_ne!(company.state(id).await, RequestState::Verifying);
}

async fn whoever_is_late_may_still_confirm_until_the_answer_is_due(database: TestDatabase) {
    let company = company(database).await;
    for right in [Right::Access, Right::Deletion] {
        let id = ask(&company, right).await;
        let early = token(&company);
        company.time.advance_days(1);
        company.work().await;
        company.time.advance_days(6);
        company.work().await;
        assert_eq!(company.outcome(id).await, Some(Outcome::Unverified));
        assert!(is_unusable(&company, &early).await);
        let late = token(&company);
        company.casework.confirm_identity(&late).await.unwrap();
        company.work().await;
        let request = company.request(id).await.request;
        assert_eq!((request.state, request.outcome, request.closed_at), (RequestState::Review, None, None));
        assert_eq!(company.records(id).await.len(), 2, "{right}");
        company.casework.withdraw(&operator(), id).await.unwrap();
        company.sandbox.calls().reset();
    }
    ask(&company, Right::Access).await;
    company.time.advance_days(1);
    company.work().await;
    company.time.advance_days(6);
    company.work().await;
    let late = token(&company);
    company.time.advance_days(30);
    assert!(is_unusable(&company, &late).await, "the answer would have been due");
}

async fn a_person_may_make_sure_in_another_way(database: TestDatabase) {
    let company = company(database).await;
    let id = ask(&company, Right::Access).await;
    let token = token(&company);
    let by_hand = async |note: &str| company.casework.verify_request(&operator(), id, note.to_owned()).await;
    assert!(matches!(by_hand("  ").await, Err(CaseworkError::Validation(_))));
    by_hand("saw the passport").await.unwrap();
    assert!(matches!(by_hand("again").await, Err(CaseworkError::IllegalMove(_))), "it cannot be taken back");
    assert!(is_unusable(&company, &token).await);
    let details = company.request(id).await.details.unwrap();
    assert_eq!(details.verification_note.as_deref(), Some("saw the passport"));
    assert!(company.history(id).await.contains(&"request.verified_by_hand".to_owned()));
}

async fn a_link_of_what_was_taken_back_shows_nothing(database: TestDatabase) {
    let company = company(database).await;
    let id = ask(&company, Right::Access).await;
    let token = token(&company);
    company.casework.withdraw(&operator(), id).await.unwrap();
    assert!(is_unusable(&company, &token).await);
    company.time.advance_days(8);
    let before = company.outside.mailbox.received().len();
    company.work().await;
    assert_eq!(company.outside.mailbox.received().len(), before, "nobody is reminded of it");
}

async fn an_address_that_is_known_needs_no_link(database: TestDatabase) {
    let company = company(database).await;
    let mut known = asking(Right::Deletion, ANA, false);
    known.identifiers[0].verified = Some(true);
    let id = company.casework.create_request(&operator(), known, None).await.unwrap();
    company.work().await;
    assert_eq!(company.outcome(id).await, Some(Outcome::Erased));
    let mails = company.casework.mails(&operator(), id).await.unwrap();
    assert_eq!(mails.iter().map(|one| one.mail.kind.as_str()).collect::<Vec<_>>(), ["erased"]);
}
