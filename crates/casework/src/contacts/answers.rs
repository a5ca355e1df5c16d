//! Taking a contact's answer: what it may say, and what becomes of it.

use habeas_domain::run::{RunAction, RunDetail};
use habeas_domain::{Phase, RequestId, RunId};
use habeas_store::audit::Stream;
use habeas_store::{Unit, links, records};
use serde_json::{Map, json};

use super::{Answer, AnsweredRecord, ContactAnswer, MOST_FILES, MOST_RECORDS};
use crate::changes::Changes;
use crate::details::{self, GivenAnswer};
use crate::error::{CaseworkError, FieldError};
use crate::files::{self, KeptRecord, StoredFile};
use crate::links::Purpose;
use crate::work::Sealer;

/// The longest kind, title or name, in characters.
const LONGEST_LINE: usize = 200;
/// The longest note, in characters.
const LONGEST_NOTE: usize = 4_000;

pub(super) fn accept_texts(mut answer: ContactAnswer) -> Result<ContactAnswer, CaseworkError> {
    let mut errors = Vec::new();
    let line = |text: &str| {
        (1..=LONGEST_LINE).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    let trimmed =
        |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    answer.name = trimmed(answer.name);
    answer.note = trimmed(answer.note);
    if answer.name.as_deref().is_some_and(|name| !line(name)) {
        let message = format!("must have at most {LONGEST_LINE} characters and no control characters");
        errors.push(FieldError::new("name", message));
    }
    if answer.note.as_deref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        errors.push(FieldError::new("note", format!("has more than {LONGEST_NOTE} characters")));
    }
    if answer.records.len() > MOST_RECORDS {
        errors.push(FieldError::new("records", format!("has more than {MOST_RECORDS} records; send a file")));
    }
    if answer.files.len() > MOST_FILES {
        errors.push(FieldError::new("files", format!("has more than {MOST_FILES} files")));
    }
    for (at, record) in answer.records.iter_mut().enumerate().take(MOST_RECORDS) {
        record.kind = record.kind.trim().to_owned();
        record.title = record.title.trim().to_owned();
        for (field, text) in [("kind", &record.kind), ("title", &record.title)] {
            if !line(text) {
                let message = format!("must have 1 to {LONGEST_LINE} characters and no control characters");
                errors.push(FieldError::new(format!("records.{at}.{field}"), message));
            }
        }
    }
    if errors.is_empty() { Ok(answer) } else { Err(CaseworkError::Validation(errors)) }
}

pub(super) fn fits(answer: &ContactAnswer, phase: Phase) -> Result<(), CaseworkError> {
    let brings_something = !answer.records.is_empty() || !answer.files.is_empty();
    let wrong = match (phase, answer.answer) {
        (Phase::Collect, Answer::Deleted) => {
            ("answer", "nothing was to be deleted yet; use `data` or `nothing_held`")
        }
        (Phase::Erase, Answer::Data) => ("answer", "this is a deletion; use `deleted` or `nothing_held`"),
        (Phase::Collect, Answer::Data) if !brings_something => (
            "records",
            "are missing: `data` comes with records or files; if there is none, use `nothing_held`",
        ),
        (_, Answer::NothingHeld | Answer::Deleted) if brings_something => {
            ("records", "do not fit this answer; leave records and files out, or use `data`")
        }
        _ => return Ok(()),
    };
    Err(CaseworkError::field(wrong.0, wrong.1))
}

pub(super) async fn take_answer(
    unit: &mut Unit,
    changes: &mut Changes,
    request: RequestId,
    run: RunId,
    answer: ContactAnswer,
) -> Result<(), CaseworkError> {
    let (records_count, files_count) = (answer.records.len(), answer.files.len());
    let sealer = Sealer::with(unit, &[request].into(), records_count + files_count > 0, true).await?;
    let given = GivenAnswer {
        answer: answer.answer.as_str().to_owned(),
        name: answer.name.clone(),
        note: answer.note.clone(),
    };
    let sealed = details::seal(unit, sealer.case_key(request)?, &run, &given)?;
    files::keep(unit, &answer.files).await?;
    links::use_up(unit.connection(), Purpose::Contact.as_str(), (request, Some(run)), changes.now).await?;
    let found = found(answer.records, answer.files);
    let kept = found
        .iter()
        .map(|one| sealer.record(unit, (request, run), &one.vendor_id, one))
        .collect::<Result<Vec<_>, CaseworkError>>()?;
    records::insert(unit.connection(), &kept).await?;
    // What the vendor gave before the run was handed over is there as well.
    let counts = records::count_by_run(unit.connection(), [run]).await?;
    let count = counts.get(&run).map_or(0, |(all, _)| *all);
    let data = json!({"answer": given.answer, "records": records_count, "files": files_count});
    unit.record(Stream::Request(request), &changes.actor, "contact.answered", run, data);
    let stored = changes.run(run)?;
    stored.answer = Some(sealed);
    stored.failure = None;
    let detail = match (stored.phase, answer.answer) {
        (Phase::Collect, _) => {
            stored.records_found = Some(count);
            RunDetail::of_found(count)
        }
        (Phase::Erase, Answer::Deleted) => {
            stored.deleted = Some(1);
            RunDetail::DeletedByContact
        }
        (Phase::Erase, _) => {
            stored.deleted = Some(0);
            RunDetail::NothingToDelete
        }
    };
    changes.move_run(unit, run, RunAction::Complete, detail, json!({"answer": given.answer}))
}

/// What a contact brought, as records like any other.
fn found(records: Vec<AnsweredRecord>, files: Vec<StoredFile>) -> Vec<KeptRecord> {
    let records = records.into_iter().enumerate().map(|(at, record)| KeptRecord {
        kind: record.kind,
        vendor_id: format!("answer/{at}"),
        title: record.title,
        person: None,
        fields: record.fields,
        file: None,
    });
    let files = files.into_iter().enumerate().map(|(at, file)| KeptRecord {
        kind: "file".to_owned(),
        vendor_id: format!("answer/file/{at}"),
        title: file.name().to_owned(),
        person: None,
        fields: Map::from_iter([
            ("name".to_owned(), json!(file.name())),
            ("media_type".to_owned(), json!(file.media_type())),
            ("bytes".to_owned(), json!(file.size())),
        ]),
        file: Some(file),
    });
    records.chain(files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn answer(answer: Answer, records: usize) -> ContactAnswer {
        let record =
            AnsweredRecord { kind: "invoice".to_owned(), title: "Invoice 7".to_owned(), fields: Map::new() };
        ContactAnswer { answer, name: None, note: None, records: vec![record; records], files: Vec::new() }
    }

    #[rstest]
    #[case(Phase::Collect, Answer::Data, 1, true)]
    #[case(Phase::Collect, Answer::Data, 0, false)]
    #[case(Phase::Collect, Answer::NothingHeld, 0, true)]
    #[case(Phase::Collect, Answer::NothingHeld, 1, false)]
    #[case(Phase::Collect, Answer::Deleted, 0, false)]
    #[case(Phase::Erase, Answer::Deleted, 0, true)]
    #[case(Phase::Erase, Answer::Deleted, 1, false)]
    #[case(Phase::Erase, Answer::NothingHeld, 0, true)]
    #[case(Phase::Erase, Answer::Data, 1, false)]
    fn an_answer_fits_what_was_asked(
        #[case] phase: Phase,
        #[case] given: Answer,
        #[case] records: usize,
        #[case] accepted: bool,
    ) {
        assert_eq!(fits(&answer(given, records), phase).is_ok(), accepted);
    }

    #[test]
    fn texts_are_bounded_and_errors_name_their_place() {
        let mut given = answer(Answer::Data, 2);
        given.records[1].title = "line\nbreak".to_owned();
        given.note = Some("n".repeat(LONGEST_NOTE + 1));
        let CaseworkError::Validation(errors) = accept_texts(given).unwrap_err() else { panic!() };
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["note", "records.1.title"]);
    }
}
