//! Mails.

use habeas_domain::{DueWorkId, MailId, RequestId};
use habeas_store::due_work::{self, DueWorkKind, NewDueWork};
use habeas_store::mails::{self, About, Mail};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::{Fixture, assert_same, sealed};

on_both_databases![
    a_mail_is_kept_as_it_stands,
    what_a_mail_said_is_forgotten_and_that_it_was_sent_is_not,
    what_waits_is_dropped_for_one_audience,
    a_problem_goes_when_the_mail_leaves,
    a_mail_may_be_about_a_connection,
];

fn mail(fixture: &Fixture, request: RequestId, audience: &str) -> Mail {
    Mail {
        id: MailId::new(fixture.environment.unique()),
        about: About::Request(request),
        kind: "download_ready".to_owned(),
        audience: audience.to_owned(),
        state: "queued".to_owned(),
        attempts: 0,
        content: sealed(b"to whom it may concern"),
        problem: None,
        created_at: fixture.now(),
        sent_at: None,
    }
}

async fn a_mail_is_kept_as_it_stands(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request_id();
    let (first, second) = (mail(&fixture, request, "subject"), mail(&fixture, request, "contact"));
    let failed = Mail {
        state: "failed".to_owned(),
        attempts: 3,
        problem: Some(("mail_refused".to_owned(), "refused".to_owned())),
        content: sealed(b"shorter"),
        ..first.clone()
    };
    let (all, saved) = ([first.clone(), second.clone()], failed.clone());
    keep!(fixture, |unit| {
        mails::insert(unit.connection(), &[]).await?;
        mails::insert(unit.connection(), &all).await?;
        mails::save(unit.connection(), [&saved]).await?;
        mails::note_sending(unit.connection(), [all[1].id]).await?;
        assert_eq!(mails::lock(unit.connection(), [all[0].id, all[1].id]).await?.len(), 2);
        Ok(())
    });
    let mut reader = fixture.reader().await;
    let found = mails::of_request(&mut reader, request).await.unwrap();
    let sending = Mail { state: "sending".to_owned(), ..second };
    let mut expected = [failed, sending];
    expected.sort_by_key(|mail| mail.id);
    assert_eq!(format!("{found:?}"), format!("{expected:?}"));
    assert_eq!(mails::count_failed(&mut reader, [request]).await.unwrap()[&request], 1);
    assert_eq!(mails::count_queued(&mut reader).await.unwrap(), 1);
    drop(reader);
    keep!(fixture, |unit| mails::drop_queued(unit.connection(), request, "contact").await);
    let found = mails::of_request(&mut fixture.reader().await, request).await.unwrap();
    assert!(found.iter().any(|mail| mail.state == "sending"), "it may have left");
}

async fn what_a_mail_said_is_forgotten_and_that_it_was_sent_is_not(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (request, other) = (fixture.request_id(), fixture.request_id());
    let sent =
        Mail { state: "sent".to_owned(), sent_at: Some(fixture.now()), ..mail(&fixture, request, "subject") };
    let all = [sent, mail(&fixture, request, "subject"), mail(&fixture, other, "subject")];
    let first = all[0].clone();
    let waiting = NewDueWork {
        id: DueWorkId::new(fixture.environment.unique()),
        kind: DueWorkKind::Mail,
        ..fixture.work("mails", &all[1].id.to_string(), 0)
    };
    let queued = all[1].id;
    keep!(fixture, |unit| {
        mails::insert(unit.connection(), &all).await?;
        mails::save(unit.connection(), [&first]).await?;
        due_work::insert(unit.connection(), &[waiting]).await?;
        mails::forget(unit.connection(), [About::Request(request)]).await
    });
    let mut reader = fixture.reader().await;
    let found = mails::of_request(&mut reader, request).await.unwrap();
    assert!(found.iter().all(|mail| mail.content.as_bytes().is_empty()));
    let mut states: Vec<_> = found.iter().map(|mail| mail.state.as_str()).collect();
    states.sort_unstable();
    assert_eq!(states, ["failed", "sent"]);
    assert!(due_work::next_of(&mut reader, queued).await.unwrap().is_none(), "it never leaves");
    let others = mails::of_request(&mut reader, other).await.unwrap();
    assert_eq!(others[0].content, sealed(b"to whom it may concern"));
}

async fn what_waits_is_dropped_for_one_audience(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (request, other) = (fixture.request_id(), fixture.request_id());
    let all = [
        mail(&fixture, request, "contact"),
        mail(&fixture, request, "subject"),
        mail(&fixture, other, "contact"),
    ];
    let [dropped, queued, anothers] = all.each_ref().map(|mail| mail.id);
    keep!(fixture, |unit| {
        mails::insert(unit.connection(), &all).await?;
        mails::note_sending(unit.connection(), []).await?;
        mails::save(unit.connection(), []).await?;
        mails::drop_queued(unit.connection(), request, "contact").await
    });
    let found = keep!(fixture, |unit| {
        assert!(mails::lock(unit.connection(), []).await?.is_empty());
        mails::lock(unit.connection(), [dropped, queued, anothers]).await
    });
    let state = |id| found.iter().find(|mail| mail.id == id).unwrap().state.as_str();
    assert_eq!([dropped, queued, anothers].map(state), ["dropped", "queued", "queued"]);
    let mut reader = fixture.reader().await;
    assert_eq!(mails::count_queued(&mut reader).await.unwrap(), 2);
    assert!(mails::count_failed(&mut reader, [request, other]).await.unwrap().is_empty());
    assert!(mails::count_failed(&mut reader, []).await.unwrap().is_empty());
}

async fn a_problem_goes_when_the_mail_leaves(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let request = fixture.request_id();
    let written = mail(&fixture, request, "subject");
    let refused = Mail {
        attempts: 1,
        problem: Some(("mail_refused".to_owned(), "a \"quoted\" word, and \u{e9}".to_owned())),
        content: sealed(&[0, 255, 39]),
        ..written.clone()
    };
    let sent =
        Mail { state: "sent".to_owned(), problem: None, sent_at: Some(fixture.later(60)), ..refused.clone() };
    keep!(fixture, |unit| mails::insert(unit.connection(), &[written]).await);
    for mail in [refused, sent] {
        let saved = mail.clone();
        keep!(fixture, |unit| mails::save(unit.connection(), [&saved]).await);
        let found = mails::of_request(&mut fixture.reader().await, request).await.unwrap();
        assert_same(&found, &std::slice::from_ref(&mail));
        assert_eq!(found[0].content, mail.content);
    }
}

async fn a_mail_may_be_about_a_connection(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let about = About::Connection(fixture.connection_id());
    let failing =
        Mail { about, kind: "connection_failing".to_owned(), ..mail(&fixture, fixture.request_id(), "team") };
    let (id, written_at) = (failing.id, failing.created_at);
    keep!(fixture, |unit| mails::insert(unit.connection(), &[failing]).await);
    let mut reader = fixture.reader().await;
    assert!(mails::was_written(&mut reader, about, "connection_failing", written_at).await.unwrap());
    let later = written_at + std::time::Duration::from_millis(1);
    assert!(!mails::was_written(&mut reader, about, "connection_failing", later).await.unwrap());
    assert!(!mails::was_written(&mut reader, about, "other", written_at).await.unwrap());
    drop(reader);
    keep!(fixture, |unit| mails::forget(unit.connection(), [about]).await);
    let mut reader = fixture.reader().await;
    assert_eq!(mails::forgotten(&mut reader, [id]).await.unwrap(), [id].into());
}
