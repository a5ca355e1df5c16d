//! What stays on the disk: nothing that names anybody in clear, and after forgetting nothing at all.

use std::path::Path;

use habeas_casework::contacts::{Answer, AnsweredRecord, ContactAnswer};
use habeas_casework::intake::{Delivery, NewRequest};
use habeas_domain::{Outcome, Right};
use habeas_store::KeyPurpose;
use habeas_testing::TestDatabase;
use serde_json::json;

use crate::support::{Company, Setup, System, asking, operator};

/// Values that only the person's data holds.
const EMAIL: &str = "quenya.tinuviel@example.test";
const SECRETS: [&str; 5] =
    [EMAIL, "Nightingale Lane 7", "birthday-of-luthien", "Pat Zanzibar", "a-note-about-her"];

fn files(directory: &Path) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => all.extend(files(&entry.path())),
            _ => all.push(std::fs::read(entry.path()).unwrap()),
        }
    }
    all
}

fn holds(directory: &Path, value: &[u8]) -> bool {
    files(directory).iter().any(|file| file.windows(value.len()).any(|part| part == value))
}

/// The wrapped keys of a request, as they lie in the database.
async fn wrapped_keys(company: &Company) -> Vec<Vec<u8>> {
    let mut raw = company.database.raw().await;
    let keys = raw.texts("SELECT hex(wrapped) FROM data_keys WHERE purpose <> 'settings'").await;
    keys.iter().map(|key| hex::decode(key).unwrap()).collect()
}

#[test]
fn nothing_is_readable_while_a_request_is_open_and_nothing_is_left_when_it_is_forgotten() {
    habeas_testing::block_on(async {
        let database = TestDatabase::sqlite();
        let directory = database.directory().unwrap().to_owned();
        let company = Company::with_files(database, Setup::at(System::DirectContact)).await;
        let new = NewRequest { delivery: Some(Delivery::Api), ..asking(Right::Access, EMAIL, false) };
        let id = company.casework.create_request(&operator(), new, None).await.unwrap();
        let fields = json!({"address": SECRETS[1]});
        let record = AnsweredRecord {
            kind: "contact".to_owned(),
            title: "A contact".to_owned(),
            fields: fields.as_object().unwrap().clone(),
        };
        let mut upload = company.casework.begin_upload(&operator(), id).await.unwrap();
        upload.write(SECRETS[2].repeat(30_000).as_bytes()).await.unwrap();
        let file = upload.finish("diary.txt", "text/plain").await.unwrap();
        let answer = ContactAnswer {
            answer: Answer::Data,
            name: Some(SECRETS[3].to_owned()),
            note: Some(SECRETS[4].to_owned()),
            records: vec![record],
            files: vec![file],
        };
        let run = company.last_run(id).await.run.id;
        company.casework.answer_run(&operator(), id, run, answer).await.unwrap();
        for secret in SECRETS {
            assert!(!holds(&directory, secret.as_bytes()), "{secret} can be read while the request is open");
        }
        company.engine.work_until_idle().await;
        let package = company.package(id).await;
        assert!(package["shop/files/diary.txt"].starts_with(SECRETS[2].as_bytes()), "it is all there");
        assert_eq!(company.outcome(id).await, Some(Outcome::Downloaded));
        for secret in SECRETS {
            assert!(!holds(&directory, secret.as_bytes()), "{secret} can be read on the disk");
        }
        let keys = wrapped_keys(&company).await;
        assert_eq!(keys.len(), 2);
        assert!(keys.iter().all(|key| holds(&directory, key)), "the search finds what is there");

        company.time.advance_days(31);
        company.engine.forget().await;
        assert!(
            !company.outside.mailbox.received().is_empty(),
            "what was written to her is kept with the case"
        );
        company.time.advance_days(731);
        company.engine.forget().await;
        assert!(company.outside.mailbox.received().is_empty(), "a copy of a mail is left");
        assert!(company.casework.has_forgotten());
        assert!(company.casework.store().forget_traces().await.unwrap());
        for key in &keys {
            assert!(!holds(&directory, key), "a destroyed key is still on the disk");
        }
        for secret in SECRETS {
            assert!(!holds(&directory, secret.as_bytes()), "{secret} can be read on the disk");
        }
        assert!(files(&directory.join("packages")).is_empty(), "a file is left in the storage");
        let certificate = company.casework.certificate(&operator(), id).await.unwrap();
        let certificate = serde_json::to_string(&certificate).unwrap();
        for secret in SECRETS {
            assert!(!certificate.contains(secret));
        }
        let anchor = habeas_store::audit::Anchor::parse(&certificate).unwrap();
        assert!(company.casework.verify_audit(&operator(), Some(&anchor)).await.unwrap().valid);
        let mut reader = company.casework.store().reader().await.unwrap();
        let keyring = company.casework.store().keyring();
        let left = habeas_store::data_keys::load(&mut reader, keyring, [id], KeyPurpose::Case).await.unwrap();
        assert!(left.is_empty());
    });
}
