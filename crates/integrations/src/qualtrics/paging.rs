//! Lists, in all of the vendor's styles: the whole address of the next page (`nextPage`, whatever its query is), or a
//! token with which the same call is sent again (`skipToken`). One page is in memory at a time.

use std::collections::HashSet;

use http::Method;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::api::{Api, PATIENCE};
use super::errors::{self, Asked};
use super::values::{self, Fields};
use crate::client::{Call, VendorAnswer};
use crate::error::VendorError;
use crate::manifest::EndpointClass;

/// Longer addresses and tokens are none.
const LONGEST_POINTER: usize = 8192;

/// What is listed.
#[derive(Debug)]
pub(super) struct List {
    asked: Asked,
    class: EndpointClass,
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    most_pages: usize,
}

impl List {
    pub(super) fn of(asked: Asked, class: EndpointClass, segments: &[&str], most_pages: usize) -> Self {
        let segments = segments.iter().map(|&segment| segment.to_owned()).collect();
        Self { asked, class, segments, query: Vec::new(), body: None, most_pages }
    }

    pub(super) fn query(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, value.to_owned()));
        self
    }

    /// A list that is asked for with a POST.
    pub(super) fn posting(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// One page.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) elements: Vec<Fields>,
    pub(super) vendor_request_id: Option<String>,
}

/// A page, or the vendor's refusal of it.
#[derive(Debug)]
pub(super) enum Turned {
    Page(Page),
    Refused(VendorAnswer),
}

/// A list being read.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    api: &'a Api,
    list: List,
    next: Option<Next>,
    asked_for: HashSet<String>,
    pages: usize,
}

#[derive(Debug)]
enum Next {
    First,
    /// As the vendor wrote it; judged when it is followed.
    Address(String),
    Token(String),
    /// The vendor promises more and has shown that it will not end.
    Nowhere,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    elements: Vec<Fields>,
    #[serde(default)]
    next_page: Value,
    #[serde(default)]
    skip_token: Value,
}

impl<'a> Pages<'a> {
    pub(super) fn new(api: &'a Api, list: List) -> Self {
        Self { api, list, next: Some(Next::First), asked_for: HashSet::new(), pages: 0 }
    }

    /// Whether there is more than is read of any list. Asking for the next page is an error then.
    pub(super) fn is_too_long(&self) -> bool {
        self.next.is_some() && self.pages >= self.list.most_pages
    }

    /// The next page, if there is one.
    pub(super) async fn next(&mut self) -> Result<Option<Page>, VendorError> {
        match self.turn().await? {
            None => Ok(None),
            Some(Turned::Page(page)) => Ok(Some(page)),
            Some(Turned::Refused(answer)) => Err(errors::refused(&answer, self.list.asked)),
        }
    }

    /// The next page, if there is one, for callers that understand a refusal better.
    pub(super) async fn turn(&mut self) -> Result<Option<Turned>, VendorError> {
        if self.is_too_long() {
            return Err(errors::endless_list());
        }
        let Some(next) = self.next.take() else { return Ok(None) };
        let answer = match &next {
            Next::First => self.api.send(|| self.first()).await?,
            Next::Token(token) => {
                self.api.send(|| self.first().query("skipToken", token).patient(PATIENCE)).await?
            }
            Next::Address(address) => {
                let url = self.same_list(address)?;
                let follow = || self.api.client().follow(self.list.class, url.as_str()).patient(PATIENCE);
                self.api.send(follow).await?
            }
            Next::Nowhere => return Err(errors::endless_list()),
        };
        self.pages += 1;
        if !answer.status.is_success() {
            return Ok(Some(Turned::Refused(answer)));
        }
        let written: Written = values::result(&answer)?;
        self.next = self.pointer(&written);
        let vendor_request_id = errors::request_id(&answer);
        Ok(Some(Turned::Page(Page { elements: written.elements, vendor_request_id })))
    }

    /// Where the list goes on. An address or a token that was there before, and more after an empty page, lead nowhere.
    fn pointer(&mut self, written: &Written) -> Option<Next> {
        let next = if let Some(token) = values::text(&written.skip_token) {
            Next::Token(token)
        } else {
            let address = written.next_page.as_str().map(str::trim).filter(|next| !next.is_empty())?;
            match &self.list.body {
                None => Next::Address(address.to_owned()),
                // A list that is asked for with a POST goes on with its token, wherever that is written.
                Some(_) => skip_token(address).map_or(Next::Nowhere, Next::Token),
            }
        };
        let (Next::Address(pointer) | Next::Token(pointer)) = &next else { return Some(next) };
        let leads_on = !written.elements.is_empty()
            && pointer.len() <= LONGEST_POINTER
            && self.asked_for.insert(pointer.clone());
        Some(if leads_on { next } else { Next::Nowhere })
    }

    fn first(&self) -> Call {
        let List { class, segments, query, body, .. } = &self.list;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut call = self.api.call(*class, method, &segments);
        for (name, value) in query {
            call = call.query(name, value);
        }
        if let Some(body) = body {
            call = call.json(body);
        }
        // What opens a piece of work is given back at once if there is no leave; what belongs to one waits.
        if matches!(self.list.asked, Asked::ErasureList) { call } else { call.patient(PATIENCE) }
    }

    /// The address of another page, which must be the vendor's own and belong to the same list.
    fn same_list(&self, address: &str) -> Result<Url, VendorError> {
        let url = self.api.client().own(address)?;
        let base = self.api.client().base_url().path().trim_end_matches('/');
        let expected = format!("{base}/API/v3/{}", self.list.segments.join("/"));
        let is_same = percent_decode_str(url.path().trim_end_matches('/'))
            .map(|byte| byte.to_ascii_lowercase())
            .eq(expected.bytes().map(|byte| byte.to_ascii_lowercase()));
        if is_same { Ok(url) } else { Err(errors::another_list()) }
    }
}

fn skip_token(address: &str) -> Option<String> {
    let query = address.split_once('?')?.1;
    let (_, token) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "skipToken")?;
    (!token.is_empty()).then(|| token.into_owned())
}
