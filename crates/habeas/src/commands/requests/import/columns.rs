//! What the first line of the file says about its columns, and a row as a request.

use habeas_domain::{IdentifierType, Right};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};

use super::source::Splitter;
use crate::cli::Import;
use crate::ending::Usage;

/// What the columns of an error file say besides: skipped when it is imported.
pub(super) const NOTES: [&str; 3] = ["line", "code", "problem"];
/// Names of columns, for messages.
const KNOWN: &str =
    "right, policy, email, phone_number, user_id, identifier:TYPE, review, delivery, received_at, force";

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Right,
    Policy,
    Identifier(IdentifierType),
    Review,
    Delivery,
    ReceivedAt,
    Force,
    /// Of an error file.
    Note(usize),
}

impl Column {
    fn of(name: &str) -> Option<Self> {
        if let Some(note) = NOTES.iter().position(|note| *note == name) {
            return Some(Self::Note(note));
        }
        Some(match name {
            "right" => Self::Right,
            "policy" => Self::Policy,
            "review" => Self::Review,
            "delivery" => Self::Delivery,
            "received_at" => Self::ReceivedAt,
            "force" => Self::Force,
            other => Self::Identifier(other.strip_prefix("identifier:").unwrap_or(other).parse().ok()?),
        })
    }
}

/// What every row means, and what counts where it says nothing.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    columns: Vec<Column>,
    right: Option<Right>,
    policy: Option<String>,
    delivery: Option<&'static str>,
    no_review: bool,
    unverified: bool,
}

/// A row that cannot be a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    /// A code like those of the API.
    pub(super) code: &'static str,
    /// What is wrong and what to do, without what stands there.
    pub(super) problem: String,
}

impl Misfit {
    fn new(code: &'static str, problem: impl Into<String>) -> Self {
        Self { code, problem: problem.into() }
    }
}

#[derive(Serialize)]
struct RowRequest<'r> {
    right: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'r str>,
    subject: Subject<'r>,
    #[serde(skip_serializing_if = "Option::is_none")]
    review: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_at: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    force: Option<bool>,
}

#[derive(Serialize)]
struct Subject<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'r str>,
    #[serde(skip_serializing_if = "Identifiers::is_empty")]
    identifiers: Identifiers<'r>,
}

enum Identifiers<'r> {
    ByType(Vec<(IdentifierType, &'r str)>),
    Unverified(Vec<Unverified<'r>>),
}

#[derive(Serialize)]
struct Unverified<'r> {
    #[serde(rename = "type")]
    kind: IdentifierType,
    value: &'r str,
    verified: bool,
}

impl Identifiers<'_> {
    const fn is_empty(&self) -> bool {
        matches!(self, Self::ByType(given) if given.is_empty())
    }
}

impl Serialize for Identifiers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::ByType(given) => {
                let mut map = serializer.serialize_map(Some(given.len()))?;
                for (kind, value) in given {
                    map.serialize_entry(kind, value)?;
                }
                map.end()
            }
            Self::Unverified(given) => given.serialize(serializer),
        }
    }
}

impl Columns {
    /// What the first line says, with the defaults of the command line.
    pub(super) fn read(header: &[u8], arguments: &Import) -> Result<Self, Usage> {
        let mut splitter = Splitter::default();
        let cells = splitter.split(header).unwrap_or_default();
        let names: Vec<String> =
            cells.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_ascii_lowercase()).collect();
        let found: Vec<Option<Column>> = names.iter().map(|name| Column::of(name)).collect();
        if found.iter().all(Option::is_none) {
            return Err(no_header(header));
        }
        let mut columns = Vec::with_capacity(found.len());
        for (at, (column, name)) in found.into_iter().zip(&names).enumerate() {
            let Some(column) = column else {
                return Err(Usage::new(format!("{} is not known; known are: {KNOWN}", shown(at, name))));
            };
            if columns.contains(&column) {
                return Err(Usage::new(format!("{} stands there twice", shown(at, name))));
            }
            columns.push(column);
        }
        if !columns.iter().any(|column| matches!(column, Column::Identifier(_))) {
            let message = "no column says whom a request is about; add email, user_id or phone_number";
            return Err(Usage::new(message));
        }
        if arguments.right.is_none() && !columns.contains(&Column::Right) {
            return Err(Usage::new("no column says what is asked; add the column right, or give --right"));
        }
        Ok(Self {
            columns,
            right: arguments.right,
            policy: arguments.policy.clone(),
            delivery: arguments.delivery.map(crate::cli::Delivery::as_str),
            no_review: arguments.no_review,
            unverified: arguments.unverified,
        })
    }

    /// How many leading cells are notes of an earlier import.
    pub(super) fn leading_notes(&self) -> usize {
        let notes = [Column::Note(0), Column::Note(1), Column::Note(2)];
        if self.columns.starts_with(&notes) { notes.len() } else { 0 }
    }

    /// The row as the API takes it, on a line of its own behind what is in `body`.
    pub(super) fn write(
        &self,
        row: &[u8],
        splitter: &mut Splitter,
        body: &mut Vec<u8>,
    ) -> Result<(), Misfit> {
        if std::str::from_utf8(row).is_err() {
            return Err(Misfit::new("csv_encoding", "is not UTF-8; save the file as UTF-8"));
        }
        let cells = splitter.split(row).ok_or_else(|| {
            Misfit::new("csv_quoting", "a quotation mark stands where none may; double it within quotes")
        })?;
        if cells.len() != self.columns.len() {
            let (found, expected) = (cells.len(), self.columns.len());
            return Err(Misfit::new(
                "csv_cells",
                format!("has {found} cells where the first line has {expected}"),
            ));
        }
        let (mut right, mut policy, mut delivery, mut received_at) = (None, None, None, None);
        let (mut review, mut force) = (None, None);
        let mut identifiers = Vec::new();
        for (column, cell) in self.columns.iter().zip(cells) {
            // Checked as a whole above; a cell of UTF-8 between commas is UTF-8.
            let cell = std::str::from_utf8(cell).unwrap_or_default().trim();
            if cell.is_empty() {
                continue;
            }
            match column {
                Column::Right => right = Some(cell),
                Column::Policy => policy = Some(cell),
                Column::Identifier(kind) => identifiers.push((*kind, cell)),
                Column::Review => review = Some(flag("review", cell)?),
                Column::Delivery => delivery = Some(cell),
                Column::ReceivedAt => received_at = Some(cell),
                Column::Force => force = Some(flag("force", cell)?),
                Column::Note(_) => {}
            }
        }
        let right = right.or_else(|| self.right.map(Right::as_str));
        let right =
            right.ok_or_else(|| Misfit::new("validation", "`right` is empty, and --right was not given"))?;
        if right != Right::Deletion.as_str() {
            delivery = delivery.or(self.delivery);
        }
        let request = RowRequest {
            right,
            policy: policy.or(self.policy.as_deref()),
            subject: self.subject(identifiers),
            review: review.or(self.no_review.then_some(false)),
            delivery,
            received_at,
            force: force.filter(|force| *force),
        };
        serde_json::to_writer(&mut *body, &request)
            .map_err(|_| Misfit::new("validation", "cannot be written as JSON"))?;
        body.push(b'\n');
        Ok(())
    }

    fn subject<'r>(&self, mut identifiers: Vec<(IdentifierType, &'r str)>) -> Subject<'r> {
        if self.unverified {
            let given =
                identifiers.into_iter().map(|(kind, value)| Unverified { kind, value, verified: false });
            return Subject { email: None, identifiers: Identifiers::Unverified(given.collect()) };
        }
        let at = identifiers.iter().position(|(kind, _)| *kind == IdentifierType::Email);
        let email = at.map(|at| identifiers.remove(at).1);
        Subject { email, identifiers: Identifiers::ByType(identifiers) }
    }
}

fn flag(column: &str, cell: &str) -> Result<bool, Misfit> {
    match cell {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Misfit::new("validation", format!("`{column}` must be true or false"))),
    }
}

/// Whatever stands in the first line may be a person's: only what looks like a name is repeated.
fn shown(at: usize, name: &str) -> String {
    let is_name = (1..=40).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-: ".contains(&byte));
    if is_name { format!("the column `{name}`") } else { format!("column {} of the first line", at + 1) }
}

fn no_header(header: &[u8]) -> Usage {
    for (separator, name) in [(b';', "semicolons"), (b'\t', "tabs")] {
        let first = header.split(|byte| *byte == separator).next().unwrap_or_default();
        let names = |cell: &[u8]| Column::of(String::from_utf8_lossy(cell).trim()).is_some();
        if header.contains(&separator)
            && header.split(|byte| *byte == separator).any(names)
            && first != header
        {
            return Usage::new(format!("the columns are separated by {name}; save the file with commas"));
        }
    }
    if header.starts_with(b"\xFF\xFE") || header.starts_with(b"\xFE\xFF") {
        return Usage::new("the file is UTF-16; save it as UTF-8");
    }
    Usage::new(format!("the first line names no known column; it must be a header. Known are: {KNOWN}"))
}
