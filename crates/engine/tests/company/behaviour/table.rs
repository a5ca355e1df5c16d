//! What each fault of the fault plane does to a request, at each kind of call.

use habeas_domain::Right;
use habeas_domain::capability::{DeletionMethod, DeletionTiming};
use habeas_integrations::{AccessMethod, Verification};
use habeas_sandbox::faults::{Fault, NOWHERE, Rule, When};

use super::stage::{Shown, manifest};
use crate::support::{System, status};

/// A place in a request's way at which a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// The first call that is made.
    First,
    /// The call that begins a job or deletes.
    Send,
    /// The look at a vendor's job.
    Follow,
    /// The reading of what is found.
    Read,
    /// The look that proves a deletion.
    Prove,
}

/// What kind of call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It asks for a token.
    Token,
    /// It changes nothing.
    Reading,
    /// It changes nothing and its answer has pages.
    List,
    /// It deletes.
    Effect,
}

/// How a call is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) kind: Kind,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// As the call log names it.
    pub(super) route: &'static str,
    /// Only after something was deleted.
    pub(super) is_proof: bool,
    /// How many calls that look the same come before it.
    pub(super) before: u64,
}

impl Call {
    const fn new(kind: Kind, method: &'static str, path: &'static str, route: &'static str) -> Self {
        Self { kind, method, path, route, is_proof: false, before: 0 }
    }
}

/// The points that a system's manifest says there are for a right.
fn declared(system: System, right: Right) -> Vec<Point> {
    let capabilities = manifest(system).capabilities;
    let mut points = vec![Point::First];
    if right == Right::Access {
        match capabilities.access.map(|access| access.method) {
            Some(AccessMethod::Scan) => points.push(Point::Read),
            Some(AccessMethod::Lookup) | Some(AccessMethod::Contact) | None => {}
            Some(AccessMethod::Job) => points.extend([Point::Send, Point::Follow, Point::Read]),
        }
        return points;
    }
    let deletion = capabilities.deletion.expect("it deletes");
    if deletion.method == DeletionMethod::Standard {
        points.push(Point::Read);
    }
    points.push(Point::Send);
    if deletion.timing == DeletionTiming::Asynchronous {
        points.push(Point::Follow);
    }
    if deletion.verification != Verification::Answer {
        points.push(Point::Prove);
    }
    points
}

/// The calls at which faults strike, each once.
pub(super) fn calls(system: System, right: Right) -> Vec<(Point, Call)> {
    let mut calls: Vec<(Point, Call)> = Vec::new();
    for point in declared(system, right) {
        let call = call(system, right, point).unwrap_or_else(|| {
            panic!("{system:?} declares {point:?} of {right:?}, and the suite knows no such call")
        });
        if !calls.iter().any(|(_, known)| *known == call) {
            calls.push((point, call));
        }
    }
    calls
}

fn call(system: System, right: Right, point: Point) -> Option<Call> {
    use Kind::{Effect, List, Reading, Token};
    let contacts = Call::new(List, "GET", "/contacts/?", "GET /api/v2/orgs/{org}/contacts/");
    let regulations = "POST /v1beta/workspaces/{workspace}/regulations";
    Some(match (system, right, point) {
        (System::ReadyCloud, _, Point::First) => {
            // Everything lies below it, and it is what comes first.
            Call::new(List, "GET", "/api/v2/orgs/", "GET /api/v2/orgs/")
        }
        (System::ReadyCloud, _, Point::Read) => contacts,
        (System::ReadyCloud, Right::Deletion, Point::Send) => {
            Call::new(Effect, "DELETE", "/contacts/", "DELETE /api/v2/orgs/{org}/contacts/{contact}/")
        }
        (System::ReadyCloud, Right::Deletion, Point::Prove) => Call { is_proof: true, ..contacts },
        (System::Qualtrics, _, Point::First) => {
            Call::new(Token, "POST", "/oauth2/token", "POST /oauth2/token")
        }
        (System::Qualtrics, Right::Access, Point::Send) => {
            Call::new(Reading, "POST", "/customer-data-requests", "POST /API/v3/customer-data-requests")
        }
        (System::Qualtrics, Right::Access, Point::Follow) => Call::new(
            Reading,
            "GET",
            "/customer-data-requests/",
            "GET /API/v3/customer-data-requests/{requestId}",
        ),
        (System::Qualtrics, Right::Access, Point::Read) => {
            Call::new(List, "GET", "/directories", "GET /API/v3/directories")
        }
        (System::Qualtrics, Right::Deletion, Point::Send) => {
            Call::new(Effect, "POST", "/op-erase-personal-data", "POST /API/v3/op-erase-personal-data")
        }
        (System::Qualtrics, Right::Deletion, Point::Follow) => {
            Call::new(List, "GET", "/op-erase-personal-data", "GET /API/v3/op-erase-personal-data")
        }
        (System::Qualtrics, Right::Deletion, Point::Prove) => {
            Call { is_proof: true, ..Call::new(List, "GET", "/directories", "GET /API/v3/directories") }
        }
        (System::SegmentConfig, Right::Deletion, Point::First | Point::Send) => {
            Call::new(Effect, "POST", "/regulations", regulations)
        }
        (System::SegmentConfig, Right::Deletion, Point::Follow) => Call::new(
            Reading,
            "GET",
            "/regulations/",
            "GET /v1beta/workspaces/{workspace}/regulations/{regulation}",
        ),
        (System::SegmentPublic, Right::Deletion, Point::First | Point::Send) => {
            Call::new(Effect, "POST", "/regulations", "POST /regulations")
        }
        (System::SegmentPublic, Right::Deletion, Point::Follow) => {
            Call::new(Reading, "GET", "/regulations/", "GET /regulations/{regulation}")
        }
        // One address takes every message: they are told apart by their order.
        (System::Webhook, Right::Access, Point::First | Point::Send) => {
            Call::new(Reading, "POST", "/habeas", "POST /habeas")
        }
        (System::Webhook, Right::Deletion, Point::First | Point::Send) => {
            Call::new(Effect, "POST", "/habeas", "POST /habeas")
        }
        (System::Webhook, _, Point::Follow | Point::Read) => {
            Call { before: 1, ..Call::new(Reading, "POST", "/habeas", "POST /habeas") }
        }
        _ => return None,
    })
}

/// What a fault means to whoever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Nothing.
    Harmless,
    /// The vendor did nothing and does not say so.
    Away,
    /// The vendor did what it was asked to; its answer is lost.
    Lost,
    /// The vendor did what it was asked to; its answer came and cannot be used.
    Spoilt,
    /// The same, where the breaking of a connection is all that is seen.
    Cut,
    /// The vendor did nothing and its answer cannot be used.
    Nonsense,
    /// Nothing was done, and the answer leads elsewhere.
    Elsewhere,
    /// "Not so fast".
    Pushed,
    /// Refused for good, with the code that people read.
    Refused(&'static str),
    /// There is always another page, or one elsewhere.
    Pages,
}

/// One fault.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) nature: Nature,
    fault: Fault,
    when: Option<When>,
}

impl Row {
    /// The rule that has the fault strike at a call.
    pub(super) fn at(&self, system: System, call: Call) -> Rule {
        let rule = Rule::new(system.vendor(), self.fault.clone());
        let rule = rule.method(call.method).path_contains(call.path);
        match self.when {
            Some(when) => rule.when(when),
            None => rule,
        }
    }
}

/// Rows by kind of fault. A kind that the fault plane has and the table has not does not compile.
macro_rules! table {
    ($($kind:pat => { $($name:literal: $fault:expr $(, $when:expr)? => $nature:expr;)+ })+) => {
        #[expect(dead_code, reason = "it is here to be compiled")]
        const fn every_kind_has_rows(fault: &Fault) {
            match fault { $($kind => (),)+ }
        }

        /// Every fault.
        pub(super) fn rows() -> Vec<Row> {
            let mut rows = Vec::new();
            $($({
                #[allow(unused_mut, unused_assignments, reason = "not every row has a side")]
                let mut when = None;
                $(when = Some($when);)?
                let fault = $fault;
                assert!(matches!(fault, $kind), "{} stands among others", $name);
                rows.push(Row { name: $name, nature: $nature, fault, when });
            })+)+
            rows
        }
    };
}

table! {
    Fault::Latency { .. } => {
        "slow": Fault::Latency { ms: 2 } => Nature::Harmless;
    }
    Fault::Status { .. } => {
        "400": status(400) => Nature::Refused("vendor_rejected_call");
        "404": status(404) => Nature::Refused("vendor_answer_unusable");
        "405": status(405) => Nature::Refused("vendor_refused");
        "408": status(408) => Nature::Away;
        "409": status(409) => Nature::Refused("vendor_refused");
        "500": status(500) => Nature::Away;
        "500 afterwards": status(500), When::After => Nature::Lost;
        "503": status(503) => Nature::Away;
        "503, come back later": Fault::Status { code: 503, body: None, retry_after: Some(40) } => Nature::Away;
    }
    Fault::RateLimited { .. } => {
        "too often": Fault::RateLimited { retry_after: None } => Nature::Pushed;
        "too often, come back later": Fault::RateLimited { retry_after: Some(40) } => Nature::Pushed;
    }
    Fault::AnswerLost {} => {
        "answer lost": Fault::AnswerLost {} => Nature::Lost;
    }
    Fault::DroppedBefore {} => {
        "dropped before": Fault::DroppedBefore {} => Nature::Away;
    }
    Fault::Malformed {} => {
        "malformed": Fault::Malformed {} => Nature::Spoilt;
    }
    Fault::Truncated {} => {
        "truncated": Fault::Truncated {} => Nature::Cut;
    }
    Fault::Oversized { .. } => {
        "too large, announced": Fault::Oversized { bytes: 33 << 20, announced: true } => Nature::Spoilt;
        "too large, silently": Fault::Oversized { bytes: 33 << 20, announced: false } => Nature::Spoilt;
    }
    Fault::Html { .. } => {
        "page 200": Fault::Html { code: 200 } => Nature::Nonsense;
        "page 200 afterwards": Fault::Html { code: 200 }, When::After => Nature::Spoilt;
        "page 502": Fault::Html { code: 502 } => Nature::Away;
    }
    Fault::TokenExpired {} => {
        "token expired": Fault::TokenExpired {} => Nature::Refused("credentials_rejected");
    }
    Fault::ScopeMissing { .. } => {
        "scope missing": Fault::ScopeMissing { scope: "contact".to_owned() } => Nature::Refused("permissions_missing");
    }
    Fault::Redirect { .. } => {
        "redirect": Fault::Redirect { location: format!("{NOWHERE}/?token=x") } => Nature::Elsewhere;
    }
    Fault::WrongContentType { .. } => {
        "wrong type": Fault::WrongContentType { content_type: "text/plain".to_owned() } => Nature::Spoilt;
    }
    Fault::DeepJson { .. } => {
        "deep": Fault::DeepJson { depth: 100_000 } => Nature::Spoilt;
    }
    Fault::ForeignNext { .. } => {
        "next page elsewhere": Fault::ForeignNext { base: NOWHERE.to_owned() } => Nature::Pages;
    }
    Fault::EndlessNext {} => {
        "endless pages": Fault::EndlessNext {} => Nature::Pages;
    }
}

const AWAY: &str = "vendor_unavailable";
const UNUSABLE: &str = "vendor_answer_unusable";
const TOO_OFTEN: &str = "vendor_rate_limited";

/// What a run shows after a fault struck once, and at the end if it strikes for ever.
pub(super) fn expected(
    system: System,
    right: Right,
    (point, call): (Point, Call),
    row: &Row,
) -> (Shown, Shown) {
    if let Some(otherwise) = exception(system, right, point, call, row) {
        return otherwise;
    }
    let code = str::to_owned;
    let retrying = |reason| Shown::Retrying(code(reason));
    let reconciling = |reason| Shown::Reconciling(code(reason));
    let attention = |reason| Shown::Attention(code(reason));
    let is_effect = call.kind == Kind::Effect;
    let (once, always) = match row.nature {
        Nature::Harmless => (Shown::Nothing, Shown::Nothing),
        Nature::Away if is_effect => (reconciling(AWAY), attention(AWAY)),
        // What was asked for is there when the vendor is asked, so a lost answer is never lasting.
        Nature::Lost | Nature::Cut if is_effect => (reconciling(AWAY), Shown::Nothing),
        Nature::Spoilt if is_effect => (reconciling(UNUSABLE), Shown::Nothing),
        Nature::Nonsense if is_effect => (reconciling(UNUSABLE), attention(UNUSABLE)),
        Nature::Away | Nature::Lost => (retrying(AWAY), attention(AWAY)),
        Nature::Spoilt | Nature::Cut | Nature::Nonsense | Nature::Elsewhere => {
            (retrying(UNUSABLE), attention(UNUSABLE))
        }
        // It waits as long as it takes.
        Nature::Pushed => (retrying(TOO_OFTEN), retrying(TOO_OFTEN)),
        Nature::Refused(reason) => (attention(reason), attention(reason)),
        Nature::Pages if call.kind == Kind::List => (attention(UNUSABLE), attention(UNUSABLE)),
        Nature::Pages => (Shown::Nothing, Shown::Nothing),
    };
    // A vendor that is away does not make its jobs fail: they are looked at until their own deadline.
    let is_followed = point == Point::Follow && right == Right::Deletion;
    match always {
        Shown::Attention(reason) if is_followed && matches!(once, Shown::Retrying(_)) => {
            (once, Shown::Retrying(reason))
        }
        always => (once, always),
    }
}

/// Where a vendor, or what is asked of it, gives a fault another meaning.
fn exception(system: System, right: Right, point: Point, call: Call, row: &Row) -> Option<(Shown, Shown)> {
    let attention = |reason: &str| Shown::Attention(reason.to_owned());
    let both = |shown: Shown| Some((shown.clone(), shown));
    match (system, call.kind, row.name) {
        // "OK" and "not there" are believed, and the proof shows that it was not so.
        (System::ReadyCloud, Kind::Effect, "page 200" | "404") => both(attention("still_there")),
        // A deletion's answer has no content that anybody reads.
        (System::ReadyCloud, Kind::Effect, name)
            if row.nature == Nature::Spoilt && !name.starts_with("too large") =>
        {
            both(Shown::Nothing)
        }
        // No conflict is documented, so it counts as our mistake.
        (System::ReadyCloud, _, "409") => both(attention("vendor_rejected_call")),
        // Where tokens are given, a refusal is about the client, and a missing endpoint about the address.
        (System::Qualtrics, Kind::Token, "404") => both(attention("connection_misconfigured")),
        (System::Qualtrics, Kind::Token, "405" | "409") => both(attention("vendor_rejected_call")),
        (System::Qualtrics, Kind::Token, "scope missing") => both(attention("credentials_rejected")),
        // Another token is asked for, once.
        (System::Qualtrics, Kind::Reading | Kind::List | Kind::Effect, "token expired") => {
            Some((Shown::Nothing, attention("credentials_rejected")))
        }
        // The job is lost, so another one is begun.
        (System::Qualtrics, Kind::Reading, "404") if (right, point) == (Right::Access, Point::Follow) => {
            let lost = "vendor_job_failed";
            Some((Shown::Retrying(lost.to_owned()), attention(lost)))
        }
        // Everybody who is waited for stands on the first page.
        (System::Qualtrics, Kind::List, "next page elsewhere" | "endless pages")
            if point == Point::Follow =>
        {
            both(Shown::Nothing)
        }
        // The page behind the last one is empty, and the list ends there.
        (System::Qualtrics, Kind::List, "endless pages") => Some((Shown::Nothing, attention(UNUSABLE))),
        (System::ReadyCloud, Kind::List, "endless pages") if point == Point::First => {
            Some((Shown::Nothing, attention(UNUSABLE)))
        }
        // Valid JSON without anything that was asked for: reading it again would not help.
        (System::Qualtrics, Kind::List, "deep") | (System::SegmentConfig, Kind::Reading, "deep") => {
            both(attention(UNUSABLE))
        }
        // The workspace is part of every address.
        (System::SegmentConfig, Kind::Effect, "404") => both(attention("connection_misconfigured")),
        // The workspace is the token's own, so what is not found is the call.
        (System::SegmentPublic, Kind::Effect, "404") => both(attention("vendor_refused")),
        // The deletion was accepted; that nobody knows it any more says nothing about how it ended.
        (System::SegmentConfig | System::SegmentPublic, Kind::Reading, "404") => {
            both(attention("outcome_unknown"))
        }
        // A token that is not valid and one that may not do something are refused alike.
        (System::SegmentPublic, Kind::Effect, "token expired") => both(attention("permissions_missing")),
        (System::SegmentPublic, Kind::Reading, "scope missing") => both(attention("credentials_rejected")),
        // What lasts at the one address strikes the question about a lost answer as well.
        (System::Webhook, Kind::Effect, _) if row.nature == Nature::Lost => {
            Some((Shown::Reconciling(AWAY.to_owned()), attention(AWAY)))
        }
        (System::Webhook, Kind::Effect, _) if row.nature == Nature::Cut => {
            Some((Shown::Reconciling(AWAY.to_owned()), attention(UNUSABLE)))
        }
        (System::Webhook, Kind::Effect, _) if row.nature == Nature::Spoilt => {
            Some((Shown::Reconciling(UNUSABLE.to_owned()), attention(UNUSABLE)))
        }
        // The endpoint is the whole address, and whatever else is refused is refused for what is in it.
        (System::Webhook, _, "404" | "405") => both(attention("connection_misconfigured")),
        (System::Webhook, _, "409") => both(attention("vendor_rejected_call")),
        (System::Webhook, _, "scope missing") => both(attention("credentials_rejected")),
        _ => None,
    }
}
