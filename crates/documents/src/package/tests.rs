use std::io::Cursor;

use habeas_domain::policy::POLICIES;
use proptest::prelude::*;
use scraper::{Html, Selector};
use serde_json::json;
use zip::ZipArchive;

use super::*;

/// Records in memory; a file's bytes are its record's number as text.
struct Given(Vec<Vec<Record>>);

impl Source for Given {
    fn records(&mut self, system: usize, each: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        self.0[system].iter().cloned().try_for_each(each)
    }

    fn file(&mut self, record: RecordId) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(Cursor::new(record.to_string().into_bytes())))
    }
}

fn id(number: u128) -> RecordId {
    format!("rec_{number:032x}").parse().unwrap()
}

fn record(number: u128, fields: Value, file: Option<&str>) -> Record {
    let file =
        file.map(|name| RecordFile { name: name.to_owned(), media_type: "text/plain".to_owned(), bytes: 36 });
    let fields = fields.as_object().cloned().unwrap_or_default();
    Record { id: id(number), kind: "contact".to_owned(), title: "A contact".to_owned(), fields, file }
}

fn system(connection: &str, answer: Answer) -> System {
    System {
        connection: connection.to_owned(),
        integration: "Sandbox".to_owned(),
        answer,
        left_out: 0,
        exceptions: Vec::new(),
        not_included: Vec::new(),
    }
}

fn contents(company: &Company, systems: Vec<System>) -> Contents<'_> {
    Contents {
        request: "req_0192a0000000700080000000000000ab".parse().unwrap(),
        right: Right::Access,
        policy: &POLICIES[0],
        received_on: "2026-11-01".parse().unwrap(),
        created_at: "2026-11-26T13:05:07Z".parse().unwrap(),
        time_zone: TimeZone::UTC,
        company,
        systems,
    }
}

fn build(systems: Vec<System>, records: Vec<Vec<Record>>) -> (Vec<u8>, Written) {
    let company = Company { name: "Acme <Shop>".to_owned(), ..Company::default() };
    let mut bytes = Vec::new();
    let written = write(&contents(&company, systems), &mut Given(records), &mut bytes).unwrap();
    (bytes, written)
}

fn texts(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|at| {
            let mut file = archive.by_index(at).unwrap();
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            (file.name().unwrap().into_owned(), text)
        })
        .collect()
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&SHA256, bytes))
}

#[test]
fn the_manifest_lists_every_other_file_with_its_hash() {
    let records = vec![vec![
        record(1, json!({"email": "ana@example.test", "address": {"city": "Porto"}}), None),
        record(2, json!({}), Some("letter.txt")),
        record(3, json!({}), Some("LETTER.txt")),
    ]];
    let (bytes, written) = build(vec![system("shop", Answer::Records(3))], records);
    assert_eq!(written.bytes, bytes.len() as u64);
    assert_eq!(hex::encode(written.sha256), hash(&bytes));
    let texts = texts(&bytes);
    let manifest: Value = serde_json::from_str(&texts["manifest.json"]).unwrap();
    assert_eq!(manifest["request_id"], "req_0192a0000000700080000000000000ab");
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len() + 1, texts.len());
    for file in listed {
        let text = &texts[file["path"].as_str().unwrap()];
        assert_eq!(file["sha256"], hash(text.as_bytes()), "{file}");
    }
    let paths: Vec<_> = listed.iter().map(|file| file["path"].as_str().unwrap()).collect();
    let expected = [
        "shop/records.json",
        "shop/records.csv",
        "shop/files/letter.txt",
        "shop/files/LETTER-2.txt",
        "information.json",
        "information.html",
        "index.html",
    ];
    assert_eq!(paths, expected);
    assert_eq!(listed[0]["connection"], "shop");
    assert_eq!((&listed[0]["records"], &listed[6]["connection"]), (&json!(3), &Value::Null));
    let records: Value = serde_json::from_str(&texts["shop/records.json"]).unwrap();
    assert_eq!(records[0]["fields"]["address"]["city"], "Porto");
    assert_eq!(records[2]["file"], "shop/files/LETTER-2.txt");
    assert!(texts["shop/records.csv"].contains("address.city,email\r\n"));
}

#[test]
fn the_same_records_give_the_same_bytes_and_others_do_not() {
    let once = |city: &str| {
        build(vec![system("shop", Answer::Records(1))], vec![vec![record(1, json!({"city": city}), None)]]).1
    };
    assert_eq!(once("Porto"), once("Porto"));
    assert_ne!(once("Porto").sha256, once("Lisboa").sha256);
}

#[test]
fn the_page_says_plainly_who_was_asked_and_who_was_not() {
    let mut kept = system("shop", Answer::Records(1));
    kept.left_out = 2;
    kept.exceptions = vec!["a law obliges us to keep it".to_owned()];
    kept.not_included =
        vec![NotIncluded { what: "orders".to_owned(), why: "the key may not read them".to_owned() }];
    let systems = vec![
        kept,
        system("surveys", Answer::NothingHeld),
        system("archive", Answer::NotAnswered),
        system("mailing", Answer::LeftOut),
    ];
    let records = vec![vec![record(1, json!({"firstName": "Ana"}), None)], vec![], vec![], vec![]];
    let (bytes, _) = build(systems, records);
    let page = Html::parse_document(&texts(&bytes)["index.html"]);
    let text: String = page.root_element().text().collect();
    for said in [
        "1 record about you in 1 system",
        "First name",
        "surveys",
        "archive",
        "mailing",
        "orders",
        "2 records were left out after a review",
        "a law obliges us to keep it",
        "00000000000000AB".split_at(8).1,
    ] {
        assert!(text.contains(said), "{said} is missing");
    }
    let select = |selector: &str| page.select(&Selector::parse(selector).unwrap()).count();
    assert_eq!((select("html[lang=en]"), select("main"), select("h1"), select("script")), (1, 1, 1, 0));
    assert_eq!(select("meta[http-equiv='Content-Security-Policy']"), 1);
}

#[test]
fn hostile_records_break_neither_page_nor_paths() {
    let mut deep = json!("end");
    for _ in 0..60 {
        deep = json!({"<b>": [deep]});
    }
    let hostile = json!({
        "<script>alert(1)</script>": "\"><img src=x onerror=alert(1)>\u{202e}\u{0}",
        "long": "x".repeat(1 << 20),
        "deep": deep,
        "=1+1": "=HYPERLINK(\"http://example.test\")",
    });
    let records =
        vec![vec![record(1, hostile.clone(), Some("../../<script>.html")), record(2, hostile, Some(".."))]];
    let (bytes, _) = build(vec![system("../../etc", Answer::Records(2))], records);
    let texts = texts(&bytes);
    assert!(texts.keys().all(|path| !path.contains("..") && !path.starts_with('/') && !path.contains('<')));
    let page = &texts["index.html"];
    assert!(page.len() < 60_000, "{}", page.len());
    assert!(!page.contains("<script>") && !page.contains("<img") && !page.contains('\u{202e}'));
    assert!(texts["etc/records.csv"].contains("'=HYPERLINK"));
}

#[test]
fn many_records_are_shown_in_part_and_held_in_full() {
    let records =
        (0..SHOWN as u128 + 50).map(|number| record(number, json!({"n": number.to_string()}), None));
    let records: Vec<_> = records.collect();
    let (bytes, _) = build(vec![system("shop", Answer::Records(250))], vec![records]);
    let texts = texts(&bytes);
    assert!(texts["index.html"].contains("50 more are in"));
    let all: Vec<Value> = serde_json::from_str(&texts["shop/records.json"]).unwrap();
    assert_eq!(all.len(), SHOWN + 50);
    assert_eq!(texts["shop/records.csv"].lines().count(), SHOWN + 51);
}

#[test]
fn what_the_law_wants_said_is_there_also_when_the_company_says_nothing() {
    let (bytes, _) = build(vec![system("shop", Answer::NothingHeld)], vec![vec![]]);
    let texts = texts(&bytes);
    let information: Value = serde_json::from_str(&texts["information.json"]).unwrap();
    assert!(information["rights"].as_array().unwrap().len() > 5);
    assert!(information["recipients"][0].as_str().unwrap().contains("Sandbox"));
    assert!(texts["information.html"].contains("This is not described here"));
}

proptest! {
    #[test]
    fn every_package_can_be_opened_and_its_table_read(
        fields in proptest::collection::btree_map(".{0,12}", ".{0,30}", 0..8),
        file in proptest::option::of(".{0,40}"),
        name in ".{0,20}",
    ) {
        let fields = json!(fields);
        let records = vec![vec![record(1, fields, file.as_deref())]];
        let (bytes, _) = build(vec![system(&name, Answer::Records(1))], records);
        let texts = texts(&bytes);
        let table = texts.iter().find(|(path, _)| path.ends_with("records.csv")).unwrap().1;
        let rows: Vec<_> = csv::Reader::from_reader(table.as_bytes()).into_records().collect();
        prop_assert_eq!(rows.len(), 1);
        prop_assert!(rows.iter().all(Result::is_ok));
    }
}
