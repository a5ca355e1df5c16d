//! Lists.

use habeas_casework::FieldError;
use habeas_casework::queries::MOST_ITEMS;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

/// Items of a page if nothing else is asked for.
const USUAL_ITEMS: usize = 100;

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// What is on it.
    pub(crate) items: Vec<T>,
    /// Send it as `cursor` to go on; null at the end of the list.
    pub(crate) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of a list that casework cuts.
    pub(crate) fn of<S, Id: ToString>(
        page: habeas_casework::queries::Page<S, Id>,
        shape: impl FnMut(S) -> T,
    ) -> Self {
        Self {
            items: page.items.into_iter().map(shape).collect(),
            next_cursor: page.next.map(|id| id.to_string()),
        }
    }

    /// A page of a list that is always read as a whole because it is short. The cursor is the last item's `id`.
    pub(crate) fn cut<S>(
        all: Vec<S>,
        paging: &Paging,
        id: impl Fn(&S) -> String,
        shape: impl FnMut(S) -> T,
    ) -> Result<Self, Problem> {
        let limit = paging.limit()?;
        let begin = match &paging.cursor {
            None => 0,
            Some(cursor) => 1 + all.iter().position(|one| id(one) == *cursor).ok_or_else(unknown_cursor)?,
        };
        let more = all.len() > begin + limit;
        let part: Vec<S> = all.into_iter().skip(begin).take(limit).collect();
        let next_cursor = part.last().filter(|_| more).map(id);
        Ok(Self { items: part.into_iter().map(shape).collect(), next_cursor })
    }
}

fn unknown_cursor() -> Problem {
    Problem::field("cursor", "is none that this list gave out; leave it out to begin at the start")
}

/// Which part of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// Items at most: 100 if left out, never more than 200.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// How many items `limit` asks for.
pub(crate) fn limit(limit: Option<u64>) -> Result<usize, Problem> {
    match limit {
        None => Ok(USUAL_ITEMS),
        Some(0) => Err(FieldError::new("limit", "must be at least 1").into()),
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(MOST_ITEMS).min(MOST_ITEMS)),
    }
}

/// Where `cursor` says to go on.
pub(crate) fn cursor<Id: std::str::FromStr>(cursor: Option<&str>) -> Result<Option<Id>, Problem> {
    cursor.map(|cursor| cursor.parse().map_err(|_| unknown_cursor())).transpose()
}

impl Paging {
    /// How many items.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        limit(self.limit)
    }

    /// After which item.
    pub(crate) fn after<Id: std::str::FromStr>(&self) -> Result<Option<Id>, Problem> {
        cursor(self.cursor.as_deref())
    }
}
