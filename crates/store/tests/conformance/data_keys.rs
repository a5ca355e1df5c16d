//! Data keys, and that nothing sealed can be read without them.

use habeas_domain::IdentifierType;
use habeas_store::connections::StoredConnection;
use habeas_store::data_keys::{self, NewDataKeys};
use habeas_store::records::Record;
use habeas_store::requests::Request;
use habeas_store::{KeyPurpose, Keyring, Place, Sealed, StoreError, connections, records, requests};
use habeas_testing::{TestDatabase, keyring, master_key, on_both_databases};

use crate::common::Fixture;

on_both_databases![
    keys_are_found_by_owner_and_purpose,
    destroying_the_content_key_leaves_the_case_readable,
    destroying_the_case_key_leaves_the_content_readable,
    keys_survive_a_rotation,
    a_key_moved_to_another_owner_does_not_open,
    a_dump_shows_nothing_that_was_sealed,
];

/// Unlike anything a database writes by itself.
const EMAIL: &str = "ana.zwetschgenknoedel@example.test";
const CONTENT: &str = "Xylophongasse 17, Quitzdorf";
const SECRET: &str = "token-9f1b77d0c3-secret";

struct Sealing {
    request: Request,
    record: Record,
    connection: StoredConnection,
}

const fn details_of(row: &str) -> Place<'_> {
    Place { column: "requests.details", row }
}

const fn content_of(row: &str) -> Place<'_> {
    Place { column: "records.content", row }
}

/// A request, a record and a connection, sealed as the product seals them.
async fn sealed_rows(fixture: &Fixture) -> Sealing {
    let environment = fixture.environment.clone();
    let mut keys = NewDataKeys::default();
    let mut make = |owner: &str, purpose| keys.make(&keyring(), &environment, owner, purpose).unwrap();
    let mut request = fixture.request();
    let mut record = fixture.record(&fixture.run(request.id, fixture.connection_id()), "contact");
    let mut connection = fixture.stored_connection("crm");
    let owner = request.id.to_string();
    let (case, content) = (make(&owner, KeyPurpose::Case), make(&owner, KeyPurpose::Content));
    let settings = make(&connection.id.to_string(), KeyPurpose::Settings);
    request.details = case.seal(&environment, details_of(&owner), EMAIL.as_bytes()).unwrap();
    let row = record.id.to_string();
    record.content = content.seal(&environment, content_of(&row), CONTENT.as_bytes()).unwrap();
    record.vendor_key = content.fingerprint("contact-4711");
    let place = Place { column: "connections.settings", row: &connection.id.to_string() };
    connection.settings = Some(settings.seal(&environment, place, SECRET.as_bytes()).unwrap());
    let lookup = keyring().lookup(IdentifierType::Email, EMAIL);
    let (stored, found, stored_connection) = (request.clone(), record.clone(), connection.clone());
    keep!(fixture, |unit| {
        let connection = unit.connection();
        keys.store(connection).await?;
        let filed = [(stored.id, IdentifierType::Email, lookup)];
        requests::insert_identifiers(connection, filed).await?;
        requests::insert(connection, &[stored]).await?;
        records::insert(connection, &[found]).await?;
        connections::save(connection, &stored_connection).await
    });
    Sealing { request, record, connection }
}

async fn open_details(fixture: &Fixture, request: &Request, keyring: &Keyring) -> Result<String, StoreError> {
    let mut reader = fixture.reader().await;
    let owner = request.id.to_string();
    let key = data_keys::load_one(&mut reader, keyring, &owner, KeyPurpose::Case).await?;
    let stored = requests::find(&mut reader, request.id).await?.unwrap();
    Ok(String::from_utf8(key.open(details_of(&owner), &stored.details)?.to_vec()).unwrap())
}

async fn open_content(fixture: &Fixture, record: &Record, keyring: &Keyring) -> Result<String, StoreError> {
    let mut reader = fixture.reader().await;
    let key = data_keys::load_one(&mut reader, keyring, record.request, KeyPurpose::Content).await?;
    let stored = records::of_request(&mut reader, record.request, None, 1).await?.remove(0);
    let plain = key.open(content_of(&record.id.to_string()), &stored.content)?;
    Ok(String::from_utf8(plain.to_vec()).unwrap())
}

async fn keys_are_found_by_owner_and_purpose(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let Sealing { request, connection, .. } = sealed_rows(&fixture).await;
    let mut reader = fixture.reader().await;
    let owners = [request.id.to_string(), connection.id.to_string(), "nobody".to_owned()];
    let found = data_keys::load(&mut reader, &keyring(), &owners, KeyPurpose::Case).await.unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), [&owners[0]]);
    let found = data_keys::load(&mut reader, &keyring(), &owners, KeyPurpose::Settings).await.unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), [&owners[1]]);
    let missing = data_keys::load_one(&mut reader, &keyring(), "nobody", KeyPurpose::Case).await;
    assert!(matches!(missing, Err(StoreError::Forgotten(_))));
    let place = Place { column: "connections.settings", row: &owners[1] };
    let secret = found[&owners[1]].open(place, connection.settings.as_ref().unwrap()).unwrap();
    assert_eq!(secret.as_slice(), SECRET.as_bytes());
    keep!(fixture, |unit| NewDataKeys::default().store(unit.connection()).await);
}

async fn destroying_the_content_key_leaves_the_case_readable(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let Sealing { request, record, .. } = sealed_rows(&fixture).await;
    let id = request.id;
    let destroyed =
        keep!(fixture, |unit| data_keys::destroy(unit.connection(), [id], KeyPurpose::Content).await);
    assert_eq!(destroyed, 1);
    let content = open_content(&fixture, &record, &keyring()).await;
    assert!(matches!(content, Err(StoreError::Forgotten(_))));
    assert_eq!(open_details(&fixture, &request, &keyring()).await.unwrap(), EMAIL);
    let again = keep!(fixture, |unit| data_keys::destroy(unit.connection(), [id], KeyPurpose::Content).await);
    assert_eq!(again, 0);
}

async fn destroying_the_case_key_leaves_the_content_readable(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let Sealing { request, record, .. } = sealed_rows(&fixture).await;
    let id = request.id;
    keep!(fixture, |unit| data_keys::destroy(unit.connection(), [id], KeyPurpose::Case).await);
    let details = open_details(&fixture, &request, &keyring()).await;
    assert!(matches!(details, Err(StoreError::Forgotten(_))));
    assert_eq!(open_content(&fixture, &record, &keyring()).await.unwrap(), CONTENT);
}

async fn keys_survive_a_rotation(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let Sealing { request, record, .. } = sealed_rows(&fixture).await;
    let rotated = || Keyring::new(&master_key(2), &[master_key(1)]).unwrap();
    let Fixture { database, store, clock, environment } = fixture;
    store.close().await;
    let store = database.open_with(&environment, rotated()).await;
    let fixture = Fixture { database, store, clock, environment };
    assert!(fixture.store.ready().await.is_ok());
    assert_eq!(open_details(&fixture, &request, &rotated()).await.unwrap(), EMAIL);
    assert_eq!(open_content(&fixture, &record, &rotated()).await.unwrap(), CONTENT);
    let lookups = rotated().lookups(IdentifierType::Email, EMAIL);
    let filter = requests::Filter { lookups: Some(lookups), ..Default::default() };
    let found = requests::list(&mut fixture.reader().await, &filter, 10).await.unwrap();
    assert_eq!(found.len(), 1, "filed under the old key, found with the new one");
    let stranger = Keyring::new(&master_key(2), &[]).unwrap();
    let unknown = open_details(&fixture, &request, &stranger).await;
    assert!(matches!(unknown, Err(StoreError::MasterKeyUnknown { .. })));
}

async fn a_key_moved_to_another_owner_does_not_open(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let Sealing { request, .. } = sealed_rows(&fixture).await;
    let thief = fixture.request_id();
    let moved = format!("UPDATE data_keys SET owner = '{thief}' WHERE owner = '{}'", request.id);
    fixture.database.raw().await.run(moved).await;
    let mut reader = fixture.reader().await;
    let opened = data_keys::load_one(&mut reader, &keyring(), thief, KeyPurpose::Case).await;
    assert!(matches!(opened, Err(StoreError::SealBroken(_))));
}

async fn a_dump_shows_nothing_that_was_sealed(database: TestDatabase) {
    let fixture = Fixture::on(database).await;
    let Sealing { request, record, .. } = sealed_rows(&fixture).await;
    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    for line in fixture.database.raw().await.dump().await {
        places.push(("a row".to_owned(), line.to_lowercase().into_bytes()));
    }
    // The files too: what was deleted or not yet checkpointed is in none of the rows.
    if let Some(directory) = fixture.database.directory() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap().to_ascii_lowercase();
            places.push((path.file_name().unwrap().to_string_lossy().into_owned(), bytes));
        }
        let names: Vec<&str> = places.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"habeas.db") && names.contains(&"habeas.db-wal"), "{names:?}");
    }
    let holds = |bytes: &[u8], needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let somewhere = |needle: &[u8]| places.iter().find(|(_, bytes)| holds(bytes, needle));
    for secret in [EMAIL, CONTENT, SECRET, "zwetschgenknoedel", "contact-4711", &"01".repeat(32)] {
        let plain = secret.to_lowercase().into_bytes();
        for needle in [hex::encode(&plain).into_bytes(), hex::encode(secret).into_bytes(), plain] {
            assert!(somewhere(&needle).is_none(), "{secret} stands in {}", somewhere(&needle).unwrap().0);
        }
    }
    // And the search does find what is there.
    let stored: &Sealed = &record.content;
    assert!(somewhere(request.id.to_string().as_bytes()).is_some());
    assert!(somewhere(hex::encode(stored.as_bytes()).as_bytes()).is_some());
}
