//! Makes a package of 2 GB twice, from files that are made up on the way, and tells how much memory that took and whether
//! both have the same bytes: `cargo run --release -p habeas-documents --example large`.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "tells its figures on the terminal")]

use std::io::{self, Read};

use habeas_documents::company::Company;
use habeas_documents::package::{Answer, Contents, Record, RecordFile, Source, System, write};
use habeas_domain::policy::POLICIES;
use habeas_domain::{RecordId, Right};
use jiff::tz::TimeZone;

/// Files, and bytes of each.
const FILES: u128 = 40;
const BYTES: u64 = 50_000_000;

struct MadeUp;

impl Source for MadeUp {
    fn records(&mut self, _: usize, each: &mut dyn FnMut(Record) -> io::Result<()>) -> io::Result<()> {
        (0..FILES).try_for_each(|number| {
            let file = RecordFile {
                name: "scan.pdf".to_owned(),
                media_type: "application/pdf".to_owned(),
                bytes: BYTES,
            };
            let (id, kind, title) = (id(number), "file".to_owned(), format!("File {number}"));
            each(Record { id, kind, title, fields: serde_json::Map::new(), file: Some(file) })
        })
    }

    fn file(&mut self, record: RecordId) -> io::Result<Box<dyn Read + '_>> {
        let first = record.to_string().bytes().last().unwrap_or_default();
        Ok(Box::new(io::repeat(first).take(BYTES)))
    }
}

fn id(number: u128) -> RecordId {
    format!("rec_{number:032x}").parse().unwrap()
}

fn main() {
    let company = Company::default();
    let contents = Contents {
        request: "req_0192a0000000700080000000000000ab".parse().unwrap(),
        right: Right::Access,
        policy: &POLICIES[0],
        received_on: "2026-11-01".parse().unwrap(),
        created_at: "2026-11-26T13:05:07Z".parse().unwrap(),
        time_zone: TimeZone::UTC,
        company: &company,
        systems: vec![System {
            connection: "archive".to_owned(),
            integration: "Direct Contact".to_owned(),
            answer: Answer::Records(40),
            left_out: 0,
            exceptions: Vec::new(),
            not_included: Vec::new(),
        }],
    };
    let packages: Vec<_> = (0..2).map(|_| write(&contents, &mut MadeUp, io::sink()).unwrap()).collect();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    println!("{} bytes, the same twice: {}; {peak}", packages[0].bytes, packages[0] == packages[1]);
}
