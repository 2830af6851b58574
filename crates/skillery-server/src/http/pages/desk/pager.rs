//! Going from one page of a list to the next.

use crate::app::App;
use crate::http::call::Page;

/// Where the pages before and behind are.
#[derive(Default)]
pub struct Pager {
    /// The one before.
    pub previous: Option<String>,
    /// The one behind.
    pub next: Option<String>,
}

impl Pager {
    /// Of a list of so many rows at this path; `query` is what else stands in the address.
    pub fn of(app: &App, path: &str, query: &[(&str, &str)], rows: Page, total: u64) -> Self {
        let address = |offset: usize| {
            let mut text = url::form_urlencoded::Serializer::new(String::new());
            text.extend_pairs(query.iter().filter(|(_, value)| !value.is_empty()));
            text.append_pair("offset", &offset.to_string());
            if rows.limit != app.settings.limits.default_page_rows {
                text.append_pair("limit", &rows.limit.to_string());
            }
            format!("{path}?{}", text.finish())
        };
        let end = rows.offset.saturating_add(rows.limit);
        let has_next = rows.limit > 0 && (end as u64) < total && end <= app.settings.limits.page_offset;
        Self {
            previous: (rows.offset > 0).then(|| address(rows.offset.saturating_sub(rows.limit))),
            next: has_next.then(|| address(end)),
        }
    }
}

/// The first page.
pub fn first(app: &App) -> Page {
    Page { limit: app.settings.limits.default_page_rows, offset: 0 }
}
