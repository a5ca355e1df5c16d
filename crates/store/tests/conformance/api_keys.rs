//! API keys.

use std::collections::BTreeSet;

use habeas_domain::{ApiKeyId, Role};
use habeas_store::api_keys::{self, ApiKey};
use habeas_testing::{TestDatabase, on_both_databases};

use crate::common::{Fixture, assert_same};

on_both_databases![keys_are_found_by_fingerprint, keys_are_revoked_once, a_fingerprint_belongs_to_one_key];

fn key(fixture: &Fixture, name: &str) -> ApiKey {
    fixture.clock.advance(std::time::Duration::from_millis(1));
    ApiKey {
        id: ApiKeyId::new(fixture.environment.unique()),
        name: name.to_owned(),
        roles: BTreeSet::from([Role::SuperAdmin, Role::RequestAdmin]),
        created_at: fixture.now(),
        created_by: "local-operator".to_owned(),
        revoked_at: None,
    }
}

async fn keys_are_found_by_fingerprint(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (first, second) = (key(&fixture, "first"), key(&fixture, "second"));
    let rows = [first.clone(), second.clone()];
    keep!(fixture, |unit| {
        api_keys::insert(unit.connection(), &rows[0], vec![0, 1]).await?;
        api_keys::insert(unit.connection(), &rows[1], vec![255]).await
    });
    let mut reader = fixture.reader().await;
    assert_same(&api_keys::list(&mut reader).await.unwrap(), &[first, second.clone()]);
    let found = api_keys::find(&mut reader, &[vec![7], vec![255]]).await.unwrap().unwrap();
    assert_same(&found, &second);
    assert!(api_keys::find(&mut reader, &[vec![0]]).await.unwrap().is_none());
    assert!(api_keys::find(&mut reader, &[]).await.unwrap().is_none());
}

async fn keys_are_revoked_once(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let one = key(&fixture, "one");
    let (id, missing) = (one.id, key(&fixture, "missing").id);
    keep!(fixture, |unit| api_keys::insert(unit.connection(), &one, vec![1]).await);
    let (first, second) = (fixture.later(1), fixture.later(2));
    let answers = keep!(fixture, |unit| {
        let connection = unit.connection();
        Ok((
            api_keys::revoke(connection, id, first).await?,
            api_keys::revoke(connection, id, second).await?,
            api_keys::revoke(connection, missing, first).await?,
        ))
    });
    assert_eq!(answers, (Some(true), Some(false), None));
    let found = api_keys::find(&mut fixture.reader().await, &[vec![1]]).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(first), "the first time counts");
}

async fn a_fingerprint_belongs_to_one_key(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let (first, second) = (key(&fixture, "first"), key(&fixture, "second"));
    keep!(fixture, |unit| api_keys::insert(unit.connection(), &first, vec![1]).await);
    let outcome = attempt!(fixture, |unit| api_keys::insert(unit.connection(), &second, vec![1]).await);
    assert!(outcome.is_err());
    assert_eq!(api_keys::list(&mut fixture.reader().await).await.unwrap().len(), 1);
}
